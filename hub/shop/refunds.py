"""Refunds: asked for within what is left, and followed by the provider's facts, wherever begun."""

from typing import Any

from pydantic import Field

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.payments import Refund, Sum
from hub.routing import direct_job
from hub.shop import cases
from hub.shop.asking import unavailable
from hub.shop.booking import refresh
from hub.shop.events import Cause, tell
from hub.shop.facts import RecordPayment
from hub.shop.guard import Problem
from hub.shop.inputs import Input, Price, Word
from hub.shop.ledger import refund_state
from hub.shop.money_snapshots import payment_snapshot, refund_snapshot
from hub.shop.reckoning import entries_of, reckon
from hub.shop.refund_lines import RefundLine, cost, restock
from hub.shop.rules import ShopRules, invalid, mismatch
from store import aggregates, payments
from store.aggregates import Stored
from store.tx import Tx

OPEN = frozenset({"requested", "pending"})
ABOUT_REFUNDS = frozenset(
    {"refund_requested", "refunded", "refund_failed", "refund_cancelled", "refund_reversed"}
)


class RefundWish(Input):
    """How much to give back, and why; without an amount, what the lines cost.

    `restock` says that the lines' goods have come back and lie on hand again.
    """

    amount: Price | None = None
    reason: Word | None = None
    lines: tuple[RefundLine, ...] = Field(default=(), max_length=500)
    restock: bool = False


class RequestRefund(RefundWish):
    """A refund of one payment."""

    payment: Word


class AttachRefund(Input):
    """What became of a `refund` job; `error` where the provider refused for good."""

    refund: Word
    connector: Word
    ref: Word | None = None
    error: str | None = None


def request_refund(tx: Tx, item: RequestRefund, rules: ShopRules) -> dict[str, Json]:
    """Write a refund and the job that asks the provider for it.

    Raises:
        Refused: not_found, currency_mismatch, amount_exceeds_captured {refundable},
            provider_unavailable, validation_error.
    """
    row = aggregates.lock(tx, "payment", item.payment)
    if row is None:
        raise Refused("not_found", f"no payment {item.payment}")
    if row.merged_into is not None:
        return request_refund(tx, item.model_copy(update={"payment": row.merged_into}), rules)
    if item.amount is None:
        if not item.lines:
            raise invalid("/amount", "say how much, or which lines")
        amount = Sum(amount=cost(tx, row, item.lines), currency=row.currency)
        return request_refund(tx, item.model_copy(update={"amount": amount}), rules)
    _check(tx, row, item.amount)
    effect = rules.payment_connectors.get(row.connector, {}).get("refund")
    if effect is None:
        raise unavailable(row.connector)
    refund = _add(tx, row, item.amount.amount, source="hub", state="requested", reason=item.reason)
    if item.lines:
        lines = [line.model_dump() for line in item.lines]
        about = {"lines": lines, "restock": int(item.restock)}
        refund = aggregates.change(tx, "refund", refund.id, **about)
        if item.restock:
            restock(tx, row, item.lines, refund.id)
    asked = Refund(
        order=row.order_id or "",
        refund=refund.id,
        ref=row.provider_ref,
        amount=item.amount,
        reason=item.reason,
    )
    job = direct_job(
        row.connector,
        "refund",
        asked.model_dump(mode="json"),
        key=refund.id,
        now=tx.now,
        effect=effect,
    )
    refund = aggregates.change(tx, "refund", refund.id, job=job.uid)
    _write(tx, row, "refund_requested", job.uid, refund.amount)
    tx.enqueue(job)
    tell(tx, "shop.refund.requested", refund_snapshot(refund), Cause())
    return {"refund": refund_snapshot(refund), "payment": payment_snapshot(row)}


def give_back(
    tx: Tx, payment: Stored, amount: int, rules: ShopRules, *, reason: str | None = None
) -> None:
    """Ask for money back on the hub's own account; where that is impossible, a person must.

    Never refuses: what cannot be asked becomes the case `refund_failed`.
    """
    money = Sum(amount=amount, currency=payment.currency)
    item = RequestRefund(payment=payment.id, amount=money, reason=reason)
    try:
        request_refund(tx, item, rules)
    except Refused as no:
        told = {"amount": amount, "error": no.detail}
        problem = Problem("refund_failed", payment.id, told)
        cases.open_case(tx, problem, payment.order_id, Cause())


def refundable(tx: Tx, row: Stored) -> int:
    """Say how much of a payment can still be given back, open refunds set aside."""
    asked = sum(r.amount for r in payments.refunds_of(tx, row.id) if r.state in OPEN)
    return max(int(row.captured - row.refunded - row.charged_back - asked), 0)


