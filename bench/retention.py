"""What retention costs who comes in meanwhile: webhooks taken in at a steady pace, each timed."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

from bench.stores import KEYS, opened, pieces, urls
from bench.waits import Timed, Wait, timed
from hub.clock import ManualClock, SystemClock
from hub.ids import new_id
from hub.model import Event, Job, NewJob, Request
from store.inbox import Receipt, Taken
from store.retention import BREATH, MOST, Retention, Terms
from store.settle import Completion
from store.store import Store

EVERY = 0.01  # seconds between two webhooks
WARMING = 50  # of each turn, not counted
AGE = timedelta(days=60)
TERMS = Terms(dedupe=AGE / 2, done=AGE / 2, events=AGE / 2)
SWEEPS = 5  # that let a webhook's rows go, one after another: bodies, data, payload, job, dedupe


async def retention(folder: Path, count: int, rounds: int) -> list[Wait]:
    """Compare webhooks that come in while nothing else happens, and while old rows go."""
    turn = count // 4
    # So many are old that it cannot end before the last turn does, even on an idle machine.
    old = int((turn + WARMING) * EVERY * 1.5 * rounds * MOST / BREATH / SWEEPS)
    async with AsyncExitStack() as ends:
        found = await ends.enter_async_context(urls(folder, "one"))
        cases: dict[str, Mapping[str, Timed]] = {}
        for sort, named in found.items():
            await _fill(named["one"], old)
            store = await opened(named["one"])
            ends.push_async_callback(store.close)
            cases[sort] = {"at rest": partial(_turn, store, turn),
                           "while old rows go": partial(_beside, store, turn)}  # fmt: skip
        return await timed(cases, rounds)


async def _beside(store: Store, count: int) -> Sequence[float]:
    """Do the same while retention runs."""
    running = asyncio.create_task(Retention(store, TERMS, store.clock).once())
    try:
        took = await _turn(store, count)
        if running.done():
            raise RuntimeError(f"there was too little to let go: {running.result()}")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return took


async def _turn(store: Store, count: int) -> Sequence[float]:
    """Take webhooks in at a steady pace; each is counted from when it was to come."""
    begun = time.perf_counter() + 0.1
    tasks = []
    for n in range(WARMING + count):
        due = begun + n * EVERY
        await asyncio.sleep(due - time.perf_counter())
        tasks.append(asyncio.create_task(_timed(store, due)))
    return (await asyncio.gather(*tasks))[WARMING:]


async def _timed(store: Store, due: float) -> float:
    received = await store.receive(_receipt(store))
    if not received.fresh:
        raise RuntimeError("a webhook was taken for another")
    return (time.perf_counter() - due) * 1000


def _receipt(store: Store) -> Receipt:
    now = store.clock.now()
    ident, body = new_id("evt", now), b'{"email": "ann@example.com", "pad": "%s"}' % (b"x" * 1800)
    event = Event(type="crm.changed", at=now, data={"email": "ann@example.com"}, ext_id=ident,
                  id=ident, connector="crm", recorded_at=now)  # fmt: skip
    job = NewJob(uid=new_id("job", now), connector="crm", account="crm", action="put", key=ident,
                 effect="upsert", payload=b"{}", due_at=now, event_id=ident)  # fmt: skip
    request = Request(method="POST", url="https://h/crm", headers=((b"A", b"b"),), body=body)
    return Receipt(id=new_id("inb", now), connector="crm", request=request, received_at=now,
                   taken=[Taken(event=event, jobs=[job])])  # fmt: skip


async def _fill(url: str, count: int) -> None:
    """Have so many webhooks that came long ago, their jobs done."""
    clock = ManualClock(SystemClock().now() - AGE)
    store = await Store.open(url, keys=KEYS, clock=clock, served=True)
    await store.know_accounts(["crm"])
    for piece in pieces(count, most=500):
        clock.advance(1)
        await asyncio.gather(*(store.receive(_receipt(store)) for _ in piece))
        jobs, _ = await store.claim({"crm": 500}, node="n", until=clock.now() + AGE)
        await asyncio.gather(*(store.settle(_done(job)) for job in jobs))
    await store.close()


def _done(job: Job) -> Completion:
    return Completion(job=job, state="done", outcome="ok", started_at=job.created_at, ms=1)
