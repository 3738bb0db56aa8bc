"""`make bench-peers`: the same jobs on other engines; what each lost or doubled after kill -9.

Every engine runs in an environment of its own (bench/peers/.venv), its stores as durable as ours:
PostgreSQL with synchronous_commit=on, Redis with appendfsync=always. Redis only where its server is
installed. A job makes one call; its number in the body tells jobs apart.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.load import Events, Target, closed
from bench.served import HubServed, Setting, database_used, free_port
from bench.stores import DURABLE, database
from bench.whole import RELOADED
from hub import log
from tests.postgres import Postgres, own_server

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
ENGINES = {
    "procrastinate": "PostgreSQL", "SAQ": "Redis", "taskiq": "Redis", "Celery": "Redis",
}  # fmt: skip
LEFT_OUT = {
    "DBOS": "3.4.0 did 13 of 300 queued jobs in a minute as we set it up: no figure is fair",
    "Node-RED": "no flow for it is written here yet; it keeps nothing by itself",
}
NUMBER = re.compile(rb'"n": ?(\d+)|"pi_\d+_(\d+)"')
WITHIN, BACK = 60.0, 25.0


@dataclass(slots=True)
class Heard:
    """The provider's book: how often each job called, and when the last came."""

    calls: Counter[int] = field(default_factory=Counter)
    first: float = 0.0
    last: float = 0.0

    def note(self, asked: bytes) -> None:
        """Note a call."""
        if (found := NUMBER.search(asked)) is not None:
            self.last = time.perf_counter()
            self.first = self.first or self.last
            self.calls[int(found[1] or found[2])] += 1


@dataclass(slots=True, kw_only=True)
class Found:
    """What came of one engine."""

    name: str
    store: str
    rate: float = 0.0
    cpu_ms: float = 0.0
    missing: int = 0
    twice: int = 0
    fault: str = ""


