"""The shape of config.yaml: one model per part, each key with its type, bounds and default.

Only keys that do something stand here; every other key is refused. Texts are still names here
(events, actions, mappings): hub.config.wiring looks them up.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from hub.config.alerts import AlertsPart
from hub.config.caps import BreakerKeys, Budget, CeilingKeys
from hub.config.forms import Form
from hub.config.part import Part
from hub.config.shop import Shop
from hub.config.units import (
    Address,
    Cidr,
    Count,
    Day,
    Duration,
    EventType,
    Listen,
    Name,
    Number,
    Size,
    Slug,
    TimeZone,
    listed,
    refuse,
)
from hub.model import Origin
from hub.retry import Policy
from hub.secrets import Secret

VERSION = 1
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DAY = timedelta(hours=24)
POSTGRES = "postgresql+asyncpg://USER@HOST/DATABASE"


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or plain) or parts.query:
        refuse("value.type", "wants an https URL", "https://hub.example.com")
    return value.rstrip("/")


def _store_url(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme in ("postgres", "postgresql"):
        refuse("value.choice", "must name its driver", POSTGRES)
    if scheme not in ("sqlite", "postgresql+asyncpg") or not rest.partition("/")[2]:
        refuse("value.choice", f"wants sqlite:///FILE or {POSTGRES}")
    return value


def _version(value: Any) -> Any:
    if value != VERSION or isinstance(value, bool):
        refuse("value.choice", f"must be {VERSION}; a newer file needs a newer hub")
    return value


class Calls(Part):
    """So many calls within a time."""

    calls: Annotated[Count, Field(le=100_000_000)] = 60_000
    per: Duration = timedelta(minutes=1)


class RefusedCalls(Calls):
    """How often an address may send what is not signed right, until it is told 429."""

    calls: Annotated[Count, Field(le=1_000_000)] = 100


class Limits(Part):
    """What the request guard lets in: a body's size (413), how long it may take (408), how often.

    `api` is for each key, on each node; `refusals` for each address, and never for what is valid.
    The last four say when what would write is answered 503: see hub.admission.
    """

    body: Size = 1 << 20
    api: Calls = Calls()
    read_within: Duration = timedelta(seconds=10)
    connections: Annotated[Count, Field(le=100_000)] = 1000
    refusals: RefusedCalls = RefusedCalls()
    in_flight: Size = 64 << 20
    store_wait: Duration = timedelta(seconds=5)
    disk_free: Size = 256 << 20
    backlog_age: Duration | None = None


class Service(Part):
    """The process: where it listens, how it ends, how long it holds a job."""

    listen: Listen = Address("127.0.0.1", 8080)
    public_url: Annotated[str, AfterValidator(_public_url)] | None = None
    environment: Literal["dev", "staging", "production"] = "dev"
    outbound: Literal["live", "sandbox", "hold"] | None = None
    messages_only_to: tuple[str, ...] = ()
    reuse_port: bool = False
    shutdown_delay: Duration = timedelta()
    shutdown_grace: Duration = timedelta(seconds=30)
    lease: Duration = timedelta(seconds=60)
    reload: Literal["off", "signal", "watch"] = "signal"
    limits: Limits = Limits()
    trusted_proxies: tuple[Cidr, ...] = ()


class Retention(Part):
    """How long what is kept: bodies, jobs that are over, dead ones, keys, events, the audit."""

    payloads: Duration = 30 * DAY
    done: Duration = 30 * DAY
    dead: Duration = 180 * DAY
    dedupe: Duration = 35 * DAY
    events: Duration = 400 * DAY
    audit: Duration = 400 * DAY


class Store(Part):
    """Where everything is kept; the first key encrypts, all decrypt."""

    url: Annotated[str, AfterValidator(_store_url)] = "sqlite:///var/hub.db"
    pool: Annotated[Count, Field(ge=4, le=500)] = 24
    encryption_keys: tuple[Secret, ...]
    retention: Retention = Retention()


class VaultAuth(Part):
    """How to log in at Vault: a token, an AppRole, or a Kubernetes role."""

    token: Secret | None = None
    role_id: Secret | None = None
    secret_id: Secret | None = None
    kubernetes: str | None = None


class VaultKeys(Part):
    """Where HashiCorp Vault is, which KV version 2 engine is read, and how to log in."""

    address: Annotated[str, AfterValidator(_public_url)]
    mount: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_/-]*$")] = "secret"
    auth: VaultAuth


class SecretFiles(Part):
    """Below which folders `${file:}` may read, and where `${vault:}` asks."""

    file_roots: tuple[str, ...] = ("/run/secrets",)
    vault: VaultKeys | None = None


class OwnEvent(Part):
    """An event type of the shop's own, and the file of its JSON Schema."""

    schema_file: str = Field(alias="schema")


class Backoff(Part):
    """The wait before attempt n: jitter(min(max, initial * factor^(n-1)))."""

    initial: Duration | None = None
    factor: Annotated[Number, Field(ge=1, le=10)] | None = None
    max: Duration | None = None
    jitter: Literal["full", "equal", "none"] | None = None


