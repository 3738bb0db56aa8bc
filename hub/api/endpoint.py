"""What an endpoint is: its method and path, who may, what it takes and gives; the table of all.

A route cannot be written without saying who may use it.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from hub.clock import Clock
from hub.config.forms import Form
from hub.gcra import Meter, Quota
from hub.model import Json
from hub.shop.rules import ShopRules
from hub.shop.versions import ANY, Match
from store.keys import ApiKey
from store.replay import Rewrite
from store.store import Store
from webhooks import guard
from webhooks.refusals import Refusals

EVERYONE = ("admin", "shop", "support", "readonly")
SHOP = ("admin", "shop")
STAFF = ("admin", "support", "readonly")
OPERATORS = ("admin", "support")
PUBLIC = ("anyone",)
REFUNDERS = ("admin", "shop", "support")

Wait = Callable[[Callable[[], Awaitable[bool]], float], Awaitable[bool]]
"""Wait until a check holds, at most so many seconds; say whether it did."""


class Reloads(Protocol):
    """The running configuration."""

    async def reload(self, who: str) -> object:
        """Read it anew and put it in force; raises ConfigError with its faults."""

    def shown(self) -> dict[str, Json]:
        """Say what runs, and what was refused since."""


class Query(BaseModel):
    """The parameters of a URL; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # at first use


class NoQuery(Query):
    """No parameters at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What endpoints work with.

    Args:
        wait_for: How to wait for the worker, `(check, seconds) -> bool`.
        rules: The shop's settings.
        forms: Public forms, by name; `form_meter` says how often an address may send one.
        proxies: The networks whose X-Forwarded-For is believed.
        event_types: The shop's own event types -> the JSON Schema of their data.
        rewrite: Write the job of one route, by name, from an event; see store.replay.
        reloads: The running configuration, and how to read it anew.
        may_call: Raises Reject for a URL that the egress guard would not let us call.
        meter: How often each key may call.
        refusals: The webhooks this node refused.
        carrying: Counts the body of a request that would write, or refuses it; see hub.admission.
    """

    store: Store
    clock: Clock
    wait_for: Wait
    rules: ShopRules
    event_types: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    forms: Mapping[str, Form] = field(default_factory=dict)
    form_meter: Meter = field(default_factory=lambda: Meter(Quota(10, 600.0)))
    proxies: Sequence[guard.Network] = ()
    rewrite: Rewrite | None = None
    reloads: Reloads | None = None
    may_call: Callable[[str], None] = lambda _: None
    meter: Meter = field(default_factory=lambda: Meter(Quota(60_000, 60)))
    refusals: Refusals = field(default_factory=lambda: Refusals({}))
    carrying: Callable[[web.Request], AbstractContextManager[None]] = lambda _: nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, let in and read.

    Args:
        item: The body as the endpoint's `takes`; None where it takes none.
        query: The parameters as its `query`.
        value: The body as plain JSON, for fingerprints.
        match: Which versions If-Match lets the endpoint change.
    """

    api: Api
    endpoint: "Endpoint"
    request: web.Request
    who: ApiKey
    request_id: str
    query: Any
    item: Any = None
    value: Json = None
    match: Match = ANY

    def part(self, name: str) -> str:
        """Give a variable part of the path."""
        return self.request.match_info[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint says.

    Args:
        subject: The id of what was changed, for the audit.
        version: The aggregate's version, for the ETag.
        handoff: What the shop's page needs to pay; joined to `body["payment"]`, never kept.
    """

    body: Json
    status: int = 200
    subject: str = ""
    version: int | None = None
    handoff: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        """Give the headers that belong to the answer itself, and to its replays."""
        tag = {} if self.version is None else {"ETag": f'"{self.version}"'}
        return {**tag, **self.headers}


def changed(made: Mapping[str, Json]) -> Answer:
    """Answer with an aggregate as it is after a change."""
    return Answer(body=made, subject=made["id"], version=made["version"])


def made_now(
    place: str,
    made: Mapping[str, Json],
    *,
    body: Json = None,
    status: int = 201,
    handoff: Mapping[str, str] | None = None,
) -> Answer:
    """Answer with an aggregate just made: where it is, its version, and it or a larger body."""
    return Answer(
        body=made if body is None else body,
        status=status,
        subject=made["id"],
        version=made["version"],
        handoff=handoff,
        headers={"Location": f"/v1/{place}/{made['id']}"},
    )


Do = Callable[[Ask], Awaitable[Answer | web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row of the table; OpenAPI is written from it.

    Args:
        may: The roles that may; nobody else.
        gives: Status -> the body's model, or its name.
        conditional: If-None-Match is heeded: the version tells of every change of the answer.
        key: Whether an Idempotency-Key must or can be sent; None where it means nothing.
        matches: An If-Match must be sent; hand `ask.match` to what locks the row.
        kind: The media type of a good answer.
        kept_for: Seconds for which a cache may answer a read; None: never.
        refuses: The problem types special to it.
    """

    method: str
    path: str
    may: tuple[str, ...]
    do: Do
    takes: type[BaseModel] | None = None
    query: type[Query] = NoQuery
    conditional: bool = False
    gives: Mapping[int, type[BaseModel] | str] = field(default_factory=dict)
    key: Literal["required", "optional"] | None = None
    matches: bool = False
    kept_for: int | None = None
    kind: str = "application/json"
    refuses: tuple[str, ...] = ()


class Endpoints:
    """A table of endpoints, written beside their functions."""

    def __init__(self) -> None:
        self._all: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._all)

    def get(self, path: str, *, may: tuple[str, ...], **more: Any) -> Callable[[Do], Do]:
        """Declare a read."""
        return self._add("GET", path, may, more)

    def post(
        self, path: str, *, may: tuple[str, ...], takes: type[BaseModel], **more: Any
    ) -> Callable[[Do], Do]:
        """Declare a change; an Idempotency-Key may be sent unless `key` says it must."""
        return self._add("POST", path, may, {"key": "optional", "takes": takes, **more})

    def delete(self, path: str, *, may: tuple[str, ...], **more: Any) -> Callable[[Do], Do]:
        """Declare that something is taken away."""
        return self._add("DELETE", path, may, more)

    def patch(
        self, path: str, *, may: tuple[str, ...], takes: type[BaseModel], **more: Any
    ) -> Callable[[Do], Do]:
        """Declare a change of some fields of what the caller has read."""
        return self._add("PATCH", path, may, {"matches": True, "takes": takes, **more})

    def put(
        self, path: str, *, may: tuple[str, ...], takes: type[BaseModel], **more: Any
    ) -> Callable[[Do], Do]:
        """Declare a replacement of a part of what the caller has read."""
        return self._add("PUT", path, may, {"matches": True, "takes": takes, **more})

    def _add(
        self, method: str, path: str, may: tuple[str, ...], more: Mapping[str, Any]
    ) -> Callable[[Do], Do]:
        def declare(do: Do) -> Do:
            self._all.append(Endpoint(method=method, path=path, may=may, do=do, **more))
            return do

        return declare
