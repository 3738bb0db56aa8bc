"""The base of every sandbox double: faults on demand, a ledger of effects, signed webhooks out.

A double is a stateful aiohttp application that speaks its provider's wire format. It lies beside
its connector as `connectors/<type>/sandbox.py`, in a class named `Sandbox`. `hub sandbox` serves
all doubles on one port, each below `/<type>`, with a control API below `/_control`.
"""

import asyncio
import hashlib
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import aiohttp
from aiohttp import web

from hub.clock import Clock, SystemClock
from hub.model import Json, write_json
from hub.plugin import Connector
from hub.secrets import Secret

Hears = Callable[["Endpoint"], bool]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
WEBHOOK_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One thing a double did: what crash tests count.

    Args:
        kind: Such as `mail`, `contact`, `payment_intent`, `track`.
        id: The double's own id of the thing.
        key: What makes it the same thing again (idempotency key, natural key, hub_job).
        data: The request as the double understood it, JSON-ready.
    """

    kind: str
    id: str
    key: str
    data: Json = None


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault to play: 429, 500, hang, cut or slow; on webhooks duplicate, reorder, delay, drop.

    Args:
        path: Only requests whose path (below the double's prefix) starts with this.
        times: How often; None means until it is cleared.
        acted: `500`, `hang` and `cut` come after the double has acted, not before.
        after: Seconds: Retry-After of a 429, how slow an answer is, or a webhook's delay.
        count: Copies of a duplicated webhook, or how many are held back to be reordered.
        share: Probability, for soaks; 1 means every time.
    """

    fault: str
    path: str = "/"
    times: int | None = 1
    acted: bool = False
    after: float = 1
    count: int = 2
    share: float = 1

    def fires(self, random: random.Random) -> bool:
        """Say whether it plays now, and count it."""
        if self.times == 0 or random.random() >= self.share:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """Where a double sends its webhooks, signed with this secret.

    Args:
        types: The event types it hears; None: all.
        ref: The provider's id of it; "" where its API does not know it.
    """

    url: str
    secret: Secret
    types: frozenset[str] | None = None
    ref: str = ""
    signed: bool = True

    def hears(self, kind: str) -> bool:
        """Say whether it is sent events of a type."""
        return self.types is None or kind in self.types


def everyone(_: Endpoint) -> bool:
    """Send to every endpoint."""
    return True


@dataclass(slots=True)
class State:
    """What every double keeps."""

    ledger: list[Effect] = field(default_factory=list)
    calls: list[dict[str, Json]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)
    deliveries: list[dict[str, Json]] = field(default_factory=list)
    held: deque[tuple[bytes, Hears]] = field(default_factory=deque)


