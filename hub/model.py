"""The hub's data: events, jobs, attempts, outcomes, money. Frozen, slotted, keyword-only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import msgspec

Json = Any
"""What JSON can say: dict, list, str, int, Decimal, bool, None."""

Origin = Literal["live", "import", "backfill", "replay"]
FactName = Literal[
    "pending", "action_required", "attempt_failed",
    "capture_requested", "cancel_requested", "refund_requested",
    "authorized", "authorization_adjusted", "authorization_lapsed", "cancelled",
    "captured", "refunded", "refund_failed", "refund_cancelled", "refund_reversed",
    "withdrawn", "reinstated", "dispute_opened", "dispute_changed", "dispute_closed",
    "checked", "fee", "linked", "checkout_expired", "fraud_warning", "fraud_cleared",
]  # fmt: skip
RECURRING = frozenset({"pending", "action_required", "checked", "dispute_changed"})
"""Which facts may come again on one ref: there the time tells them apart."""
MAX_DEPTH = 64
MAX_NODES = 100_000


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in integer minor units (cents) of an ISO 4217 currency."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """What an event is about: its kind, id, and version after the change."""

    type: str
    id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact, never changed. A connector's `parse` fills the first six; the hub the rest.

    Args:
        type: The provider's own word from `parse`; the hub puts the connector's name before it.
        at: When it happened, aware, UTC.
        ext_id: The provider's id, by which it is deduplicated; None means the body's hash.
        job: The uid of our job, where the provider echoes it.
        failed: The event says that what that job asked came to nothing.
    """

    type: str
    at: datetime
    data: Json
    ext_id: str | None = None
    job: str | None = None
    failed: bool = False
    id: str = ""
    connector: str = "shop"
    origin: Origin = "live"
    schema: str | None = None
    aggregate: Aggregate | None = None
    sequence: int | None = None
    causation: str | None = None
    recorded_at: datetime | None = None

    def envelope(self) -> dict[str, Json]:
        """Give the event as the shop's developers and mappings see it, JSON-ready."""
        about = self.aggregate
        return {
            "id": self.id,
            "type": self.type,
            "schema": self.schema,
            "occurred_at": rfc3339(self.at),
            "recorded_at": rfc3339(self.recorded_at) if self.recorded_at else None,
            "aggregate": {"type": about.type, "id": about.id, "version": about.version}
            if about
            else None,
            "sequence": self.sequence,
            "causation": self.causation,
            "origin": self.origin,
            "data": self.data,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """One action to perform, as routing writes it; fixed from here on (I4).

    Args:
        lane: Jobs of one (connector, lane) keep their order; None means no order.
        payload: The action's input as JSON bytes; None where no mapping could make it.
        trace: The traceparent it goes on with; None: that of the change that writes it, if any.
        state: `ready`, or how it was born ended: `dead` or `skipped`, with `error` as reason.
    """

    uid: str
    connector: str
    account: str
    action: str
    key: str
    effect: str
    payload: bytes | None
    due_at: datetime
    event_id: str | None = None
    inbox_id: str | None = None
    route: str | None = None
    lane: str | None = None
    prio: int = 0
    blocks: bool = False
    give_up_at: datetime | None = None
    mapping_hash: str | None = None
    config_hash: str | None = None
    trace: str | None = None
    state: Literal["ready", "dead", "skipped"] = "ready"
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A leased job; `attempt` is the fence, `failures` counts the attempts used.

    Args:
        held: For how long its account was held since `first_sent_at`; that ages no job.
        fault: Why its payload, though stored, cannot be read.
        prio: Its class: 0 first attempts, 1 retries, 2 syncs and back-fills.
        until: When its lease ends, as it was claimed.
        probe: It was claimed to try whether its account works again.
        trace: The traceparent it goes on with.
    """

    id: int
    uid: str
    connector: str
    account: str
    action: str
    key: str
    effect: str
    payload: bytes | None
    attempt: int
    failures: int
    created_at: datetime
    event_id: str | None = None
    inbox_id: str | None = None
    route: str | None = None
    lane: str | None = None
    blocks: bool = False
    first_sent_at: datetime | None = None
    give_up_at: datetime | None = None
    body_hash: bytes | None = None
    held: timedelta = timedelta(0)
    fault: str | None = None
    prio: int = 0
    until: datetime | None = None
    probe: bool = False
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFact:
    """What a payment connector reads out of a provider's event or answer.

    Args:
        order: Our order id, from the metadata the provider echoes; None where there is none.
        payment: The provider's id of the payment object (`pi_…`, `cs_…`).
        ref: The provider's id of this very thing (charge, refund); with payment and fact unique.
        amount: Minor units, where the fact has a sum.
        currency: ISO 4217, upper case.
        code: The provider's reason, where it gives one.
        counterpart: For `linked`: the id of the payment this session belongs to.
    """

    fact: FactName
    payment: str
    ref: str
    occurred_at: datetime
    order: str | None = None
    amount: int | None = None
    currency: str | None = None
    code: str | None = None
    counterpart: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a performed action brought.

    Args:
        ref: The provider's id of what was made.
        facts: Payment facts the answer establishes.
        links: (kind, our id) -> their id, kept for later actions.
        handoff: What the shop's caller needs to go on (client_secret, redirect_url); a secret.
    """

    ref: str | None = None
    facts: tuple[PaymentFact, ...] = ()
    links: Mapping[tuple[str, str], str] = field(default_factory=dict)
    handoff: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """One page of the money a provider has booked.

    Args:
        facts: captured, refunded, withdrawn …, each at the time it was booked.
        cursor: Leads to the next page; None where there is none.
    """

    facts: tuple[PaymentFact, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An inbound request as it came; nothing in it is believed before `verify`.

    Args:
        url: The configured public URL of the connector and the raw query; never the Host header.
        headers: Raw, in order, repeats kept.
        body: Exactly the bytes received.
        fetched: What `Connector.needs` asked for, such as a certificate; no part of what came.
    """

    method: str
    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    received_at: datetime | None = None
    fetched: bytes = b""

    def header(self, name: str) -> bytes | None:
        """Give a header's only value; None where it is absent or sent more than once."""
        wanted = name.lower().encode()
        found = [value for key, value in self.headers if key.lower() == wanted]
        return found[0] if len(found) == 1 else None

    def json(self) -> Json:
        """Decode the body, Decimals exact; ValueError where it is no JSON, too deep or too much."""
        return read_json(self.body, nodes=MAX_NODES)

    @property
    def path(self) -> str:
        """Give the URL's path."""
        return urlsplit(self.url).path

    def with_body(self, body: bytes) -> Self:
        """Give the same request around another body (a content coding undone)."""
        return type(self)(
            method=self.method,
            url=self.url,
            headers=self.headers,
            body=body,
            received_at=self.received_at,
            fetched=self.fetched,
        )


def rfc3339(at: datetime) -> str:
    """Write a time as the API does: UTC, `Z`, microseconds only where there are any."""
    return at.isoformat().replace("+00:00", "Z")


def write_json(value: Json) -> bytes:
    """Encode compactly; equal values give equal bytes."""
    return _encoder.encode(value)


def read_json(data: bytes | str, *, nodes: int | None = None) -> Json:
    """Decode JSON with exact Decimals.

    Args:
        nodes: Most values in all, of what a stranger sent.

    Raises:
        ValueError: It is no JSON, nested deeper than 64 levels, or of too many values.
    """
    try:
        value = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ArithmeticError) as error:
        raise ValueError("not JSON") from error
    level, seen = _nodes([value]), 1
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for node in level:
            seen += len(node)
            deeper += _nodes(node.values() if node.__class__ is dict else node)
        if nodes is not None and seen > nodes:
            raise ValueError("too many values")
        if not (level := deeper):
            return value
    raise ValueError("nested too deeply")


def _nodes(values: Iterable[Any]) -> list[Any]:
    """Give those that have values in them; by their class, which costs least."""
    return [one for one in values if one.__class__ is dict or one.__class__ is list]


def _exact(text: str) -> Any:
    from decimal import Decimal  # noqa: PLC0415 -- only numbers with a point need it

    return Decimal(text)


_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=_exact)
