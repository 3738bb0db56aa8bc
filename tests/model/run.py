# ruff: noqa: T201 -- it prints what it has seen
"""Run the machine at length: python -m tests.model.run --examples 2000 --store postgres."""

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from hub.errors import NotStored
from tests.model.deeds import Deeds
from tests.model.faults import FAULTS, Fault
from tests.model.stage import Memory, Server, Stage
from tests.postgres import make_database, own_server

STEPS = 50
LEAST_STEPS, LEAST_SHARE = 40, 0.05
CAUGHT = (AssertionError, NotStored)


def run(
    stage: Stage,
    *,
    examples: int,
    steps: int = STEPS,
    number: int = 1,
    shrink: bool = True,
    into: list[Counter[str]] | None = None,
) -> list[Counter[str]]:
    """Run so many examples; give what each did. The first violation is raised, made small."""
    runs: list[Counter[str]] = [] if into is None else into
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    machine: Any = type("Deeds", (Deeds,), {"stage": stage, "runs": runs})
    seed(number)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, database=None, deadline=None,
            phases=phases, suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
            print_blob=False,
        ),
    )  # fmt: skip
    return runs


@contextmanager
def memory() -> Iterator[Stage]:
    """Give SQLite in memory."""
    stage = Memory()
    yield stage
    stage.close()


@contextmanager
def server() -> Iterator[Stage]:
    """Give a PostgreSQL of our own."""
    postgres = own_server()
    try:
        stage = Server(asyncio.run(make_database(postgres)))
        yield stage
        stage.close()
    finally:
        postgres.stop()


STAGES: dict[str, Callable[[], Any]] = {"sqlite": memory, "postgres": server}


def shares(runs: list[Counter[str]]) -> dict[str, float]:
    """Give the part of the runs in which each rule did something."""
    fired = Counter(rule for tally in runs for rule in tally if rule != "steps")
    return {rule: count / len(runs) for rule, count in sorted(fired.items())}


def mean(runs: list[Counter[str]]) -> float:
    """Give the mean number of steps."""
    return sum(tally["steps"] for tally in runs) / len(runs)


def caught(fault: Fault, stage: Stage, *, examples: int, number: int = 1) -> int | None:
    """Say in which example a planted fault was noticed; None: in none."""
    machine_runs: list[Counter[str]] = []
    with pytest.MonkeyPatch.context() as patch:
        fault.plant(patch)
        try:
            run(stage, examples=examples, number=number, shrink=False, into=machine_runs)
        except CAUGHT:
            return len(machine_runs)
    return None


def _sound(name: str, stage: Stage, examples: int, number: int) -> bool:
    began = time.perf_counter()
    runs = run(stage, examples=examples, number=number)
    took, often = time.perf_counter() - began, shares(runs)
    print(f"{name}: {len(runs)} examples, {mean(runs):.1f} steps each, 0 violations, {took:.0f} s")
    for rule, share in sorted(often.items(), key=lambda pair: pair[1]):
        print(f"  {share:6.1%}  {rule}")
    return mean(runs) >= LEAST_STEPS and min(often.values()) >= LEAST_SHARE


def _bites(name: str, stage: Stage, examples: int, number: int) -> bool:
    """Plant each fault in turn; all must be caught."""
    missed = 0
    for fault in FAULTS:
        if name in fault.stores:
            at = caught(fault, stage, examples=examples, number=number)
            missed += at is None
            print(f"  {f'caught in example {at}' if at else 'MISSED':24}  {fault.name}", flush=True)
    return missed == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--store", choices=sorted(STAGES), action="append")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    good = True
    for name in given.store or sorted(STAGES):
        with STAGES[name]() as stage:
            for part in (_sound, _bites):
                good = part(name, stage, given.examples, given.seed) and good
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
