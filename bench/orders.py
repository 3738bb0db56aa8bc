"""What it costs that an order's event and 4 jobs are in the order's own commit, on both stores."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.rounds import Rate, interleave
from bench.stores import stores
from hub.effects import upsert
from hub.model import Event, NewJob
from hub.routing import direct_job
from hub.shop.carts import NewCart, create_cart
from hub.shop.catalog import NewProduct, create_product
from hub.shop.checkout import CompleteCart, complete_cart
from hub.shop.rules import ShopRules
from store.store import Store
from store.tx import Tx

RULES = ShopRules(currencies=("EUR",))
JOBS = ("upsert_contacts", "upsert_deals", "send_template", "track")
BUYERS = 40
TEE = {
    "title": "Tee",
    "status": "active",
    "variants": [
        {
            "sku": f"tee-{n}",
            "prices": [{"amount": 2900, "currency": "EUR"}],
            "on_hand": 1_000_000_000,
        }
        for n in range(20)
    ],
}


async def orders(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare orders whose event and jobs are written, and the same without."""
    async with stores(folder, route=_route) as opened:
        cases = {}
        for name, store in opened.items():
            await store.change(_tee, None)
            for how, work in (("the order alone", _alone), ("with its event and 4 jobs", _whole)):
                cases[f"{name}: {how}"] = await _case(store, work, count, rounds)
        return await interleave(cases, rounds)


async def _case(store: Store, work: Any, count: int, rounds: int) -> Callable[[], Any]:
    """Have the carts ready beforehand: what is measured is their completion."""
    carts = [await store.change(_cart, n) for n in range(count * rounds)]

    async def run() -> int:
        these = [carts.pop() for _ in range(count)]
        waiting = iter(these)

        async def buy() -> None:
            for cart in waiting:
                await store.change(work, cart)

        await asyncio.gather(*(buy() for _ in range(BUYERS)))
        return count

    return run


def _whole(tx: Tx, cart: CompleteCart) -> None:
    complete_cart(tx, cart, RULES)


def _alone(tx: Tx, cart: CompleteCart) -> None:
    tx.emit = lambda event: event  # type: ignore[method-assign]  # no event, so no jobs
    try:
        complete_cart(tx, cart, RULES)
    finally:
        del tx.emit


def _route(event: Event, now: datetime) -> Sequence[NewJob]:
    if event.type != "shop.order.created":
        return ()
    return [
        direct_job(
            "crm",
            action,
            event.data,
            key=f"{event.id}:{action}",
            effect=upsert("id"),
            event_id=event.id,
            now=now,
        )
        for action in JOBS
    ]


def _tee(tx: Tx, _: None) -> None:
    create_product(tx, NewProduct.model_validate(TEE), RULES)


def _cart(tx: Tx, n: int) -> CompleteCart:
    lines = [{"variant": f"tee-{(n + k) % 20}", "qty": 1} for k in range(3)]
    wanted = {"currency": "EUR", "email": f"buyer-{n}@example.com", "lines": lines}
    made = create_cart(tx, NewCart.model_validate(wanted), RULES)["cart"]
    agreed = {"cart": made["id"], "expected_total": made["totals"]["total"]}
    return CompleteCart.model_validate(agreed)
