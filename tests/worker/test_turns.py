"""Jobs are claimed a little before their budget has room, and wait for their turn."""

import asyncio
from datetime import timedelta

import pytest

from hub.breaker import AHEAD
from hub.effects import Limit
from tests.worker.test_fairness import put_many, until

PER = 10.0


@pytest.fixture
async def waiting(bench) -> str:
    """Have two calls made, and a third job claimed for when the first of them is forgotten."""
    gate = bench.worker.gates["toy"]
    gate.__init__(4, (Limit(2, per=PER),), actions=("put", "pay"), ahead=AHEAD)
    await put_many(bench, 2)
    await until(lambda: len(bench.provider.seen) == 2)
    third = bench.job("put", payload=b'{"name": "third"}')
    await bench.put(third)
    await bench.later(PER - AHEAD / 2)
    async with asyncio.timeout(10):
        while (await bench.shown(third.uid))["state"] != "leased":
            await asyncio.sleep(0.002)
    return third.uid


async def test_a_job_claimed_ahead_calls_when_its_budget_has_room(bench, waiting) -> None:
    assert len(bench.provider.seen) == 2
    bench.clock.advance(AHEAD)
    assert (await bench.reaches(waiting, "done"))["attempts"][0]["outcome"] == "ok"
    assert len(bench.provider.seen) == 3


async def test_it_goes_back_unused_when_the_hub_stops(bench, waiting) -> None:
    async with asyncio.timeout(5):
        await bench.worker.stop(timedelta(minutes=1))
    job = await bench.shown(waiting)
    assert (job["state"], job["failures"]) == ("ready", 0)
    assert len(bench.provider.seen) == 2


async def test_it_goes_back_unused_when_its_provider_asks_to_be_left_alone(bench, waiting) -> None:
    bench.worker.gates["toy"].turn_away()
    job = await bench.tried(waiting, 1)
    assert (job["attempts"][0]["outcome"], job["failures"]) == ("returned", 0)
    assert len(bench.provider.seen) == 2


async def test_no_job_is_claimed_ahead_of_what_cannot_be_called_twice(bench) -> None:
    gate = bench.worker.gates["toy"]
    gate.__init__(4, (Limit(2, per=PER),), actions=("mail",))
    await put_many(bench, 2, "mail")
    await until(lambda: len(bench.provider.seen) == 2)
    third = bench.job("mail")
    await bench.put(third)
    await bench.later(PER - AHEAD / 2)
    await bench.quiet()
    assert (await bench.shown(third.uid))["state"] == "ready"
