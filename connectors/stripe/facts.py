"""Payment facts out of Stripe's objects and events. Pure; the ledger sorts out order and repeats.

Source: https://docs.stripe.com/api/events/types, version 2026-10-28.endive.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from connectors.stripe.money import from_stripe
from hub import RECURRING, FactName, Json, PaymentFact, rfc3339

Object = Mapping[str, Json]
Reader = Callable[[Object, datetime], Iterable[PaymentFact]]


def _fact(
    fact: FactName,
    thing: Object,
    at: datetime,
    *,
    ref: str | None = None,
    amount: Json = None,
    code: str | None = None,
    counterpart: str | None = None,
) -> PaymentFact:
    """Build a fact about the payment a Stripe object belongs to; `amount` as Stripe counts."""
    currency = str(thing.get("currency") or "")
    about = ref or str(thing["id"])
    return PaymentFact(
        fact=fact,
        payment=payment_of(thing),
        ref=f"{about}@{rfc3339(at)}" if fact in RECURRING else about,
        occurred_at=at,
        order=marks(thing).get("hub_order"),
        amount=from_stripe(amount, currency) if isinstance(amount, int) else None,
        currency=currency.upper() or None if amount is not None else None,
        code=code,
        counterpart=counterpart,
    )


def marks(thing: Object) -> Mapping[str, str]:
    """Give an object's metadata, where ours echo."""
    found = thing.get("metadata")
    return found if isinstance(found, dict) else {}


def id_of(value: Json) -> str | None:
    """Give the id of a reference, expanded or not."""
    found = value.get("id") if isinstance(value, dict) else value
    return str(found) if found else None


def payment_of(thing: Object) -> str:
    """Name the payment an object belongs to: its intent, else its charge; a session itself."""
    if thing.get("object") in {"payment_intent", "checkout.session"}:
        return str(thing["id"])
    return id_of(thing.get("payment_intent")) or id_of(thing.get("charge")) or str(thing["id"])


# -- payment intents -----------------------------------------------------------------------------
def captured(intent: Object, at: datetime) -> Iterator[PaymentFact]:
    """Read the money of a succeeded intent, named by its charge."""
    charge = id_of(intent.get("latest_charge"))
    yield _fact("captured", intent, at, ref=charge, amount=intent.get("amount_received"))


def authorized(intent: Object, at: datetime) -> Iterator[PaymentFact]:
    """Read what an intent holds for a later capture."""
    charge = id_of(intent.get("latest_charge"))
    yield _fact("authorized", intent, at, ref=charge, amount=intent.get("amount_capturable"))


def attempt_failed(intent: Object, at: datetime) -> Iterator[PaymentFact]:
    """Read a declined attempt; the intent waits for the next one."""
    error = intent.get("last_payment_error") or {}
    code = error.get("decline_code") or error.get("code")
    yield _fact("attempt_failed", intent, at, ref=id_of(error.get("charge")), code=code)


def cancelled(intent: Object, at: datetime) -> Iterator[PaymentFact]:
    """Read that an intent is given up, by us, by hand or by Stripe (`automatic`, `expired`)."""
    yield _fact("cancelled", intent, at, code=intent.get("cancellation_reason"))


def _only(fact: FactName) -> Reader:
    return lambda thing, at: [_fact(fact, thing, at)]


BY_STATUS: Mapping[str, Reader] = {
    "succeeded": captured,
    "requires_capture": authorized,
    "processing": _only("pending"),
    "requires_action": _only("action_required"),
    "canceled": cancelled,
}


def of_intent(intent: Object, at: datetime) -> tuple[PaymentFact, ...]:
    """Read an intent as it is now."""
    read = BY_STATUS.get(str(intent.get("status")))
    if intent.get("status") == "requires_payment_method" and intent.get("last_payment_error"):
        read = attempt_failed
    if intent.get("canceled_at"):
        at = datetime.fromtimestamp(intent["canceled_at"], UTC)
    return tuple(read(intent, at)) if read else ()


# -- charges and refunds -------------------------------------------------------------------------
def charge_captured(charge: Object, at: datetime) -> Iterator[PaymentFact]:
    """Read what was taken of a charge."""
    yield _fact("captured", charge, at, amount=charge.get("amount_captured"))


def _charge_refunded(charge: Object, at: datetime) -> Iterator[PaymentFact]:
    """Cumulative, and it names no refund: compared with the ledger, never added."""
    yield _fact("checked", charge, at, amount=charge.get("amount_refunded"))


def of_charge(charge: Object, at: datetime) -> tuple[PaymentFact, ...]:
    """Read a charge that no intent made, as it is now."""
    if charge.get("status") != "succeeded":
        return ()
    if charge.get("captured"):
        return tuple(charge_captured(charge, at))
    return (_fact("authorized", charge, at, amount=charge.get("amount")),)


