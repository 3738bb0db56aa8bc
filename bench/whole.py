"""Whole hubs beside the limits of the machine: ingest, jobs, and from a webhook to its three calls.

Each rung is a process of its own; all are asked in turn, and what is compared is the CPU time of
the process and its database for each unit.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.load import WITHIN, Events, Target, closed, delivered
from bench.rounds import Rate, turns
from bench.served import HubServed, Served, Setting, plain
from bench.stores import DURABLE, database
from store.crypto import new_key
from tests.postgres import Postgres, own_server

WARMING = 210
RELOADED = 0.5  # seconds in which a hub has read its configuration anew
SQLITE, POSTGRES = "SQLite, synchronous=FULL", "PostgreSQL, synchronous_commit=on"
Work = Callable[[int], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Rung:
    """One line of a table: its processes, and how to have them do so many units.

    Args:
        before: What is done before each turn, and not counted.
        times: How often as many units it does: the clock of a process ticks every 10 ms.
        base: The line that it is a share of; the table's first where it names none.
    """

    name: str
    served: Sequence[Served]
    work: Work
    before: Work | None = None
    times: int = 1
    base: str = ""


@asynccontextmanager
async def ground() -> AsyncIterator[tuple[Target, Postgres, AsyncExitStack]]:
    """Give a provider, a database server, and where to say what must end."""
    async with AsyncExitStack() as ends:
        server = own_server(DURABLE)
        ends.callback(server.stop)
        target = await Target().open()
        ends.callback(target.close)
        yield target, server, ends


async def measured(rungs: list[Rung], count: int, rounds: int) -> list[Rate]:
    """Warm each up, then have each do so many units once a round."""
    by_name = {rung.name: rung for rung in rungs}
    wall: dict[str, list[float]] = {name: [] for name in by_name}
    cpu: dict[str, list[float]] = {name: [] for name in by_name}
    for rung in rungs:
        await _turn(rung, min(WARMING, count))
    for name in turns(list(by_name), rounds):
        units = count * by_name[name].times
        took, used = await _turn(by_name[name], units)
        wall[name].append(units / took)
        cpu[name].append(used / units * 1000)
    return [Rate(name=name, rates=tuple(wall[name]), cpu_ms=tuple(cpu[name]), base=rung.base)
            for name, rung in by_name.items()]  # fmt: skip


async def _turn(rung: Rung, count: int) -> tuple[float, float]:
    if rung.before is not None:
        await rung.before(count)
    used, begun = sum(one.cpu() for one in rung.served), time.perf_counter()
    await rung.work(count)
    took = time.perf_counter() - begun
    return took, sum(one.cpu() for one in rung.served) - used


async def hubs(
    folder: Path, server: Postgres, ends: AsyncExitStack, name: str, **more: Any
) -> dict[str, HubServed]:
    """Start a hub on each store, by the store's name."""
    url = await database(server, f"whole_{name}")
    file = f"sqlite:///{folder}/{name}.db"
    made = {
        SQLITE: HubServed(folder / f"{name}-s", Setting(store=file, **more)),
        POSTGRES: HubServed(folder / f"{name}-p", Setting(store=url, **more), database=server),
    }
    for hub in made.values():
        begin(hub, ends)
    return made


def begin(served: Served, ends: AsyncExitStack) -> Served:
    """Start one, to be stopped at the end."""
    served.start()
    ends.callback(served.stop)
    return served


