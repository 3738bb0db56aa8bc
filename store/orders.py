"""Orders, their lines, and the stock reserved for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, insert, or_, select, update

from store.shop_schema import order_adjustments, order_lines, order_notes, orders, tax_lines
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


def line_of(tx: Tx, line: str) -> Row[Any] | None:
    """Read one line."""
    return tx.row(select(order_lines).where(order_lines.c.id == line))


def change_line(tx: Tx, line: str, **values: Any) -> None:
    """Change a line."""
    tx.run(update(order_lines).where(order_lines.c.id == line).values(values))


def due(tx: Tx, *, limit: int = 500) -> list[str]:
    """Name the orders whose time to be paid is over, the longest ago first."""
    over = orders.c.lifecycle == "pending_payment", orders.c.expires_at <= tx.now
    query = select(orders.c.id).where(*over).order_by(orders.c.expires_at).limit(limit)
    return [row.id for row in tx.rows(query)]


def fulfilled_before(tx: Tx, when: datetime, *, limit: int = 500) -> list[str]:
    """Name the placed orders that were fulfilled before a time."""
    over = orders.c.lifecycle == "placed", orders.c.fulfilled_at <= when
    query = select(orders.c.id).where(*over).order_by(orders.c.fulfilled_at).limit(limit)
    return [row.id for row in tx.rows(query)]


# -- what stands beside an order -------------------------------------------------------------------
def write_taxes(tx: Tx, order: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write how each thing is taxed, in place of what was written before."""
    tx.run(delete(tax_lines).where(tax_lines.c.order_id == order))
    tx.run_each(insert(tax_lines), [{"order_id": order, **row} for row in rows])


def taxes_of(tx: Tx, order: str) -> list[Row[Any]]:
    """Read how each thing is taxed."""
    query = select(tax_lines).where(tax_lines.c.order_id == order)
    return tx.rows(query.order_by(tax_lines.c.n))


def write_adjustments(tx: Tx, order: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what was taken off or put on, in place of what was written before."""
    tx.run(delete(order_adjustments).where(order_adjustments.c.order_id == order))
    tx.run_each(insert(order_adjustments), [{"order_id": order, **row} for row in rows])


def adjustments_of(tx: Tx, order: str) -> list[Row[Any]]:
    """Read what was taken off or put on."""
    query = select(order_adjustments).where(order_adjustments.c.order_id == order)
    return tx.rows(query.order_by(order_adjustments.c.n))


def add_note(tx: Tx, order: str, *, who: str, text: str) -> Row[Any]:
    """Write a note beside an order."""
    row = {"order_id": order, "who": who, "text": text, "at": tx.now}
    made = insert(order_notes).returning(*order_notes.c)
    return tx.connection.execute(made, row).one()


def notes_of(tx: Tx, order: str) -> list[Row[Any]]:
    """Read an order's notes, oldest first."""
    query = select(order_notes).where(order_notes.c.order_id == order)
    return tx.rows(query.order_by(order_notes.c.n))


def all_of(tx: Tx) -> list[Row[Any]]:
    """Read every order, for `hub verify`."""
    return tx.rows(select(orders).order_by(orders.c.n))
