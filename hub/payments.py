"""What the hub asks of every payment connector, and how facts and outcomes reach the shop."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hub.effects import Effect, upsert
from hub.model import RECURRING, Job, NewJob, Origin, PaymentFact, read_json, rfc3339
from hub.personal import PERSONAL
from hub.routing import direct_job

ATTACHED = {"create_payment": "payment", "create_checkout": "payment", "refund": "refund"}


class Sum(BaseModel):
    """Money at the edge: integer minor units and an ISO 4217 code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: int = Field(ge=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class PayLine(BaseModel):
    """One line of an order, for hosted checkout pages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    qty: int
    unit_price: Sum


class Pay(BaseModel):
    """Ask for an order's money: `create_payment` or, on a hosted page, `create_checkout`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str
    order_version: int = 1
    payment: str
    amount: Sum
    capture: str = Field(default="automatic", pattern="^(automatic|manual)$")
    email: str | None = Field(default=None, json_schema_extra=PERSONAL)
    return_url: str | None = None
    lines: tuple[PayLine, ...] = ()


class Capture(BaseModel):
    """Capture an authorized payment (`capture_payment`), or give it up (`cancel_payment`).

    `ref` is the provider's id of the payment; `amount` None means all of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str
    ref: str
    amount: Sum | None = None
    reason: str | None = None


class Refund(BaseModel):
    """Give money back on a captured payment; `refund` is our refund's id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str
    refund: str
    ref: str
    amount: Sum
    reason: str | None = None


class Find(BaseModel):
    """Read a payment as it is now (`retrieve_payment`); its outcome carries the facts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ref: str
    order: str | None = None
    origin: Origin = "live"


def fact_jobs(
    connector: str,
    facts: Iterable[PaymentFact],
    *,
    now: datetime,
    event_id: str | None = None,
    job: str | None = None,
    origin: Origin = "live",
) -> list[NewJob]:
    """Write a `shop.record_payment` job for each fact; the same fact again has the same key.

    Args:
        event_id: The event they were read from; what the shop then tells follows from it.
        job: The uid of our job that the provider echoes, or whose answer they are: it ties a
            fact to its payment or refund before the provider's own id of that is known.
        origin: Of the event they were read from; what the shop then tells has it too.
    """
    told = {"event": event_id, "job": job} | ({} if origin == "live" else {"origin": origin})
    return [
        direct_job(
            "shop",
            "record_payment",
            fact_payload(connector, fact) | told,
            key=_fact_key(connector, fact),
            lane=f"{connector}:{fact.payment}",
            effect=upsert("fact"),
            event_id=event_id,
            now=now,
        )
        for fact in facts
    ]


def find_jobs(
    connector: str,
    facts: Iterable[PaymentFact],
    *,
    now: datetime,
    event_id: str,
    origin: Origin = "live",
) -> list[NewJob]:
    """Write a `retrieve_payment` job for each payment named, where no more can be believed.

    What moves money is what the provider answers then; the facts themselves are dropped.
    """
    return [
        direct_job(
            connector,
            "retrieve_payment",
            Find(ref=payment, origin=origin).model_dump(mode="json", exclude_defaults=True),
            key=f"find:{event_id}:{payment}",
            effect=Effect("read"),
            event_id=event_id,
            now=now,
        )
        for payment in dict.fromkeys(fact.payment for fact in facts)
    ]


def origin_of(job: Job) -> Origin:
    """Say whether what a job's answer tells is the present: not where an old event made us ask."""
    if job.action != "retrieve_payment" or not job.payload:
        return "live"
    return Find.model_validate(read_json(job.payload)).origin


def fact_payload(connector: str, fact: PaymentFact) -> dict[str, Any]:
    """Give a fact JSON-ready, with the connector that read it."""
    return {
        "connector": connector,
        "fact": fact.fact,
        "order": fact.order,
        "payment": fact.payment,
        "ref": fact.ref,
        "amount": fact.amount,
        "currency": fact.currency,
        "occurred_at": rfc3339(fact.occurred_at),
        "code": fact.code,
        "counterpart": fact.counterpart,
    }


def _fact_key(connector: str, fact: PaymentFact) -> str:
    again = f"@{rfc3339(fact.occurred_at)}" if fact.fact in RECURRING else ""
    return f"{connector}:{fact.payment}:{fact.fact}:{fact.ref}{again}:{fact.amount}"


def attach_job(
    job: Job,
    *,
    now: datetime,
    ref: str | None = None,
    handoff: Mapping[str, str] | None = None,
    error: str | None = None,
) -> NewJob | None:
    """Write the job that tells the shop what became of a payment or refund it asked for.

    Args:
        job: The connector's job; None is given for any action the shop does not wait for.
        error: Why the provider refused for good.
    """
    kind = ATTACHED.get(job.action)
    if kind is None or not (asked := read_json(job.payload or b"{}").get(kind)):
        return None
    told = {kind: asked, "connector": job.connector, "ref": ref, "error": error}
    if kind == "payment":
        told["handoff"] = dict(handoff) if handoff else None
    return direct_job(
        "shop",
        f"attach_{kind}",
        told,
        key=f"attach:{job.uid}",
        lane=f"{kind}:{asked}",
        effect=upsert(kind),
        event_id=job.event_id,
        now=now,
    )
