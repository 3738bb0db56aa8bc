"""What somebody feels: how long an answer takes at half of what a hub can do, and its start."""

import asyncio
import re
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.load import Events, Target, closed, delivered, steady
from bench.rounds import turns
from bench.served import HubServed, Setting
from bench.waits import Wait
from bench.whole import SQLITE, WARMING, ground, hubs

IDENT = re.compile(rb'"id":"(pi_\w+)"')
SETTLED = 2.0  # seconds until a hub that was started does nothing more


async def latency(folder: Path, count: int, rounds: int) -> list[Wait]:
    """Measure answers, and the third call, of webhooks at half of what each hub can do."""
    events = Events()
    found: dict[str, list[tuple[float, ...]]] = {}
    async with ground() as (target, server, ends):
        made = await hubs(folder, server, ends, "latency", port=target.port)
        for hub in made.values():
            await delivered(target, [hub.port], events.signed(WARMING))
        for store in turns(list(made), rounds):
            hub = made[store]
            most = await _most(events, target, hub, count)
            acked, done = await _open(events, target, hub, count, most / 2)
            found.setdefault(f"{store}: answer", []).append(acked)
            found.setdefault(f"{store}: third call", []).append(done)
    return [Wait(name=name, base=name, rounds=tuple(its)) for name, its in found.items()]


async def _most(events: Events, target: Target, hub: HubServed, count: int) -> float:
    requests, begun = events.signed(count), time.perf_counter()
    await delivered(target, [hub.port], requests)
    return count / (time.perf_counter() - begun)


async def _open(
    events: Events, target: Target, hub: HubServed, count: int, rate: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Send at a steady rate; give the ms from when each was due to its answer and third call."""
    await hub.idle()
    called: dict[bytes, list[float]] = {}

    def heard(asked: bytes) -> None:
        if (ident := IDENT.search(asked)) is not None:
            called.setdefault(ident[1], []).append(time.perf_counter())

    target.heard = heard
    requests = events.signed(count)
    idents = [re.search(rb'"id": "(pi_\w+)"', request)[1] for request in requests]  # type: ignore[index] # each has one
    told = await steady(hub.port, requests, rate)
    await hub.idle()
    acked = tuple((at - due) * 1000 for due, at in told)
    done = (max(called[i]) - due for i, (due, _) in zip(idents, told, strict=True))
    return acked, tuple(seconds * 1000 for seconds in done)


def latencies(title: str, found: Sequence[Wait], unit: str) -> str:
    """Print medians and 99th percentiles, and how many times the one the other is."""
    lines = [title, f"{'':48}{'p50':>9}{'p99':>9}{'p99/p50':>9}  ms per {unit}"]
    for wait in found:
        p50, p99 = wait.middle(), wait.p99()
        lines.append(f"{wait.name:48}{p50:9.2f}{p99:9.2f}{p99 / p50:9.2f}")
    return "\n".join(lines)


# -- start and memory ------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start: seconds to the first 200 of a webhook, MB when idle, MB after a load."""

    name: str
    seconds: tuple[float, ...]
    idle: tuple[float, ...]
    loaded: tuple[float, ...]


async def start(folder: Path, count: int, rounds: int) -> list[Start]:
    """Start a hub on a store that is there, leave it alone, then load it."""
    events, target = Events(), await Target().open()
    hub = HubServed(folder / "hub", Setting(store=f"sqlite:///{folder}/hub.db", port=target.port))
    took: list[tuple[float, float, float]] = []
    hub.start()  # the first makes the tables
    hub.stop()
    async with AsyncExitStack() as ends:
        ends.callback(target.close)
        for _ in turns(["start"], rounds):
            begun = time.perf_counter()
            hub.start()
            try:
                await closed([hub.port], events.signed(1), 1)
                seconds = time.perf_counter() - begun
                await asyncio.sleep(SETTLED)
                idle = hub.memory()
                await delivered(target, [hub.port], events.signed(count))
                took.append((seconds, idle, hub.memory()))
            finally:
                hub.stop()
    seconds_, idle_, loaded = zip(*took, strict=True)
    return [Start(name=SQLITE, seconds=seconds_, idle=idle_, loaded=loaded)]


def starts(title: str, found: Sequence[Start], unit: str) -> str:
    """Print medians, with the least and the most."""
    lines = [title]
    for one in found:
        for name, values in (("s to the first 200", one.seconds), ("MB idle", one.idle),
                             ("MB loaded", one.loaded)):  # fmt: skip
            spread = f"{min(values):.2f}-{max(values):.2f}"
            lines.append(f"{one.name + ': ' + name:48}{statistics.median(values):9.2f}  {spread}")
    return "\n".join(lines)
