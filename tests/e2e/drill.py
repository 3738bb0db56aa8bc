"""The drill: orders under load, a backup amid them, the store lost, restored, and let go on.

    python -m tests.e2e.drill --orders 100 --seed 1 --store postgres

What was acknowledged before the backup began must be there; the doubles' own ledgers say that
nothing keyed and nothing unsafe was done twice. HubSpot takes 190 calls in 10 s.
"""

import argparse
import asyncio
import itertools
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.conftest import fresh_database
from tests.e2e.judge import KINDS, Verdict
from tests.e2e.shop import Shop, until
from tests.e2e.stage import TRACEBACK, Hub, Sandbox
from tests.postgres import own_server

SKUS = ("tee", "mug", "cap")
AT_ONCE = 8
LIVE = ("waiting", "ready", "leased")
STORE = re.compile(r"sqlite:///[^\"'\s}]+")


@dataclass(slots=True)
class Drill:
    """One drill.

    Args:
        orders: How many there are when the backup begins; half as many come after it at least.
        stores: The URL of the store that is lost, and of the empty one after it.
    """

    shop: Shop
    orders: int
    chance: random.Random
    stores: tuple[str, str]
    acknowledged: dict[str, float] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    verdict: Verdict = field(default_factory=Verdict)
    going: bool = True

    async def run(self, show: Callable[[str], None]) -> Verdict:
        """Play it and judge it."""
        hub, file = self.shop.hub, self.shop.hub.home / "backup.db"
        load = asyncio.create_task(self._buy_on())
        await until(self._have(self.orders), "they are acknowledged", within=300)
        show(f"{len(self.acknowledged)} orders acknowledged; backing up")
        began = time.monotonic()
        await asyncio.to_thread(hub.cli, "backup", str(file))
        took = time.monotonic() - began
        goal = len(self.acknowledged) + self.orders // 2
        await until(self._have(goal), "some more are acknowledged", within=300)
        self.going = False
        await load
        show(f"{len(self.acknowledged)} orders acknowledged; losing the store")
        hub.kill()
        await self._restored(file, show)
        safe = {order for order, at in self.acknowledged.items() if at < began}
        self.verdict.counted |= {
            "orders acknowledged": len(self.acknowledged),
            "of these before the backup began": len(safe),
            "bytes of the backup": file.stat().st_size,
            "ms for the backup, its start among them": round(took * 1000),
        }
        await self._judge(safe)
        return self.verdict

    def _have(self, count: int) -> Callable[[], Any]:
        async def met() -> bool:
            return len(self.acknowledged) >= count

        return met

    # -- the load ----------------------------------------------------------------------------------
    async def _buy_on(self) -> None:
        """Buy, a number at once, until it is enough."""
        numbers = itertools.count()

        async def buyer() -> None:
            while self.going:
                try:
                    await self._buy(next(numbers))
                except AssertionError as refused:
                    if "/problems/overloaded" not in str(refused):
                        raise
                    await asyncio.sleep(0.5)  # told to come again: nothing was acknowledged

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(buyer())

    async def _buy(self, number: int) -> None:
        skus = self.chance.sample(SKUS, self.chance.randint(1, 3))
        order, payment = await self.shop.orders(f"customer-{number}@example.com", *skus)
        self.acknowledged[order["id"]] = time.monotonic()
        await self.shop.pays(payment)
        self.paid.add(order["id"])

    # -- after the loss ----------------------------------------------------------------------------
    async def _restored(self, file: Path, show: Callable[[str], None]) -> None:
        """Restore into an empty store, see that nobody is called, then let calls go out."""
        hub = self.shop.hub
        for path in hub.home.glob("hub.db*"):
            path.unlink()
        text = hub.ground.config.read_text()
        hub.ground.config.write_text(text.replace(self.stores[0], self.stores[1]))
        await asyncio.to_thread(hub.cli, "restore", str(file))
        before = await self._calls()
        await asyncio.to_thread(hub.start)
        told = await asyncio.to_thread(hub.cli, "resume", "--after-restore", "--json")
        self.verdict.same("calls before hub resume", await self._calls(), before)
        for name in ("send", "uncertain", "look_up", "too_late"):
            count = sum(row[name] for row in json.loads(told))
            self.verdict.counted[f"jobs alive at the backup: {name}"] = count
        show("restored")
        await asyncio.to_thread(hub.cli, "resume", "--after-restore", "--yes")
        await asyncio.to_thread(hub.cli, "pull", "stripe", "--since", "1h")
        await until(self._is_quiet, "no job is left", within=60 + len(self.acknowledged) * 0.5)

    async def _calls(self) -> dict[str, int]:
        return {kind: len((await self.shop.double(kind))["calls"]) for kind in KINDS}

    async def _is_quiet(self) -> bool:
        for state in LIVE:
            if (await self.shop.get(f"/v1/jobs?state={state}&limit=1"))["items"]:
                return False
        return True

    # -- the judge ---------------------------------------------------------------------------------
    async def _judge(self, safe: set[str]) -> None:
        hub, verdict = self.shop.hub, self.verdict
        ledgers = {kind: await self.shop.ledger(kind) for kind in KINDS}
        rows = {row["id"]: row for row in await asyncio.to_thread(hub.listed, "orders")}
        jobs = await asyncio.to_thread(hub.listed, "jobs")
        await asyncio.to_thread(hub.cli, "verify")
        verdict.counted |= {
            "orders in the restored store": len(rows),
            "orders acknowledged after the backup, and lost": len(self.acknowledged.keys() - rows),
            "jobs uncertain": sum(job["state"] == "uncertain" for job in jobs),
            "jobs born dead, since they may have been done": sum(
                job["state"] == "dead" and "before a restore" in job["error"] for job in jobs
            ),
        }
        verdict.none("acknowledged before the backup, and lost", safe - rows.keys())
        verdict.none("paid at Stripe, and not here", [
            order for order in safe if rows.get(order, {}).get("payment_status") != "paid"
        ])  # fmt: skip
        asked = [e for e in ledgers["stripe"] if e["kind"] == "payment_intent"]
        by_order = Counter(e["data"].get("metadata", {}).get("hub_order") for e in asked)
        verdict.counted["payments at Stripe"] = len(asked)
        verdict.none("keyed, and done twice", [one for one, n in by_order.items() if n > 1])
        charges = sum(e["kind"] == "charge" for e in ledgers["stripe"])
        verdict.same("charges", charges, len(self.paid))
        mails = Counter(e["data"]["custom_args"]["hub_order"] for e in ledgers["sendgrid"])
        verdict.counted["mails at SendGrid"] = mails.total()
        left = sum(
            job["action"] == "send_template" and job["state"] in ("uncertain", "dead")
            for job in jobs
        )
        missing = len(safe - mails.keys())
        verdict.counted |= {"orders without a mail": missing, "mails left to a person": left}
        verdict.same("mails nobody was left with", max(missing - left, 0), 0)
        verdict.none("unsafe, and done twice", [one for one, n in mails.items() if n > 1])
        tracks = Counter(
            e["data"]["properties"]["order_id"] for e in ledgers["segment"] if e["kind"] == "track"
        )
        verdict.none("deduped, and counted twice", [one for one, n in tracks.items() if n > 1])
        deals = Counter(e["key"] for e in ledgers["hubspot"] if e["kind"] == "deal")
        verdict.none("upserted, and made twice", [one for one, n in deals.items() if n > 1])
        verdict.same("tracebacks", hub.said().count(TRACEBACK), 0)


