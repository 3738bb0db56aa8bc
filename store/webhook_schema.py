"""The tables about webhooks in: when they come, who has fallen silent, endpoints we made."""

from store.schema import at, data, number, table, word

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
endpoint_secrets = table(
    "endpoint_secrets",
    word("connector", primary_key=True),
    word("ref", primary_key=True),  # the provider's id; empty while it is being made
    data("secret", null=True),  # sealed
    word("asked", null=True),  # JSON, while it is being made
    word("key", null=True),
    at("at"),
)
