"""The connector contract: one class per provider, its actions, sources, webhooks, effects, limits.

A connector owns no session, no retry loop, no sleep and no `except Exception`: it says what to
send, and what an answer means; the hub does the rest.
"""

import builtins
import hashlib
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Protocol, get_args, get_origin

from pydantic import BaseModel, ConfigDict, StringConstraints

from hub.clock import Clock
from hub.effects import Auth, Effect, Kind, Limit, Signing
from hub.errors import CallError, HubError, SignatureError
from hub.model import Booked, Event, Json, PaymentFact, Request
from hub.secrets import Secret
from hub.sources import SourceSpec

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/[^\s?#]*)?$")]


# -- what an action is given and gives ---------------------------------------------------------
class Answer(Protocol):
    """A provider's answer, read whole within the size cap."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """Decode the body; raises Ambiguous where a 2xx cannot be read."""
        ...


class Http(Protocol):
    """The one way out. Paths are joined to the connector's base_url; failures come classified.

    Every verb but `request` raises a CallError for anything that is not a 2xx. `request` stands
    in for an aiohttp session under Stripe's SDK: it never raises; its answer's
    `await content.read()` does.
    """

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Read."""
        ...

    async def post(
        self,
        path: str,
        *,
        json: Json = None,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send `json`, or `data` as it is."""
        ...

    async def put(
        self, path: str, *, json: Json = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Replace."""
        ...

    async def patch(
        self, path: str, *, json: Json = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Change."""
        ...

    async def delete(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Delete."""
        ...

    async def request(self, method: str, url: str, **how: Any) -> Any:
        """Send as an aiohttp session would; see the class."""
        ...


class Links(Protocol):
    """Our ids and theirs, for upsert and deduped actions."""

    async def get(self, kind: str, our_id: str) -> str:
        """Give their id; raises Reject("no link: …") where none is stored yet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """All that one attempt of an action may use."""

    http: Http
    job: str
    key: str
    attempt: int
    deadline: datetime
    links: Links
    log: Any
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one item of a batch."""

    remote_id: str | None = None
    links: Mapping[tuple[str, str], str] = field(default_factory=dict)
    error: CallError | None = None

    @classmethod
    def ok(
        cls, remote_id: str | None = None, links: Mapping[tuple[str, str], str] | None = None
    ) -> "ItemResult":
        """The item was taken."""
        return cls(remote_id=remote_id, links=links or {})

    @classmethod
    def failed(cls, error: CallError) -> "ItemResult":
        """The item was not taken; `error` says what follows."""
        return cls(error=error)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing `check()` found: reach, a credential, a permission, a needed property."""

    name: str
    state: Literal["ok", "warn", "fail"]
    text: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a provider's challenge is answered, after its signature passed."""

    body: bytes = b""
    content_type: str = "text/plain"


# -- declarations --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """An action as its connector declares it.

    Args:
        model: Pydantic model of one item; a batch action's payload may be a list of them.
        batch: Most items one call takes; 1 means the action takes a single item.
        key_limit: A longer key is sent as the hex of its SHA-256, cut to this.
        recipient: Where the input names whom a message is for (`to.email`), for the ceiling.
    """

    name: str
    effect: Effect
    kind: Kind
    model: type[BaseModel]
    batch: int = 1
    timeout: float | None = None
    needs: tuple[str, ...] = ()
    key_limit: int = 255
    lookup: str | None = None
    many: bool = False
    recipient: str | None = None


def action(
    *,
    effect: Effect | None = None,
    kind: Kind = "write",
    batch: int = 1,
    timeout: float | None = None,
    needs: tuple[str, ...] = (),
    key_limit: int = 255,
    recipient: str | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]:
    """Declare a method `(self, call, item)` or `(self, call, items: list[T])` as an action.

    Raises:
        HubError: It declares no effect and is no read, or its item is not a pydantic model.
    """

    def declare(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        if effect is None and kind != "read":
            raise HubError(f"{method.__qualname__} must declare its effect")
        model, many = _item_model(method)
        method.__action__ = ActionSpec(  # type: ignore[attr-defined] # a mark on the function
            name=method.__name__,
            effect=effect or Effect("read"),
            kind=kind,
            model=model,
            batch=batch,
            timeout=timeout,
            needs=needs,
            key_limit=key_limit,
            many=many,
            recipient=recipient,
        )
        return method

    return declare


def _item_model(method: Callable[..., Any]) -> tuple[type[BaseModel], bool]:
    """Read the item's model, and whether a list of them is taken, from the third parameter."""
    hint = list(inspect.signature(method).parameters.values())[2].annotation
    many = get_origin(hint) is list
    model = get_args(hint)[0] if many else hint
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise HubError(f"{method.__qualname__}: its item must be a pydantic model")
    return model, many


def lookup(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare how to find the effect of an uncertain job of the action `name`.

    The method gives an Outcome, or None: not seen, which never proves absence.
    """

    def declare(method: Callable[..., Any]) -> Callable[..., Any]:
        method.__lookup__ = name  # type: ignore[attr-defined] # a mark on the function
        return method

    return declare


class ConnectorSettings(BaseModel):
    """What an admin writes under `settings:`; every connector adds its own and a `base_url`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    base_url: Url


class Connector:
    """One provider. A subclass lies in `connectors/<type>/__init__.py` and imports only `hub`.

    Args:
        name: The key in config.yaml: prefix of its events, last part of its webhook URL.
        settings: An instance of the class's `Settings`.
        http: The way out, for `check` and sources; actions use `call.http`.
        webhook_url: What the provider was told to call, for schemes that sign their URL.

    Attributes:
        signature: What the signature of its webhooks is worth; None where it sends none.
        fetches: What `needs` asks for is read from `base_url`, so there is somebody to call.
        any_events: It may emit types that `emits` does not list, and routes may name them.
        maps_as: What a mapping's `to` calls it; None: its type.
    """

    type: ClassVar[str]
    contract: ClassVar[int] = 1
    auth: ClassVar[Auth | None] = None
    limits: ClassVar[tuple[Limit, ...]] = ()
    emits: ClassVar[Mapping[str, builtins.type[BaseModel] | None]] = {}
    statuses: ClassVar[Mapping[int, builtins.type[CallError]]] = {}
    request_id_header: ClassVar[str | None] = None
    signs_url: ClassVar[bool] = False
    signature: ClassVar[Signing | None] = None
    fetches: ClassVar[bool] = False
    any_events: ClassVar[bool] = False
    maps_as: ClassVar[str | None] = None
    Settings: ClassVar[Any] = ConnectorSettings
    settings: Any

    def __init__(self, name: str, settings: Any, http: Http | None, webhook_url: str = "") -> None:
        self.name, self.settings, self.webhook_url = name, settings, webhook_url
        self._http = http

    @property
    def http(self) -> Http:
        """Give the way out; a connector made only to sign or parse has none."""
        if self._http is None:
            raise HubError(f"connector {self.name} was made without a way out")
        return self._http

    @classmethod
    def configured(
        cls,
        name: str,  # noqa: ARG003 -- for those that do
        settings: Mapping[str, Json],  # noqa: ARG003 -- for those that do
    ) -> builtins.type["Connector"]:
        """Give the class of one configured connector, where its settings shape what it can do.

        Args:
            name: The key in config.yaml.
            settings: As written and not yet checked: they may be wrong in every way.
        """
        return cls

    @classmethod
    def live(cls, settings: Any) -> bool:  # noqa: ARG003 -- for those that can tell
        """Say whether these settings hold credentials that move real money or tell real people."""
        return False

    @classmethod
    def actions(cls) -> dict[str, ActionSpec]:
        """Name every action with its declaration and lookup."""
        members = [member for _, member in inspect.getmembers(cls, inspect.isfunction)]
        lookups = {m.__lookup__: m.__name__ for m in members if hasattr(m, "__lookup__")}
        specs = [m.__action__ for m in members if hasattr(m, "__action__")]
        return {s.name: replace(s, lookup=lookups.get(s.name)) for s in specs}

    @classmethod
    def sources(cls) -> dict[str, SourceSpec]:
        """Name every source with its declaration."""
        members = [member for _, member in inspect.getmembers(cls, inspect.isfunction)]
        specs = [m.__source__ for m in members if hasattr(m, "__source__")]
        return {s.name: s for s in specs}

    @classmethod
    def takes_webhooks(cls) -> bool:
        """Say whether the class verifies inbound requests at all."""
        return cls.verify is not Connector.verify

    def classify(self, answer: Answer) -> CallError | None:
        """Read an answer that is no 2xx; None leaves it to `statuses` and the default table."""
        return None

    def needs(self, request: Request, *, now: float) -> str | None:
        """Give the path below `base_url` of what `verify` needs beside the request; None: nothing.

        Asked first, and of a request that anybody may have sent: let it name no other path than
        the provider's own, and raise SignatureError where it is refused whatever is read there.
        """
        return None

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Raise SignatureError unless the request is signed with this one secret; else nothing."""
        raise SignatureError("unsupported")

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Give the headers the provider would sign this body with; for tests and the sandbox."""
        raise SignatureError("unsupported")

    def parse(self, request: Request) -> Iterable[Event]:
        """Yield the delivery's events; pure. Raising keeps the request as a visible dead job."""
        return ()

    def facts(self, event: Event) -> Iterable[PaymentFact]:
        """Read the payment facts out of one of our events; pure. Payment connectors only."""
        return ()

    def stray(self, event: Event) -> str | None:
        """Say why an event is none of this account's, such as a test one at a live account."""
        return None

    async def booked(self, since: datetime, until: datetime, cursor: str | None) -> Booked:
        """Read what money was booked in a span, for the daily match. Payment connectors only."""
        raise NotImplementedError

    def answer(self, request: Request) -> Reply | None:
        """Answer a provider's challenge, after its signature passed."""
        return None

    def greet(self, request: Request) -> Reply | None:
        """Answer a GET or HEAD by which a provider tries the address; None: it is not allowed."""
        return None

    def suspect(self, request: Request) -> str | None:
        """Guess, for a person, why a request was refused; hostile, and nothing follows from it."""
        return None

    async def open(self) -> None:
        """Prepare; may raise ConfigError, AuthFailed or Retry."""

    async def check(self) -> list[Check]:
        """Prove reach, credentials and each needed permission at the provider."""
        return []

    async def close(self) -> None:
        """Leave no task, session or thread."""


def sent_key(key: str, limit: int) -> str:
    """Fit a key to what the provider takes: as it is, or its SHA-256 cut to the limit."""
    return key if len(key) <= limit else hashlib.sha256(key.encode()).hexdigest()[:limit]
