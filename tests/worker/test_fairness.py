"""Nobody starves: no class of jobs for another, and no account for another."""

import asyncio

from hub.effects import Limit


async def until(met, *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.002)


async def put_many(bench, count: int, name: str = "put", **more) -> None:
    for _ in range(0, count, 500):
        await bench.put(*(bench.job(name, **more) for _ in range(min(count, 500))))


def named(provider, name: str) -> list[int]:
    """Give which calls were for this name."""
    body = f'"name":"{name}"'.encode()
    return [n for n, seen in enumerate(provider.seen) if body in seen["body"].replace(b" ", b"")]


# -- classes ---------------------------------------------------------------------------------------
async def test_a_backlog_of_retries_leaves_a_slot_for_first_attempts(bench) -> None:
    bench.provider.gate = asyncio.Event()
    await put_many(bench, 200, prio=1)
    await until(lambda: bench.provider.at_once == 3)
    await bench.put(bench.job("put", payload=b'{"name": "new"}'))
    await until(lambda: named(bench.provider, "new") == [3])
    await put_many(bench, 20)
    await asyncio.sleep(0.05)
    assert bench.provider.most_at_once == 4
    bench.provider.gate.set()


async def test_a_sync_gets_its_turn_among_first_attempts(bench) -> None:
    bench.provider.gate = asyncio.Event()
    await put_many(bench, 300)
    await bench.put(bench.job("put", prio=2, payload=b'{"name": "sync"}'))
    bench.provider.gate.set()
    await until(lambda: len(bench.provider.seen) == 301)
    [turn] = named(bench.provider, "sync")
    assert turn < 100


async def test_an_action_at_its_own_limit_holds_no_other_action(bench) -> None:
    gate = bench.worker.gates["toy"]
    gate.__init__(4, (Limit(2, per=60, by="operation"),), actions=("put", "pay", "mail"))
    await put_many(bench, 50, "put")
    pays = [bench.job("pay"), bench.job("pay")]
    await bench.put(*pays)
    for job in pays:
        await bench.reaches(job.uid, "done")
    paths = [seen["path"] for seen in bench.provider.seen]
    assert sorted(paths) == ["/pay", "/pay", "/put", "/put"]
    bench.clock.advance(61)
    await until(lambda: len(bench.provider.seen) == 6)


# -- accounts --------------------------------------------------------------------------------------
async def test_a_hung_account_with_a_backlog_keeps_no_other_waiting(bench) -> None:
    """The clock stands still: what `other` does it does without waiting for any time to pass."""
    bench.worker.gates["toy"].breaker = None  # it hangs for ever, and nobody gives up on it
    bench.provider.answers = ["hang"] * 10_000
    await put_many(bench, 2_000)
    await until(lambda: bench.provider.at_once == 4)
    for n in range(30):
        job = bench.job("put", connector="other", payload=f'{{"name":"n{n}"}}'.encode())
        await bench.put(job)
        await bench.reaches(job.uid, "done")
    assert [named(bench.second, f"n{n}") for n in range(30)] == [[n] for n in range(30)]
    assert bench.provider.most_at_once == 4
