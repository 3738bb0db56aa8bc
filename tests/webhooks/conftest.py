"""A hub's webhook door on loopback, guarded as a running hub's is, and a toy provider before it."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession, web

from hub import Connector, ConnectorSettings, Event, ManualClock, Request, Secret, schemes
from hub.config.instances import WebhookSecret
from hub.effects import Signing
from hub.routing import Router
from store import reads
from store.crypto import new_key
from store.store import Store
from webhooks.connections import GuardedRunner
from webhooks.doors import Door
from webhooks.receive import Receiver

SCHEME = schemes.Hmac(header="Toy-Signature", signed="{t}.{body}", time_header="Toy-Time")
OLD, NEW = Secret("old secret of the toy", "TOY_OLD"), Secret("new secret of the toy", "TOY")


class Toy(Connector):
    type = "toy"
    Settings = ConnectorSettings
    signature = Signing(covers="body", window=(300, 300), dedupe="id", source="none")

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        SCHEME.verify(request, secret, now=now)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        return SCHEME.sign(body, secret, now=now)

    def parse(self, request: Request) -> Iterable[Event]:
        for item in request.json()["events"]:
            at = datetime.fromtimestamp(item["at"], UTC)
            yield Event(ext_id=item["id"], type=item["type"], at=at, data=item)


@dataclass
class Bench:
    """A hub's webhook door, its store, and the world outside."""

    store: Store
    clock: ManualClock
    receiver: Receiver
    url: str
    http: ClientSession
    app: web.Application
    doors: dict[str, Door]

    def limit(self, size: int) -> None:
        """Let bodies be larger."""
        self.receiver.bodies.cap = self.app._client_max_size = size

    def signed(self, body: bytes, secret: Secret = NEW, late: float = 0) -> dict[str, str]:
        now = self.clock.now().timestamp() - late
        return dict(Toy("toy", None, None).sign(body, secret, now=now))

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None, name="toy") -> int:
        sent = self.signed(body) if headers is None else headers
        url = f"{self.url}/webhooks/{name}"
        async with self.http.post(url, data=BytesIO(body), headers=sent) as answer:
            return answer.status

    async def stored(self) -> tuple[int, int, list[dict]]:
        async with self.store.read() as connection:
            return (
                len(await reads.list_inbox(connection)),
                len(await reads.list_events(connection, self.store.cipher, newest=True)),
                await reads.list_jobs(connection),
            )


@asynccontextmanager
async def opened(
    store_url: str, key: str = "", route: Callable[..., Any] | None = None
) -> AsyncIterator[Bench]:
    """Open a node: its store, its door, its server."""
    clock = ManualClock(datetime(2026, 5, 1, 12, tzinfo=UTC))
    keys = [Secret(key or new_key())]
    store = await Store.open(store_url, keys=keys, clock=clock, served=True)
    await store.know_accounts(["toy"])
    secrets = (WebhookSecret(value=OLD, until=date(2026, 5, 1)), WebhookSecret(value=NEW))
    toy = Toy("toy", None, None, "https://hub.example.com/webhooks/toy")
    doors = {"toy": Door(toy, secrets)}
    receiver = Receiver(
        store, doors, route=route or Router([]).jobs_for, clock=clock, cap=10_000, within=0.3
    )
    app = web.Application(client_max_size=10_000)
    app.add_routes([web.post("/webhooks/{name}", receiver.post)])
    runner = GuardedRunner(
        app, auto_decompress=False, head_within=0.3, most=400, lingering_time=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession(auto_decompress=False) as http:
        yield Bench(store, clock, receiver, f"http://{host}:{port}", http, app, doors)
    await runner.cleanup()
    await store.close()


@pytest.fixture
async def bench(store_url: str) -> AsyncIterator[Bench]:
    async with opened(store_url) as made:
        yield made


def body(*ids: str) -> bytes:
    items = ",".join(f'{{"id":"{i}","type":"thing.made","at":1700000000}}' for i in ids)
    return f'{{"events":[{items}]}}'.encode()