async def play(
    home: Path, *, orders: int, seed: int, stores: tuple[str, str] | None = None,
    show: Callable[[str], None] = lambda _: None,
) -> Verdict:  # fmt: skip
    """Play one drill on a stage of its own."""
    sandbox = Sandbox(home)
    try:
        sandbox.start()
        hub = Hub(home / "hub", sandbox)
        text = hub.ground.config.read_text()
        if stores is None:
            [file] = set(STORE.findall(text))
            stores = file, file
        hub.ground.config.write_text(STORE.sub(stores[0], text))
        try:
            await asyncio.to_thread(hub.start)
            async with Shop(hub) as shop:
                await shop.stock(*SKUS)
                return await Drill(shop, orders, random.Random(seed), stores).run(show)
        finally:
            hub.kill()
    finally:
        sandbox.kill()


def main() -> int:
    """Play it from the command line: exit 0 when nothing was lost and nothing done twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.drill")
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()
    server = own_server() if asked.store == "postgres" else None
    try:
        stores = None
        if server is not None:
            one, other = (asyncio.run(fresh_database(server)) for _ in range(2))
            stores = one, other
        with tempfile.TemporaryDirectory() as home:
            verdict = asyncio.run(play(
                Path(home), orders=asked.orders, seed=asked.seed, stores=stores,
                show=lambda text: print(text, flush=True),  # noqa: T201
            ))  # fmt: skip
    finally:
        if server is not None:
            server.stop()
    sys.stdout.write(f"\n{verdict}\nseed {asked.seed}\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
