"""Fulfilments: goods packed, shipped, delivered, returned; the order's status follows the lines."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.shop.events import Cause, tell
from hub.shop.inputs import Input, Metadata, Qty, Word
from hub.shop.order_shapes import FulfilmentStatus
from hub.shop.rules import invalid
from hub.shop.snapshots import fulfilment_snapshot
from hub.shop.steps import order_to_change
from hub.shop.stocking import consume, tell_variant
from hub.shop.versions import ANY, Match
from store import aggregates, fulfilments, orders, stock
from store.aggregates import Stored
from store.tx import Tx

Step = Literal["pack", "ship", "deliver", "cancel", "return"]
STEPS: dict[str, tuple[str, frozenset[str]]] = {
    "pack": ("packed", frozenset({"pending"})),
    "ship": ("shipped", frozenset({"pending", "packed"})),
    "deliver": ("delivered", frozenset({"shipped"})),
    "cancel": ("cancelled", frozenset({"pending", "packed"})),
    "return": ("returned", frozenset({"shipped", "delivered"})),
}


class LineQty(Input):
    """How many of which order line."""

    line: Word
    qty: Qty


class NewFulfilment(Input):
    """What is to be sent together; without lines all that is still open."""

    lines: tuple[LineQty, ...] = Field(default=(), max_length=500)
    carrier: Word | None = None
    tracking: Word | None = None
    metadata: Metadata = Field(default_factory=dict)


class CreateFulfilment(NewFulfilment):
    """A fulfilment of an order."""

    order: Word


class FulfilmentChange(Input):
    """Who carries it, and by which number; what is not named stays."""

    carrier: Word | None = None
    tracking: Word | None = None
    metadata: Metadata | None = None


class StepWish(Input):
    """What is known of a step: for shipping who carries it, for a return what came back.

    A return without lines is of everything. `restock` puts the goods on hand again.
    """

    carrier: Word | None = None
    tracking: Word | None = None
    lines: Annotated[tuple[LineQty, ...], Field(max_length=500)] = ()
    restock: bool = False


class MoveFulfilment(StepWish):
    """A step of a fulfilment."""

    fulfilment: Word
    step: Step


def create_fulfilment(tx: Tx, item: CreateFulfilment) -> dict[str, Json]:
    """Plan to send goods of a placed order.

    Raises:
        Refused: not_found, order_on_hold, invalid_transition, qty_exceeds_open {items},
            validation_error.
    """
    order = order_to_change(tx, item.order)
    _sendable(order)
    row = aggregates.add(
        tx,
        "fulfilment",
        id=new_id("ful", tx.now),
        order_id=order.id,
        state="pending",
        carrier=item.carrier,
        tracking=item.tracking,
        metadata=item.metadata,
    )
    fulfilments.add_lines(tx, row.id, _open(tx, order, item.lines))
    return _told(tx, row, "created")


def change_fulfilment(
    tx: Tx, ident: str, item: FulfilmentChange, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Change who carries a fulfilment and by which number.

    Raises:
        Refused: not_found, version_conflict.
    """
    row = _lock(tx, ident, match)
    given = item.model_dump(exclude_none=True)
    row = aggregates.change(tx, "fulfilment", row.id, **given)
    return _told(tx, row, "tracking_updated")


def move_fulfilment(tx: Tx, item: MoveFulfilment, match: Match = ANY) -> dict[str, Json]:
    """Take one step; goods leave the stock when they are shipped, and nothing ships while held.

    Raises:
        Refused: not_found, version_conflict, invalid_transition, order_on_hold, qty_exceeds_open.
    """
    row = _lock(tx, item.fulfilment, match)
    to, allowed = STEPS[item.step]
    if row.state not in allowed:
        told = {"from": row.state, "to": to, "allowed": sorted(allowed)}
        raise Refused("invalid_transition", f"the fulfilment is {row.state}", **told)
    if item.step == "return":
        return _take_back(tx, row, item)
    values: dict[str, Any] = {"state": to, f"{to}_at": tx.now}
    if item.step == "ship":
        _ship(tx, row)
        values |= item.model_dump(include={"carrier", "tracking"}, exclude_none=True)
    row = aggregates.change(tx, "fulfilment", row.id, **values)
    if item.step in {"ship", "deliver"}:
        follow(tx, row.order_id)
    return _told(tx, row, to)


def stop(tx: Tx, row: Stored) -> None:
    """Cancel a fulfilment whose order is cancelled; those that are over stay."""
    if row.state in fulfilments.BEFORE:
        row = aggregates.change(tx, "fulfilment", row.id, state="cancelled", cancelled_at=tx.now)
        _told(tx, row, "cancelled")


def fulfilment_status(lines: list[Stored]) -> FulfilmentStatus:
    """Say how far an order's goods have gone, from its lines alone."""
    wanted = sum(line.qty for line in lines)
    gone = sum(line.qty_fulfilled for line in lines)
    back = sum(line.qty_returned for line in lines)
    if back:
        return "returned" if back >= gone >= wanted else "partially_returned"
    if gone == 0:
        return "unfulfilled"
    return "fulfilled" if gone >= wanted else "partially_fulfilled"


