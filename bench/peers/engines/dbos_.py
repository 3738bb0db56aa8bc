"""DBOS on PostgreSQL, synchronous_commit=on: a workflow of one step for each job, from a queue.

The queue is asked every 0.1 s: by default it is asked every second, and gives 64 jobs at a time.
Who fills it listens to no queue; DBOS would have it begin jobs, and leave them begun at its end.
"""

import asyncio

from common import AT_ONCE, DATABASE, call, main
from dbos import DBOS

QUEUE = "calls"
DBOS(config={"name": "peer", "system_database_url": DATABASE, "log_level": "ERROR"})


@DBOS.step(retries_allowed=True, max_attempts=10)
async def once(n: int) -> None:
    await call(n)


@DBOS.workflow(name="call")
async def task(n: int) -> None:
    await once(n)


def _fill(count: int) -> None:
    DBOS.listen_queues([])
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=0.1)
    for n in range(count):
        DBOS.enqueue_workflow(QUEUE, task, n)
    DBOS.destroy()


async def fill(count: int) -> None:
    await asyncio.to_thread(_fill, count)


async def work() -> None:
    await asyncio.to_thread(DBOS.launch)
    await asyncio.Event().wait()


main(fill, work)
