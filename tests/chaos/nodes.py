"""Whole hubs as processes: each serves one configuration, alone on a file or together on a server.

A hub takes two seconds to import, so one process does it once and forks: what is killed, frozen
and ended here is a process of its own that runs `hub serve`.
"""

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from hub import crash
from store.crypto import new_key
from tests.e2e.stage import answers, free_port

START_WITHIN = 40.0
PRELOAD = ["tests.chaos.preload"]
Found = TypeVar("Found")
CONFIG = """\
version: 1
include: [{mappings}]
service: {{ lease: {lease}, shutdown_grace: 5s{service} }}
store: {{ url: "{store}", encryption_keys: ["${{env:HUB_KEY}}"] }}
defaults:
  timeout: {{ total: {timeout} }}
  retry: {{ backoff: {{ initial: {wait}, max: {wait} }} }}
  on_uncertain: park
events: {{ erp.note: {{ schema: any.json }} }}
connectors:
  feed:
    type: inbound
    settings: {{ scheme: hmac, header: X-Signature, each: "{{{{ body.items }}}}",
      event_id: "{{{{ item.id }}}}", event_type: "{{{{ item.kind }}}}" }}
    webhooks: {{ secrets: ["${{env:FEED_SECRET}}"] }}
  ledger:
    type: http
    concurrency: {slots}
    egress: {{ allow_private: [127.0.0.0/8] }}
    settings:
      base_url: {double}
      auth: {{ bearer: "${{env:LEDGER_TOKEN}}" }}
      actions:
        book: {{ path: /book, effect: {{ keyed: 24h }}, key_header: Idempotency-Key,
                 lookup: "/book?n={{n}}" }}
        tell: {{ path: /tell }}
routes:
"""
ROUTE = """\
  - {{ name: {name}, on: {event}, do: ledger.{action}, map: {name}{order} }}
"""
ORDER = ', order_by: "{{ data.lane }}"'
MAPPING = """\
mapping: {name}
from: {event}
to: ledger.{action}
map: {{ id: "{{{{ data.id }}}}", lane: "{{{{ data.lane }}}}", n: "{{{{ data.n }}}}" }}
"""
ROUTES = {
    "book-lane": ("feed.book_lane", "book", True),
    "book-free": ("feed.book_free", "book", False),
    "tell-lane": ("feed.tell_lane", "tell", True),
    "tell-free": ("feed.tell_free", "tell", False),
    "note": ("erp.note", "book", True),
}
"""Name -> the event, the action (`book` is keyed, `tell` unsafe), whether in lanes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the hubs of one stage share.

    Args:
        store: The URL of their store.
        double: Where their provider is.
        lease: How long a hub that died keeps its jobs.
        wait: Between two tries of a job.
        service: More keys of `service`, each after a comma.
    """

    store: str
    double: str
    lease: str = "2s"
    wait: str = "300ms"
    timeout: str = "1500ms"
    slots: int = 8
    service: str = ""
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    key: str = field(default_factory=new_key)

    def write(self, home: Path) -> Path:
        """Write the configuration and its mappings; give its path."""
        home.mkdir(parents=True, exist_ok=True)
        (home / "any.json").write_text(json.dumps({"type": "object"}))
        for name, (event, action, _) in ROUTES.items():
            mapping = MAPPING.format(name=name, event=event, action=action)
            (home / f"{name}.yaml").write_text(mapping)
        path = home / "config.yaml"
        path.write_text(self._config())
        return path

    def _config(self) -> str:
        head = CONFIG.format(
            store=self.store, double=self.double, lease=self.lease, wait=self.wait,
            timeout=self.timeout, slots=self.slots, service=self.service,
            mappings=", ".join(f"{name}.yaml" for name in ROUTES),
        )  # fmt: skip
        return head + "".join(
            ROUTE.format(name=name, event=event, action=action, order=ORDER if lanes else "")
            for name, (event, action, lanes) in ROUTES.items()
        )

    def environment(self, **more: str) -> dict[str, str]:
        """Give what the configuration refers to."""
        named = {"HUB_KEY": self.key, "FEED_SECRET": self.secret}
        return {"LEDGER_TOKEN": "ledger-token-0123456789", **named, **more}


class Node:
    """One hub; it may be started again after its end, at the same address."""

    def __init__(self, home: Path, setting: Setting) -> None:
        self.home, self.setting = home, setting
        self.config = setting.write(home)
        self.listen = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.listen}"
        self.log = home / "serve.log"
        self._running: Any = None

    def start(self, crash_at: str | None = None, *, within: float = START_WITHIN) -> None:
        """Start it and wait until it is ready."""
        self.launch(crash_at)
        self.wait_for(lambda: answers(f"{self.url}/readyz"), within=within)

    def launch(self, crash_at: str | None = None) -> None:
        """Start it; it is not ready yet."""
        told = self.setting.environment(HUB_LISTEN=self.listen)
        told |= {crash.VARIABLE: crash_at} if crash_at else {}
        context = get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        self._running = context.Process(
            target=serve, args=(str(self.config), str(self.home), str(self.log), told), daemon=True
        )
        self._running.start()

    def wait_for(self, met: Callable[[], Found], *, within: float = START_WITHIN) -> Found:
        end = time.monotonic() + within
        while time.monotonic() < end:
            if found := met():
                return found
            if not self.runs():
                break
            time.sleep(0.01)
        raise AssertionError(f"the hub did not start:\n{self.said()[-4000:]}")

    @property
    def pid(self) -> int:
        return int(self._running.pid)

    def runs(self) -> bool:
        return self._running is not None and self._running.is_alive()

    def ended(self, within: float = 30.0) -> int | None:
        """Wait for its end; give its exit code, negative where a signal ended it."""
        self._running.join(within)
        code: int | None = self._running.exitcode
        return code

    def kill(self) -> None:
        if self.runs():
            self._running.kill()
        if self._running is not None:
            self._running.join()

    def stop(self) -> int | None:
        """End it as an operator does; give its exit code."""
        self._running.terminate()
        return self.ended()

    def freeze(self) -> None:
        """Freeze it between two of its steps, and wait until it is."""
        os.kill(self.pid, signal.SIGSTOP)
        self.wait_for(self.stopped)

    def stopped(self) -> bool:
        """Say whether it is frozen."""
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state in "Tt"

    def go_on(self) -> None:
        """Let a frozen one go on."""
        os.kill(self.pid, signal.SIGCONT)

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


def serve(config: str, home: str, log: str, told: Mapping[str, str]) -> None:
    """Run `hub serve` in a process just forked; what it prints goes to a file."""
    os.chdir(home)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.environ.update(told)
    sys.argv[1:] = ["serve", "--config", config]
    from hub.cli import main  # noqa: PLC0415 -- imported before the fork

    main()
