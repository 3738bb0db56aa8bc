"""Parts of snapshots that many have: money, persons. What is unknown is left out."""

from datetime import datetime
from typing import Any

from hub.model import Json, rfc3339
from store.aggregates import Stored

PERSON = ("email", "first_name", "last_name", "phone", "locale")


def money(amount: int, currency: str) -> dict[str, Json]:
    """Write money as the API does."""
    return {"amount": amount, "currency": currency}


def known(**values: Any) -> dict[str, Json]:
    """Keep what is known, times as RFC 3339."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }


def person(row: Stored) -> dict[str, Json]:
    """Give what is known of a person."""
    return known(**{name: getattr(row, name) for name in PERSON})
