"""A node that delivers, its clock, and subscribers that are real servers on loopback."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.breaker import Gate
from hub.circuit import Breaker
from hub.clock import ManualClock
from hub.config.instances import ConnectorConfig
from hub.deliveries import Deliveries
from hub.http import Outbound
from hub.ids import new_id
from hub.model import Aggregate, Event, read_json
from hub.perform import Account
from hub.retry import Policy
from hub.runner import Runner
from hub.secrets import Secret
from hub.subscribers import CONNECTOR, SigningKey, Subscriber
from hub.worker import Worker
from store import deliveries as stored
from store import subscribers
from store.crypto import new_key
from store.store import Store
from webhooks.deliver import Webhook

LOOPBACK = ("127.0.0.0/8",)


def secret(letter: str) -> Secret:
    return Secret("whsec_" + base64.b64encode(letter.encode() * 32).decode(), letter)


@dataclass
class Receiver:
    """A subscriber's server: answers what it is told, in turn, then 204; keeps all it was sent.

    `down` cuts every connection; `gate` holds every answer back.
    """

    answers: list[Any] = field(default_factory=list)
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    down: bool = False
    gate: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            request.transport.abort()
            return web.Response(status=500)
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((headers, body))
        if self.gate is not None:
            await self.gate.wait()
        told = self.answers.pop(0) if self.answers else 204
        status, more = told if isinstance(told, tuple) else (told, {})
        if 200 <= status < 300:
            self.taken.append(headers["webhook-id"])
        return web.Response(status=status, headers=more)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.serve)
        self.server = TestServer(app)
        await self.server.start_server()
        self.url = str(self.server.make_url("/hook?shop=1"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()


class Watched(Worker):
    """A worker of which one can see that it waits."""

    dozes = False

    async def _doze(self, until: datetime) -> None:
        self.dozes = True
        try:
            await super()._doze(until)
        finally:
            self.dozes = False


@dataclass
class Node:
    """One node of a hub that delivers."""

    store: Store
    clock: ManualClock
    worker: Watched
    deliveries: Deliveries

    async def subscribe(self, ident: str, url: str, **more: Any) -> Subscriber:
        keys = more.pop("keys", None) or (SigningKey(secret=secret("a")),)
        made = Subscriber(id=ident, url=url, keys=keys, **more)
        await self.store.write(lambda tx: subscribers.add(tx, made))
        return made

    async def emit(self, name: str = "shop.order.paid", about: str = "ord_1", **more: Any) -> Event:
        event = Event(
            type=name,
            at=self.clock.now(),
            data={"order": {"id": about, "total": {"amount": 1299, "currency": "EUR"}}},
            schema="shop.order@1",
            aggregate=Aggregate(type="order", id=about, version=1),
            **more,
        )
        return await self.store.write(lambda tx: tx.emit(event))

    async def kept(self, ident: str) -> subscribers.Kept:
        return await self.store.look(lambda tx: subscribers.kept(tx, ident))

    async def listed(self, ident: str) -> list[dict[str, Any]]:
        async with self.store.read() as connection:
            found = await stored.list_deliveries(connection, f"webhook/{ident}", limit=1000)
        return found[::-1]

    async def states(self, ident: str) -> list[str]:
        return [one["state"] for one in await self.listed(ident)]

    async def quiet(self) -> None:
        """Wait until the worker has nothing to do before time goes on."""
        idle = 0
        async with asyncio.timeout(30):
            while idle < 2:
                busy = self.worker.flying() or self.store.changed.is_set()
                idle = idle + 1 if self.worker.dozes and not busy else 0
                await asyncio.sleep(0.002)

    async def pass_time(self, seconds: float, *, steps: int = 1) -> None:
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            await self.quiet()

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not met():
                await asyncio.sleep(0.002)


def deliveries(store: Store, outbound: Outbound, clock: ManualClock) -> Deliveries:
    settings = Webhook.Settings()
    config = ConnectorConfig(
        name=CONNECTOR, type=CONNECTOR, cls=Webhook, settings=settings, account=CONNECTOR,
        allow_private=LOOPBACK, total=5.0,
    )  # fmt: skip
    client = outbound.client(Webhook, settings, name=CONNECTOR)
    base = Account(
        connector=Webhook(CONNECTOR, settings, client),
        client=client,
        gate=Gate(4, breaker=Breaker()),
        policy=Policy(),
        actions=Webhook.actions(),
    )
    return Deliveries(store=store, base=base, config=config, outbound=outbound, clock=clock)


async def begun(store: Store, clock: ManualClock, outbound: Outbound) -> Node:
    made = deliveries(store, outbound, clock)
    runner = Runner(
        store, accounts={CONNECTOR: made.base}, shop={}, policy_of=lambda _: None,
        reread=None, clock=clock,
    )  # type: ignore[arg-type]  # fmt: skip
    runner.account_of = lambda job: made.account(job, runner.gates[job.account])
    worker = Watched(runner)
    await worker.start()
    return Node(store, clock, worker, made)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC).replace(microsecond=0))  # the oracles read the real one


@pytest.fixture
async def node(store_url: str, clock: ManualClock) -> AsyncIterator[Node]:
    async with working(store_url, clock) as made:
        yield made


@pytest.fixture
async def here(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Node]:
    """Give a node on SQLite, where nothing hangs on the store."""
    async with working(f"sqlite:///{tmp_path}/hub.db", clock) as made:
        yield made


@asynccontextmanager
async def working(store_url: str, clock: ManualClock) -> AsyncIterator[Node]:
    store = await Store.open(store_url, keys=[Secret(new_key())], clock=clock, served=True)
    async with Outbound(clock) as outbound:
        made = await begun(store, clock, outbound)
        yield made
        await made.worker.stop(timedelta(seconds=2))
    await store.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as made:
        yield made


__all__ = ["Node", "Receiver", "new_id", "read_json"]
