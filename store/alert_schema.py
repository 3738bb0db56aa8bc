"""The table of what was told to whom."""

from store.schema import at, number, table, word

# One row for each trouble that stands and each channel that was told of it; `log` is one.
alerts = table(
    "alerts",
    word("signal", primary_key=True),
    word("about", primary_key=True),
    word("channel", primary_key=True),
    at("since"),
    at("told_at"),
    number("told"),  # the count it was told
    number("seen"),  # the count of the last look
    number("most"),
    at("grown_at"),  # when the count last rose
    at("until", null=True),  # seen by a node alone: over from then on
)
