"""What the shop asks of payment connectors: jobs, written with the rows they are for."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from hub.effects import Effect
from hub.errors import Refused
from hub.model import Json, NewJob, Origin
from hub.payments import Capture, Find, Pay, PayLine, Sum
from hub.routing import direct_job
from hub.shop.booking import open_payment
from hub.shop.events import Cause, tell
from hub.shop.inputs import Input, Word
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.rules import ShopRules, invalid
from store import aggregates, orders, payments
from store.aggregates import Stored
from store.tx import Tx

CLOSED = frozenset({"captured", "partially_captured", "partially_refunded", "refunded", "cancelled",
                    "lapsed"})  # fmt: skip
ASK_AGAIN = timedelta(days=1)
METHODS = {"intent": "create_payment", "checkout": "create_checkout"}


class PaymentWish(Input):
    """How the customer will pay: on the shop's own page (intent) or the provider's (checkout)."""

    connector: Word
    method: Literal["intent", "checkout"] = "intent"
    return_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)] | None = None
    capture: Literal["automatic", "manual"] = "automatic"


def check_wish(wish: PaymentWish, rules: ShopRules) -> None:
    """Refuse a payment that no connector here can make."""
    effects = rules.effects(wish.connector, "/payment/connector")
    if METHODS[wish.method] not in effects:
        raise invalid("/payment/method", f"{wish.connector} cannot do {METHODS[wish.method]}")
    if wish.method == "checkout" and wish.return_url is None:
        raise invalid("/payment/return_url", "a checkout page must know where to return to")


def ask_payment(
    tx: Tx,
    order: Stored,
    wish: PaymentWish,
    rules: ShopRules,
    cause: Cause,
    *,
    amount: int | None = None,
) -> Stored:
    """Write a payment for an order's total or a part, and the job that makes it at the provider."""
    row = open_payment(
        tx,
        wish.connector,
        "hub",
        None,
        order_id=order.id,
        method=wish.method,
        amount=order.total if amount is None else amount,
        currency=order.currency,
        capture=wish.capture,
    )
    action = METHODS[wish.method]
    job = direct_job(
        wish.connector,
        action,
        _pay(tx, order, row, wish),
        key=f"pay:{row.id}",
        now=tx.now,
        effect=rules.payment_connectors[wish.connector][action],
    )
    tx.enqueue(job)
    row = aggregates.change(tx, "payment", row.id, job=job.uid)
    tell(tx, "shop.payment.created", payment_snapshot(row), cause)
    return row


def _pay(tx: Tx, order: Stored, row: Stored, wish: PaymentWish) -> Json:
    lines = tuple(
        PayLine(
            title=line.title,
            qty=line.qty,
            unit_price=Sum(amount=line.unit_price, currency=order.currency),
        )
        for line in orders.lines_of(tx, order.id)
    )
    pay = Pay(
        order=order.id,
        order_version=order.version,
        payment=row.id,
        amount=Sum(amount=row.amount, currency=order.currency),
        capture=wish.capture,
        email=order.email,
        return_url=wish.return_url,
        lines=lines,
    )
    return pay.model_dump(mode="json")


def ask_again(
    tx: Tx, row: Stored, why: str, rules: ShopRules, *, origin: Origin = "live"
) -> NewJob | None:
    """Write the job that reads a payment at its provider; None where its connector is gone.

    Args:
        why: What makes this question another than the last; part of the key.
        origin: Of what made us ask; what the answer tells the shop has it too.
    """
    effects = rules.payment_connectors.get(row.connector, {})
    if row.provider_ref is None or "retrieve_payment" not in effects:
        return None
    job = direct_job(
        row.connector,
        "retrieve_payment",
        Find(ref=row.provider_ref, order=row.order_id, origin=origin).model_dump(
            mode="json", exclude_defaults=True
        ),
        key=f"find:{row.id}:{why}",
        now=tx.now,
        effect=effects["retrieve_payment"],
    )
    tx.enqueue(job)
    return job


def ask_stray(tx: Tx, connector: str, ref: str, why: str, rules: ShopRules) -> None:
    """Write the job that reads a payment of which we know nothing but its provider's id.

    Raises:
        Refused: provider_unavailable.
    """
    effect = rules.payment_connectors.get(connector, {}).get("retrieve_payment")
    if effect is None:
        raise unavailable(connector)
    asked = Find(ref=ref).model_dump(mode="json", exclude_defaults=True)
    key = f"find:{connector}:{ref}:{why}"
    tx.enqueue(direct_job(connector, "retrieve_payment", asked, key=key, now=tx.now, effect=effect))


def ask_cancel(tx: Tx, row: Stored, rules: ShopRules, *, reason: str | None = None) -> bool:
    """Write the job that gives a payment up at its provider; False where nothing is to be asked.

    A payment not made there yet is given up when it is: see hub.shop.payments.
    """
    effect = rules.payment_connectors.get(row.connector, {}).get("cancel_payment")
    before = [f for f in payments.facts_of(tx, row.id) if f.fact == "cancel_requested"]
    if row.provider_ref is None or effect is None or row.state in CLOSED:
        return False
    if before and tx.now - max(fact.occurred_at for fact in before) < ASK_AGAIN:
        return False
    asked = Capture(order=row.order_id or "", ref=row.provider_ref, reason=reason)
    _request(tx, row, "cancel_payment", asked, effect, number=len(before))
    return True


def ask_capture(tx: Tx, row: Stored, amount: int, rules: ShopRules) -> NewJob:
    """Write the job that takes authorized money, and that we have asked.

    Raises:
        Refused: provider_unavailable.
    """
    effect = rules.payment_connectors.get(row.connector, {}).get("capture_payment")
    if effect is None:
        raise unavailable(row.connector)
    before = [f for f in payments.facts_of(tx, row.id) if f.fact == "capture_requested"]
    money = Sum(amount=amount, currency=row.currency)
    asked = Capture(order=row.order_id or "", ref=row.provider_ref, amount=money)
    return _request(tx, row, "capture_payment", asked, effect, number=len(before))


def _request(
    tx: Tx, row: Stored, action: str, asked: Capture, effect: Effect, *, number: int
) -> NewJob:
    """Write a job about a payment with the fact that it was asked for, known by the job's uid."""
    word = action.removesuffix("_payment")
    body = asked.model_dump(mode="json", exclude_none=True)
    key = f"{word}:{row.id}:{number}"
    job = direct_job(row.connector, action, body, key=key, now=tx.now, effect=effect)
    payments.add_fact(
        tx,
        payment_id=row.id,
        connector=row.connector,
        fact=f"{word}_requested",
        provider_ref=job.uid,
        amount=asked.amount.amount if asked.amount else None,
        currency=row.currency,
        occurred_at=tx.now,
    )
    tx.enqueue(job)
    return job


def unavailable(connector: str) -> Refused:
    """Refuse what needs a connector that is configured no more."""
    return Refused("provider_unavailable", f"no payment connector {connector!r} is configured")