REFUND_STATUS: Mapping[str, FactName] = {
    "pending": "refund_requested",
    "requires_action": "refund_requested",
    "succeeded": "refunded",
    "failed": "refund_failed",
    "canceled": "refund_cancelled",
}


def refund(thing: Object, at: datetime) -> Iterator[PaymentFact]:
    """Read a refund by its status; one begun by us is known by our job until it is done."""
    fact = REFUND_STATUS.get(str(thing.get("status")))
    if fact is None:
        return
    ours = marks(thing).get("hub_job") if fact == "refund_requested" else None
    code = thing.get("failure_reason")
    yield _fact(fact, thing, at, ref=ours, amount=thing.get("amount"), code=code)


def of_refund(thing: Object, at: datetime) -> tuple[PaymentFact, ...]:
    """Read a refund as it is now; one that succeeded did so when it was made.

    A later failure then always counts for more, whenever this was read.
    """
    succeeded = thing.get("status") == "succeeded" and thing.get("created")
    return tuple(refund(thing, datetime.fromtimestamp(thing["created"], UTC) if succeeded else at))


# -- checkout sessions ---------------------------------------------------------------------------
def linked(session: Object, at: datetime) -> Iterator[PaymentFact]:
    """Tie session, intent and order; never money, which the intent's own fact brings."""
    intent = id_of(session.get("payment_intent"))
    yield _fact("linked", session, at, counterpart=intent)


def _completed(session: Object, at: datetime) -> Iterator[PaymentFact]:
    yield from linked(session, at)
    if session.get("payment_status") == "unpaid":
        yield _fact("pending", session, at)


def of_session(session: Object, at: datetime) -> tuple[PaymentFact, ...]:
    """Read a session as it is now."""
    if session.get("status") == "complete":
        return tuple(_completed(session, at))
    expired = (
        (_fact("checkout_expired", session, at),) if session.get("status") == "expired" else ()
    )
    return (*(linked(session, at) if session.get("payment_intent") else ()), *expired)


# -- disputes, fraud -----------------------------------------------------------------------------
def _dispute(fact: FactName) -> Reader:
    def read(dispute: Object, at: datetime) -> Iterator[PaymentFact]:
        yield _fact(fact, dispute, at, amount=dispute.get("amount"), code=dispute.get("status"))

    return read


def movements(dispute: Object, at: datetime) -> Iterator[PaymentFact]:
    """Read a dispute's money out of its balance transactions, never out of its status."""
    for item in dispute.get("balance_transactions") or ():
        about = {**dispute, "currency": item.get("currency") or dispute.get("currency")}
        fact: FactName = "withdrawn" if item["amount"] < 0 else "reinstated"
        yield _fact(fact, about, at, ref=item["id"], amount=abs(item["amount"]))
        if item.get("fee"):
            yield _fact("fee", about, at, ref=item["id"], amount=item["fee"])


def _warning(fact: FactName, *words: str) -> Reader:
    def read(thing: Object, at: datetime) -> Iterator[PaymentFact]:
        code = next((str(thing[word]) for word in words if thing.get(word)), None)
        yield _fact(fact, thing, at, code=code)

    return read


BY_EVENT: Mapping[str, Reader] = {
    "checkout.session.completed": _completed,
    "checkout.session.async_payment_succeeded": linked,
    "checkout.session.async_payment_failed": _only("attempt_failed"),
    "checkout.session.expired": _only("checkout_expired"),
    "payment_intent.succeeded": captured,
    "payment_intent.amount_capturable_updated": authorized,
    "payment_intent.payment_failed": attempt_failed,
    "payment_intent.processing": _only("pending"),
    "payment_intent.partially_funded": _only("pending"),
    "payment_intent.requires_action": _only("action_required"),
    "payment_intent.canceled": cancelled,
    "charge.captured": charge_captured,
    "charge.expired": _only("authorization_lapsed"),
    "charge.refunded": _charge_refunded,
    "refund.created": refund,
    "refund.updated": refund,
    "refund.failed": refund,
    "charge.dispute.created": _dispute("dispute_opened"),
    "charge.dispute.updated": _dispute("dispute_changed"),
    "charge.dispute.closed": _dispute("dispute_closed"),
    "charge.dispute.funds_withdrawn": movements,
    "charge.dispute.funds_reinstated": movements,
    "radar.early_fraud_warning.created": _warning("fraud_warning", "fraud_type"),
    "review.opened": _warning("fraud_warning", "opened_reason", "reason"),
    "review.closed": _warning("fraud_cleared", "closed_reason", "reason"),
}


def of_event(kind: str, data: Json, at: datetime) -> tuple[PaymentFact, ...]:
    """Read the facts of an event of type `kind`; of a type unknown here there are none."""
    thing = data.get("object") if isinstance(data, dict) else None
    read = BY_EVENT.get(kind)
    return tuple(read(thing, at)) if read and isinstance(thing, dict) and thing.get("id") else ()