async def ladder(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare plain servers, and hubs that verify, route, map and keep an event with 3 jobs."""
    events, modes = Events(), {
        "aiohttp hello on uvloop, nothing kept": "hello",
        "aiohttp hello on asyncio, nothing kept": "hello-asyncio",
        "+ body and signature, nothing kept": "verify",
        "+ its JSON, nothing kept": "decode",
    }  # fmt: skip
    async with ground() as (_, server, ends):
        rungs = []
        for name, mode in modes.items():
            one = begin(plain(folder, mode), ends)
            rungs.append(Rung(name=name, served=[one], times=10, work=partial(taken, events, one)))
        for name, hub in (await hubs(folder, server, ends, "ladder", paused=True)).items():
            rungs.append(Rung(name=name, served=[hub], work=partial(taken, events, hub)))
        return await measured(rungs, count, rounds)


async def taken(events: Events, served: Served, count: int) -> None:
    """Send so many, 64 at a time."""
    await closed([served.port], events.signed(count))


async def whole(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare webhooks until their three calls are made: kept by nobody, and by each store."""
    events = Events()
    async with ground() as (target, server, ends):
        bare = begin(plain(folder, "whole", target.port), ends)
        rungs = [Rung(name="verify and 3 bare calls, nothing kept", served=[bare],
                      work=partial(through, events, target, [bare]))]  # fmt: skip
        for name, hub in (await hubs(folder, server, ends, "whole", port=target.port)).items():
            work = partial(through, events, target, [hub])
            rungs.append(Rung(name=name, served=[hub], work=work))
        one = Setting(
            store=f"sqlite:///{folder}/lane.db", port=target.port, lane="data.object.name"
        )
        laned = begin(HubServed(folder / "lane", one), ends)
        rungs.append(Rung(name=f"{SQLITE}, all in one lane", served=[laned],
                          work=partial(through, events, target, [laned])))  # fmt: skip
        return await measured(rungs, count, rounds)


async def through(events: Events, target: Target, served: Sequence[Served], count: int) -> None:
    """Send so many, and wait until each has its three calls and nothing is left to do."""
    await delivered(target, [one.port for one in served], events.signed(count))
    if isinstance(served[0], HubServed):
        await served[0].idle()


async def jobs(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare a plain client's loop of calls, and hubs that have as many jobs lying ready."""
    events = Events()
    async with ground() as (target, server, ends):
        bare = begin(plain(folder, "client", target.port), ends)
        rungs = [Rung(name="bare aiohttp client, nothing kept", served=[bare], times=2,
                      work=partial(_called, target, bare))]  # fmt: skip
        for name, hub in (await hubs(folder, server, ends, "jobs", port=target.port)).items():
            rungs.append(Rung(name=name, served=[hub], work=partial(_drained, target, hub),
                              before=partial(_heaped, events, hub)))  # fmt: skip
        return await measured(rungs, count // 3 * 3, rounds)


async def _called(target: Target, bare: Served, count: int) -> None:
    target.came.clear()
    head = f"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nX-Calls: {count}\r\n"
    await closed([bare.port], [f"{head}Content-Length: 0\r\n\r\n".encode()], 1)


async def _heaped(events: Events, hub: HubServed, count: int) -> None:
    """Have so many jobs that wait for their accounts to be resumed."""
    hub.pause(True)
    await asyncio.sleep(RELOADED)
    await taken(events, hub, count // 3)


async def _drained(target: Target, hub: HubServed, count: int) -> None:
    target.came.clear()
    every = asyncio.Event()
    target.heard = lambda _: every.set() if len(target.came) == count else None
    hub.pause(False)
    async with asyncio.timeout(WITHIN):
        await every.wait()
    await hub.idle()


async def nodes(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare one, two and three hubs on one PostgreSQL, from a webhook to its three calls."""
    events = Events()
    async with ground() as (target, server, ends):
        rungs = []
        for many in (1, 2, 3):
            url, key = await database(server, f"nodes_{many}"), new_key()
            made = [
                HubServed(folder / f"{many}-{n}", Setting(store=url, port=target.port),
                          database=server, key=key) for n in range(many)
            ]  # fmt: skip
            for n, hub in enumerate(made):
                hub.counts_database = n == 0
                begin(hub, ends)
            rungs.append(Rung(name=f"{many} on PostgreSQL", served=list(made),
                              work=partial(through, events, target, made)))  # fmt: skip
        return await measured(rungs, count, rounds)
