"""Gates: slots, holds, and budgets counted as providers count them, over a rolling window."""

import heapq
import random
from datetime import UTC, datetime, timedelta

import pytest

from hub.breaker import Gate
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