class Double:
    """A provider's stand-in. A subclass names its connector and gives `routes()`.

    Args:
        connector: The connector class it doubles, for `sign`.
        OWN_FAULTS: What it plays beside the common faults.
    """

    connector: ClassVar[type[Connector]]
    ANSWER_FAULTS: ClassVar[frozenset[str]] = frozenset({"429", "500", "hang", "cut", "slow"})
    OWN_FAULTS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *, clock: Clock | None = None, seed: int = 0) -> None:
        self.clock = clock or SystemClock()
        self.state = State()
        self.random = random.Random(seed)  # noqa: S311 -- faults by chance, not secrets
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    # -- for the subclass ------------------------------------------------------------------------
    def routes(self) -> list[web.RouteDef]:
        """Give the provider's routes, without prefix."""
        raise NotImplementedError

    def effect(self, kind: str, ident: str, key: str, data: Json = None) -> None:
        """Note one thing done in the ledger."""
        self.state.ledger.append(Effect(kind=kind, id=ident, key=key, data=data))

    def emit(self, body: Json | bytes, to: Hears = everyone) -> None:
        """Send a webhook to its endpoints, soon, signed, with whatever faults are set."""
        raw = body if isinstance(body, bytes) else write_json(body)
        if (fault := self._fault("drop")) is not None:
            return self._note(raw, url="", status=0, fault=fault.fault)
        if (fault := self._fault("reorder")) is not None:
            self.state.held.append((raw, to))
            if len(self.state.held) >= fault.count or fault.times == 0:
                self.release()
            return None
        copies = fault.count if (fault := self._fault("duplicate")) is not None else 1
        delay = fault.after if (fault := self._fault("delay")) is not None else 0
        for endpoint in filter(to, self.state.endpoints):
            for _ in range(copies):
                self._spawn(self._deliver(endpoint, raw, delay))
        return None

    @property
    def sending(self) -> bool:
        """Say whether a webhook is still under way."""
        return any(not task.done() for task in self._tasks)

    def release(self) -> None:
        """Send what was held back, newest first."""
        while self.state.held:
            raw, to = self.state.held.pop()
            for endpoint in filter(to, self.state.endpoints):
                self._spawn(self._deliver(endpoint, raw, 0))

    @staticmethod
    def new_keys() -> tuple[Secret, Secret]:
        """Make what an endpoint signs with and what the hub verifies with; here they are one."""
        made = Secret("whsec_" + secrets.token_urlsafe(24), "webhook")
        return made, made

    def send_to(self, url: str, secret: Secret) -> None:
        """Send webhooks to an address, in place of what was told of it before."""
        self.state.endpoints[:] = [e for e in self.state.endpoints if e.url != url]
        self.state.endpoints.append(Endpoint(url=url, secret=secret))

    def sign(self, body: bytes, endpoint: Endpoint) -> Mapping[str, str]:
        """Sign as the provider does."""
        signer = self.connector("sandbox", None, None, endpoint.url)
        return signer.sign(body, endpoint.secret, now=self.clock.now().timestamp())

    # -- serving ---------------------------------------------------------------------------------
    def app(self) -> web.Application:
        """Give the double as an application to mount below its type."""
        app = web.Application(middlewares=[self._middleware], client_max_size=8 << 20)
        app.add_routes(self.routes())
        app.on_cleanup.append(self._close)
        return app

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path.removeprefix(f"/{self.connector.type}")
        self.state.calls.append({"method": request.method, "path": path})
        fault = self._answer_fault(path)
        if fault is None:
            return await handler(request)
        if fault.fault == "429":
            return self.too_many(fault.after)
        if fault.fault == "slow":
            await request.read()  # it acts all the same where the caller has gone meanwhile
            await self.clock.sleep(fault.after)
            return await handler(request)
        if fault.acted:
            await request.read()
            await handler(request)
        return await self._play(fault, request)

    async def _play(self, fault: Fault, request: web.Request) -> web.StreamResponse:
        if fault.fault == "hang":
            await asyncio.sleep(3600)
        if fault.fault == "cut" and request.transport is not None:
            await request.read()
            request.transport.abort()
        return web.json_response({"error": {"message": "sandbox fault"}}, status=500)

    def too_many(self, after: float) -> web.StreamResponse:
        """Answer 429 in the provider's words; a subclass may say them better."""
        headers = {"Retry-After": f"{after:g}"}
        return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers)

    def describe(self) -> dict[str, Json]:
        """Give the whole state, JSON-ready, for the control API."""
        state = self.state
        return {
            "ledger": [asdict(effect) for effect in state.ledger],
            "calls": list(state.calls),
            "deliveries": list(state.deliveries),
            "faults": [asdict(fault) for fault in state.faults],
        }

    # -- inside ----------------------------------------------------------------------------------
    def _answer_fault(self, path: str) -> Fault | None:
        for fault in self.state.faults:
            fits = fault.fault in self.ANSWER_FAULTS and path.startswith(fault.path)
            if fits and fault.fires(self.random):
                return fault
        return None

    def _fault(self, name: str) -> Fault | None:
        for fault in self.state.faults:
            if fault.fault == name and fault.fires(self.random):
                return fault
        return None

    async def _deliver(self, endpoint: Endpoint, raw: bytes, delay: float) -> None:
        """Post until a 2xx, a few times, as providers do."""
        if delay:
            await self.clock.sleep(delay)
        for attempt in range(WEBHOOK_TRIES):
            if attempt:
                await self.clock.sleep(0.2 * 4**attempt)
            status = await self._post(endpoint, raw)
            self._note(raw, url=endpoint.url, status=status)
            if 200 <= status < 300:
                return

    async def _post(self, endpoint: Endpoint, raw: bytes) -> int:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession()
        signature = self.sign(raw, endpoint) if endpoint.signed else {}
        headers = {"Content-Type": "application/json", **signature}
        try:
            async with self._session.post(endpoint.url, data=raw, headers=headers) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    def _note(self, raw: bytes, *, url: str, status: int, fault: str = "") -> None:
        digest = hashlib.sha256(raw).hexdigest()
        self.state.deliveries.append(
            {"url": url, "status": status, "bytes": len(raw), "sha256": digest, "fault": fault}
        )

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self, app: web.Application) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
