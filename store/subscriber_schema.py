"""The table of subscribers to our own webhooks. That one is disabled says its account's row."""

from store.schema import at, data, number, table, word

webhook_endpoints = table(
    "webhook_endpoints",
    word("id", primary_key=True),
    word("managed"),  # api, or config: then config.yaml says all but the state
    word("url"),
    word("description", null=True),
    word("types"),  # JSON
    word("ordered"),
    word("origins"),  # JSON
    data("keys", null=True),  # JSON, sealed; null: config.yaml has them
    number("version"),
    at("created_at"),
    at("updated_at"),
    at("failing_since", null=True),  # no delivery has succeeded since
    word("disabled_reason", null=True),
)
