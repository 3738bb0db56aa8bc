"""The stage: `hub sandbox` and `hub serve` as real processes, each ended by its own pid."""

import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from hub.demo.ground import Ground, prepare

ROOT = Path(__file__).resolve().parents[2]
START_WITHIN = 40.0
QUICK_RETRIES = "defaults: { retry: { backoff: { initial: 1s, max: 1s } } }\n"
TRACEBACK = "Traceback (most recent call last)"
Found = TypeVar("Found")


class Process:
    """One `python -m hub …` process; what it prints goes to a file."""

    def __init__(self, *words: str, home: Path) -> None:
        self.words, self.home = words, home
        self.log = home / f"{words[0]}.log"
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                command(*self.words),
                cwd=self.home,
                env=environment(self.home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def runs(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def terminate(self) -> None:
        assert self._running is not None
        self._running.terminate()

    def ended(self, within: float = 30.0) -> int:
        """Wait for its end and give its exit code."""
        assert self._running is not None
        return self._running.wait(within)

    def wait_for(self, met: Callable[[], Found]) -> Found:
        """Wait until it is so far; fail at once if it ends before."""
        end = time.monotonic() + START_WITHIN
        while time.monotonic() < end:
            if found := met():
                return found
            if not self.runs():
                break
            time.sleep(0.05)
        raise AssertionError(f"hub {self.words[0]} did not start:\n{self.said()[-4000:]}")

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


class Sandbox(Process):
    """All doubles on a free port."""

    def __init__(self, home: Path) -> None:
        super().__init__("sandbox", "--port", "0", home=home)
        self.base = ""

    def start(self) -> None:
        super().start()
        found = self.wait_for(lambda: re.search(r"control\s+(\S+)/_control", self.said()))
        self.base = found[1]


class Hub(Process):
    """A hub with a configuration, secrets and a store of its own."""

    def __init__(
        self, home: Path, sandbox: Sandbox, *, extra: str = QUICK_RETRIES, include: str = ""
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.ground: Ground = prepare(home, listen=f"127.0.0.1:{free_port()}", base=sandbox.base)
        self._change(extra, include)
        super().__init__("serve", "--config", str(self.ground.config), home=home)
        self.sandbox, self.url = sandbox, f"http://{self.ground.listen}"
        self.key = ""
        self.stderr: list[str] = []

    def _change(self, extra: str, include: str) -> None:
        """Be quick with retries, and soon tired of a Segment that hangs."""
        text = self.ground.config.read_text() + extra
        tired = "type: segment\n    timeout: { total: 3s }"
        text = text.replace("type: segment", tired)
        if include:
            text = text.replace("include: [", f'include: ["{include}", ')
        self.ground.config.write_text(text)

    def start(self) -> None:
        """Start it and wait until it is ready; the first time, make a key and tell the doubles."""
        super().start()
        self.wait_for(lambda: answers(f"{self.url}/readyz"))
        if not self.key:
            self.key = self.new_key("admin")
            for kind, secret in self.ground.signing.items():
                told = {"url": self.ground.webhook_url(kind), "secret": secret.text()}
                post(f"{self.sandbox.base}/_control/{kind}/endpoints", told)

    def stop(self) -> int:
        """End it as an operator does, and give its exit code."""
        self.terminate()
        return self.ended()

    def new_key(self, role: str) -> str:
        return str(json.loads(self.cli("keys", "create", "--role", role, "--json"))["key"])

    def cli(self, *words: str, code: int = 0) -> str:
        """Run a command beside the hub; give what it prints."""
        done = run(*words, home=self.home, config=self.ground.config)
        self.stderr.append(done.stderr)
        assert done.returncode == code, (words, done.returncode, done.stdout[-2000:], done.stderr)
        return done.stdout

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the hub's file beside it, past all its code."""
        with closing(sqlite3.connect(f"file:{self.home}/hub.db?mode=ro", uri=True)) as connection:
            return list(connection.execute(query, values))

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Give every row of every table but what a hub notes by itself as time goes by."""
        names = [row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: self.rows(f"SELECT * FROM {name}") for name in names if name not in NOTED}

    def listed(self, *words: str) -> list[dict[str, Any]]:
        """Run a listing command for all its rows."""
        return list(json.loads(self.cli(*words, "--json", "--limit", "10000")))


NOTED = ("api_keys", "budgets")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "hub", *words]


def environment(home: Path) -> dict[str, str]:
    """Give an environment of nothing but what Python needs."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def run(
    *words: str, home: Path, config: Path | None = None, within: float = 60.0, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    told = {"HUB_CONFIG": str(config)} if config is not None else {}
    return subprocess.run(
        command(*words),
        check=False,
        capture_output=True,
        cwd=home,
        env=environment(home) | told | more,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=within,
    )


def free_port() -> int:
    """Give a port that no outgoing connection takes while a hub is down: below those ranges."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def post(url: str, body: Any) -> None:
    asked = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 201
