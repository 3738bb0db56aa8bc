"""`make bench`: all benchmarks, short; `ARGS="--only orders --rounds 9 --count 4000"` for more."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from bench.buyers import buyers
from bench.commits import commits
from bench.ingest import ingest
from bench.maps import maps
from bench.orders import orders
from bench.rounds import Rate, table
from hub import log


class Case(NamedTuple):
    """One table: what it shows, what its rates count, and how it is measured."""

    title: str
    unit: str
    run: Callable[[Path, int, int], Awaitable[list[Rate]]]


CASES = {
    "ingest": Case("Webhooks in, 32 connections, client on the same loop", "requests", ingest),
    "commits": Case("Changes into the store, SQLite, synchronous=FULL", "changes", commits),
    "orders": Case("Orders with their event and 4 jobs", "orders", orders),
    "buyers": Case("Carts completed at once over HTTP, four clients", "buyers", buyers),
    "maps": Case("Mappings, one paid order", "orders", maps),
}


async def main() -> None:
    """Run each and print its table."""
    words = argparse.ArgumentParser(prog="bench")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--count", type=int, default=1000)
    words.add_argument("--only", choices=CASES, action="append")
    asked = words.parse_args()
    log.setup(level="WARNING")
    for name in asked.only or CASES:
        case = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            found = await case.run(Path(folder), asked.count, asked.rounds)
        print(table(f"\n{case.title}", found, case.unit))
    print("\nRatios are to the first line of each table, in this run on this machine.")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