def attach_refund(tx: Tx, item: AttachRefund) -> dict[str, Json]:
    """Keep the provider's id of a refund we asked for, or that it was refused.

    Raises:
        Refused: not_found where there is no such refund.
    """
    refund = aggregates.lock(tx, "refund", item.refund)
    payment = refund and aggregates.lock(tx, "payment", refund.payment_id)
    if refund is None or payment is None or payment.connector != item.connector:
        raise Refused("not_found", f"no refund {item.refund} at {item.connector}")
    if item.error is not None:
        refund = aggregates.change(tx, "refund", refund.id, error=item.error)
        _write(tx, payment, "refund_failed", refund.job, refund.amount)
    elif item.ref is not None and refund.provider_ref is None:
        twin = payments.refund_by(tx, payment.id, [item.ref])
        if twin is None:
            refund = aggregates.change(tx, "refund", refund.id, provider_ref=item.ref)
    refund = _advance(tx, payment, refund, Cause())
    if item.error is not None:
        refresh(tx, payment.id, Cause())
        if payment.order_id is not None:
            reckon(tx, payment.order_id, Cause())
    return {"refund": refund.id, "state": refund.state}


def follow(tx: Tx, payment: Stored, fact: RecordPayment, cause: Cause) -> None:
    """Let the refund a fact is about follow it; one begun at the provider gets its row here."""
    if fact.fact not in ABOUT_REFUNDS:
        return
    refund = _find(tx, payment, fact)
    if refund is None:
        refund = _add(
            tx, payment, fact.amount or 0, source="provider", state="requested", ref=fact.ref
        )
    elif refund.provider_ref is None and fact.ref != refund.job:
        refund = aggregates.change(tx, "refund", refund.id, provider_ref=fact.ref)
    _advance(tx, payment, refund, cause)


def _find(tx: Tx, payment: Stored, fact: RecordPayment) -> Stored | None:
    """Find a fact's refund: by its ids, by the job it echoes, or as the only one it can be.

    The last holds where the provider names our order, which it does for refunds we asked for:
    one that somebody began there names none.
    """
    if (known := payments.refund_by(tx, payment.id, [fact.ref])) is not None:
        return known
    if fact.job and (asked := payments.refund_by(tx, payment.id, [fact.job])) is not None:
        return asked if asked.provider_ref is None else None
    unnamed = [
        row
        for row in payments.refunds_of(tx, payment.id)
        if row.state in OPEN and row.provider_ref is None and row.amount == fact.amount
    ]
    return unnamed[0] if fact.order is not None and len(unnamed) == 1 else None


def _advance(tx: Tx, payment: Stored, refund: Stored, cause: Cause) -> Stored:
    """Work out a refund's state from its facts; tell where it has come to."""
    refs = [ref for ref in (refund.job, refund.provider_ref) if ref]
    state = refund_state(entries_of(tx, payment.id), refs)
    if state == refund.state:
        return refund
    refund = aggregates.change(tx, "refund", refund.id, state=state)
    if state == "succeeded":
        tell(tx, "shop.refund.succeeded", refund_snapshot(refund), cause)
    elif state not in OPEN:
        tell(tx, "shop.refund.failed", refund_snapshot(refund), cause)
        told = {"state": state, "amount": refund.amount, "error": refund.error}
        problem = Problem("refund_failed", refund.id, told)
        cases.open_case(tx, problem, payment.order_id, cause)
    return refund


def _check(tx: Tx, row: Stored, asked: Sum) -> None:
    if row.currency is not None and asked.currency != row.currency:
        raise mismatch("/amount/currency", f"the payment is in {row.currency}")
    if asked.amount < 1:
        raise invalid("/amount/amount", "must be at least 1")
    left = refundable(tx, row)
    if asked.amount > left:
        told = Sum(amount=left, currency=asked.currency).model_dump()
        raise Refused("amount_exceeds_captured", f"{left} can be refunded", refundable=told)


def _add(
    tx: Tx, payment: Stored, amount: int, *, source: str, state: str,
    reason: str | None = None, ref: str | None = None,
) -> Stored:  # fmt: skip
    values: dict[str, Any] = {
        "id": new_id("ref", tx.now),
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "amount": amount,
        "currency": payment.currency or "XXX",  # ISO 4217 for no currency
        "reason": reason,
        "source": source,
        "state": state,
        "provider_ref": ref,
    }
    return aggregates.add(tx, "refund", **values)


def _write(tx: Tx, payment: Stored, word: str, ref: str, amount: int) -> None:
    payments.add_fact(
        tx,
        payment_id=payment.id,
        connector=payment.connector,
        fact=word,
        provider_ref=ref,
        amount=amount,
        currency=payment.currency,
        occurred_at=tx.now,
    )
