"""Several nodes on one PostgreSQL: lanes keep their order, nothing is stuck or done twice."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from hub.clock import SystemClock
from hub.errors import NotStored
from hub.ids import new_id
from hub.model import Job, NewJob
from hub.secrets import Secret
from store import schema, verify
from store.crypto import new_key
from store.settle import Completion
from store.store import Store
from store.tx import Tx

NODES = 4
LEASE = timedelta(seconds=60)


@dataclass
class Field:
    """Nodes that write, claim and settle, and what was seen of it."""

    nodes: list[Store]
    lanes: int = 40
    began: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    counted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    flying: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    ends: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    overlaps: int = 0
    lost: int = 0
    mixed: bool = False

    def job(self, lane: int | None) -> NewJob:
        now = self.nodes[0].clock.now()
        uid = new_id("job", now)
        return NewJob(
            uid=uid, connector="crm", account="crm", action="put", key=uid, effect="upsert",
            payload=b"{}", due_at=now, lane=None if lane is None else f"lane {lane}",
        )  # fmt: skip

    async def write(self, node: Store, count: int, seed: int) -> list[str]:
        """Write jobs into random lanes, some alone, some a few at once, as receipts would."""
        told, chance = [], random.Random(seed)
        while len(told) < count:
            new = [self.job(chance.randrange(self.lanes)) for _ in range(chance.choice((1, 1, 3)))]
            kind = chance.choice(("receipt", "change"))
            with suppress(NotStored):
                await node.writer.submit(lambda tx, new=new: tx.enqueue(*new), kind=kind)
                told += [job.uid for job in new]
        return told

    async def work(self, node: Store, until: asyncio.Event) -> None:
        while not until.is_set():
            with suppress(NotStored):
                due = node.clock.now() + LEASE
                claimed, _ = await node.claim({"crm": 20}, node=str(id(node)), until=due)
                for job in claimed:
                    self._begin(job)
                await asyncio.gather(*(self._settle(node, job) for job in claimed))
                if claimed:
                    continue
            with suppress(TimeoutError):
                await asyncio.wait_for(node.changed.wait(), 0.05)
            node.changed.clear()

    def _begin(self, job: Job) -> None:
        lane = job.lane or job.uid
        self.overlaps += self.flying[lane] > 0
        self.flying[lane] += 1
        self.began[lane].append(job.id)

    async def _settle(self, node: Store, job: Job) -> None:
        self.flying[job.lane or job.uid] -= 1
        try:
            if await self._settled(node, job):
                self.counted[job.uid] += 1
        except NotStored:
            self.lost += 1

    async def _settled(self, node: Store, job: Job) -> bool:
        end = random.Random(job.uid + str(job.attempt)).random() if self.mixed else 1
        now = node.clock.now()
        done = Completion(job=job, state="done", outcome="ok", started_at=now, ms=1)
        if end < 0.1 and job.failures < 3:
            again = replace(done, state="ready", outcome="retry", due_at=now)
            await node.settle(again)
            return False
        self.ends["dead" if end < 0.2 else "follow" if end < 0.3 else "shop"] += 1
        if end < 0.2:
            return await node.settle(replace(done, state="dead", outcome="reject", error="no"))
        if end < 0.3 and job.action == "put":
            follow = replace(self.job(random.Random(job.uid).randrange(self.lanes)), action="last")
            return await node.settle(replace(done, jobs=[follow]))
        if end < 0.4 and job.action == "put":
            return await node.settle_shop(self._shop, job, done)
        return await node.settle(done)

    def _shop(self, tx: Tx, job: Job) -> None:
        """Change a row that others want, then write jobs into two lanes, as shop actions do."""
        chance = random.Random(job.uid)
        row = update(schema.accounts).where(schema.accounts.c.account == "mail")
        tx.run(row.values(held=schema.accounts.c.held + 1))
        for _ in range(2):
            tx.enqueue(replace(self.job(chance.randrange(self.lanes)), action="last"))

    async def drained(self, until: asyncio.Event, within: float) -> None:
        async with asyncio.timeout(within):
            while await self._live():
                await asyncio.sleep(0.05)
        until.set()

    async def _live(self) -> int:
        async with self.nodes[0].read() as connection:
            live = select(func.count()).where(schema.jobs.c.state.in_(("w", "r", "l", "u", "b")))
            return int((await connection.execute(live)).scalar_one())


@pytest.fixture
async def nodes(database) -> AsyncIterator[list[Store]]:
    url, key = database.render_as_string(hide_password=False), Secret(new_key())
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(NODES):
            store = await Store.open(url, keys=[key], clock=SystemClock(), served=True)
            stack.push_async_callback(store.close)
            made.append(store)
        await made[0].know_accounts(["crm", "mail"])
        yield made


async def sound(store: Store) -> None:
    async with store.read() as connection:
        found = await verify.verify(connection)
    assert [one for one in found if one["broken"]] == []


async def run(field: Field, count: int) -> list[str]:
    """Have every node write, claim and settle at once until nothing is left."""
    over = asyncio.Event()
    workers = [asyncio.create_task(field.work(node, over)) for node in field.nodes]
    written = await asyncio.gather(
        *(
            field.write(node, count, 10 * k + n)
            for k, node in enumerate(field.nodes)
            for n in (1, 2)
        )
    )
    await field.drained(over, 40)
    await asyncio.gather(*workers)
    return [uid for uids in written for uid in uids]


async def deadlocks(store: Store) -> int:
    async with store.read() as connection:
        await connection.execute(text("SELECT pg_stat_force_next_flush()"))
        found = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return int((await connection.execute(text(found))).scalar_one())


async def test_lanes_keep_their_order_while_all_nodes_write_claim_and_settle(nodes) -> None:
    field = Field(nodes)
    uids = await run(field, 200)
    assert len(uids) >= 1600
    assert {uid: field.counted[uid] for uid in uids} == dict.fromkeys(uids, 1)
    assert field.overlaps == 0
    assert [lane for lane, ids in field.began.items() if ids != sorted(ids)] == []
    await sound(nodes[0])


async def test_retries_deaths_and_shop_jobs_amid_it_lose_nothing_and_deadlock_nowhere(
    nodes,
) -> None:
    before = await deadlocks(nodes[0])
    field = Field(nodes, mixed=True)
    uids = await run(field, 150)
    assert {uid: field.counted[uid] for uid in uids} == dict.fromkeys(uids, 1)
    assert min(field.ends.values()) > 50, field.ends
    assert (field.overlaps, field.lost) == (0, 0)
    assert await deadlocks(nodes[0]) == before
    await sound(nodes[0])
