"""What time does to orders and carts: unpaid orders expire, old ones close, quiet carts end.

No hold lapses by the clock alone. The provider is asked to cancel the payment first, and the order
expires when it has: late money cannot come, and money that had come is recorded instead.
"""

from datetime import timedelta

from hub.model import Json
from hub.shop import promotions
from hub.shop.asking import ask_cancel
from hub.shop.events import Cause, fell_due, tell
from hub.shop.inputs import Input, Word
from hub.shop.ledger import UNPAID
from hub.shop.rules import ShopRules
from hub.shop.snapshots import order_snapshot
from hub.shop.stocking import give_back
from store import aggregates, cases, orders, payments
from store.aggregates import Stored
from store.tx import Tx

LOOK_AGAIN = timedelta(minutes=1)
SETTLED = frozenset({"paid", "refunded", "partially_refunded"})


class OrderDue(Input):
    """An order whose time has come."""

    order: Word


def expire_order(tx: Tx, item: OrderDue, rules: ShopRules) -> dict[str, Json]:
    """Let an unpaid order expire, once its payments are cancelled at their providers."""
    row = aggregates.lock(tx, "order", item.order)
    if row is None or not _due(row, tx):
        return {"order": item.order, "expired": False}
    return {"order": row.id, "expired": expire(tx, row, rules)}


def expire(tx: Tx, row: Stored, rules: ShopRules) -> bool:
    """Expire an order that is due, or ask its providers and look again later."""
    made = payments.of_order(tx, row.id)
    if any(p.captured or p.authorized for p in made):  # part of the money is here: staff decide
        aggregates.change(tx, "order", row.id, expires_at=None)
        return False
    later = row.created_at + rules.hold_bank
    if any(p.state == "processing" for p in made) and tx.now < later:
        aggregates.change(tx, "order", row.id, expires_at=later)
        return False
    if still := [p for p in made if p.state in UNPAID and p.source == "hub" and p.error is None]:
        for paid in still:
            ask_cancel(tx, paid, rules)
        aggregates.change(tx, "order", row.id, expires_at=tx.now + LOOK_AGAIN)
        return False
    _expire(tx, row)
    return True


def close_order(tx: Tx, item: OrderDue, rules: ShopRules) -> dict[str, Json]:
    """Close an order that is fulfilled and settled, once its customer can return nothing more."""
    row = aggregates.lock(tx, "order", item.order)
    if row is None or not _over(tx, row, rules):
        return {"order": item.order, "closed": False}
    row = aggregates.change(tx, "order", row.id, lifecycle="closed", closed_at=tx.now)
    tell(tx, "shop.order.closed", order_snapshot(tx, row), Cause())
    return {"order": row.id, "closed": True}


def due(tx: Tx) -> list[str]:
    """Name the orders that wait for money no longer."""
    return orders.due(tx)


def over(tx: Tx, rules: ShopRules) -> list[str]:
    """Name the orders that may be closed."""
    return orders.fulfilled_before(tx, tx.now - rules.return_window)


def _due(row: Stored, tx: Tx) -> bool:
    waits = row.lifecycle == "pending_payment" and row.expires_at is not None
    return bool(waits and row.expires_at <= tx.now)


def _expire(tx: Tx, row: Stored) -> None:
    cause = fell_due(tx, row.expires_at)
    give_back(tx, row.id, cause, state="expired", reason="expired")
    promotions.give_back(tx, row.id)
    row = aggregates.change(tx, "order", row.id, lifecycle="expired", expires_at=None)
    tell(tx, "shop.order.expired", order_snapshot(tx, row), cause)


def _over(tx: Tx, row: Stored, rules: ShopRules) -> bool:
    return bool(
        row.lifecycle == "placed"
        and row.fulfilled_at is not None
        and row.fulfilled_at + rules.return_window <= tx.now
        and row.payment_status in SETTLED
        and not cases.open_of(tx, row.id)
    )
