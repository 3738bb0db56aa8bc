"""Credentials that were revoked: nothing dies of it, however long; all goes out in order after."""

import asyncio
from datetime import timedelta

from sqlalchemy import func, select

from store.schema import accounts, job_history, jobs

DAYS = 10


async def counted(bench, table) -> int:
    async with bench.store.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)))


async def held(bench):
    async with bench.store.read() as connection:
        query = select(accounts).where(accounts.c.account == "toy")
        return (await connection.execute(query)).one()


async def test_revoked_for_ten_days_kills_none_and_keeps_the_order(bench) -> None:
    bench.provider.answers = [500] * 4  # four have failed before, so their age counts
    lanes = [f"lane {n % 5}" for n in range(30)]
    made = [
        bench.job("put", lane=lane, payload=f'{{"name": "{n:02}"}}'.encode())
        for n, lane in enumerate(lanes)
    ]
    loose = [bench.job("pay") for _ in range(5)]
    await bench.put(*made[:4])
    for job in made[:4]:
        await bench.tried(job.uid, 1)
    bench.provider.answers = [401] * 10_000
    await bench.put(*made[4:], *loose)
    async with asyncio.timeout(10):
        while (await held(bench)).held_reason is None:
            await asyncio.sleep(0.005)
    await bench.quiet()
    begun = bench.clock.now()
    while bench.clock.now() - begun < timedelta(days=DAYS):
        bench.clock.advance(timedelta(hours=2).total_seconds())
        called = len(bench.provider.seen)
        async with asyncio.timeout(10):
            while len(bench.provider.seen) == called:  # a slow machine may miss a probe
                bench.clock.advance(1)
                await asyncio.sleep(0.01)
        await bench.quiet()
    assert (await held(bench)).held_reason is not None
    assert await counted(bench, job_history) == 0
    async with bench.store.read() as connection:
        states = set(await connection.scalars(select(jobs.c.state)))
        used = (await connection.scalars(select(jobs.c.failures).order_by(jobs.c.id))).all()
    assert states <= {"r", "w"}
    assert used == [1] * 4 + [0] * 31
    # The hub may have been started anew meanwhile: it then knows of the hold from the store only.
    bench.worker.gates["toy"].held = None
    bench.provider.answers, before = [], len(bench.provider.seen)
    async with asyncio.timeout(30):
        while await counted(bench, job_history) < 35:
            bench.clock.advance(5)
            await asyncio.sleep(0.01)
    assert await counted(bench, jobs) == 0
    assert (await held(bench)).held_reason is None
    sent = [seen["body"].decode() for seen in bench.provider.seen[before:] if seen["key"] is None]
    names = [body.split('"')[3] for body in sent]
    assert sorted(names) == [f"{n:02}" for n in range(30)]
    for lane in set(lanes):
        mine = [name for name in names if lanes[int(name)] == lane]
        assert mine == sorted(mine)


async def test_while_it_is_held_one_call_at_a_time_tries_it(bench) -> None:
    bench.provider.answers = [401]
    await bench.put(bench.job("put"))
    async with asyncio.timeout(10):
        while (await held(bench)).held_reason is None:
            await asyncio.sleep(0.005)
    bench.worker.gates["toy"].held = None  # another node, which has not heard of it
    bench.provider.gate = asyncio.Event()
    await bench.put(*(bench.job("put") for _ in range(10)))
    async with asyncio.timeout(10):
        while len(bench.provider.seen) < 2:
            bench.clock.advance(2)
            await asyncio.sleep(0.005)
    for _ in range(20):
        bench.clock.advance(1)
        await asyncio.sleep(0.005)
    assert len(bench.provider.seen) == 2
    bench.provider.gate.set()
