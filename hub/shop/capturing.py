"""What people ask of payments: another one, the capture or the end of one, its state right now."""

from typing import Annotated

from pydantic import Field

from hub.errors import Refused
from hub.model import Json, rfc3339
from hub.payments import Sum
from hub.shop.asking import PaymentWish, ask_again, ask_cancel, ask_capture, ask_payment, check_wish
from hub.shop.asking import unavailable as gone
from hub.shop.events import Cause
from hub.shop.inputs import Input, Price, Word
from hub.shop.ledger import UNPAID
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.reckoning import reckon
from hub.shop.rules import ShopRules, invalid, mismatch
from hub.shop.steps import order_to_change, step
from hub.shop.stocking import counted_lines, take
from store import aggregates, payments
from store.aggregates import Stored
from store.tx import Tx

PAYABLE = frozenset({"draft", "pending_payment", "placed", "on_hold"})
VOIDABLE = UNPAID | {"authorized", "failed"}


class NewPayment(PaymentWish):
    """Another payment of an order; without an amount, of all that is left to pay."""

    amount: Price | None = None


class RequestPayment(NewPayment):
    """A payment of one order."""

    order: Word


class CaptureWish(Input):
    """How much of an authorized payment is taken; without an amount, all of it."""

    amount: Price | None = None


class VoidWish(Input):
    """Why a payment is given up."""

    reason: Annotated[str, Field(max_length=255)] | None = None


def request_payment(tx: Tx, item: RequestPayment, rules: ShopRules) -> dict[str, Json]:
    """Ask for an order's money once more; open payments before it are given up.

    A draft is invoiced by it: its stock is taken and held.

    Raises:
        Refused: not_found, invalid_transition, currency_mismatch, out_of_stock, validation_error.
    """
    order = order_to_change(tx, item.order)
    step(order, "pending_payment", PAYABLE)
    check_wish(item, rules)
    cause = Cause()
    if order.lifecycle == "draft":
        order = _invoice(tx, order, rules, cause)
    amount = _amount(order, item)
    for paid in payments.of_order(tx, order.id):
        if paid.source == "hub" and paid.state in UNPAID and paid.error is None:
            ask_cancel(tx, paid, rules)
    if order.lifecycle == "pending_payment":
        until = tx.now + rules.hold
        order = aggregates.change(tx, "order", order.id, expires_at=until)
    row = ask_payment(tx, order, item, rules, cause, amount=amount)
    reckon(tx, order.id, cause)
    return {"payment": payment_snapshot(row)}


def capture_payment(tx: Tx, ident: str, item: CaptureWish, rules: ShopRules) -> dict[str, Json]:
    """Ask the provider to take authorized money, all or part of it.

    Raises:
        Refused: not_found, amount_exceeds_authorized {capturable}, currency_mismatch,
            provider_unavailable.
    """
    row = payment_to_change(tx, ident)
    asked = sum(fact.amount or 0 for fact in payments.asking(tx, row.id, "capture_requested"))
    left = max(row.authorized - asked, 0)
    if item.amount is not None and item.amount.currency != row.currency:
        raise mismatch("/amount/currency", f"the payment is in {row.currency}")
    amount = left if item.amount is None else item.amount.amount
    if not 0 < amount <= left:
        told = Sum(amount=left, currency=row.currency or "XXX").model_dump()
        raise Refused("amount_exceeds_authorized", f"{left} can be captured", capturable=told)
    ask_capture(tx, row, amount, rules)
    return {"payment": payment_snapshot(row)}


def void_payment(tx: Tx, ident: str, item: VoidWish, rules: ShopRules) -> dict[str, Json]:
    """Ask the provider to give up a payment that has taken nothing.

    Raises:
        Refused: not_found, invalid_transition, provider_unavailable.
    """
    row = payment_to_change(tx, ident)
    if row.state not in VOIDABLE or row.captured:
        told = {"from": row.state, "to": "cancelled", "allowed": sorted(VOIDABLE)}
        raise Refused("invalid_transition", f"the payment is {row.state}", **told)
    if "cancel_payment" not in rules.payment_connectors.get(row.connector, {}):
        raise gone(row.connector)
    ask_cancel(tx, row, rules, reason=item.reason)
    return {"payment": payment_snapshot(row)}


def ask_now(tx: Tx, ident: str, rules: ShopRules) -> tuple[str, str]:
    """Ask the provider how a payment stands; give the job's uid and the lane of its answers.

    Raises:
        Refused: not_found; provider_unavailable, where it cannot be asked.
    """
    row = payment_to_change(tx, ident)
    job = ask_again(tx, row, f"sync:{rfc3339(tx.now)}", rules)
    if job is None:
        raise gone(row.connector)
    return job.uid, f"{row.connector}:{row.provider_ref}"


def payment_to_change(tx: Tx, ident: str) -> Stored:
    """Lock a payment; of one that was merged, the one that took its facts.

    Raises:
        Refused: not_found.
    """
    row = aggregates.lock(tx, "payment", ident)
    while row is not None and row.merged_into is not None:
        row = aggregates.lock(tx, "payment", row.merged_into)
    if row is None:
        raise Refused("not_found", "there is no such payment")
    return row


def _amount(order: Stored, item: RequestPayment) -> int:
    net = order.captured - order.refunded - order.charged_back
    left = order.total - net - order.authorized
    if item.amount is None:
        amount = left
    elif item.amount.currency != order.currency:
        raise mismatch("/amount/currency", f"the order is in {order.currency}")
    else:
        amount = item.amount.amount
    if not 0 < amount <= left:
        raise invalid("/amount", f"{max(left, 0)} are left to pay")
    return int(amount)


def _invoice(tx: Tx, order: Stored, rules: ShopRules, cause: Cause) -> Stored:
    until = tx.now + rules.hold
    take(tx, counted_lines(tx, order), cause, until=until)
    invoiced = {"lifecycle": "pending_payment", "expires_at": until}
    return aggregates.change(tx, "order", order.id, **invoiced)