class Engine:
    """One engine's worker and stores."""

    def __init__(self, name: str, home: Path, target: Target, server: Postgres) -> None:
        self.name, self.home, self.target, self.server = name, home, target, server
        self.file = HERE / "engines" / f"{name.lower()}_.py"
        self.redis = psutil.Process()
        self.ends = ExitStack()

    async def open(self, number: int) -> None:
        """Make it a fresh database, or a Redis of its own."""
        url, port = await database(self.server, f"peer_{self.name.lower()}_{number}"), free_port()
        plain = url.replace("postgresql+asyncpg", "postgresql")
        self.env = {**os.environ, "PEER_DATABASE": plain, "PEER_REDIS": f"redis://127.0.0.1:{port}",
                    "PEER_TARGET": f"http://127.0.0.1:{self.target.port}"}  # fmt: skip
        if ENGINES[self.name] == "Redis":
            home = self.home / f"redis-{self.name}-{number}"
            home.mkdir()
            words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home),
                     "--appendonly", "yes", "--appendfsync", "always", "--save", ""]  # fmt: skip
            running = _started(words)
            self.ends.callback(running.wait)
            self.ends.callback(running.terminate)
            self.redis = psutil.Process(running.pid)
            await asyncio.sleep(0.5)

    async def fill(self, count: int) -> None:
        """Write so many jobs."""
        done = await asyncio.create_subprocess_exec(
            str(PYTHON), str(self.file), "fill", str(count), cwd=self.home, env=self.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        _, said = await asyncio.wait_for(done.communicate(), WITHIN)
        if done.returncode:
            raise RuntimeError(said.decode().strip().splitlines()[-1])

    def work(self) -> "subprocess.Popen[bytes]":
        """Start a worker."""
        log = (self.home / f"{self.name}.log").open("ab")
        words = [str(PYTHON), str(self.file), "work"]
        return subprocess.Popen(words, cwd=self.home, env=self.env, stdout=log, stderr=log)

    def store_used(self) -> float:
        """Give the CPU seconds of the store so far."""
        if ENGINES[self.name] == "PostgreSQL":
            return database_used(self.server)
        return _used(self.redis)


def _started(words: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(words, stdout=subprocess.DEVNULL)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _until(heard: Heard, count: int, within: float) -> bool:
    end = time.perf_counter() + within
    while len(heard.calls) < count and time.perf_counter() < end:  # noqa: ASYNC110 -- in steps
        await asyncio.sleep(0.02)
    return len(heard.calls) >= count


async def measure(engine: Engine, count: int) -> tuple[float, float]:
    """Give jobs a second and CPU ms for each, from the first call to the last."""
    await engine.open(1)
    await engine.fill(count)
    heard = Heard()
    engine.target.heard = heard.note
    worker = engine.work()
    try:
        if not await _until(heard, 1, WITHIN):
            raise RuntimeError("no job was begun")
        used = _used(psutil.Process(worker.pid)) + engine.store_used()
        begun, done = time.perf_counter(), len(heard.calls)
        if not await _until(heard, count, WITHIN):
            raise RuntimeError(f"{count - len(heard.calls)} of {count} jobs were not done")
        spent = _used(psutil.Process(worker.pid)) + engine.store_used() - used
        units = count - done
        return units / (heard.last - begun), spent / units * 1000
    finally:
        worker.kill()
        worker.wait()


async def killed(engine: Engine, count: int) -> tuple[int, int]:
    """Kill the worker at half, start another; give the jobs not back in 25 s, and those twice."""
    await engine.open(2)
    await engine.fill(count)
    heard = Heard()
    engine.target.heard = heard.note
    worker = engine.work()
    await _until(heard, count // 2, WITHIN)
    worker.kill()
    worker.wait()
    worker = engine.work()
    try:
        await _until(heard, count, BACK)
    finally:
        worker.kill()
        worker.wait()
    return count - len(heard.calls), sum(1 for n in heard.calls.values() if n > 1)


async def hub(home: Path, target: Target, store: str, count: int, server: Postgres | None) -> Found:
    """Give a hub the same jobs, one for each webhook, and kill it the same way."""
    events, its = Events(), Found(name="hub", store=f"{'PostgreSQL' if server else 'SQLite'}")
    setting = Setting(store=store, port=target.port, paused=True, routed=1)
    made = HubServed(home / its.store, setting, database=server)
    made.start()
    try:
        await closed([made.port], events.signed(count))
        heard = Heard()
        target.heard = heard.note
        made.pause(False)
        await _until(heard, 1, WITHIN)
        used, begun, done = made.cpu(), time.perf_counter(), len(heard.calls)
        if not await _until(heard, count, WITHIN):
            raise RuntimeError(f"{count - len(heard.calls)} of {count} jobs were not done")
        await made.idle()
        its.rate = (count - done) / (heard.last - begun)
        its.cpu_ms = (made.cpu() - used) / (count - done) * 1000
        its.missing, its.twice = await _hub_killed(made, events, target, min(count, 400))
    finally:
        made.stop()
    return its


async def _hub_killed(
    made: HubServed, events: Events, target: Target, count: int
) -> tuple[int, int]:
    made.pause(True)
    await asyncio.sleep(RELOADED)
    await closed([made.port], events.signed(count))
    heard = Heard()
    target.heard = heard.note
    made.pause(False)
    await _until(heard, count // 2, WITHIN)
    made.kill()
    made.start()
    await _until(heard, count, BACK)
    return count - len(heard.calls), sum(1 for n in heard.calls.values() if n > 1)


async def main() -> int:
    """Measure each engine and print the table."""
    words = argparse.ArgumentParser(prog="bench.peers")
    words.add_argument("--count", type=int, default=1000)
    words.add_argument("--only", choices=ENGINES, action="append")
    asked = words.parse_args()
    log.setup(level="CRITICAL")
    server, target = own_server(DURABLE), await Target().open()
    found: list[Any] = []
    try:
        with tempfile.TemporaryDirectory() as home:
            if not asked.only:
                url = await database(server, "peer_hub")
                file = f"sqlite:///{home}/hub.db"
                found.append(await hub(Path(home), target, file, asked.count, None))
                found.append(await hub(Path(home), target, url, asked.count, server))
            its = [Engine(name, Path(home), target, server) for name in asked.only or ENGINES]
            found += [await _one(engine, asked.count) for engine in its]
    finally:
        target.close()
        server.stop()
    print(f"{'':16}{'store':14}{'jobs/s':>9}{'CPU ms':>9}{'not back':>10}{'twice':>7}")
    for its in found:
        figures = f"{its.rate:9,.0f}{its.cpu_ms:9.3f}{its.missing:10}{its.twice:7}"
        print(f"{its.name:16}{its.store:14}{its.fault or figures}")
    for name, why in LEFT_OUT.items():
        print(f"{name:16}left out: {why}")
    return 0


async def _one(engine: Engine, count: int) -> Found:
    its = Found(name=engine.name, store=ENGINES[engine.name])
    if its.store == "Redis" and shutil.which("redis-server") is None:
        its.fault = "left out: no redis-server is installed"
        return its
    with engine.ends:
        try:
            its.rate, its.cpu_ms = await measure(engine, count)
            its.missing, its.twice = await killed(engine, min(count, 400))
        except Exception as error:  # noqa: BLE001 -- a peer that fails here is named, the rest goes on
            its.fault = f"failed here: {error}"
    return its


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