def follow(tx: Tx, order: str) -> Stored:
    """Work out an order's fulfilment status; note when the last of it has gone."""
    row = aggregates.lock(tx, "order", order)
    if row is None:
        raise LookupError(f"no order {order}")
    lines = orders.lines_of(tx, order)
    status = fulfilment_status(lines)
    whole = sum(line.qty_fulfilled for line in lines) >= sum(line.qty for line in lines)
    sent = [f.delivered_at or f.shipped_at for f in fulfilments.of_order(tx, order) if f.shipped_at]
    ended = max(sent) if whole and sent else None
    if (status, ended) == (row.fulfilment_status, row.fulfilled_at):
        return row
    return aggregates.change(tx, "order", order, fulfilment_status=status, fulfilled_at=ended)


def come_back(
    tx: Tx, order: str, lines: list[tuple[str, int]], *, restock: bool, ref: str
) -> None:  # fmt: skip
    """Count goods of an order that have come back, on hand again with `restock`.

    Raises:
        Refused: qty_exceeds_open: so many have not left, or are back already.
    """
    known = {line.id: line for line in orders.lines_of(tx, order)}
    for ident, qty in lines:
        line = known.get(ident)
        if line is None:
            raise invalid("/lines", f"no line {ident}")
        if qty > line.qty_fulfilled - line.qty_returned:
            raise _exceeds([{"line": ident, "open": line.qty_fulfilled - line.qty_returned}])
        fulfilments.move(tx, ident, returned=qty)
        if restock and line.variant_id is not None:
            _restock(tx, line.variant_id, qty, ref)


def _restock(tx: Tx, variant: str, qty: int, ref: str) -> None:
    places = stock.rows_of(tx, [variant])
    if places:
        left = stock.receive(tx, variant, places[0].location_id, qty, reason="returned", ref=ref)
        if left is not None and 0 < left <= qty:
            tell_variant(tx, variant, "shop.variant.back_in_stock", Cause())


def _take_back(tx: Tx, row: Stored, item: MoveFulfilment) -> dict[str, Json]:
    there = {line.order_line_id: line for line in fulfilments.lines_of(tx, row.id)}
    asked = {line.line: line.qty for line in item.lines} or {
        ident: line.qty - line.qty_returned for ident, line in there.items()
    }
    for ident, qty in asked.items():
        line = there.get(ident)
        if line is None or qty > line.qty - line.qty_returned:
            left = line.qty - line.qty_returned if line else 0
            raise _exceeds([{"line": ident, "open": left}])
        fulfilments.take_back(tx, row.id, ident, qty)
    order_to_change(tx, row.order_id)
    come_back(tx, row.order_id, sorted(asked.items()), restock=item.restock, ref=row.id)
    whole = all(line.qty == line.qty_returned for line in fulfilments.lines_of(tx, row.id))
    values: dict[str, Any] = {"state": "returned", "returned_at": tx.now} if whole else {}
    row = aggregates.change(tx, "fulfilment", row.id, **values)
    follow(tx, row.order_id)
    return _told(tx, row, "returned")


def _ship(tx: Tx, row: Stored) -> None:
    order = order_to_change(tx, row.order_id)
    _sendable(order)
    for line in fulfilments.lines_of(tx, row.id):
        fulfilments.move(tx, line.order_line_id, fulfilled=line.qty)
        consume(tx, row.order_id, line.order_line_id, line.qty, Cause(), ref=row.id)


def _sendable(order: Stored) -> None:
    if order.lifecycle == "on_hold":
        reasons = order.hold_reasons
        raise Refused("order_on_hold", f"held for {', '.join(reasons)}", reasons=reasons)
    if order.lifecycle not in {"placed", "closed"}:
        told = {"from": order.lifecycle, "to": "fulfilled", "allowed": ["placed"]}
        raise Refused("invalid_transition", f"the order is {order.lifecycle}", **told)


def _open(tx: Tx, order: Stored, wanted: tuple[LineQty, ...]) -> list[tuple[str, int]]:
    """Check what is to be sent against what is still open."""
    planned = fulfilments.planned(tx, order.id)
    left = {
        line.id: line.qty - line.qty_fulfilled - planned.get(line.id, 0)
        for line in orders.lines_of(tx, order.id)
    }
    asked = {ident: qty for ident, qty in left.items() if qty > 0}
    if wanted:
        asked = {}
        for position, line in enumerate(wanted):
            if line.line not in left or line.line in asked:
                raise invalid(f"/lines/{position}/line", "no line of this order, or named twice")
            asked[line.line] = line.qty
    over = [{"line": n, "open": left[n]} for n, qty in asked.items() if qty > left[n]]
    if over or not asked:
        raise _exceeds(over)
    return sorted(asked.items())


def _exceeds(items: list[Json]) -> Refused:
    return Refused("qty_exceeds_open", "more than is open", items=items)


def _lock(tx: Tx, ident: str, match: Match) -> Stored:
    """Lock a fulfilment's order, then the fulfilment."""
    found = aggregates.get(tx, "fulfilment", ident)
    if found is None:
        raise Refused("not_found", "there is no such fulfilment")
    order_to_change(tx, found.order_id)
    row = aggregates.lock(tx, "fulfilment", ident)
    if row is None:
        raise Refused("not_found", "there is no such fulfilment")
    match.check(row)
    return row


def _told(tx: Tx, row: Stored, word: str) -> dict[str, Json]:
    snapshot = fulfilment_snapshot(tx, row)
    tell(tx, f"shop.fulfilment.{word}", snapshot, Cause())
    return {"fulfilment": snapshot}
