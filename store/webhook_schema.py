"""The tables about webhooks in: when they come, which connectors have fallen silent."""

from store.schema import at, number, table, word

arrivals = table(
    "arrivals",
    word("connector", primary_key=True),
    at("hour", primary_key=True),
    number("minutes"),  # a bit for each minute of the hour in which a webhook came
)
silences = table(
    "silences",
    word("connector", primary_key=True),
    at("since"),  # when the last webhook had come
)
