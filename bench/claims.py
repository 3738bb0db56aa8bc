"""What it costs to claim jobs and to end them: beside many that wait, and amid many that ended."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Table, text

from bench.stores import opened, pieces, urls
from bench.waits import Timed, Wait, timed
from hub.ids import new_id
from hub.model import Job, NewJob
from store import claims, settle
from store.schema import attempts, job_history
from store.settle import Completion
from store.store import Store
from store.tx import Tx

MANY = 200
AGAIN = 3  # of each turn, after one that warms up
STEPS = ("claim", "end")
T = TypeVar("T")


async def claiming(folder: Path, count: int, rounds: int) -> list[Wait]:
    """Compare 200 jobs alone, behind 100 x `count` in a lane, and with 1,000 x `count` over."""
    names = ("nothing else", f"{count * 100:,} wait", f"and {count * 1000:,} are over")
    async with AsyncExitStack() as ends:
        found = await ends.enter_async_context(urls(folder, *names))
        cases: dict[str, Mapping[str, Timed]] = {}
        for sort, named in found.items():
            stores = {name: await opened(url) for name, url in named.items()}
            for name, store in stores.items():
                ends.push_async_callback(store.close)
                await _fill(store, waiting=0 if name == names[0] else count * 100,
                            over=count * 1000 if name == names[2] else 0)  # fmt: skip
            for step in STEPS:
                cases[f"{sort}, {step}"] = {n: partial(_turn, s, step) for n, s in stores.items()}
        return await timed(cases, rounds)


async def _turn(store: Store, step: str) -> Sequence[float]:
    """Write 200 jobs with another behind each, claim and end them all; give what a step took."""
    took = []
    for _ in range(AGAIN + 1):
        new = list(_jobs(store.clock.now(), 2 * MANY, lanes=MANY))
        await store.write(partial(_enqueue, new=new))
        jobs, claimed = await store.write(_clocked(_claim))
        _, ended = await store.write(_clocked(partial(_settle, jobs=jobs)))
        jobs = await store.write(_claim)
        await store.write(partial(_settle, jobs=jobs))
        took.append(dict(zip(STEPS, (claimed, ended), strict=True))[step] * 1000)
    return took[1:]


def _clocked(work: Callable[[Tx], T]) -> Callable[[Tx], tuple[T, float]]:
    """Time some work in a transaction, without its commit."""

    def run(tx: Tx) -> tuple[T, float]:
        begun = time.perf_counter()
        found = work(tx)
        return found, time.perf_counter() - begun

    return run


def _claim(tx: Tx) -> list[Job]:
    found, _ = claims.claim(tx, {"crm": MANY}, node="n", until=tx.now + timedelta(seconds=60))
    if len(found) != MANY:
        raise RuntimeError(f"{len(found)} jobs were claimed")
    return found


def _settle(tx: Tx, jobs: Sequence[Job]) -> None:
    if not all(settle.settle(tx, [_done(job, tx.now) for job in jobs])):
        raise RuntimeError("a lease was lost")


def _done(job: Job, now: datetime) -> Completion:
    return Completion(job=job, state="done", outcome="ok", started_at=now, ms=1)


# -- what lies there -------------------------------------------------------------------------------
async def _fill(store: Store, *, waiting: int, over: int) -> None:
    """Have a lane whose head is in flight for ever and so many behind it, and so many over."""
    await store.know_accounts(["crm"])
    if over:
        await store.write(partial(_enqueue, new=list(_jobs(store.clock.now(), MANY, lanes=MANY))))
        jobs = await store.write(_claim)
        await store.write(partial(_settle, jobs=jobs))
        for piece in pieces(over, most=100_000):
            await store.write(partial(_copy, piece=piece))
    for piece in pieces(waiting):
        await store.write(partial(_enqueue, new=list(_jobs(store.clock.now(), len(piece)))))
        if piece.start == 0:
            far = timedelta(days=1)
            await store.claim({"crm": 1}, node="n", until=store.clock.now() + far)
    await store.write(lambda tx: tx.run(text("ANALYZE")))


def _enqueue(tx: Tx, new: Sequence[NewJob]) -> None:
    tx.enqueue(*new)


def _jobs(now: datetime, count: int, *, lanes: int = 1) -> Iterator[NewJob]:
    for n in range(count):
        uid = new_id("job", now)
        lane = f"{lanes} lanes, {n % lanes}"
        yield NewJob(
            uid=uid, connector="crm", account="crm", action="put", key=uid, effect="upsert",
            payload=b'{"email": "ann@example.com"}', due_at=now, lane=lane,
        )  # fmt: skip


def _copy(tx: Tx, piece: range) -> None:
    """Write ended jobs and their attempts, as those that are there already."""
    for table, by in ((job_history, "uid"), (attempts, "job")):
        tx.run(text(_copied(table, by)), {"from": piece.start, "until": piece.stop})


def _copied(table: Table, by: str) -> str:
    names = [column.name for column in table.columns if column.name != "n"]
    made = ", ".join(f"{by} || '-' || k" if name == by else f'"{name}"' for name in names)
    return f"""
        INSERT INTO {table.name} ({", ".join(f'"{name}"' for name in names)})
        WITH RECURSIVE s(k) AS (
            SELECT CAST(:from AS bigint) UNION ALL SELECT k + 1 FROM s WHERE k + 1 < :until)
        SELECT {made} FROM s CROSS JOIN (
            SELECT * FROM {table.name} ORDER BY {by} LIMIT 1) it"""
