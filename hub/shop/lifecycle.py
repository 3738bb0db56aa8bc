"""An order's life as people and timers move it; what its payments move is in hub.shop.reckoning."""

from typing import Any, Literal

from hub.errors import Refused
from hub.model import Json
from hub.shop import promotions, refunds
from hub.shop.asking import ask_cancel
from hub.shop.events import Cause, tell
from hub.shop.fulfilling import stop
from hub.shop.inputs import Input, Word
from hub.shop.reckoning import reckon
from hub.shop.rules import ShopRules
from hub.shop.snapshots import order_snapshot, order_view
from hub.shop.steps import order_to_change, refuse_step, step
from hub.shop.stocking import counted_lines, give_back, take
from hub.shop.versions import ANY, Match
from store import aggregates, fulfilments, payments, stock
from store.aggregates import Stored
from store.tx import Tx

LIVING = frozenset({"draft", "pending_payment", "placed", "on_hold"})
GONE = frozenset({"shipped", "delivered", "returned"})


class CancelWish(Input):
    """Why an order is cancelled, and whether its money goes back (auto) or stays (none).

    `restock: false` says that the goods are lost as well.
    """

    reason: Word | None = None
    refund: Literal["auto", "none"] = "auto"
    restock: bool = True


class CancelOrder(CancelWish):
    """An order to be cancelled."""

    order: Word


class HoldWish(Input):
    """Why an order is held."""

    reason: Word


class HoldOrder(HoldWish):
    """An order to be held."""

    order: Word


class ReleaseOrder(Input):
    """An order whose hold by staff ends."""

    order: Word


def cancel_order(
    tx: Tx, item: CancelOrder, rules: ShopRules, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Cancel an order: its stock is free again, its open payments and its money are given back.

    Money that comes all the same opens a case.

    Raises:
        Refused: not_found, invalid_transition, not_cancellable {fulfilments}, version_conflict.
    """
    row = order_to_change(tx, item.order, match)
    step(row, "cancelled", LIVING)
    cause = Cause()
    _stop_fulfilments(tx, row)
    state, why = ("released", "cancelled") if item.restock else ("consumed", "written off")
    give_back(tx, row.id, cause, state=state, reason=why)
    promotions.give_back(tx, row.id)
    ended = {"cancelled_at": tx.now, "cancel_reason": item.reason, "expires_at": None}
    row = aggregates.change(tx, "order", row.id, lifecycle="cancelled", **ended)
    give_up(tx, row, rules, money=item.refund == "auto")
    tell(tx, "shop.order.cancelled", order_snapshot(tx, row), cause)
    return {"order": order_view(tx, reckon(tx, row.id, cause))}


def give_up(tx: Tx, order: Stored, rules: ShopRules, *, money: bool) -> None:
    """Cancel an order's open payments and, with `money`, give back what was taken."""
    for paid in payments.of_order(tx, order.id):
        left = refunds.refundable(tx, paid) if money else 0
        if left > 0:
            refunds.give_back(tx, paid, left, rules, reason=order.cancel_reason)
        elif paid.captured == 0:
            ask_cancel(tx, paid, rules)


def hold_order(tx: Tx, item: HoldOrder, match: Match = ANY) -> dict[str, Json]:
    """Hold an order: nothing of it is shipped, it does not expire; money is still recorded.

    Raises:
        Refused: not_found, invalid_transition, version_conflict.
    """
    row = order_to_change(tx, item.order, match)
    step(row, "on_hold", frozenset({"pending_payment", "placed", "on_hold"}))
    aggregates.change(tx, "order", row.id, staff_hold=item.reason)
    return {"order": order_view(tx, reckon(tx, row.id, Cause()))}


def release_order(tx: Tx, item: ReleaseOrder, match: Match = ANY) -> dict[str, Json]:
    """End the hold that staff laid on an order; open cases go on holding it.

    Raises:
        Refused: not_found, invalid_transition, version_conflict.
    """
    row = order_to_change(tx, item.order, match)
    if row.staff_hold is None:
        raise refuse_step(row, "placed", frozenset({"on_hold"}))
    aggregates.change(tx, "order", row.id, staff_hold=None)
    return {"order": order_view(tx, reckon(tx, row.id, Cause()))}


def place(tx: Tx, row: Stored, cause: Cause) -> Stored:
    """Accept an order though its money has not come."""
    placed: dict[str, Any] = {"lifecycle": "placed", "placed_at": cause.at or tx.now}
    row = aggregates.change(tx, "order", row.id, **placed, expires_at=None)
    stock.commit(tx, row.id)
    tell(tx, "shop.order.placed", order_snapshot(tx, row), cause)
    return row


def revive(tx: Tx, row: Stored, cause: Cause) -> Stored:
    """Take an expired or cancelled order up again, its stock taken anew.

    Raises:
        Refused: out_of_stock, invalid_transition.
    """
    step(row, "placed", frozenset({"expired", "cancelled"}))
    take(tx, counted_lines(tx, row), cause, until=None)
    return take_up(tx, row, cause)


def take_up(tx: Tx, row: Stored, cause: Cause) -> Stored:
    """Let an order that had ended wait for its money again, which may have come."""
    promotions.use_again(tx, row.id)
    again = {"expires_at": None, "cancelled_at": None, "placed_at": None, "cancel_reason": None}
    aggregates.change(tx, "order", row.id, lifecycle="pending_payment", **again)
    return reckon(tx, row.id, cause)


def _stop_fulfilments(tx: Tx, order: Stored) -> None:
    rows = fulfilments.of_order(tx, order.id)
    if gone := [row.id for row in rows if row.state in GONE]:
        raise Refused("not_cancellable", "goods have left already", fulfilments=gone)
    for row in rows:
        stop(tx, row)
