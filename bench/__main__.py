"""`make bench`: all benchmarks, short; `ARGS=--full` for hours, `ARGS="--only orders --rounds 9"`.

Full is with 9 rounds of 2,000, beside 10 million jobs that are over, and with a backlog of 100,000.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.backlog import drain, drains
from bench.buyers import buyers
from bench.claims import claiming
from bench.commits import commits
from bench.costs import costs
from bench.dead import dead
from bench.felt import latencies, latency, start, starts
from bench.growth import growth
from bench.ingest import ingest
from bench.maps import maps
from bench.orders import orders
from bench.report import Report
from bench.retention import retention
from bench.rounds import shares, table
from bench.slow import slow
from bench.waits import waits
from bench.whole import jobs, ladder, nodes, whole
from hub import log

SHORT, FULL = (5, 1000), (9, 2000)  # rounds, and units of each turn


class Case(NamedTuple):
    """One table: what it shows, what it counts, how it is measured, and how it is printed."""

    title: str
    unit: str
    run: Callable[[Path, int, int], Awaitable[list[Any]]]
    table: Callable[[str, list[Any], str], str] = table
    full: Callable[[Path, int, int], Awaitable[list[Any]]] | None = None

    def measuring(self, full: bool) -> Callable[[Path, int, int], Awaitable[list[Any]]]:
        """Give how it is measured, in full where it differs."""
        return (full and self.full) or self.run


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
    "growth": Case("Ingest beside what is over", "webhooks", growth, shares,
                   partial(growth, most=10_000_000)),
    "start": Case("Start and memory", "start", start, starts),
    "nodes": Case("End to end, several hubs on one PostgreSQL", "webhooks", nodes, shares),
    "drain": Case("Beside a backlog under budgets, and how fast that goes", "calls",
                  partial(drain, calls={"crm": 20, "mail": 50}, within=12), drains,
                  partial(drain, calls={"crm": 150, "mail": 250}, within=1800, orders=100_000)),
}  # fmt: skip


async def main() -> None:
    """Run each and print its table."""
    words = argparse.ArgumentParser(prog="bench")
    words.add_argument("--full", action="store_true", help="longer, and beside much more")
    words.add_argument("--rounds", type=int, help="5; with --full 9")
    words.add_argument("--count", type=int, help="1000; with --full 2000")
    words.add_argument("--only", choices=CASES, action="append")
    words.add_argument("--report", type=Path, help="a folder for report.md, report.json, chart.svg")
    asked = words.parse_args()
    rounds, count = FULL if asked.full else SHORT
    rounds, count = asked.rounds or rounds, asked.count or count
    log.setup(level="CRITICAL")
    report = Report()
    for name in asked.only or CASES:
        case = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            found = await case.measuring(asked.full)(Path(folder), count, rounds)
        if found:
            print(
                "\n" + report.add(name, case.title, found, case.table(case.title, found, case.unit))
            )
    if asked.report:
        report.write(asked.report)
    print("\nRatios are to the first line of each table, or of each store in it, in this run.")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
