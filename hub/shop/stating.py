"""What the shop's own backend says it has taken: stated captures, tied to what providers say."""

from collections.abc import Sequence
from typing import Any

from hub.shop.booking import open_payment, refresh
from hub.shop.events import Cause, tell
from hub.shop.inputs import Input, Price, Word
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.rules import invalid
from store import aggregates, orders, payments
from store.aggregates import Stored
from store.tx import Tx


class StatedPayment(Input):
    """Money the shop's backend has captured, by its provider's id of the payment or its charge."""

    connector: Word
    provider_ref: Word
    amount: Price


def state_payments(
    tx: Tx, order: Stored, stated: Sequence[StatedPayment], cause: Cause
) -> None:  # fmt: skip
    """Write the shop's word for each payment of an order.

    Where the provider has spoken of the payment already, its unmatched row becomes the order's.

    Raises:
        Refused: validation_error where a payment is listed twice or belongs to another order.
    """
    seen: set[str] = set()
    for position, item in enumerate(stated):
        pointer = f"/payments/{position}/provider_ref"
        row = _payment(tx, order, item, pointer, cause)
        if row.id in seen:
            raise invalid(pointer, "this payment is listed twice")
        seen.add(row.id)
        payments.add_fact(
            tx,
            payment_id=row.id,
            connector=item.connector,
            fact="captured",
            provider_ref=item.provider_ref,
            stated=1,
            amount=item.amount.amount,
            currency=item.amount.currency,
            occurred_at=cause.at or tx.now,
        )
        refresh(tx, row.id, cause)


def take_claimed(tx: Tx, order: Stored) -> None:
    """Attach the unmatched payments whose provider names this order."""
    words = [word for word in (order.id, order.external_ref) if word]
    for row in payments.claiming(tx, words):
        aggregates.change(tx, "payment", row.id, order_id=order.id, claimed_order=None)


def _payment(
    tx: Tx, order: Stored, item: StatedPayment, pointer: str, cause: Cause
) -> Stored:  # fmt: skip
    found = payments.by_ref(tx, item.connector, item.provider_ref)
    found = found or payments.by_fact(tx, item.connector, item.provider_ref)
    money: dict[str, Any] = {"order_id": order.id, "amount": item.amount.amount}
    if found is None:
        currency = item.amount.currency
        row = open_payment(
            tx, item.connector, "shop", item.provider_ref, currency=currency, **money
        )
        tell(tx, "shop.payment.created", payment_snapshot(row), cause)
        return row
    if found.order_id not in {None, order.id}:
        raise invalid(pointer, f"this payment belongs to {found.order_id}")
    # An order named at the provider that we do not know is the shop's own affair.
    strange = found.claimed_order and orders.find(tx, found.claimed_order)
    claimed = found.claimed_order if strange and strange.id != order.id else None
    return aggregates.change(tx, "payment", found.id, source="shop", claimed_order=claimed, **money)
