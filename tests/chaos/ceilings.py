"""A route made wrong while events pour in: how many mails go out, and what one command does.

    python -m tests.chaos.ceilings --events 50000
    python -m tests.chaos.ceilings --events 50000 --store sqlite

A route that mails for one event in a thousand is changed, amid the events, into one that mails for
all, and the hub is told to reload. The provider counts the mails. What the ceiling holds is
cancelled with one command; then the same again, for fewer events, released with one command.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.store import Store
from tests.chaos.conftest import fresh_database
from tests.chaos.feed import Feed
from tests.chaos.judge import Books, books
from tests.chaos.ledger import Ledger, serving
from tests.chaos.nodes import Node, Setting
from tests.e2e.judge import Verdict
from tests.e2e.stage import run
from tests.postgres import own_server

TOGETHER = 20  # events in one request
SENDERS = 8
RARE = "  when: '{{ data.n % 1000 == 0 }}',"
CONFIG = """\
version: 1
include: [receipt.yaml]
service: {{ shutdown_grace: 5s }}
store: {{ url: "{store}", encryption_keys: ["${{env:HUB_KEY}}"] }}
connectors:
  feed:
    type: inbound
    settings: {{ scheme: hmac, header: X-Signature, each: "{{{{ body.items }}}}",
      event_id: "{{{{ item.id }}}}", event_type: sale }}
    webhooks: {{ secrets: ["${{env:FEED_SECRET}}"] }}
  mailer:
    type: http
    egress: {{ allow_private: [127.0.0.0/8] }}
    settings:
      base_url: {double}
      auth: {{ bearer: "${{env:LEDGER_TOKEN}}" }}
      actions: {{ mail: {{ path: /mail, kind: message }} }}
routes:
  - {{ name: receipt, on: feed.sale, do: mailer.mail, map: receipt,{when}
      on_uncertain: park, ceiling: {{ per_hour: {ceiling} }} }}
