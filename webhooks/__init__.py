"""Webhooks: signature schemes, receiving and guarding inbound requests."""
