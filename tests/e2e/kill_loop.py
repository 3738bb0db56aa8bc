"""Orders while the hub is killed at random moments; the doubles' own ledgers are the judges.

    python -m tests.e2e.kill_loop --orders 500 --kills 10 --seed 1

HubSpot takes 190 calls in 10 s and an order needs four: 500 orders take two minutes at least.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.judge import Verdict, judge
from tests.e2e.shop import Shop, until
from tests.e2e.stage import Hub, Sandbox

SKUS = ("tee", "mug", "cap")
AT_ONCE = 8
PATIENCE = 150.0  # seconds a shop's own code keeps asking
LIVE = ("waiting", "ready", "leased")


@dataclass(slots=True)
class Loop:
    """One run: what was acknowledged, and how often the hub was killed."""

    shop: Shop
    orders: int
    kills: int
    chance: random.Random
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    killed: int = 0
    began: float = field(default_factory=time.monotonic)

    async def run(self, show: Callable[[str], None]) -> None:
        """Buy everything, kill meanwhile, and wait until nothing is left to do."""
        showing = asyncio.create_task(self._show(show))
        slots = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._kill())
                for number in range(self.orders):
                    group.create_task(self._buy(number, slots))
            within = 60 + self.orders * 0.5
            await until(self._is_quiet, "every order is paid and no job is left", within=within)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)

    # -- the shop's code -------------------------------------------------------------------------
    async def _buy(self, number: int, slots: asyncio.Semaphore) -> None:
        chance = random.Random(f"{self.chance.random()}:{number}")
        lines = [
            {"variant": sku, "qty": chance.randint(1, 3)}
            for sku in chance.sample(SKUS, chance.randint(1, 3))
        ]
        email = f"customer-{number * 2 // 3}@example.com"  # every other one comes back
        async with slots:
            opened = {"currency": "EUR", "email": email, "lines": lines}
            cart = await self._insist("/v1/carts", opened, f"cart-{number}")
            wish = {"connector": "stripe", "method": chance.choice(["intent", "checkout"])}
            wish |= {"return_url": "https://shop.example.com/thanks"}
            agreed = {"expected_total": cart["totals"]["total"], "payment": wish}
            path = f"/v1/carts/{cart['id']}/complete"
            made = await self._insist(path, agreed, f"order-{number}")
            self.acknowledged[made["order"]["id"]] = made["order"]
            await self.shop.pays(await self._payable(made["payment"]))

    async def _insist(self, path: str, body: Any, key: str) -> Any:
        """Ask until there is an answer that counts, always under the same key."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                status, found = await self.shop.ask("POST", path, body, key=key)
            except (aiohttp.ClientError, TimeoutError, ValueError):
                status, found = 0, None
            if 200 <= status < 300:
                return found
            again = status == 0 or status >= 500 or found["code"] == "idempotency_key_in_progress"
            assert again, (path, status, found)
            await asyncio.sleep(0.2)
        raise AssertionError(f"{path} was not answered within {PATIENCE:g} s: {found}")

    async def _payable(self, payment: dict[str, Any]) -> dict[str, Any]:
        """Wait until the payment can be paid, where its order was answered before."""

        async def met() -> dict[str, Any] | None:
            try:
                found = await self.shop.get(f"/v1/payments/{payment['id']}")
            except (aiohttp.ClientError, TimeoutError, ValueError):
                return None
            return found if {"client_secret", "redirect_url"} & set(found) else None

        if {"client_secret", "redirect_url"} & set(payment):
            return payment
        return await until(met, f"{payment['id']} can be paid", within=PATIENCE)

    # -- the killer ------------------------------------------------------------------------------
    async def _kill(self) -> None:
        """Kill at moments spread over the work: orders taken at first, HubSpot told at last."""
        hub = self.shop.hub
        for moment in sorted(self.chance.sample(range(1, 2 * self.orders - 1), self.kills)):
            await until(lambda at=moment: self._is_at(at), f"step {moment}", within=600)
            await asyncio.sleep(self.chance.uniform(0, 0.3))  # anywhere inside a step
            hub.kill()
            self.killed += 1
            await asyncio.to_thread(hub.start)

    async def _is_at(self, moment: int) -> bool:
        return len(self.acknowledged) + (await self._deals()) >= moment

    async def _deals(self) -> int:
        return (await self.shop.counts("hubspot")).get("deal", 0)

    # -- the end ---------------------------------------------------------------------------------
    async def _is_quiet(self) -> bool:
        rows = self.shop.hub.rows("SELECT count(*) FROM orders WHERE payment_status = 'paid'")
        if rows[0][0] < self.orders:
            return False
        left = self.shop.hub.rows("SELECT count(*) FROM jobs WHERE state IN ('w', 'r', 'l')")
        return bool(left[0][0] == 0)

    async def _show(self, show: Callable[[str], None]) -> None:
        while True:
            seconds = time.monotonic() - self.began
            show(
                f"{seconds:4.0f} s  orders {len(self.acknowledged)}/{self.orders}"
                f"  deals {await self._deals()}  kills {self.killed}/{self.kills}"
            )
            await asyncio.sleep(1)


async def play(
    home: Path, *, orders: int, kills: int, seed: int, show: Callable[[str], None] = lambda _: None
) -> Verdict:
    """Run the loop on a stage of its own and judge what is left."""
    sandbox = Sandbox(home)
    try:
        sandbox.start()
        hub = Hub(home / "hub", sandbox)
        try:
            hub.start()
            async with Shop(hub) as shop:
                await shop.stock(*SKUS)
                loop = Loop(shop, orders, kills, random.Random(seed))
                await loop.run(show)
                return await judge(shop, loop.acknowledged)
        finally:
            hub.kill()
    finally:
        sandbox.kill()


def main() -> int:
    """Play it from the command line: exit 0 when nothing was lost and nothing done twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.kill_loop")
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()
    live = sys.stdout.isatty()

    def show(text: str) -> None:
        sys.stdout.write(f"\r\x1b[K{text}" if live else f"{text}\n")
        sys.stdout.flush()

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        made = play(
            Path(home), orders=asked.orders, kills=asked.kills, seed=asked.seed, show=show
        )  # fmt: skip
        verdict = asyncio.run(made)
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n{verdict}\nseed {asked.seed}, {asked.kills} kills, {seconds:.0f} s\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
