"""A paused connector at a worker that runs: no call starts, none is lost, none is late for it."""

import asyncio

from store import pauses


async def pause(store):
    await store.change(lambda tx, name: pauses.pause(tx, name, by="ana"), "toy")


async def resume(store):
    await store.change(lambda tx, name: pauses.resume(tx, name, by="ana"), "toy")


async def test_no_call_starts_until_it_is_resumed(bench) -> None:
    await pause(bench.store)
    job = bench.job("put")
    await bench.put(job)
    for _ in range(20):  # the worker looks again, and again
        bench.clock.advance(1)
        await asyncio.sleep(0.005)
    assert bench.provider.seen == []
    shown = await bench.shown(job.uid)
    assert (shown["state"], shown["attempt"], shown["failures"]) == ("ready", 0, 0)
    await resume(bench.store)
    await bench.reaches(job.uid, "done")
    assert len(bench.provider.seen) == 1


async def test_a_call_in_flight_ends_and_the_next_of_its_lane_waits(bench) -> None:
    bench.provider.gate = asyncio.Event()
    first, second = bench.job("put", lane="a"), bench.job("put", lane="a")
    await bench.put(first, second)
    while not bench.provider.seen:
        await asyncio.sleep(0.005)
    await pause(bench.store)
    bench.provider.gate.set()
    await bench.reaches(first.uid, "done")
    bench.clock.advance(5)
    await asyncio.sleep(0.02)
    assert (await bench.shown(second.uid))["state"] == "ready"
    await resume(bench.store)
    await bench.reaches(second.uid, "done")
