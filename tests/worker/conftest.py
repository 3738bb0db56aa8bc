"""A worker with one toy account, its provider a real server on loopback that answers as told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel

from hub import (
    Call,
    Connector,
    ConnectorSettings,
    ManualClock,
    Outcome,
    Secret,
    action,
    bearer,
    keyed,
    lookup,
    unsafe,
    upsert,
)
from hub.breaker import Gate
from hub.circuit import Breaker
from hub.http import Outbound
from hub.ids import new_id
from hub.model import NewJob
from hub.perform import Account
from hub.retry import Policy
from hub.runner import Runner
from hub.worker import Worker
from store import reads
from store.crypto import new_key
from store.store import Store


class Item(BaseModel):
    name: str = "x"


class Toy(Connector):
    type = "toy"
    auth = bearer("token")

    class Settings(ConnectorSettings):
        token: Secret

    @action(effect=keyed(timedelta(hours=24)))
    async def pay(self, call: Call, item: Item) -> Outcome:
        answer = await call.http.post(
            "/pay", json={"name": item.name}, headers={"Idempotency-Key": call.key}
        )
        return Outcome(ref=answer.json()["id"])

    @lookup("pay")
    async def find(self, call: Call, item: Item) -> Outcome | None:
        return None

    @action(effect=unsafe, kind="message")
    async def mail(self, call: Call, item: Item) -> Outcome:
        await call.http.post("/mail", json={"name": item.name, "job": call.job})
        return Outcome()

    @action(effect=upsert("name"))
    async def put(self, call: Call, item: Item) -> Outcome:
        await call.http.post("/put", json={"name": item.name})
        return Outcome(links={("item", item.name): "77"})

    @action(effect=upsert("name"))
    async def broken(self, call: Call, item: Item) -> Outcome:
        raise RuntimeError("a bug")


@dataclass
class Provider:
    """Answers in turn what it was told, then 200; notes what it was asked."""

    answers: list[Any] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    gate: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.seen.append(
                {
                    "path": request.path,
                    "key": request.headers.get("Idempotency-Key"),
                    "body": await request.read(),
                }
            )
            if self.gate is not None:
                await self.gate.wait()
            told = self.answers.pop(0) if self.answers else 200
            if told == "cut":
                request.transport.abort()
            if told == "hang":
                await asyncio.sleep(3600)
            status, headers = told if isinstance(told, tuple) else (told, {})
            return web.json_response({"id": "p_1", "message": "said so"}, status=status,
                                     headers=headers)  # fmt: skip
        finally:
            self.at_once -= 1


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
class Bench:
    """The worker, its store, its clock, its providers, and ways to watch a job.

    Account `toy` is at `provider`, account `other` at `second`.
    """

    worker: Watched
    store: Store
    clock: ManualClock
    provider: Provider
    second: Provider

    def job(self, name: str, **more: Any) -> NewJob:
        spec = Toy.actions()[name]
        uid = new_id("job", self.clock.now())
        base = {
            "uid": uid, "connector": "toy", "account": "toy", "action": name, "key": uid,
            "effect": spec.effect.kind, "payload": b'{"name": "x"}', "due_at": self.clock.now(),
        }  # fmt: skip
        made = base | more
        return NewJob(**(made | {"account": made["connector"]}))

    async def put(self, *jobs: NewJob) -> None:
        await self.store.write(lambda tx: tx.enqueue(*jobs))

    async def shown(self, uid: str) -> dict[str, Any]:
        async with self.store.read() as connection:
            found = await reads.one_job(connection, uid, self.store.cipher)
        assert found is not None
        return found

    async def until(self, uid: str, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async def asked() -> bool:
            return met(await self.shown(uid))

        assert await self.worker.wait_for(asked, 10), await self.shown(uid)
        return await self.shown(uid)

    async def reaches(self, uid: str, state: str) -> dict[str, Any]:
        return await self.until(uid, lambda job: job["state"] == state)

    async def tried(self, uid: str, times: int) -> dict[str, Any]:
        return await self.until(uid, lambda job: len(job["attempts"]) == times)

    async def quiet(self) -> None:
        """Wait until the worker has nothing to do before time goes on."""
        idle = 0  # seen twice: what waits has begun to
        async with asyncio.timeout(10):
            while idle < 2:
                busy = self.worker.flying() or self.store.changed.is_set()
                idle = idle + 1 if self.worker.dozes and not busy else 0
                await asyncio.sleep(0.001)

    async def later(self, seconds: float) -> None:
        """Move the clock when no claim is on its way: one from before may come too late."""
        await self.quiet()
        self.clock.advance(seconds)

    async def skip_to_due(self, uid: str) -> float:
        """Move the clock to when the job falls due; give how long that was."""
        due = datetime.fromisoformat((await self.shown(uid))["due_at"])
        wait = (due - self.clock.now()).total_seconds()
        await self.later(wait)
        return wait


async def served(provider: Provider) -> TestServer:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.serve)
    server = TestServer(app)
    await server.start_server()
    return server


def account(outbound: Outbound, name: str, server: TestServer) -> Account:
    settings = Toy.Settings(base_url=str(server.make_url("")).rstrip("/"), token=Secret("t0ken"))
    client = outbound.client(
        Toy, settings, name=name, allow_private=["127.0.0.0/8"], total_timeout=0.5
    )
    return Account(
        connector=Toy(name, settings, client),
        client=client,
        gate=Gate(4, breaker=Breaker()),
        policy=Policy(initial=5),
        actions=Toy.actions(),
    )


@pytest.fixture
async def bench(store_url: str) -> AsyncIterator[Bench]:
    clock, provider, second = ManualClock(), Provider(), Provider()
    servers = [await served(provider), await served(second)]
    store = await Store.open(store_url, keys=[Secret(new_key())], clock=clock, served=True)
    outbound = await Outbound(clock).open()
    accounts = {
        name: account(outbound, name, server)
        for name, server in zip(("toy", "other"), servers, strict=True)
    }
    runner = Runner(
        store, accounts=accounts, shop={}, policy_of=lambda _: None,
        reread=None, clock=clock,
    )  # type: ignore[arg-type]  # fmt: skip
    worker = Watched(runner)
    await worker.start()
    yield Bench(worker, store, clock, provider, second)
    await worker.stop(timedelta(seconds=2))
    await outbound.close()
    await store.close()
    for server in servers:
        await server.close()
