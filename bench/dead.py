"""What a dead provider with a long queue does to the others: how long their jobs take to go out.

Each turn starts a worker anew, its breaker closed, so that every turn has the time in which it
learns that the provider is dead. Jobs come at a steady pace, and each is counted from when it was
to come: a worker that stalls is not let off. A call that hangs ends after a sixth of the default
time-out, so what its end costs the others is seen six times as often as they would see it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel
from sqlalchemy import delete, update

from bench.stores import opened, pieces, urls
from bench.waits import Timed, Wait, timed
from hub import Call, Connector, ConnectorSettings, Outcome, action, upsert
from hub.breaker import Gate
from hub.circuit import Breaker
from hub.http import Outbound
from hub.ids import new_id
from hub.model import Job, NewJob
from hub.perform import Account
from hub.retry import Policy
from hub.runner import Runner
from hub.worker import Worker
from store.schema import accounts, jobs
from store.store import Store
from tests.e2e.stage import free_port

OTHERS = ("one", "two", "three")
EVERY = 0.01  # seconds between two jobs
WARMING = 50  # jobs of each turn that count not: connections are made, statements prepared
TIMEOUT = 5.0
ALONE, REFUSES, HANGS = "no other", "beside one that refuses", "beside one that hangs"


class Item(BaseModel):
    """The n-th job of a turn."""

    n: int


class Toy(Connector):
    """Calls a provider of the bench."""

    type = "toy"
    Settings = ConnectorSettings

    @action(effect=upsert("n"))
    async def put(self, call: Call, item: Item) -> Outcome:
        """Put one."""
        await call.http.post("/put", json={"n": item.n})
        return Outcome()


@dataclass(slots=True)
class Providers:
    """The living, which note when they were called, and the dead.

    Attributes:
        came: When each numbered call came, by `perf_counter`.
        all: Set when as many have come as are awaited.
    """

    living: str = ""
    dead: dict[str, str] = field(default_factory=dict)
    came: dict[int, float] = field(default_factory=dict)
    awaited: int = 0
    all: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """Answer at once."""
        body = await request.json()
        self.came[body["n"]] = time.perf_counter()
        if len(self.came) == self.awaited:
            self.all.set()
        return web.json_response({})

    def await_calls(self, count: int) -> None:
        """Begin anew to wait for so many."""
        self.came.clear()
        self.awaited, self.all = count, asyncio.Event()


@asynccontextmanager
async def _providers() -> AsyncIterator[Providers]:
    its, app = Providers(), web.Application()
    app.router.add_post("/put", its.take)
    hanging = await asyncio.start_server(_hang, "127.0.0.1", 0)
    async with TestServer(app) as server, hanging:
        its.living = str(server.make_url("")).rstrip("/")
        port = hanging.sockets[0].getsockname()[1]
        its.dead = {HANGS: f"http://127.0.0.1:{port}", REFUSES: f"http://127.0.0.1:{free_port()}"}
        yield its


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(1 << 16):
            pass
    finally:
        writer.close()


async def dead(folder: Path, count: int, rounds: int) -> list[Wait]:
    """Compare a hub whose providers live with one that has ten times `count` jobs of a dead one."""
    async with _providers() as its, urls(folder, ALONE, *its.dead) as found:
        cases: dict[str, dict[str, Timed]] = {}
        for sort, named in found.items():
            for name, url in named.items():
                if name in its.dead:
                    await _queue(url, count * 10)
                cases.setdefault(sort, {})[name] = partial(_turn, its, url, name, count)
        return await timed(cases, rounds)


async def _turn(its: Providers, url: str, name: str, count: int) -> Sequence[float]:
    """Start a hub, give it jobs of the living at a steady pace; give what each took."""
    await _reset(url)
    store = await opened(url)
    outbound = await Outbound(store.clock).open()
    try:
        worker = Worker(_runner(store, outbound, its, name))
        await worker.start()
        try:
            its.await_calls(WARMING + count)
            due = await _put(store, WARMING + count)
            async with asyncio.timeout(60):
                await its.all.wait()
        finally:
            await worker.stop(timedelta())
    finally:
        await outbound.close()
        await store.close()
    return [(its.came[n] - at) * 1000 for n, at in enumerate(due)][WARMING:]


async def _put(store: Store, count: int) -> list[float]:
    begun = time.perf_counter() + 0.1
    due = [begun + n * EVERY for n in range(count)]
    tasks = []
    for n, at in enumerate(due):
        await asyncio.sleep(at - time.perf_counter())
        made = _job(OTHERS[n % len(OTHERS)], n, store.clock.now())
        tasks.append(asyncio.create_task(store.change(_enqueue, made)))
    await asyncio.gather(*tasks)
    return due


def _enqueue(tx: Any, job: NewJob) -> None:
    tx.enqueue(job)


async def _reset(url: str) -> None:
    """Forget the living's jobs and what was learned of the dead, and have all its jobs due.

    The store is closed after it: the copying of ten thousand rows from the WAL is not the turn's.
    """
    store = await opened(url)
    await store.write(_closed)
    await store.close()


def _closed(tx: Any) -> None:
    tx.run(delete(accounts))
    tx.run(delete(jobs).where(jobs.c.account != "dead"))
    tx.run(update(jobs).values(state="r", prio=0, due_at=tx.now, lease_owner=None,
                               lease_until=None, failures=0, first_sent_at=None))  # fmt: skip


async def _queue(url: str, count: int) -> None:
    store = await opened(url)
    for piece in pieces(count):
        made = [_job("dead", n, store.clock.now()) for n in piece]
        await store.write(lambda tx, made=made: tx.enqueue(*made))
    await store.close()


def _job(account: str, n: int, now: Any) -> NewJob:
    uid = new_id("job", now)
    return NewJob(
        uid=uid, connector=account, account=account, action="put", key=uid, effect="upsert",
        payload=b'{"n": %d}' % n, due_at=now,
    )  # fmt: skip


def _runner(store: Store, outbound: Outbound, its: Providers, name: str) -> Runner:
    at = dict.fromkeys(OTHERS, its.living)
    at |= {"dead": its.dead[name]} if name in its.dead else {}
    made = {account: _account(outbound, account, url) for account, url in at.items()}
    return Runner(
        store, accounts=made, shop={}, policy_of=lambda _: None, reread=_unread, clock=store.clock
    )


async def _unread(job: Job) -> Any:
    raise NotImplementedError


def _account(outbound: Outbound, name: str, url: str) -> Account:
    settings: Any = Toy.Settings(base_url=url)
    client = outbound.client(
        Toy, settings, name=name, allow_private=["127.0.0.0/8"], total_timeout=TIMEOUT
    )
    return Account(
        connector=Toy(name, settings, client), client=client, gate=Gate(4, breaker=Breaker()),
        policy=Policy(), actions=Toy.actions(),
    )  # fmt: skip
