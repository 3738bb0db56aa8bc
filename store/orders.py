"""Orders, their lines, and the stock reserved for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, insert, or_, select, update

from store.shop_schema import order_lines, orders
from store.tx import Tx

FIRST_NUMBER = 1000


def set_number(tx: Tx, order: str, number: str | None) -> Row[Any]:
    """Give a new order its number: its own, or the next of ours (gaps are allowed)."""
    own = tx.rows(select(orders.c.n).where(orders.c.id == order))[0].n
    told = number or str(FIRST_NUMBER + own)
    statement = update(orders).where(orders.c.id == order).values(number=told)
    return tx.connection.execute(statement.returning(*orders.c)).one()


def add_lines(tx: Tx, lines: Sequence[Mapping[str, Any]]) -> None:
    """Insert an order's lines."""
    for line in lines:
        tx.run(insert(order_lines), line)


def lines_of(tx: Tx, order: str) -> list[Row[Any]]:
    """Read an order's lines."""
    query = select(order_lines).where(order_lines.c.order_id == order)
    return tx.rows(query.order_by(order_lines.c.position))


def find(tx: Tx, word: str) -> Row[Any] | None:
    """Find an order by our id, or else by the shop's own reference."""
    found = tx.rows(select(orders).where(or_(orders.c.id == word, orders.c.external_ref == word)))
    return next((row for row in found if row.id == word), found[0] if found else None)


def page(
    tx: Tx, filters: Mapping[str, Sequence[str]], *, before: int | None, limit: int,
    created: tuple[datetime | None, datetime | None] = (None, None),
) -> list[Row[Any]]:  # fmt: skip
    """Read a page of orders, newest first.

    Args:
        filters: Column to the values taken: lifecycle, payment_status, customer_id, email,
            external_ref.
        before: The `n` of the last order seen.
        created: From (inclusive) and until (exclusive).
    """
    query: Select[Any] = select(orders).order_by(orders.c.n.desc()).limit(limit)
    for name, values in filters.items():
        query = query.where(orders.c[name].in_(values))
    if before is not None:
        query = query.where(orders.c.n < before)
    since, until = created
    if since is not None:
        query = query.where(orders.c.created_at >= since)
    if until is not None:
        query = query.where(orders.c.created_at < until)
    return tx.rows(query)


def all_of(tx: Tx) -> list[Row[Any]]:
    """Read every order, for `hub verify`."""
    return tx.rows(select(orders).order_by(orders.c.n))
