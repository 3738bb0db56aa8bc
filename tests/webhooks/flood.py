"""A running hub under attack: does it turn all of it away, stay small, and serve the others?

    python -m tests.webhooks.flood --half 500 --goods 1000 --bombs 10 --bad 100

Good webhooks are timed without the attack, under it, and without it again, in one run.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from hub.serving import LINGER
from store.crypto import new_key
from tests.e2e.stage import ROOT, Process, answers, environment, free_port
from tests.webhooks.attack import SECRET, signed

ALLOWED = {
    "half open": {"cut off", "408"},
    "signed bomb": {"413"},
    "bomb": {"401", "429"},
    "2 MiB": {"413"},
    "odd coding": {"415"},
    "cut gzip": {"400"},
    "bad signature": {"401", "429"},
}
CONFIG = """\
version: 1
service: {{ listen: "{listen}", limits: {{ read_within: {within}s }} }}
store: {{ url: "sqlite:///{home}/hub.db", encryption_keys: ["{key}"] }}
connectors:
  code:
    type: inbound
    settings: {{ scheme: github, event_id: "{{{{ body.id }}}}", event_type: push }}
    webhooks: {{ secrets: ["{secret}"] }}
"""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was seen: seconds and bytes."""

    answers: Mapping[str, int]
    alone: float
    attacked: float
    goods: int
    grown: int
    longest: float

    @property
    def ratio(self) -> float:
        return self.attacked / self.alone

    @property
    def let_in(self) -> list[str]:
        """Name what was not turned away."""
        return [
            said for said in self.answers
            if said.partition(": ")[2] not in ALLOWED[said.partition(": ")[0]]
        ]  # fmt: skip


async def flood(
    home: Path, *, half: int, goods: int, bombs: float, bad: float, within: int = 10
) -> Told:
    """Serve a hub and attack it."""
    hub, url = served(home, within)
    try:
        async with aiohttp.ClientSession() as session:
            numbers = iter(range(10**9))

            async def timed(count: int) -> list[float]:
                return [await one(session, url, next(numbers)) for _ in range(count)]

            await timed(min(goods, 200))
            before = held(hub.pid)
            alone = await timed(goods // 2)
            how = {"half": half, "bombs": bombs, "bad": bad}

            async def amid() -> list[float]:
                """Go on until the first half-open connections were given up too."""
                end, took = time.monotonic() + within + 1, await timed(goods)
                while time.monotonic() < end:
                    took += await timed(20)
                return took

            under, told, most = await attacked(hub, url, amid, how)
            alone += await timed(goods - goods // 2)
        return Told(
            answers=told["told"], alone=p99(alone), attacked=p99(under), goods=len(under),
            grown=most - before, longest=told["longest"],
        )  # fmt: skip
    finally:
        hub.terminate()
        hub.ended()


def served(home: Path, within: int) -> tuple[Process, str]:
    """Start a hub of one connector."""
    listen = f"127.0.0.1:{free_port()}"
    config = home / "config.yaml"
    config.write_text(
        CONFIG.format(listen=listen, within=within, home=home, key=new_key(), secret=SECRET)
    )
    hub = Process("serve", "--config", str(config), home=home)
    hub.start()
    hub.wait_for(lambda: answers(f"http://{listen}/readyz"))
    return hub, f"http://{listen}"


async def one(session: aiohttp.ClientSession, url: str, number: int) -> float:
    """Send a good webhook; give the seconds it took to be kept."""
    body = b'{"id":"evt_%d"}' % number
    began = time.perf_counter()
    async with session.post(f"{url}/webhooks/code", data=body, headers=signed(body)) as answer:
        assert answer.status == 200, answer.status
    took = time.perf_counter() - began
    await asyncio.sleep(0.005)
    return took


async def attacked(
    hub: Process, url: str, timed: Callable[[], Awaitable[list[float]]], how: Mapping[str, float]
) -> tuple[list[float], dict[str, Any], int]:
    """Time good webhooks amid the attack; give what the attackers were told, and the most held."""
    attack = await asyncio.to_thread(begin, hub.home, url, json.dumps(how))
    most = [0]
    watching = asyncio.create_task(watch(hub.pid, most))
    try:
        assert attack.stdout is not None
        await asyncio.to_thread(attack.stdout.readline)
        await asyncio.sleep(1.5)  # they have all come
        under = await timed()
    finally:
        said, _ = await asyncio.to_thread(attack.communicate, b"")
        watching.cancel()
    return under, json.loads(said), most[0]


def begin(home: Path, url: str, how: str) -> subprocess.Popen[bytes]:
    """Begin the attack."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.webhooks.attack", url, how],
        cwd=ROOT, env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


async def watch(pid: int, most: list[int]) -> None:
    """Look at what a process holds, over and over."""
    while True:
        most[0] = max(most[0], held(pid))
        await asyncio.sleep(0.05)


def held(pid: int) -> int:
    """Give the bytes of memory a process holds; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) << 10


def p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--half", type=int, default=500, help="connections half open at any time")
    asked.add_argument("--goods", type=int, default=1000, help="good webhooks, each way")
    asked.add_argument("--bombs", type=float, default=10, help="bombs and the like a second")
    asked.add_argument("--bad", type=float, default=100, help="bad signatures a second")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as home:
        told = asyncio.run(flood(Path(home), **vars(given)))
    good = not told.let_in and told.grown < 50 << 20 and told.ratio <= 3
    lines = [
        *(f"{count:7} {said}" for said, count in sorted(told.answers.items())),
        f"a half-open one lived {told.longest:.1f} s at most ({LINGER:g} s of it after 408)",
        f"{told.goods} good webhooks, all 200; p99 alone {told.alone * 1000:.1f} ms",
        f"p99 under attack {told.attacked * 1000:.1f} ms: {told.ratio:.2f} times that (at most 3)",
        f"memory grew by {told.grown / (1 << 20):.1f} MiB (less than 50)",
        "all was turned away" if not told.let_in else f"let in: {', '.join(told.let_in)}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
