"""Cases: what only a person can settle; one open case per kind and subject."""

from typing import Any

from sqlalchemy import Row, select

from store.money_schema import cases
from store.tx import Tx


def open_of(tx: Tx, order: str) -> list[Row[Any]]:
    """Read an order's open cases, oldest first."""
    query = select(cases).where(cases.c.order_id == order, cases.c.state == "open")
    return tx.rows(query.order_by(cases.c.id))


def open_case(tx: Tx, kind: str, subject: str) -> Row[Any] | None:
    """Read the open case of a kind about a subject."""
    return tx.row(
        select(cases).where(
            cases.c.kind == kind, cases.c.subject == subject, cases.c.state == "open"
        )
    )
