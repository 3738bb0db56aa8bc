"""Halts of one account that end together: the store must count what the union of them lasted."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.model.checks import check
from tests.model.stage import Memory
from tests.model.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with closing(Memory()) as stage:
        yield World(stage)


def all_in_flight(world: World, count: int) -> None:
    world.do(world.enqueue([world.job() for _ in range(count)]))
    world.do(world.claim(world.nodes[0], {"crm": 20}))


def end(world: World, *outcomes: str) -> None:
    """End the oldest attempts in flight, together."""
    node = world.nodes[0]
    flights = list(zip(node.flights, outcomes, strict=False))
    world.settle([world.ended(node, job, outcome) for job, outcome in flights])


@pytest.mark.parametrize("first", ["hold", "breaker"])
def test_a_hold_and_an_open_breaker_that_one_probe_ends_age_no_job(world, first) -> None:
    all_in_flight(world, 5)
    halts = [("auth_failed",), ("retry",) * 4]
    for outcomes in halts if first == "hold" else reversed(halts):
        end(world, *outcomes)
        world.stage.clock.advance(100)
    world.do(world.claim(world.nodes[0], {"crm": 20}))
    end(world, "ok")
    world.stage.clock.advance(100)
    world.do(world.claim(world.nodes[0], {"crm": 20}))
    assert len(world.nodes[0].flights) == 4
    check(world)


def test_a_breaker_that_closes_and_opens_in_one_commit_ages_no_job(world) -> None:
    all_in_flight(world, 9)
    end(world, *["retry"] * 4)
    world.stage.clock.advance(100)
    world.do(world.claim(world.nodes[0], {"crm": 1}))
    assert world.nodes[0].flights[-1].probe
    world.nodes[0].flights.reverse()
    end(world, "ok", *["retry"] * 5)
    world.stage.clock.advance(100)
    world.do(world.claim(world.nodes[0], {"crm": 20}))
    end(world, "ok")
    world.stage.clock.advance(100)
    world.do(world.claim(world.nodes[0], {"crm": 20}))
    assert len(world.nodes[0].flights) == 7
    check(world)
