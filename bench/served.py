"""What is measured, as processes of their own: a whole hub with all features on, and plain servers.

Only what these and their database use of the processors is counted, user and system.
"""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy.engine import make_url

from bench.load import SECRET
from store.crypto import new_key
from tests.postgres import Postgres

ROOT = Path(__file__).parent.parent
WITHIN = 60.0
ACCOUNTS = ("crm", "mail", "stats")
CONFIG = """\
version: 1
include: ["for-*.yaml"]
service: {{ outbound: live, shutdown_grace: 5s, limits: {{ connections: 2000 }} }}
store: {{ url: "{store}", encryption_keys: ["${{env:HUB_KEY}}"] }}
defaults: {{ concurrency: {slots} }}
connectors:
  stripe:
    type: stripe
    settings: {{ mode: test, api_key: "${{env:STRIPE_KEY}}" }}
    webhooks: {{ secrets: ["${{env:STRIPE_SECRET}}"] }}
{accounts}
routes:
{routes}
"""
ACCOUNT = """\
  {name}:
    type: http
    paused: {paused}
    budget: {{ limits: [{{ calls: {calls}, per: 1s }}] }}
    egress: {{ allow_private: [127.0.0.0/8] }}
    settings: {{ base_url: "http://127.0.0.1:{port}",
      actions: {{ put: {{ method: PUT, path: "/{name}", effect: {{ upsert: id }} }} }} }}
"""
ROUTE = """\
  - {{ name: to-{name}, on: stripe.payment_intent.created, do: {name}.put, map: for-{name},
      order_by: "{{{{ {lane} }}}}" }}
"""
MAPPING = """\
mapping: for-{name}
from: stripe.payment_intent.created
to: {name}.put
map: {{ id: "{{{{ data.object.id }}}}", email: "{{{{ data.object.email | trim | lower }}}}",
  name: "{{{{ data.object.name }}}}", first: "{{{{ data.object.field_1 }}}}", source: shop }}
"""
FREE = "data.object.id"


@dataclass(slots=True, kw_only=True)
class Setting:
    """How a hub is configured.

    Args:
        store: The URL of its store.
        port: Where its providers are.
        slots: Calls in flight per account.
        paused: Its accounts make no calls.
        calls: What each account's budget allows in a second, by account; the rest plenty.
        lane: What orders the jobs of an account; each event its own lane, or as said.
        routed: To how many accounts an event goes.
    """

    store: str
    port: int = 9
    slots: int = 64
    paused: bool = False
    calls: Mapping[str, int] = field(default_factory=dict)
    lane: str = FREE
    routed: int = 3

    def write(self, home: Path) -> Path:
        """Write it; give the path."""
        names = ACCOUNTS[: self.routed]
        for name in names:
            (home / f"for-{name}.yaml").write_text(MAPPING.format(name=name))
        accounts = [
            ACCOUNT.format(name=name, port=self.port, paused=str(self.paused).lower(),
                           calls=self.calls.get(name, 1_000_000)) for name in names
        ]  # fmt: skip
        routes = [ROUTE.format(name=name, lane=self.lane) for name in names]
        path = home / "config.yaml"
        parts = {"accounts": "".join(accounts), "routes": "".join(routes)}
        path.write_text(CONFIG.format(store=self.store, slots=self.slots, **parts))
        return path


class Served:
    """A process that serves on loopback.

    Args:
        words: What its program runs.
        database: The server that it uses.

    Attributes:
        counts_database: The server's work is counted with it.
    """

    program = sys.executable

    def __init__(
        self, words: Sequence[str], home: Path, *, port: int, ready: str, env: Mapping[str, str],
        database: Postgres | None = None,
    ) -> None:  # fmt: skip
        self.words, self.home, self.port, self.ready = words, home, port, ready
        self.env, self.database = {**os.environ, **env}, database
        self.log, self.counts_database = home / "served.log", True
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it and wait until it answers; give the seconds that took."""
        begun = time.perf_counter()
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [self.program, *self.words], cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        while not _answers(f"http://127.0.0.1:{self.port}{self.ready}"):
            if self._running.poll() is not None or time.perf_counter() - begun > WITHIN:
                raise RuntimeError(f"it did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.005)
        return time.perf_counter() - begun

    @property
    def pid(self) -> int:
        """Give its process id."""
        if self._running is None:
            raise RuntimeError("it does not run")
        return self._running.pid

    def stop(self) -> None:
        """End it as an operator does."""
        if self._running is not None:
            self._running.terminate()
            self._running.wait(WITHIN)
            self._running = None

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def cpu(self) -> float:
        """Give the CPU seconds it and its database have used so far."""
        used = _used(psutil.Process(self.pid))
        if self.database is not None and self.counts_database:
            used += database_used(self.database)
        return used

    def memory(self) -> float:
        """Give the MB it holds."""
        return psutil.Process(self.pid).memory_info().rss / 1e6


class HubServed(Served):
    """`hub serve` on a configuration of the bench."""

    def __init__(
        self, home: Path, setting: Setting, *, database: Postgres | None = None,
        key: str | None = None, preload: Path | None = None,
    ) -> None:  # fmt: skip
        home.mkdir(parents=True, exist_ok=True)
        self.setting, self.config = setting, setting.write(home)
        port = free_port()
        env = {
            "HUB_KEY": key or new_key(), "HUB_LISTEN": f"127.0.0.1:{port}",
            "STRIPE_KEY": "sk_test_benchmark_0123456789", "STRIPE_SECRET": SECRET.text(),
        }  # fmt: skip
        env |= {"LD_PRELOAD": str(preload)} if preload else {}
        words = ["-m", "hub", "serve", "--config", str(self.config)]
        super().__init__(words, home, port=port, ready="/readyz", env=env, database=database)

    def pause(self, paused: bool) -> None:
        """Have its accounts make calls, or none, from now on."""
        self.setting.paused = paused
        self.setting.write(self.home)
        os.kill(self.pid, signal.SIGHUP)

    async def idle(self) -> None:
        """Wait until every job is over."""
        end = time.perf_counter() + WITHIN
        while await self.open_jobs():
            if time.perf_counter() > end:
                raise RuntimeError("jobs are left over")
            await asyncio.sleep(0.02)

    async def open_jobs(self) -> int:
        """Count the jobs that are not over."""
        if self.database is not None:
            url = make_url(self.setting.store)
            return int((await self.database.ask("SELECT count(*) AS n FROM jobs", url))[0]["n"])
        file = self.setting.store.removeprefix("sqlite:///")
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as beside:
            return int(beside.execute("SELECT count(*) FROM jobs").fetchone()[0])


def plain(home: Path, mode: str, target: int = 9) -> Served:
    """Give a plain server of `bench.plain`."""
    port = free_port()
    words = ["-m", "bench.plain", mode, str(port), str(target)]
    return Served(words, home, port=port, ready="/ready", env={})


def free_port() -> int:
    """Give a port nobody has."""
    with closing(socket.socket()) as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def database_used(server: Postgres) -> float:
    """Sum the server's processes; those that ended are in the first one's account."""
    first = psutil.Process(int((server.home / "postmaster.pid").read_text().split()[0]))
    ended = first.cpu_times()
    living = sum(_used(child) for child in first.children(recursive=True))
    return float(_used(first) + ended.children_user + ended.children_system + living)
