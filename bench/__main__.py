"""`make bench`: all benchmarks, short; `ARGS="--only orders --rounds 9 --count 4000"` for more."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.buyers import buyers
from bench.claims import claiming
from bench.commits import commits
from bench.costs import costs
from bench.dead import dead
from bench.felt import drain, drains, latencies, latency, start, starts
from bench.ingest import ingest
from bench.maps import maps
from bench.orders import orders
from bench.report import Report
from bench.retention import retention
from bench.rounds import shares, table
from bench.slow import growth, slow
from bench.waits import waits
from bench.whole import jobs, ladder, nodes, whole
from hub import log


class Case(NamedTuple):
    """One table: what it shows, what it counts, how it is measured, and how it is printed."""

    title: str
    unit: str
    run: Callable[[Path, int, int], Awaitable[list[Any]]]
    table: Callable[[str, list[Any], str], str] = table


CASES = {
    "ingest": Case("Webhooks in, 32 connections, client on the same loop", "requests", ingest),
    "commits": Case("Changes into the store, SQLite, synchronous=FULL", "changes", commits),
    "orders": Case("Orders with their event and 4 jobs", "orders", orders),
    "buyers": Case("Carts completed at once over HTTP, four clients", "buyers", buyers),
    "maps": Case("Mappings, one paid order", "orders", maps),
    "claims": Case(
        "200 jobs claimed, and ended with the next of their lanes", "200", claiming, waits
    ),
    "dead": Case(
        "From a job's birth to its call, 100 a second to three accounts", "job", dead, waits
    ),
    "retention": Case("Webhooks taken in, 100 a second", "webhook", retention, waits),
    "ladder": Case("Ingest: a webhook verified, routed, mapped and kept with 3 jobs", "webhooks",
                   ladder, shares),
    "jobs": Case("Jobs that lie ready, called and ended", "jobs", jobs, shares),
    "whole": Case("End to end: a webhook in, three calls out, three ends kept", "webhooks", whole,
                  shares),
    "costs": Case("End to end on SQLite, watched and sealed or not", "webhooks", costs, shares),
    "latency": Case("At half of what a hub can do, open loop", "webhook", latency, latencies),
    "slow": Case("Ingest on a slow disk", "webhooks", slow, shares),
    "growth": Case("Ingest beside what is over", "webhooks", growth, shares),
    "start": Case("Start and memory", "start", start, starts),
    "nodes": Case("End to end, several hubs on one PostgreSQL", "webhooks", nodes, shares),
    "drain": Case("A backlog under budgets", "calls", drain, drains),
}  # fmt: skip


async def main() -> None:
    """Run each and print its table."""
    words = argparse.ArgumentParser(prog="bench")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--count", type=int, default=1000)
    words.add_argument("--only", choices=CASES, action="append")
    words.add_argument("--report", type=Path, help="a folder for report.md, report.json, chart.svg")
    asked = words.parse_args()
    log.setup(level="CRITICAL")
    report = Report()
    for name in asked.only or CASES:
        case = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            found = await case.run(Path(folder), asked.count, asked.rounds)
        if found:
            print(
                "\n" + report.add(name, case.title, found, case.table(case.title, found, case.unit))
            )
    if asked.report:
        report.write(asked.report)
    print("\nRatios are to the first line of each table, or of each store in it, in this run.")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