class RetryKeys(Part):
    """The part of a retry policy that one place sets; the rest is inherited."""

    max_age: Duration | None = None
    max_attempts: Annotated[Count, Field(le=10_000)] | None = None
    backoff: Backoff = Backoff()


class Timeout(Part):
    """Per call: until connected, and in all."""

    connect: Duration | None = None
    total: Duration | None = None


class Defaults(Part):
    """What connectors and routes inherit."""

    retry: RetryKeys = RetryKeys()
    breaker: BreakerKeys = BreakerKeys()
    ceiling: CeilingKeys = CeilingKeys()
    timeout: Timeout = Timeout()
    concurrency: Annotated[Count, Field(le=1000)] = 8
    on_dead: Literal["continue", "block"] = "continue"
    on_uncertain: Literal["park", "resend"] = "park"


class DatedSecret(Part):
    """A secret and the last day on which it is accepted."""

    value: Secret
    until: Day | None = None


def _dated(value: Any) -> Any:
    return [item if isinstance(item, dict) else {"value": item} for item in listed(value)]


Manage = Literal["off", "plan", "apply"]


class Silence(Part):
    """When a connector's silence is told: so many usual gaps, and no less than a time."""

    times: Annotated[Number, Field(ge=0, le=10_000)] = 10
    at_least: Duration = timedelta(hours=1)


class Webhooks(Part):
    """How a connector takes webhooks: its secrets, and the wanted event types (empty: all).

    `tolerance` narrows the time within which the scheme believes what is signed; `manage` has
    the hub compare the provider's webhook endpoints with what it needs, and mend them.
    """

    secrets: Annotated[tuple[DatedSecret, ...], BeforeValidator(_dated)] = ()
    tolerance: Duration | None = None
    events: tuple[str, ...] = ()
    silence: Silence = Silence()
    manage: Manage = "off"


class Egress(Part):
    """Private networks this connector may reach; plain http only there."""

    allow_private: tuple[Cidr, ...] = ()


class Reconcile(Part):
    """How often the events a provider may not have sent are pulled; not at all without `every`."""

    every: Duration | None = None
    overlap: Duration = timedelta(minutes=10)


class ConnectorPart(Part):
    """One account at a provider; `settings` are checked by the connector's own class."""

    type: Name
    paused: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)
    webhooks: Webhooks | None = None
    reconcile: Reconcile = Reconcile()
    concurrency: Annotated[Count, Field(le=1000)] | None = None
    timeout: Timeout = Timeout()
    retry: RetryKeys = RetryKeys()
    breaker: BreakerKeys = BreakerKeys()
    budget: Budget = Budget()
    egress: Egress = Egress()


class RoutePart(Part):
    """On these events, when this holds, do that action with this mapping."""

    name: Slug
    on: Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
    do: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
    map: Slug | None = None
    when: str | None = None
    order_by: str | None = None
    key: str | None = None
    origins: Annotated[frozenset[Origin], Field(min_length=1)] = frozenset({"live", "backfill"})
    fresh_for: Duration = DAY
    on_dead: Literal["continue", "block"] | None = None
    on_uncertain: Literal["park", "resend"] | None = None
    retry: RetryKeys = RetryKeys()
    timeout: Timeout = Timeout()
    ceiling: CeilingKeys = CeilingKeys()
    paused: bool = False


class SyncPart(Part):
    """What is new in this source goes there, on a schedule, through this mapping."""

    name: Slug
    source: Annotated[str, Field(alias="from", pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]+$")]
    do: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
    map: Slug | None = None
    when: str | None = None
    order_by: str | None = None
    schedule: str | None = None
    every: Duration | None = None
    timezone: TimeZone | None = None
    mode: Literal["incremental", "full"] = "incremental"


class Head(Part):
    """What says how the rest is read."""

    version: Annotated[int, BeforeValidator(_version)]
    include: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    secrets: SecretFiles = SecretFiles()


class Whole(Head):
    """config.yaml with its includes."""

    service: Service = Service()
    store: Store
    shop: Shop | None = None
    forms: dict[Name, Form] = Field(default_factory=dict)
    events: dict[EventType, OwnEvent] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    connectors: dict[Name, ConnectorPart] = Field(default_factory=dict)
    routes: tuple[RoutePart, ...] = ()
    syncs: tuple[SyncPart, ...] = ()
    alerts: AlertsPart = AlertsPart()


def policy(*layers: RetryKeys) -> Policy:
    """Merge retry keys, the nearest last, over the built-in policy.

    >>> policy(RetryKeys(max_attempts=3), RetryKeys(max_age="6h")).max_attempts
    3
    """
    found: dict[str, Any] = {}
    for layer in layers:
        wait = layer.backoff
        keys = {
            "max_age": layer.max_age,
            "max_attempts": layer.max_attempts,
            "initial": wait.initial and wait.initial.total_seconds(),
            "factor": wait.factor,
            "max_wait": wait.max and wait.max.total_seconds(),
            "jitter": wait.jitter,
        }
        found |= {key: value for key, value in keys.items() if value is not None}
    return Policy(**found)
