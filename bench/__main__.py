"""`make bench`: all benchmarks, short; `ARGS="--rounds 9 --count 4000"` for longer ones."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.commits import commits
from bench.ingest import ingest
from bench.maps import maps
from bench.rounds import table
from hub import log


async def main() -> None:
    """Run each and print its table."""
    words = argparse.ArgumentParser(prog="bench")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--count", type=int, default=1000)
    asked = words.parse_args()
    log.setup(level="WARNING")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = await ingest(folder, count=asked.count, rounds=asked.rounds)
        print(table("\nWebhooks in, 32 connections, client on the same loop", found, "requests"))
        found = await commits(folder, count=asked.count, rounds=asked.rounds)
        print(table("\nChanges into the store, SQLite, synchronous=FULL", found, "changes"))
        found = await maps(count=asked.count, rounds=asked.rounds)
        print(table("\nMappings, one paid order", found, "orders"))
    print("\nRatios are to the first line of each table, in this run on this machine.")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
