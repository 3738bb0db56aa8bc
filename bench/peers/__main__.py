"""`make bench-peers`: the same work on other engines; what each lost or doubled after kill -9.

Every engine runs in an environment of its own (bench/peers/.venv, bench/peers/.node), its stores as
durable as ours: PostgreSQL with synchronous_commit=on, Redis with appendfsync=always. Redis and
Node only where they are installed. A job makes one call, a webhook three.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.load import Target
from bench.peers import flows, jobs
from bench.stores import DURABLE
from hub import log
from tests.postgres import own_server

PARTS = ("jobs", "flows")


async def main() -> None:
    """Measure each engine and print the tables."""
    words = argparse.ArgumentParser(prog="bench.peers")
    words.add_argument("--count", type=int, default=1000)
    words.add_argument("--rounds", type=int, default=3, help="of webhooks; jobs are done once")
    words.add_argument("--only", choices=(*PARTS, *jobs.ENGINES), action="append")
    asked = words.parse_args()
    log.setup(level="CRITICAL")
    wanted = asked.only or PARTS
    engines = [name for name in jobs.ENGINES if name in wanted or "jobs" in wanted]
    target = await Target().open()
    with tempfile.TemporaryDirectory() as home:
        if engines:
            server = own_server(DURABLE)
            try:
                found = await jobs.jobs(Path(home), target, server, asked.count, engines)
            finally:
                server.stop()
            print("\nJobs that lie ready, each with one call\n" + jobs.table(found))
        if "flows" in wanted:
            through = await flows.flows(Path(home), target, asked.count, asked.rounds)
            print("\nA webhook in, three calls out\n" + flows.table(through))
            for name, why in flows.left_out().items():
                print(f"{name:16}left out: {why}")
    target.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
