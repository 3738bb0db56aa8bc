"""An order's stock: taken for every line or for none, given back, or gone with the goods.

Lines are always taken in the order of their variants, so that two orders never wait crosswise.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hub.errors import Refused
from hub.shop.catalog_snapshots import variant_snapshot
from hub.shop.events import Cause, tell
from store import catalog, orders, stock
from store.aggregates import Stored
from store.tx import Tx

Line = Mapping[str, Any]


def take(
    tx: Tx, lines: Iterable[Line], cause: Cause, *, until: datetime | None, state: str = "held"
) -> None:  # fmt: skip
    """Take stock for order lines.

    Args:
        lines: id, order_id, variant_id, sku, qty, position of each whose stock is counted.
        until: When it may be given back, if no money has come.

    Raises:
        Refused: out_of_stock {items}.
    """
    wanted = sorted(lines, key=lambda line: (line["variant_id"], line["position"]))
    left = [stock.reserve(tx, line, expires_at=until, state=state) for line in wanted]
    short = [line for line, rest in zip(wanted, left, strict=True) if rest is None]
    if short:
        skus = ", ".join(line["sku"] for line in short)
        raise Refused("out_of_stock", f"too few of {skus}", items=[_short(tx, s) for s in short])
    for line, rest in zip(wanted, left, strict=True):
        if rest == 0 and stock.available(tx, line["variant_id"]) <= 0:
            tell_variant(tx, line["variant_id"], "shop.variant.out_of_stock", cause)


def give_back(tx: Tx, order: str, cause: Cause, *, state: str, reason: str) -> None:
    """End all of an order's reservations: their goods stay, or leave where they are consumed."""
    for row in stock.of_order(tx, order):
        end(tx, row, row.qty, cause, state=state, reason=reason)


def give_back_some(tx: Tx, order: str, line: str, qty: int, cause: Cause, *, reason: str) -> None:
    """Give back part of what is reserved for one line, as far as something is."""
    for row in _of_line(tx, order, line):
        part = min(qty, row.qty)
        if part > 0:
            end(tx, row, part, cause, state="released", reason=reason)
        qty -= part


def consume(tx: Tx, order: str, line: str, qty: int, cause: Cause, *, ref: str) -> None:
    """Let goods leave: what was reserved for them is gone."""
    for row in _of_line(tx, order, line):
        part = min(qty, row.qty)
        if part > 0:
            end(tx, row, part, cause, state="consumed", reason="shipped", ref=ref)
        qty -= part


def end(
    tx: Tx, row: Stored, qty: int, cause: Cause, *, state: str, reason: str, ref: str | None = None
) -> None:
    """End a reservation or part of it; tell where that makes something sellable again."""
    left = stock.end(tx, row, qty, state=state, reason=reason, ref=ref or row.order_line_id)
    if state != "consumed" and 0 < left <= qty and stock.available(tx, row.variant_id) <= qty:
        tell_variant(tx, row.variant_id, "shop.variant.back_in_stock", cause)


def counted_lines(tx: Tx, order: Stored) -> list[dict[str, Any]]:
    """Give the lines of an order whose stock we count; none of an order made elsewhere."""
    if order.external_ref is not None:
        return []
    found = orders.lines_of(tx, order.id)
    counted = catalog.counted(tx, {line.variant_id for line in found if line.variant_id})
    return [dict(line._mapping) for line in found if line.variant_id in counted and line.qty > 0]  # noqa: SLF001 -- a public accessor of SQLAlchemy


def tell_variant(tx: Tx, variant: str, name: str, cause: Cause, **more: Any) -> None:
    """Tell something of a variant with its snapshot as it is now."""
    row = catalog.variant(tx, variant)
    if row is not None:
        tell(tx, name, variant_snapshot(tx, row), cause, **more)


def _of_line(tx: Tx, order: str, line: str) -> list[Stored]:
    return [row for row in stock.of_order(tx, order) if row.order_line_id == line]


def _short(tx: Tx, line: Line) -> dict[str, Any]:
    return {
        "variant": line["variant_id"],
        "sku": line["sku"],
        "requested": line["qty"],
        "available": max(stock.available(tx, line["variant_id"]), 0),
    }
