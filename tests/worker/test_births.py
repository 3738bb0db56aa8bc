"""What a node writes it begins at once, within its room; nothing is claimed in the common case."""

import asyncio
from datetime import timedelta

from sqlalchemy import func, select, text

from hub.ceiling import Ceiling
from hub.effects import Limit
from store.schema import jobs


async def counted(bench, state: str) -> int:
    async with bench.store.read() as connection:
        query = select(func.count()).select_from(jobs).where(jobs.c.state == state)
        return int(await connection.scalar(query))


async def until(met, *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.002)


def without_claims(bench, monkeypatch) -> list[int]:
    """Have claims find nothing from now on; give how often one was made."""
    made = []

    async def claim(*_, **__):
        made.append(1)
        return [], None

    monkeypatch.setattr(bench.store, "claim", claim)
    return made


async def listening(bench) -> None:
    """Wait until its bell hears others: then it has looked for what it may have missed."""
    asked = text("SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                 " AND query LIKE 'LISTEN%'")  # fmt: skip
    async with asyncio.timeout(10):
        while not bench.store.alone:
            async with bench.store.read() as connection:
                if (await connection.execute(asked)).first() is not None:
                    return
            await asyncio.sleep(0.002)


async def test_in_the_common_case_nothing_is_claimed(bench, monkeypatch) -> None:
    await listening(bench)
    await bench.quiet()
    made = without_claims(bench, monkeypatch)
    for name in ("put", "pay", "put"):
        job = bench.job(name)
        await bench.put(job)
        assert (await bench.reaches(job.uid, "done"))["attempt"] == 1
    assert made == []


async def test_no_more_fly_than_there_are_slots(bench) -> None:
    await bench.quiet()
    bench.provider.gate = asyncio.Event()
    for _ in range(6):
        await bench.put(*(bench.job("put") for _ in range(5)))
    await until(lambda: bench.provider.at_once == 4)
    assert (await counted(bench, "l"), await counted(bench, "r")) == (4, 26)
    bench.provider.gate.set()
    await until(lambda: len(bench.provider.seen) == 30)
    assert bench.provider.most_at_once == 4


async def test_while_one_account_is_claimed_for_others_keep_half_their_room(bench) -> None:
    await bench.quiet()
    births, now = bench.worker.births, bench.clock.now()
    room = births.shut(now, idle={"other"})
    assert (room["toy"].most, room["other"].most) == (4, 2)
    jobs = [bench.job("put", connector=name) for name in ("toy", "other", "other", "other")]
    assert [births.grant(job) for job in jobs] == [False, True, True, False]
    births.back(jobs[1:3])
    births.open(now)


async def test_a_budget_holds_for_them_too(bench) -> None:
    gate = bench.worker.gates["toy"]
    gate.__init__(8, (Limit(2, per=60), Limit(1, per=60, by="operation")), actions=("put", "pay"))
    bench.store.changed.set()
    await bench.quiet()
    await bench.put(*(bench.job("put") for _ in range(3)))
    await bench.put(*(bench.job("pay") for _ in range(3)))
    await until(lambda: len(bench.provider.seen) == 2)
    await bench.quiet()
    assert sorted(seen["path"] for seen in bench.provider.seen) == ["/pay", "/put"]
    bench.clock.advance(61)
    await until(lambda: len(bench.provider.seen) == 4)


async def test_a_route_with_a_ceiling_is_counted_where_it_is_claimed(bench, monkeypatch) -> None:
    capped = Ceiling(per_hour=2)
    for knows in (bench.worker.runner, bench.worker.births):
        knows.ceiling_of = lambda route, *_: capped if route == "offer" else None
    await bench.quiet()
    await bench.put(*(bench.job("pay", route="offer") for _ in range(5)))
    await until(lambda: len(bench.provider.seen) == 2)
    await bench.quiet()
    assert len(bench.provider.seen) == 2
    assert await counted(bench, "r") == 3


async def test_the_lane_goes_on_behind_them(bench) -> None:
    await bench.quiet()
    new = [bench.job("put", lane="x", payload=b'{"name":"%d"}' % n) for n in range(5)]
    await bench.put(*new)
    await bench.reaches(new[-1].uid, "done")
    assert [seen["body"][-3:-2] for seen in bench.provider.seen] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_hub_that_stops_begins_what_it_had_taken(bench) -> None:
    await bench.quiet()
    news = [bench.job("put") for _ in range(4)]
    writing = asyncio.gather(*(bench.put(job) for job in news))
    await asyncio.sleep(0)
    await bench.worker.stop(timedelta(seconds=5))
    await writing
    assert await counted(bench, "l") == 0
    late = bench.job("put")
    await bench.put(late)
    assert (await bench.shown(late.uid))["state"] == "ready"
