"""`python -m tests.e2e.past`: old paid orders imported, 30 days back-filled into an empty hub.

Half of the orders are there before the provider's list is read, half come after it. The doubles'
own ledgers judge: nobody is told of the past, and all of it is booked. Then one order is sold, to
show that the present is told.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub import log
from hub.clock import ManualClock
from store.money_schema import cases, payment_facts
from store.schema import inbox
from store.shop_schema import orders
from tests.e2e.inside import House, inside
from tests.e2e.stage import run
from tests.postgres import make_database, own_server

DAYS, OLD = 30, 28
TOLD = ("hubspot", "sendgrid", "segment")
PRICE = {"amount": 2900, "currency": "EUR"}


@dataclass(frozen=True)
class Verdict:
    """What came of it.

    Args:
        confirmed: Orders whose money the provider's list has confirmed.
        told: What HubSpot, SendGrid and Segment were sent of the past.
        unsettled: Cases left open.
        now: What the three were sent of the one order sold after it.
    """

    imported: int
    paid: int
    refunded: int
    confirmed: int
    recovered: int
    unsettled: int
    told: dict[str, int]
    now: dict[str, int]

    @property
    def good(self) -> bool:
        booked = self.imported == self.paid == self.confirmed
        heard = self.now.get("mail") == self.now.get("track") == 1
        return booked and heard and not self.unsettled and not self.told

    def __str__(self) -> str:
        return "; ".join(f"{name} {value}" for name, value in asdict(self).items())


class Past:
    """Orders paid at Stripe in the last 30 days, the newest two days ago, by a shop without us."""

    def __init__(self, count: int, clock: ManualClock) -> None:
        self.count, self.clock = count, clock
        self.orders: list[dict[str, Any]] = []

    def happen(self, doubles: Any) -> None:
        """Let it happen at the double, every tenth order given back in part."""
        bank = doubles["stripe"].bank
        for n in range(self.count):
            self.clock.advance(OLD * 86_400 / self.count)
            named = {"metadata": {"hub_order": f"old-{n}"}} if n % 3 == 0 else {}
            intent = bank.new_intent({"amount": PRICE["amount"], "currency": "eur", **named})
            bank.pay(intent, "pm_card_visa")
            if n % 10 == 0:
                bank.refund({"payment_intent": intent["id"], "amount": 500})
            self.orders.append(self._order(n, intent["id"]))
        self.clock.advance((DAYS - OLD) * 86_400)

    def _order(self, n: int, intent: str) -> dict[str, Any]:
        return {
            "external_ref": f"old-{n}",
            "currency": "EUR",
            "customer": {"email": f"old-{n}@example.com"},
            "lines": [{"sku": "tee", "title": "Tee", "qty": 1, "unit_price": PRICE}],
            "placed_at": self.clock.now().isoformat(),
            "payments": [{"connector": "stripe", "provider_ref": intent, "amount": PRICE}],
        }


async def play(home: Path, *, count: int, store: str) -> Verdict:
    """Import and back-fill, in both orders; then sell one."""
    clock = ManualClock(datetime.now(UTC) - timedelta(days=DAYS))
    past = Past(count, clock)
    async with inside(home, clock=clock, store=store, before=past.happen) as house:
        await bring(house, past.orders[: count // 2], store)
        await house.hub.fitted.puller.rewind("stripe", clock.now() - timedelta(days=DAYS))
        await house.quiet()
        await house.pass_by(1200, step=30)  # payments of nobody become cases after 15 minutes
        await bring(house, past.orders[count // 2 :], store)
        await house.quiet()
        await house.pass_by(120, step=30)
        told = sent(house)
        found = await counted(house)
        _, payment = await house.shop.orders("now@example.com")
        await house.shop.pays(payment)
        await house.quiet()
        return Verdict(**found, told=told, now=sent(house))


async def bring(house: House, some: Sequence[Any], store: str) -> None:
    """Run `hub import orders` beside the hub."""
    file = house.config.parent / "old.jsonl"
    file.write_text("".join(json.dumps(order) + "\n" for order in some))
    words = ("import", "orders", str(file), "--json")
    where = {"config": house.config, "home": house.config.parent, "HUB_STORE_URL": store}
    done = await asyncio.to_thread(run, *words, within=1800, **where)
    assert done.returncode == 0, (done.stdout[-500:], done.stderr[-2000:])
    assert json.loads(done.stdout)["imported"] == len(some)


def sent(house: House) -> dict[str, int]:
    """Count what the doubles beside Stripe's were sent, by kind."""
    found: dict[str, int] = {}
    for name in TOLD:
        for effect in house.doubles[name].state.ledger:
            found[effect.kind] = found.get(effect.kind, 0) + 1
    return found


async def counted(house: House) -> dict[str, int]:
    """Count what the hub knows of the past."""
    confirmed = (payment_facts.c.fact == "captured", payment_facts.c.stated == 0)
    return {
        "imported": await house.count(orders),
        "paid": await house.count(orders, orders.c.paid_at.is_not(None)),
        "refunded": await house.count(orders, orders.c.refunded > 0),
        "confirmed": await house.count(payment_facts, *confirmed),
        "recovered": await house.count(inbox, inbox.c.via == "pull"),
        "unsettled": await house.count(cases, cases.c.state == "open"),
    }


async def main() -> int:
    """Play it on both stores and judge."""
    words = argparse.ArgumentParser(prog="past")
    words.add_argument("--orders", type=int, default=10_000)
    words.add_argument("--store", choices=("sqlite", "postgres"), action="append")
    asked = words.parse_args()
    log.setup(level="ERROR")
    good = True
    for name in asked.store or ("sqlite", "postgres"):
        with tempfile.TemporaryDirectory() as home, ExitStack() as ends:
            url = f"sqlite:///{home}/hub.db"
            if name == "postgres":
                server = own_server()
                ends.callback(server.stop)
                url = (await make_database(server)).render_as_string(hide_password=False)
            verdict = await play(Path(home), count=asked.orders, store=url)
        sys.stdout.write(f"{name}: {'good' if verdict.good else 'BAD'}: {verdict}\n")
        good = good and verdict.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
