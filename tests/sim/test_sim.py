"""Whole nodes on one store in virtual time: crashes, stalls, lost answers, and nothing goes wrong.

`make sim` plays a hundred thousand schedules; `make sim ARGS="--seed 17"` shows one.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.births import Births
from hub.runner import Runner
from tests.model.faults import FAULTS
from tests.sim.run import one, several, tally

ROOT = Path(__file__).parent.parent.parent
SHORT = 200
SEARCHED = 100
STALLED = 568  # a schedule in which jobs are born leased, and which finds it
HAPPENS = {"call", "commit", "crash", "stall", "start", "kept", "calm", "decided"}


def test_no_schedule_goes_wrong() -> None:
    told = tally(range(SHORT))
    assert [(found.seed, found.wrong) for found in told.wrong] == []
    assert told.played == SHORT
    assert told.seen.keys() >= HAPPENS
    assert min(told.seen[name] for name in ("crash", "stall", "call")) > SHORT


def test_a_node_that_stalls_after_a_claim_sends_nothing_once_its_lease_is_over(monkeypatch) -> None:
    born: list[object] = []
    begin = Births.begin
    monkeypatch.setattr(Births, "begin", lambda self, jobs: (born.extend(jobs), begin(self, jobs)))
    assert one(STALLED).wrong == []
    assert born
    monkeypatch.setattr(Runner, "_ends", lambda self, _job, started: started + self.lease)
    assert one(STALLED).wrong != []


def test_the_same_seed_plays_the_same_to_the_last_bit() -> None:
    assert one(7, keep=True) == one(7, keep=True)
    assert one(7).trace != one(8).trace


def test_what_was_played_before_leaves_no_trace() -> None:
    *_, last = several(range(5, 8))
    assert last.trace == one(7).trace


def test_another_process_plays_the_same() -> None:
    command = [sys.executable, "-m", "tests.sim.run", "--seed", "7"]
    told = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "123"}, timeout=60,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"trace {one(7).trace}" in told.stdout.splitlines()


FOUND_BY_PLAYING = (
    "a rescue sends what is unsafe again",
    "a rescue notes no attempt",
    "the newest of a lane is promoted, not the oldest",
    "two nodes may claim the same job",
)


@pytest.mark.parametrize("name", FOUND_BY_PLAYING)
def test_a_planted_fault_is_found_and_its_seed_replays_it(name, monkeypatch) -> None:
    [fault] = [fault for fault in FAULTS if fault.name == name]
    fault.plant(monkeypatch)
    found = next(found for found in several(range(SEARCHED)) if found.wrong)
    again = one(found.seed)
    assert (again.trace, again.wrong) == (found.trace, found.wrong)
    monkeypatch.undo()
    assert one(found.seed).wrong == []
