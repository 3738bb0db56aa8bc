"""Gates: slots, holds, and budgets counted as providers count them, over a rolling window."""

import asyncio
import heapq
import random
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from hub.breaker import AHEAD, Gate, TurnedAway
from hub.budget import ON_ITS_WAY, arrived
from hub.clock import ManualClock
from hub.effects import Limit

START = datetime(2026, 11, 1, tzinfo=UTC)
TEN = Limit(20, per=10)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("gate", "room"),
    [
        (Gate(8), 8),
        (Gate(8, flying=3), 5),
        (Gate(8, flying=9), 0),
        (Gate(8, paused=True), 0),
        (Gate(8, held="401"), 1),  # one probe
        (Gate(8, held="401", flying=1), 0),
        (Gate(8, (Limit(3, per=10),)), 3),
        (Gate(8, (Limit(3, per=10),), flying=2), 1),
        (Gate(8, (Limit(3, per=10, by="operation"),)), 8),
        (Gate(8, (Limit(90, per=10), Limit(2, per=1))), 2),
    ],
)
def test_room_is_the_least_of_slots_hold_and_budgets(gate: Gate, room: int) -> None:
    assert gate.room(START) == room


def test_a_spent_budget_has_room_when_its_window_has_moved_on() -> None:
    gate = Gate(8, (Limit(3, per=10),))
    for seconds in (0, 1, 4):
        gate.take()
        gate.called(1, at(seconds))
        gate.give()
    assert (gate.room(at(4)), gate.wait(at(4))) == (0, 6)
    assert (gate.room(at(10)), gate.wait(at(10))) == (1, None)
    assert gate.room(at(14)) == 3


def test_a_job_of_several_calls_takes_as_much_of_the_budget() -> None:
    gate = Gate(8, (Limit(8, per=10),))
    gate.take()
    gate.called(3, START)
    gate.give()
    assert gate.room(START) == 1  # five left: one more of three, and no second


@pytest.mark.parametrize("seed", range(5))
def test_no_window_ever_holds_more_than_the_limit(seed: int) -> None:
    """Simulate jobs of two calls and any length, started as soon as there is room."""
    chance, gate = random.Random(seed), Gate(8, (TEN,))
    arrived: list[float] = []
    ends: list[float] = []
    now = 0.0
    while now < 100:
        while ends and ends[0] <= now:
            gate.called(2, at(heapq.heappop(ends)))
            gate.give()
        for _ in range(gate.room(at(now))):
            gate.take()
            ends_at = now + chance.choice([0.01, 0.3, 2.0])
            heapq.heappush(ends, ends_at)
            arrived += [chance.uniform(now, ends_at) for _ in range(2)]
        now += 0.01
    arrived.sort()
    busiest = max(
        sum(1 for later in arrived[n:] if later < first + TEN.per)
        for n, first in enumerate(arrived)
    )
    assert busiest <= TEN.calls
    assert len(arrived) >= 0.75 * TEN.calls * 10  # and what may be used is used


@dataclass
class Slow:
    """A provider behind a gate: calls travel for a while, are counted, and answered much later."""

    gate: Gate
    chance: random.Random
    clock: ManualClock = field(default_factory=ManualClock)
    came: list[float] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def job(self, number: int) -> None:
        await self.gate.turn((number, 1), "put", self.clock)
        sent = self.clock.now().timestamp()
        came = sent + self.chance.uniform(0, ON_ITS_WAY)
        self.came.append(came)
        await self.clock.sleep(came - sent + self.chance.choice([0.01, 0.1, 0.4]))
        now = self.clock.now()
        self.gate.called(1, now, "put", [arrived(sent, now.timestamp())])
        self.gate.over((number, 1), "put")
        await self.clock.sleep(self.chance.choice([0.01, 0.2]))  # settled
        self.gate.give("put", flight=(number, 1))

    async def run(self, seconds: float) -> None:
        """Claim now and then, and begin all there is room for; then let it end."""
        for step in range(int(seconds / 0.005)):
            if step % self.chance.choice([1, 10, 20]) == 0:
                for _ in range(self.gate.rooms(self.clock.now(), ahead=AHEAD).most):
                    self.gate.take("put", flight=(len(self.tasks), 1))
                    self.tasks.append(asyncio.create_task(self.job(len(self.tasks))))
            await self.pass_by(0.005)
        while not all(task.done() for task in self.tasks):
            await self.pass_by(0.005)

    async def pass_by(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for _ in range(6):  # as often as a turn and its call yield
            await asyncio.sleep(0)


def busiest(came: list[float], per: float) -> int:
    came = sorted(came)
    return max(bisect_left(came, first + per) - n for n, first in enumerate(came))


@pytest.mark.parametrize("limit", [Limit(20, per=1), Limit(50, per=1), Limit(60, per=3)])
async def test_slow_answers_and_uneven_ways_neither_break_a_limit_nor_waste_it(limit) -> None:
    its = Slow(Gate(200, (limit,), ahead=AHEAD), random.Random(limit.calls))
    await its.run(12)
    assert busiest(its.came, limit.per) <= limit.calls
    whole = [at for at in its.came if 1 <= at - its.came[0] < 10]
    assert len(whole) >= 0.87 * limit.calls / limit.per * 9


async def test_a_backlog_goes_evenly_after_a_first_burst() -> None:
    its = Slow(Gate(200, (Limit(100, per=1),), ahead=AHEAD), random.Random(1))
    await its.run(5)
    assert busiest([at for at in its.came if at > its.came[0] + 2], 0.1) <= 25


async def second(limit: Limit, *, ahead: float = AHEAD) -> tuple[Gate, asyncio.Task[None]]:
    """Have a job under way, and another that comes to its turn; the limit is for one."""
    clock, gate = ManualClock(), Gate(8, (limit,), ahead=ahead)
    for flight in ((1, 1), (2, 1)):
        gate.take(flight=flight)
    await gate.turn((1, 1), "", clock)
    comes = asyncio.create_task(gate.turn((2, 1), "", clock))
    await asyncio.sleep(0)
    return gate, comes


async def test_who_waits_for_a_turn_is_sent_back_when_the_account_is_held() -> None:
    gate, waits = await second(Limit(1, per=1))
    assert not waits.done()
    gate.turn_away()
    with pytest.raises(TurnedAway):
        await waits


async def test_who_would_wait_for_long_is_sent_back_at_once() -> None:
    _, waits = await second(Limit(1, per=60))
    with pytest.raises(TurnedAway):
        await waits


async def test_nobody_waits_where_none_is_claimed_ahead() -> None:
    _, comes = await second(Limit(1, per=60), ahead=0)
    await comes


def test_a_job_that_is_being_settled_holds_its_slot_but_no_second_call() -> None:
    gate = Gate(8, (Limit(3, per=10),))
    gate.take(flight=(1, 1))
    gate.called(1, START)
    gate.over((1, 1), "")
    assert (gate.room(START), gate.owed(), gate.flying) == (2, 0, 1)
    gate.give(flight=(1, 1))
    assert (gate.room(START), gate.owed(), gate.flying) == (2, 0, 0)
