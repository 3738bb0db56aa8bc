"""The same jobs for each engine, and for the hub: what a job costs, and what a kill does to it."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.load import Events, Target, closed
from bench.peers.heard import BACK, WITHIN, Heard
from bench.rounds import turns
from bench.served import HubServed, Setting, database_used, free_port
from bench.stores import database
from bench.whole import RELOADED
from tests.postgres import Postgres

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
HUBS = ("SQLite", "PostgreSQL")
ENGINES = {
    "procrastinate": "PostgreSQL", "SAQ": "Redis", "taskiq": "Redis", "Celery": "Redis",
    "DBOS": "PostgreSQL",
}  # fmt: skip
KILLED = 400  # jobs of the turn in which the worker is killed, at most


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

    async def filled(self, number: int, count: int) -> Heard:
        """Write so many jobs into stores of their own; give the book of their calls."""
        await self._open(number)
        done = await asyncio.create_subprocess_exec(
            str(PYTHON), str(self.file), "fill", str(count), cwd=self.home, env=self.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        _, said = await asyncio.wait_for(done.communicate(), WITHIN)
        if done.returncode:
            raise RuntimeError(said.decode().strip().splitlines()[-1])
        heard = Heard()
        self.target.heard = heard.note
        return heard

    async def _open(self, number: int) -> None:
        url, port = await database(self.server, f"peer_{self.name.lower()}_{number}"), free_port()
        plain = url.replace("postgresql+asyncpg", "postgresql")
        self.env = {**os.environ, "PEER_DATABASE": plain, "PEER_REDIS": f"redis://127.0.0.1:{port}",
                    "PEER_TARGET": f"http://127.0.0.1:{self.target.port}"}  # fmt: skip
        if ENGINES[self.name] == "Redis":
            home = self.home / f"redis-{self.name}-{number}"
            home.mkdir()
            words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home),
                     "--appendonly", "yes", "--appendfsync", "always", "--save", ""]  # fmt: skip
            running = subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 -- at once
            self.ends.callback(running.wait)
            self.ends.callback(running.terminate)
            self.redis = psutil.Process(running.pid)
            await asyncio.sleep(0.5)

    @contextmanager
    def working(self) -> Iterator[psutil.Process]:
        """Have a worker, and kill it at the end as a power cut does."""
        words = [str(PYTHON), str(self.file), "work"]
        with (self.home / f"{self.name}.log").open("ab") as log:
            worker = subprocess.Popen(words, cwd=self.home, env=self.env, stdout=log, stderr=log)
        try:
            yield psutil.Process(worker.pid)
        finally:
            worker.kill()
            worker.wait()

    def used(self, worker: psutil.Process) -> float:
        """Give the CPU seconds of a worker and its store so far."""
        postgres = ENGINES[self.name] == "PostgreSQL"
        return _used(worker) + (database_used(self.server) if postgres else _used(self.redis))


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _measure(engine: Engine, count: int) -> tuple[float, float]:
    """Give jobs a second and CPU ms for each, from the first call to the last."""
    heard = await engine.filled(1, count)
    with engine.working() as worker:
        await heard.done(1)
        used, begun, done = engine.used(worker), time.perf_counter(), len(heard.calls)
        await heard.done(count)
        units = count - done
        return units / (heard.last - begun), (engine.used(worker) - used) / units * 1000


async def _killed(engine: Engine, count: int) -> tuple[int, int]:
    """Kill the worker at half, start another; give the jobs not back in time, and those twice."""
    heard = await engine.filled(2, count)
    with engine.working():
        await heard.until(count // 2, WITHIN)
    with engine.working():
        await heard.until(count, BACK)
    return count - len(heard.calls), heard.twice()


async def _hub(home: Path, target: Target, store: str, server: Postgres, count: int) -> Found:
    """Give a hub the same jobs, one for each webhook, and kill it the same way."""
    events, its = Events(), Found(name="hub", store=store)
    url = await database(server, "peer_hub") if store == "PostgreSQL" else f"sqlite:///{home}/h.db"
    setting = Setting(store=url, port=target.port, paused=True, routed=1)
    made = HubServed(home / store, setting, database=server if store == "PostgreSQL" else None)
    made.start()
    try:
        heard = await _resumed(made, events, target, count)
        await heard.done(1)
        used, begun, done = made.cpu(), time.perf_counter(), len(heard.calls)
        await heard.done(count)
        await made.idle()
        its.rate = (count - done) / (heard.last - begun)
        its.cpu_ms = (made.cpu() - used) / (count - done) * 1000
        its.missing, its.twice = await _hub_killed(made, events, target, min(count, KILLED))
    finally:
        made.stop()
    return its


async def _hub_killed(
    made: HubServed, events: Events, target: Target, count: int
) -> tuple[int, int]:
    made.pause(True)
    await asyncio.sleep(RELOADED)
    heard = await _resumed(made, events, target, count)
    await heard.until(count // 2, WITHIN)
    made.kill()
    made.start()
    await heard.until(count, BACK)
    return count - len(heard.calls), heard.twice()


async def _resumed(made: HubServed, events: Events, target: Target, count: int) -> Heard:
    """Have so many jobs lie ready, then be worked on; give the book of their calls."""
    await closed([made.port], events.signed(count))
    heard = Heard()
    target.heard = heard.note
    made.pause(False)
    return heard


async def jobs(
    home: Path, target: Target, server: Postgres, count: int, names: Sequence[str]
) -> list[Found]:
    """Measure a hub on each store, and each engine, once."""
    made = {f"hub on {store}": store for store in HUBS}
    return [
        await _hub(home, target, made[name], server, count) if name in made
        else await _one(Engine(name, home, target, server), count)
        for name in turns([*made, *names], 1)
    ]  # fmt: skip


async def _one(engine: Engine, count: int) -> Found:
    its = Found(name=engine.name, store=ENGINES[engine.name])
    if its.store == "Redis" and shutil.which("redis-server") is None:
        its.fault = "left out: no redis-server is installed"
        return its
    with engine.ends:
        try:
            its.rate, its.cpu_ms = await _measure(engine, count)
            its.missing, its.twice = await _killed(engine, min(count, KILLED))
        except Exception as error:  # noqa: BLE001 -- a peer that fails here is named, the rest goes on
            its.fault = f"failed here: {error}"
    return its


def table(found: Sequence[Found]) -> str:
    """Print what came of each."""
    lines = [f"{'':16}{'store':14}{'jobs/s':>9}{'CPU ms':>9}{'not back':>10}{'twice':>7}"]
    for its in found:
        figures = f"{its.rate:9,.0f}{its.cpu_ms:9.3f}{its.missing:10}{its.twice:7}"
        lines.append(f"{its.name:16}{its.store:14}{its.fault or figures}")
    return "\n".join(lines)
