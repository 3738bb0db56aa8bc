"""Several nodes on one PostgreSQL: lanes keep their order, nothing is stuck or done twice."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hub.clock import SystemClock
from hub.errors import NotStored
from hub.ids import new_id
from hub.model import Job, NewJob
from hub.secrets import Secret
from store import schema, verify
from store.crypto import new_key
from store.settle import Completion
from store.store import Store

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
    overlaps: int = 0
    done: int = 0

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
        if not self.began[lane] or self.began[lane][-1] != job.id:
            self.began[lane].append(job.id)

    async def _settle(self, node: Store, job: Job) -> None:
        done = Completion(job=job, state="done", outcome="ok", started_at=node.clock.now(), ms=1)
        self.flying[job.lane or job.uid] -= 1
        with suppress(NotStored):
            if await node.settle(done):
                self.counted[job.uid] += 1
                self.done += 1

    async def drained(self, until: asyncio.Event, within: float) -> None:
        async with asyncio.timeout(within):
            while await self._live():
                await asyncio.sleep(0.05)
        until.set()

    async def _live(self) -> int:
        async with self.nodes[0].read() as connection:
            found = await connection.execute(select(func.count()).select_from(schema.jobs))
            return int(found.scalar_one())


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


async def test_lanes_keep_their_order_while_all_nodes_write_claim_and_settle(nodes) -> None:
    field, over = Field(nodes), asyncio.Event()
    workers = [asyncio.create_task(field.work(node, over)) for node in nodes]
    written = await asyncio.gather(
        *(
            field.write(node, 150, seed * 10 + n)
            for seed, node in enumerate(nodes)
            for n in range(3)
        )
    )
    await field.drained(over, 40)
    await asyncio.gather(*workers)
    uids = [uid for uids in written for uid in uids]
    assert len(uids) >= 1800
    assert {uid: field.counted[uid] for uid in uids} == dict.fromkeys(uids, 1)
    assert field.overlaps == 0
    assert [lane for lane, ids in field.began.items() if ids != sorted(ids)] == []
    await sound(nodes[0])
