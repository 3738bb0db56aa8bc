"""Fulfilments and the order lines they send."""

from typing import Any

from sqlalchemy import Row, insert, select, update

from store.shop_schema import fulfilment_lines, fulfilments, order_lines
from store.tx import Tx

BEFORE = ("pending", "packed")


def of_order(tx: Tx, order: str) -> list[Row[Any]]:
    """Read an order's fulfilments, oldest first."""
    query = select(fulfilments).where(fulfilments.c.order_id == order)
    return tx.rows(query.order_by(fulfilments.c.id))


def add_lines(tx: Tx, fulfilment: str, lines: list[tuple[str, int]]) -> None:
    """Insert the lines of a fulfilment: order line and quantity."""
    rows = [{"fulfilment_id": fulfilment, "order_line_id": line, "qty": q} for line, q in lines]
    tx.run_each(insert(fulfilment_lines), rows)


def lines_of(tx: Tx, fulfilment: str) -> list[Row[Any]]:
    """Read a fulfilment's lines with what they are of."""
    columns = (order_lines.c.variant_id, order_lines.c.sku, order_lines.c.title)
    query = (
        select(fulfilment_lines, *columns)
        .join(order_lines, order_lines.c.id == fulfilment_lines.c.order_line_id)
        .where(fulfilment_lines.c.fulfilment_id == fulfilment)
        .order_by(order_lines.c.position)
    )
    return tx.rows(query)


def planned(tx: Tx, order: str) -> dict[str, int]:
    """Say how many of each line lie in fulfilments that have not left."""
    query = (
        select(fulfilment_lines.c.order_line_id, fulfilment_lines.c.qty)
        .join(fulfilments, fulfilments.c.id == fulfilment_lines.c.fulfilment_id)
        .where(fulfilments.c.order_id == order, fulfilments.c.state.in_(BEFORE))
    )
    found: dict[str, int] = {}
    for row in tx.rows(query):
        found[row.order_line_id] = found.get(row.order_line_id, 0) + row.qty
    return found


def move(tx: Tx, line: str, *, fulfilled: int = 0, returned: int = 0) -> None:
    """Count goods of an order line that have left, or come back."""
    counted = {
        "qty_fulfilled": order_lines.c.qty_fulfilled + fulfilled,
        "qty_returned": order_lines.c.qty_returned + returned,
    }
    tx.run(update(order_lines).where(order_lines.c.id == line).values(counted))


def take_back(tx: Tx, fulfilment: str, line: str, qty: int) -> None:
    """Count goods of a fulfilment that have come back."""
    mine = update(fulfilment_lines).where(
        fulfilment_lines.c.fulfilment_id == fulfilment, fulfilment_lines.c.order_line_id == line
    )
    tx.run(mine.values(qty_returned=fulfilment_lines.c.qty_returned + qty))


def page(tx: Tx, *, after: str, limit: int) -> list[Row[Any]]:
    """Read a page of fulfilments, oldest first."""
    query = select(fulfilments).where(fulfilments.c.id > after)
    return tx.rows(query.order_by(fulfilments.c.id).limit(limit))
