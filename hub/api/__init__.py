"""The shop's door, /v1: bearer keys, problem+json, idempotency, paging, OpenAPI."""
