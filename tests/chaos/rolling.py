"""Two hubs at one address, each replaced by a new process under load: no client notices.

    python -m tests.chaos.rolling --rolls 20 --clients 40 --seconds 120

The clients keep connections, as real ones do, and never send a thing twice: one request without
the right answer is a failure. The provider answers slowly, so that calls are always in flight.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from tests.chaos.conftest import fresh_database
from tests.chaos.load import Item, Yard, item, yard
from tests.chaos.nodes import Node
from tests.chaos.sentence import TRACEBACK, sentence
from tests.e2e.judge import Verdict
from tests.postgres import own_server

LEASE = 60.0
ANSWERS_AFTER = 0.2
BETWEEN = 0.03
SERVICE = ", reuse_port: true, shutdown_delay: 1s, limits: { api: { calls: 1000000 } }"


@dataclass
class Load:
    """Clients at one address.

    Attributes:
        failed: What went wrong, in words.
        took: Seconds each answer took.
    """

    place: Yard
    url: str
    over: asyncio.Event = field(default_factory=asyncio.Event)
    failed: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)

    async def client(self, number: int) -> None:
        """Send one thing after the other over kept connections until it is over."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
            for n in count():
                if self.over.is_set():
                    return
                await self._one(http, item(f"client-{number}-{n % 8}", n))
                await asyncio.sleep(BETWEEN * random.random() * 2)

    async def _one(self, http: aiohttp.ClientSession, sent: Item) -> None:
        began = time.monotonic()
        try:
            if sent["n"] % 5 == 1:
                await self._noted(http, sent)
            elif sent["n"] % 5 == 2:
                await self._read(http)
            else:
                await self._delivered(http, sent)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.failed[type(error).__name__] += 1
        self.took.append(time.monotonic() - began)

    async def _delivered(self, http: aiohttp.ClientSession, sent: Item) -> None:
        body = json.dumps({"items": [sent]}).encode()
        mac = hmac.new(self.place.feed.setting.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Signature": mac, "Content-Type": "application/json"}
        async with http.post(f"{self.url}/webhooks/feed", data=body, headers=headers) as got:
            await got.read()
            if self._right(got, 200):
                self.place.taken.append(sent)

    async def _noted(self, http: aiohttp.ClientSession, sent: Item) -> None:
        headers = self._key() | {"Idempotency-Key": sent["id"]}
        body = {"type": "erp.note", "data": sent}
        async with http.post(f"{self.url}/v1/events", json=body, headers=headers) as got:
            await got.read()
            if self._right(got, 201):
                self.place.noted.append(sent)

    async def _read(self, http: aiohttp.ClientSession) -> None:
        asked = f"{self.url}/v1/events?limit=5"
        async with http.get(asked, headers=self._key()) as got:
            await got.read()
            self._right(got, 200)

    def _right(self, got: aiohttp.ClientResponse, wanted: int) -> bool:
        if got.status != wanted:
            self.failed[f"{got.method} {got.url.path} {got.status}"] += 1
        return got.status == wanted

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.place.key}"}


@dataclass
class Roll:
    """Replaces each hub in turn.

    Attributes:
        old: Those that ended, each with its exit code.
        ended: Seconds from SIGTERM to a hub's end.
    """

    place: Yard
    home: Path
    old: list[tuple[Node, int | None]] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    async def one(self, number: int) -> None:
        """Start a new hub beside the two, and end the one that ran longest."""
        new = beside(self.place.nodes[0], self.home / f"roll-{number}")
        await asyncio.to_thread(serve, new)
        old = self.place.nodes.pop(0)
        self.place.nodes.append(new)
        began = time.monotonic()
        self.old.append((old, await asyncio.to_thread(old.stop)))
        self.ended.append(time.monotonic() - began)


def beside(other: Node, home: Path) -> Node:
    """Make a hub that will listen where another does."""
    made = Node(home, other.setting)
    made.listen, made.url = other.listen, other.url
    return made


def serve(node: Node) -> None:
    """Start a hub and wait until it, and no other at its address, says that it serves."""
    node.launch()
    node.wait_for(lambda: "hub serves" in node.said())


async def play(
    home: Path,
    store: str,
    *,
    rolls: int,
    clients: int,
    seconds: float,
    show: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Roll under load so often, spread over so many seconds at least; judge what is left."""
    more: dict[str, Any] = {"lease": f"{LEASE:g}s", "slots": 64, "service": SERVICE}
    async with yard(home, store, nodes=2, seed=1, **more) as place:
        place.ledger.pause = ANSWERS_AFTER
        place.nodes[1] = beside(place.nodes[0], home / "node-1")
        for node in place.nodes:
            await asyncio.to_thread(serve, node)
        load, roll = Load(place, place.nodes[0].url), Roll(place, home)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(load.client(number))
            for number in range(rolls):
                await _until(began + seconds * (number + 0.5) / rolls)
                await roll.one(number)
                show(f"rolled {number + 1}, {len(load.took)} answered, failed: {dict(load.failed)}")
            await _until(began + seconds)
            load.over.set()
        ran = time.monotonic() - began
        await place.drained(LEASE / 2)  # nothing waits for a lease to run out
        verdict = await sentence(place)
        _judge(verdict, load, roll, ran)
        return verdict


def _judge(verdict: Verdict, load: Load, roll: Roll, ran: float) -> None:
    calls = load.place.ledger.calls()
    verdict.none("failed requests", _words(load.failed))
    verdict.none("cut in flight and called again", [one for one, n in calls.items() if n > 1])
    verdict.same("exit codes of the replaced", [code for _, code in roll.old], [0] * len(roll.old))
    said = sum(node.said().count(TRACEBACK) for node, _ in roll.old)
    verdict.same("tracebacks of the replaced", said, 0)
    took = sorted(load.took)
    verdict.counted |= {
        "hubs replaced": len(roll.old),
        "requests": len(took),
        "requests a second": round(len(took) / ran),
        "p99 of an answer, ms": round(1000 * took[int(len(took) * 0.99)]),
        "slowest answer, ms": round(1000 * took[-1]),
        "median of SIGTERM to end, ms": round(1000 * statistics.median(roll.ended)),
    }


def _words(failed: Counter[str]) -> Iterator[str]:
    return (f"{what}: {times}" for what, times in failed.items())


async def _until(when: float) -> None:
    await asyncio.sleep(max(0.0, when - time.monotonic()))


def main() -> int:
    """Play it from the command line: exit 0 where no client noticed and nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.rolling")
    parser.add_argument("--rolls", type=int, default=20)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    asked = parser.parse_args()

    def show(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as home:
        server = own_server()
        try:
            store = asyncio.run(fresh_database(server))
            verdict = asyncio.run(play(Path(home), store, show=show, **vars(asked)))
        finally:
            server.stop()
    sys.stdout.write(f"\n{verdict}\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
