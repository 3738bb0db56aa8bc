"""Stripe's webhooks: the signature over time and raw body, the event in its envelope. Pure.

No SDK objects here: the vendor's own reading costs 28 times as much, and its verifier takes
future times and raises on hostile input.
Source: https://docs.stripe.com/webhooks/signature (read 2026-11).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from connectors.stripe import facts
from hub import Event, Json, Request, Secret, SignatureError, schemes

HEADER = "Stripe-Signature"
TYPES = (
    *facts.BY_EVENT,
    "payment_intent.created",
    "charge.succeeded",
    "charge.failed",
    "charge.pending",
    "charge.updated",
    "charge.refund.updated",  # only some methods; refund.updated covers all
    "payout.paid",
    "payout.failed",
    "payout.reconciliation_completed",
)


def verify(request: Request, secret: Secret, *, now: float) -> None:
    """Raise unless one `v1` is ours and `t` lies within 300 s; coverage: body.

    `v0` and versions unknown today are passed over, as Stripe asks.

    Raises:
        SignatureError: missing, malformed, stale, early, mismatch, unsupported or too_many.
    """
    parts = schemes.pairs(schemes.the_header(request, HEADER))
    stamps = [value for name, value in parts if name == b"t"]
    if len(stamps) != 1:
        raise SignatureError("malformed")
    schemes.fresh(stamps[0], now=now)
    expected = _signature(stamps[0], request.body, secret)
    schemes.matches(expected, [value for name, value in parts if name == b"v1"])


def suspect(request: Request, mode: str) -> str | None:
    """Say whether a refused event calls itself one of the other mode."""
    theirs = _other(request.json().get("livemode"), mode)
    return theirs and f"a {theirs} secret on a {mode} connector: the event is of {theirs} mode"


def stray(event: Event, mode: str) -> str | None:
    """Say whether a signed event is of the other mode."""
    theirs = _other(event.data.get("livemode"), mode)
    return theirs and f"the event is of {theirs} mode, the connector of {mode} mode"


def _other(live: Json, mode: str) -> str | None:
    """Give an event's mode where it is not this one; a thin event bears none."""
    theirs = "live" if live else "test"
    return theirs if isinstance(live, bool) and theirs != mode else None


def sign(body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
    """Give the header Stripe would send with this body."""
    stamp = str(int(now)).encode()
    signature = _signature(stamp, body, secret)
    return {HEADER: f"t={stamp.decode()},v1={signature.decode()}"}


def _signature(stamp: bytes, body: bytes, secret: Secret) -> bytes:
    return schemes.hmac_hex(schemes.key_of(secret), stamp + b"." + body)


def parse(request: Request) -> Iterable[Event]:
    """Yield the delivery's one event; a thin one comes through as a type nobody reads.

    Raises:
        ValueError: The body is no event of Stripe's.
    """
    body = request.json()
    if not isinstance(body, dict) or body.get("object") not in {"event", "v2.core.event"}:
        raise ValueError("the body is no event")
    data = body.get("data")
    data = data if isinstance(data, dict) else {}
    thing = data.get("object")
    thing = thing if isinstance(thing, dict) else {}
    yield Event(
        ext_id=str(body["id"]),
        type=str(body["type"]),
        at=_at(body["created"]),
        data={**data, "livemode": body.get("livemode")},
        job=job_of(str(body["type"]), thing),
        failed=thing.get("object") == "refund" and thing.get("status") in {"failed", "canceled"},
    )


def job_of(kind: str, thing: Mapping[str, Json]) -> str | None:
    """Name the job an event proves: any event of an object proves the job that made it.

    A charge carries the metadata of its intent. Cancelling and expiring leave no mark; a capture
    leaves its own, which the intent's success proves.
    """
    marks = facts.marks(thing)
    if kind == "payment_intent.succeeded" and marks.get("hub_capture"):
        return marks["hub_capture"]
    ours = thing.get("object") in {"payment_intent", "charge", "refund", "checkout.session"}
    return marks.get("hub_job") if ours else None


def _at(created: Json) -> datetime:
    """Read Unix seconds, or the RFC 3339 of a thin event."""
    if isinstance(created, str):
        return datetime.fromisoformat(created).astimezone(UTC)
    return datetime.fromtimestamp(created, UTC)
