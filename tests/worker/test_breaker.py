"""A failing provider's breaker: it opens, is probed, closes; its jobs wait and lose nothing."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from hub.circuit import Breaker, Circuit, halted, probed, struck
from store.schema import accounts, jobs

START = datetime(2026, 1, 1, tzinfo=UTC)
FEW = Breaker(failures=3)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# -- the rules -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("strikes", "opens"),
    [
        ((0, 1), False),
        ((0, 1, 2), True),
        ((0, 59, 59.9), True),
        ((0, 1, 60), False),  # the first is no longer within 60 s
        ((0, 1, 61, 62), False),
        ((0, 61, 62, 63), True),
    ],
)
def test_so_many_failures_within_a_minute_open_it(strikes, opens) -> None:
    circuit = Circuit()
    for second in strikes:
        circuit = struck(circuit, FEW, count=1, now=at(second))
    assert (circuit.since is not None) == opens
    if opens:
        assert circuit.probe_at == circuit.since + FEW.open_for


def test_late_failures_do_not_keep_an_open_one_open_for_longer() -> None:
    opened = struck(Circuit(), FEW, count=5, now=at(0))
    assert struck(opened, FEW, count=5, now=at(30)) == opened


@pytest.mark.parametrize(
    ("well", "after"),
    [
        (True, Circuit()),
        (False, Circuit(since=at(0), probe_at=at(120))),
        (None, Circuit(since=at(0))),  # told nothing: another may go at once
    ],
)
def test_a_probe_closes_it_or_keeps_it_open(well, after) -> None:
    opened = Circuit(since=at(0), probe_at=at(60))
    assert probed(opened, FEW, well=well, now=at(60)) == after


@pytest.mark.parametrize(
    ("first", "second"), [((0, 10), (5, 20)), ((5, 10), (0, 20)), ((0, 20), (5, 10))]
)
def test_halts_that_overlap_are_counted_once(first, second) -> None:
    halts = sorted([first, second], key=lambda halt: halt[1])
    (begin, end), (other, last) = halts
    told = halted(at(begin), [at(other)], at(end)) + halted(at(other), [], at(last))
    assert told == timedelta(seconds=20)


# -- at work ---------------------------------------------------------------------------------------
async def account(bench):
    async with bench.store.read() as connection:
        return (await connection.execute(select(accounts).where(accounts.c.account == "toy"))).one()


async def steps(bench, met, *, step: float = 0.5) -> float:
    """Move the clock on until something holds; give how long that took on it.

    A slow machine makes it longer, never shorter.
    """
    begun = bench.clock.now()
    async with asyncio.timeout(30):
        while not await met():
            bench.clock.advance(step)
            await asyncio.sleep(0.004)
    return (bench.clock.now() - begun).total_seconds()


async def calls(bench, count: int) -> float:
    async def made() -> bool:
        return len(bench.provider.seen) >= count

    took = await steps(bench, made)
    assert len(bench.provider.seen) == count
    return took


async def all_done(bench, uids: list[str]) -> None:
    async def done() -> bool:
        async with bench.store.read() as connection:
            return await connection.scalar(select(func.count()).select_from(jobs)) == 0

    await steps(bench, done, step=2)
    for uid in uids:
        await bench.reaches(uid, "done")


async def opened(bench) -> list[str]:
    """Let attempts fail until the breaker opens; give the jobs."""
    made = [bench.job("put", lane=f"lane {n}") for n in range(30)]
    bench.provider.answers = [500] * 500
    await bench.put(*made)

    async def open_now() -> bool:
        return (await account(bench)).breaker_since is not None

    await steps(bench, open_now)
    await bench.quiet()
    return [job.uid for job in made]


async def test_20_failures_open_the_breaker(bench) -> None:
    await opened(bench)
    assert 20 <= len(bench.provider.seen) < 20 + 4  # those in flight end


async def test_an_open_breaker_lets_one_probe_through_a_minute(bench) -> None:
    await opened(bench)
    called, since = len(bench.provider.seen), (await account(bench)).breaker_since
    for probes in (1, 2, 3):
        await calls(bench, called + probes)
        assert bench.clock.now() - since >= timedelta(minutes=probes)
        await bench.quiet()


async def test_a_probe_that_hangs_is_the_only_call(bench) -> None:
    await opened(bench)
    called, bench.provider.gate = len(bench.provider.seen), asyncio.Event()
    await calls(bench, called + 1)
    for _ in range(40):
        bench.clock.advance(0.5)
        await asyncio.sleep(0.004)
    assert len(bench.provider.seen) == called + 1
    bench.provider.gate.set()


async def test_a_good_probe_closes_it_and_spreads_the_retries_over_a_minute(bench) -> None:
    uids = await opened(bench)
    bench.provider.answers, bench.provider.gate = [], asyncio.Event()
    await calls(bench, len(bench.provider.seen) + 1)
    # The retries had backed off for however long: an hour, say.
    later = update(jobs).where(jobs.c.prio == 1, jobs.c.state == "r")
    hour = bench.clock.now() + timedelta(hours=1)
    await bench.store.write(lambda tx: tx.run(later.values(due_at=hour)))
    bench.provider.gate.set()

    async def closed() -> bool:
        return (await account(bench)).breaker_since is None

    assert await bench.worker.wait_for(closed, 5)
    async with bench.store.read() as connection:
        waiting = select(jobs.c.due_at).where(jobs.c.prio == 1, jobs.c.state == "r")
        due = (await connection.scalars(waiting)).all()
    now = bench.clock.now()
    assert len(due) >= 10
    assert all(now <= at <= now + timedelta(seconds=60) for at in due)
    assert max(due) - min(due) > timedelta(seconds=20)
    await all_done(bench, uids)


async def test_an_open_breaker_uses_up_no_age(bench) -> None:
    """Ten days of outage: more than a job's eight, were they to count."""
    uids = await opened(bench)
    for _ in range(40):
        called = len(bench.provider.seen)
        bench.clock.advance(timedelta(hours=6).total_seconds())
        await calls(bench, called + 1)
        await bench.quiet()
    async with bench.store.read() as connection:
        states = (await connection.scalars(select(jobs.c.state))).all()
    assert states == ["r"] * 30
    bench.provider.answers = []
    await all_done(bench, uids)


@pytest.mark.parametrize("answer", [400, (429, {"Retry-After": "1"})])
async def test_rejections_and_rate_limits_do_not_open_it(bench, answer) -> None:
    bench.provider.answers = [answer] * 40
    await bench.put(*(bench.job("put") for _ in range(40)))

    async def answered() -> bool:
        return not bench.provider.answers

    await steps(bench, answered)
    assert (await account(bench)).breaker_since is None
