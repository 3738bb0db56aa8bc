"""What the shop's tables share: JSON as text, what every aggregate has, persons, sums."""

from typing import Any

from sqlalchemy import Column, Dialect, Text, text
from sqlalchemy.types import TypeDecorator

from hub.model import Json, read_json, write_json
from store.schema import at, number, word


class JsonText(TypeDecorator[Json]):
    """A JSON value, stored as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Json, dialect: Dialect) -> str | None:
        """Write."""
        return None if value is None else write_json(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Json:
        """Read."""
        return None if value is None else read_json(value)


def json(name: str, *, null: bool = False, **more: Any) -> Column[Json]:
    """Declare a JSON column."""
    return Column(name, JsonText, nullable=null, **more)


def aggregate(**times: Any) -> list[Column[Any]]:
    """Give what every aggregate has: a version per change, a sequence per event.

    Args:
        times: Of the time columns, where they came to a table later than its rows.
    """
    return [
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        at("created_at", **times),
        at("updated_at", **times),
    ]


def person(*, email: bool) -> list[Column[Any]]:
    """Give what a customer is called, for customers and the copies orders keep."""
    return [
        word("email", null=not email),
        word("first_name", null=True),
        word("last_name", null=True),
        word("phone", null=True),
        word("locale", null=True),
    ]


def sums() -> list[Column[Any]]:
    """Give what the ledger comes to; kept for reading, `hub verify` adds it up again."""
    names = ("authorized", "captured", "refunded", "charged_back")
    return [number(name, server_default="0") for name in names]


def only_where(condition: str) -> dict[str, Any]:
    """Say which rows an index holds, for both stores."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