"""
MAPPING = """\
mapping: receipt
from: feed.sale
to: mailer.mail
map: { id: "{{ data.id }}", lane: "{{ data.id }}", n: "{{ data.n }}" }
"""
STATES = "SELECT state, prio >= 10 AS held, count(*) AS jobs FROM jobs GROUP BY 1, 2"
ENDED = "SELECT state, count(*) AS jobs FROM job_history GROUP BY 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing(Setting):
    """A shop whose one route mails, seldom or for every event."""

    ceiling: int = 200

    def write(self, home: Path, *, when: str = RARE) -> Path:
        home.mkdir(parents=True, exist_ok=True)
        (home / "receipt.yaml").write_text(MAPPING)
        path = home / "config.yaml"
        path.write_text(CONFIG.format(store=self.store, double=self.double, when=when,
                                      ceiling=self.ceiling))  # fmt: skip
        return path


@dataclass(slots=True)
class Shop:
    """The hub, who sends it events, and its provider."""

    hub: Node
    setting: Mailing
    feed: Feed
    ledger: Ledger
    books: Books
    show: Callable[[str], None]
    sent: int = 0

    def cli(self, *words: str) -> str:
        """Run one command beside the hub."""
        told = self.setting.environment(HUB_LISTEN=self.hub.listen)
        home, config = self.hub.home, self.hub.config
        done = run(*words, "--config", str(config), home=home, within=300, **told)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    @property
    def mails(self) -> int:
        return len(self.ledger.state.ledger)

    async def route(self, when: str) -> None:
        """Change the route, and have the hub reload."""
        self.setting.write(self.hub.home, when=when)
        await asyncio.to_thread(self.cli, "reload")

    async def pour(self, events: int) -> None:
        """Send so many events, each request until it is taken in."""
        upto = self.sent + events

        async def some() -> None:
            while self.sent < upto:
                ns = range(self.sent, min(self.sent + TOGETHER, upto))
                self.sent = ns.stop
                items = [{"id": f"sale-{n}", "n": n} for n in ns]
                await self.feed.deliver(lambda: self.hub.url, *items)
                self.show(f"events {self.sent}  mails {self.mails}")

        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(some())

    async def jobs(self) -> dict[str, int]:
        """Count live jobs: held, and by state."""
        found: dict[str, int] = {}
        for row in await self.books.rows(STATES):
            name = "held" if row.held else row.state
            found[name] = found.get(name, 0) + row.jobs
        return found

    async def still(self, within: float = 300.0) -> dict[str, int]:
        """Wait until nothing is left to do but what is held."""
        async with asyncio.timeout(within):
            while (found := await self.jobs()).keys() - {"held"}:
                self.show(f"mails {self.mails}  held {found.get('held', 0)}")
                await asyncio.sleep(0.2)
        return found

    async def command(self, word: str) -> tuple[int, float]:
        """Give how many jobs one command did something to, and how long it took."""
        began = time.monotonic()
        said = await asyncio.to_thread(self.cli, "routes", word, "receipt")
        return int(said.split(": ")[1].split()[0]), time.monotonic() - began


async def play(
    home: Path, store: str, *, events: int, again: int, ceiling: int,
    show: Callable[[str], None] = lambda _: None,
) -> Verdict:  # fmt: skip
    """Make the route wrong twice; cancel, then release."""
    verdict = Verdict()
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(serving())
        setting = Mailing(store=store, double=ledger.url, ceiling=ceiling)
        await Store.migrate(store)
        hub = Node(home / "hub", setting)
        stack.callback(hub.kill)
        feed = await stack.enter_async_context(Feed(setting))
        beside = await stack.enter_async_context(books(setting))
        shop = Shop(hub, setting, feed, ledger, beside, show)
        await asyncio.to_thread(hub.start)
        await _wrong_then_cancelled(shop, verdict, events)
        await _wrong_then_released(shop, verdict, again)
        verdict.none("hub verify", await beside.broken())
        verdict.same("exit code at SIGTERM", await asyncio.to_thread(hub.stop), 0)
    return verdict


async def _wrong_then_cancelled(shop: Shop, verdict: Verdict, events: int) -> None:
    before = events // 5
    began = time.time()
    await shop.pour(before)
    right = -(-before // 1000)  # mails that were meant
    async with asyncio.TaskGroup() as group:
        group.create_task(shop.pour(before))
        group.create_task(shop.route(""))
    await shop.pour(events - 2 * before)
    held = (await shop.still()).get("held", 0)
    hours = 1 + int(time.time() // 3600 - began // 3600)
    told = json.loads(shop.cli("routes", "--held", "--json"))
    verdict.same("routes that are held", [one["name"] for one in told], ["receipt"])
    verdict.same("held, as hub routes says", told[0]["held"], held)
    mails = shop.mails
    if not right <= mails <= shop.setting.ceiling * hours:
        verdict.faults.append(f"{mails} mails, over {shop.setting.ceiling} an hour")
    routed = mails + held
    cancelled, took = await shop.command("cancel")
    verdict.same("cancelled", cancelled, held)
    ended = {row.state: row.jobs for row in await shop.books.rows(ENDED)}
    verdict.same("what became of the jobs", ended, {"done": mails, "cancelled": held})
    verdict.same("mails after the cancelling", shop.mails, mails)
    verdict.counted |= {
        "events": events, "of them before the route was wrong": before,
        "jobs of the route": routed, "mails sent": mails, "the ceiling": shop.setting.ceiling,
        "held, then cancelled with one command": cancelled,
        "milliseconds of that command": round(took * 1000),
    }  # fmt: skip


async def _wrong_then_released(shop: Shop, verdict: Verdict, events: int) -> None:
    before = shop.mails
    await shop.pour(events)
    held = (await shop.still()).get("held", 0)
    mails = shop.mails - before
    verdict.same("mails and held, of the second time", mails + held, events)
    if mails > 2 * shop.setting.ceiling or not held:
        verdict.faults.append(f"{mails} mails, {held} held, the second time")
    released, took = await shop.command("release")
    verdict.same("released", released, held)
    verdict.same("left after the release", await shop.still(), {})
    verdict.same("mails in the end", shop.mails, before + events)
    verdict.counted |= {
        "events, the second time": events, "mails sent, the second time": mails,
        "held, then released with one command": released,
        "milliseconds of this command": round(took * 1000),
    }  # fmt: skip


def main() -> int:
    """Play it from the command line: exit 0 when no more was mailed and nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.ceilings")
    parser.add_argument("--store", choices=["postgres", "sqlite"], action="append")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--again", type=int, default=5_000, help="events of the second time")
    parser.add_argument("--ceiling", type=int, default=200)
    asked = vars(parser.parse_args())
    verdicts = [_played(sort, asked) for sort in asked.pop("store") or ["sqlite", "postgres"]]
    return 0 if all(verdict.good for verdict in verdicts) else 1


def _played(sort: str, asked: dict[str, Any]) -> Verdict:
    live = sys.stdout.isatty()
    shown = [0.0]

    def show(text: str) -> None:
        if live or time.monotonic() > shown[0] + 5:
            shown[0] = time.monotonic()
            sys.stdout.write(f"\r\x1b[K{text}" if live else f"{text}\n")
            sys.stdout.flush()

    server = own_server() if sort == "postgres" else None
    try:
        with tempfile.TemporaryDirectory() as home:
            store = asyncio.run(fresh_database(server)) if server else f"sqlite:///{home}/hub.db"
            verdict = asyncio.run(play(Path(home), store, show=show, **asked))
    finally:
        if server:
            server.stop()
    sys.stdout.write(f"\n{sort}\n{verdict}\n")
    return verdict


if __name__ == "__main__":
    sys.exit(main())
