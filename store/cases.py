"""Cases: what only a person can settle; one open case per kind and subject."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from store.money_schema import cases, payments
from store.tx import Tx


def open_of(tx: Tx, order: str) -> list[Row[Any]]:
    """Read an order's open cases, oldest first."""
    query = select(cases).where(cases.c.order_id == order, cases.c.state == "open")
    return tx.rows(query.order_by(cases.c.id))


def claimed(tx: Tx, order: str) -> list[Row[Any]]:
    """Read the open cases of money that nobody knew the order of, and that is this order's now."""
    mine = select(payments.c.id).where(payments.c.order_id == order)
    stray = (cases.c.kind == "unmatched_payment", cases.c.state == "open")
    return tx.rows(select(cases).where(*stray, cases.c.subject.in_(mine)))


def open_about(tx: Tx, kind: str, subjects: Collection[str]) -> bool:
    """Say whether a case of a kind is open about any of these."""
    mine = (cases.c.kind == kind, cases.c.state == "open", cases.c.subject.in_(subjects))
    return tx.row(select(cases.c.id).where(*mine).limit(1)) is not None


def opened_since(tx: Tx, since: datetime, *, limit: int) -> list[Row[Any]]:
    """Read the open cases that were opened since a time, oldest first."""
    query = select(cases).where(cases.c.state == "open", cases.c.created_at >= since)
    return tx.rows(query.order_by(cases.c.id).limit(limit))


def last(tx: Tx, kind: str, subject: str) -> Row[Any] | None:
    """Read the open case of a kind about a subject, or else the last one there was."""
    mine = select(cases).where(cases.c.kind == kind, cases.c.subject == subject)
    return tx.row(mine.order_by(cases.c.state != "open", cases.c.id.desc()).limit(1))


def attached(tx: Tx, order: str) -> set[str]:
    """Name the payments that a person has said are this order's."""
    query = select(cases.c.subject).where(
        cases.c.order_id == order, cases.c.accepted == 1, cases.c.resolution == "attach"
    )
    return {row.subject for row in tx.rows(query)}


def page(
    tx: Tx, filters: Mapping[str, str], *, before: str | None, limit: int
) -> list[Row[Any]]:  # fmt: skip
    """Read a page of cases, newest first."""
    query = select(cases).order_by(cases.c.id.desc()).limit(limit)
    for name, value in filters.items():
        query = query.where(cases.c[name] == value)
    return tx.rows(query if before is None else query.where(cases.c.id < before))
