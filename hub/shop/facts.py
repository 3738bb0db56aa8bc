"""A payment fact as it reaches the shop, and how it is written into the ledger."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from hub.model import RECURRING, FactName, Json, Origin, rfc3339
from hub.shop.events import Cause, lost
from hub.shop.inputs import MOST_MONEY, Currency, Input, Word
from store import payments
from store.aggregates import Stored
from store.tx import Tx


class RecordPayment(Input):
    """One fact. See hub.model.PaymentFact.

    Args:
        job: The uid of our job that the provider echoes, or whose answer it is.
        event: The event it was read from.
        origin: Of that event: what follows from an old one is no news either.
    """

    connector: Word
    fact: FactName
    payment: Word
    ref: Word
    occurred_at: AwareDatetime
    order: Word | None = None
    amount: Annotated[int, Field(ge=0, le=MOST_MONEY)] | None = None
    currency: Currency | None = None
    code: str | None = None
    counterpart: Word | None = None
    job: Word | None = None
    event: Word | None = None
    origin: Origin = "live"


def cause_of(tx: Tx, fact: RecordPayment) -> Cause:
    """Say why the ledger changes; what is no news is told with its own time.

    No news is what was not told live, and what may have been told before the store was restored.
    """
    old = fact.origin != "live" or lost(tx, fact.occurred_at)
    at = fact.occurred_at if old else None
    return Cause(event=fact.event, origin=fact.origin, at=at)


def identity(fact: RecordPayment) -> str:
    """Give the ref by which a fact is known; what may recur on one ref has its time in it."""
    if fact.fact not in RECURRING or "@" in fact.ref:
        return fact.ref
    return f"{fact.ref}@{rfc3339(fact.occurred_at)}"


def write_fact(tx: Tx, payment: Stored, fact: RecordPayment) -> bool:
    """Write a fact down once; False where it is known."""
    return payments.add_fact(
        tx,
        payment_id=payment.id,
        connector=fact.connector,
        fact=fact.fact,
        provider_ref=identity(fact),
        amount=fact.amount,
        currency=fact.currency,
        code=fact.code,
        event_id=fact.event,
        occurred_at=fact.occurred_at,
    )


def contradiction(tx: Tx, payment: Stored, fact: RecordPayment) -> dict[str, Json] | None:
    """Give what is known and what is told, where a known fact comes with other money."""
    known = payments.fact(
        tx, payment=payment.id, word=fact.fact, ref=identity(fact), stated=0
    )  # fmt: skip
    if known is None or (known.amount, known.currency) == (fact.amount, fact.currency):
        return None
    return {
        "fact": fact.fact,
        "ref": fact.ref,
        "known": {"amount": known.amount, "currency": known.currency},
        "told": {"amount": fact.amount, "currency": fact.currency},
    }
