"""S2: one event from 50 tasks over three nodes on one PostgreSQL is one event, one set of jobs."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime

from aiohttp import ClientSession

from hub import Event
from hub.effects import upsert
from hub.model import NewJob
from hub.routing import direct_job
from store.crypto import new_key
from tests.webhooks.conftest import Bench, body, opened

NODES, TASKS, TIMES = 3, 50, 20


def two_jobs(event: Event, now: datetime) -> list[NewJob]:
    """Write an event's jobs under keys of the event's own id, as routes do."""
    return [
        direct_job("toy", f"put{n}", {}, key=f"{event.id}:{n}", lane="one" if n else None,
                   effect=upsert("id"), event_id=event.id, now=now)
        for n in range(2)
    ]  # fmt: skip


async def test_s2_one_event_1000_times_from_50_tasks_over_3_nodes_is_one(database) -> None:
    url, key = database.render_as_string(hide_password=False), new_key()
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(opened(url, key, route=two_jobs)) for _ in range(NODES)
        ]
        raw = body("e1", "e2")
        headers = nodes[0].signed(raw)

        async def sender(node: Bench) -> list[int]:
            told = []
            async with ClientSession() as session:
                for _ in range(TIMES):
                    address = f"{node.url}/webhooks/toy"
                    async with session.post(address, data=raw, headers=headers) as answer:
                        told.append(answer.status)
            return told

        told = await asyncio.gather(*(sender(nodes[n % NODES]) for n in range(TASKS)))
        assert [status for each in told for status in each] == [200] * (TASKS * TIMES)
        inbox, events, jobs = await nodes[0].stored()
        assert (inbox, events) == (1, 2)
        assert sorted(job["action"] for job in jobs) == ["put0", "put0", "put1", "put1"]
        assert len({job["event_id"] for job in jobs}) == 2
