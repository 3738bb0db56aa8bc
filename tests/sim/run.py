# ruff: noqa: T201 -- it prints what it has seen
"""Play schedules: python -m tests.sim.run --schedules 100000; --seed 17 plays one, line by line."""

import argparse
import gc
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import structlog

from hub.secrets import Secret
from store.crypto import Cipher, new_key
from tests.memory import memory
from tests.sim.world import Verdict, play

PIECE = 500


@dataclass
class Tally:
    """What came of many schedules."""

    played: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[Verdict] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.played += other.played
        self.seen += other.seen
        self.wrong += other.wrong


def several(seeds: Iterable[int], *, keep: bool = False) -> Iterator[Verdict]:
    """Play schedules one after the other, on one store that is emptied in between."""
    engine, cipher = memory(), Cipher([Secret(new_key())])
    with engine.connect() as connection:
        for seed in seeds:
            yield play(seed, connection, cipher, keep=keep)
    engine.dispose()


def one(seed: int, *, keep: bool = False) -> Verdict:
    """Play one schedule on a store of its own."""
    [found] = several([seed], keep=keep)
    return found


def tally(seeds: Iterable[int]) -> Tally:
    """Play schedules and count."""
    told = Tally()
    for found in several(seeds):
        told.played += 1
        told.seen.update(found.seen)
        if found.wrong:
            told.wrong.append(found)
    return told


def _piece(seeds: range) -> Tally:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.set_threshold(20_000, 10, 10)  # a world is thrown away whole: look for it less often
    return tally(seeds)


def _many(first: int, count: int, jobs: int) -> Tally:
    began, told = time.perf_counter(), Tally()
    pieces = [
        range(at, min(at + PIECE, first + count)) for at in range(first, first + count, PIECE)
    ]
    with ProcessPoolExecutor(jobs) as pool:
        for number, piece in enumerate(pool.map(_piece, pieces), 1):
            told.add(piece)
            for found in piece.wrong:
                print(f"seed {found.seed}: {'; '.join(found.wrong)}", flush=True)
            if number % 4 == 0:
                took = time.perf_counter() - began
                print(f"{told.played} schedules, {len(told.wrong)} wrong, {took:.0f} s", flush=True)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    parser.add_argument("--seed", type=int, help="play this one and print all that happens")
    given = parser.parse_args()
    if given.seed is not None:
        found = one(given.seed, keep=True)
        print(*found.lines, f"trace {found.trace}", *(found.wrong or ["nothing wrong"]), sep="\n")
        return int(bool(found.wrong))
    began = time.perf_counter()
    told = _many(given.first, given.schedules, given.jobs)
    took = time.perf_counter() - began
    print(f"{told.played} schedules, {len(told.wrong)} wrong, {took:.0f} s")
    print(", ".join(f"{name} {count}" for name, count in told.seen.most_common()))
    return int(bool(told.wrong))


if __name__ == "__main__":
    sys.exit(main())
