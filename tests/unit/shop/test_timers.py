"""The shop's timers, on a real store: what is due is done, once, and one fault stops no other."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.clock import ManualClock
from hub.secrets import Secret
from hub.shop.backend import Shop
from hub.timers import Timers
from store.crypto import new_key
from store.schema import events
from store.store import Store
from tests.unit.shop.conftest import RULES

PRICE = {"amount": 1250, "currency": "EUR"}
SHOP = Shop(RULES)


@pytest.fixture
async def store(tmp_path):
    opened = await Store.open(
        f"sqlite:///{tmp_path}/hub.db", keys=[Secret(new_key(), "test")], clock=ManualClock(),
        served=True,
    )  # fmt: skip
    yield opened
    await opened.close()


async def do(store, name, **fields):
    action = SHOP.actions[name]
    return await store.change(action.work, action.model.model_validate(fields))


async def cart(store, number):
    lines = [{"variant": "MUG", "qty": 1}]
    made = await do(
        store, "create_cart", currency="EUR", email=f"{number}@example.com", lines=lines
    )  # fmt: skip
    return made["cart"]


async def test_what_is_due_is_done_once(store):
    variant = {"sku": "MUG", "prices": [PRICE], "on_hand": 5}
    await do(store, "create_product", title="Mug", variants=[variant])
    for number in range(3):
        sold = (await cart(store, number))["id"]
        await do(store, "complete_cart", cart=sold, expected_total=PRICE)
    await cart(store, 9)  # left lying
    timers = Timers(store, SHOP)
    assert await timers.once() == {"expire_order": 0, "close_order": 0, "end_cart": 0}
    store.clock.advance(30 * 60)
    assert (await timers.once())["expire_order"] == 3
    store.clock.advance(4 * 3600)
    assert await timers.once() == {"expire_order": 0, "close_order": 0, "end_cart": 1}
    store.clock.advance(31 * 86400)
    assert (await timers.once())["end_cart"] == 1  # now it has expired
    assert (await timers.once())["end_cart"] == 0


async def test_one_fault_stops_no_other(store, monkeypatch):
    variant = {"sku": "MUG", "prices": [PRICE], "on_hand": 5}
    await do(store, "create_product", title="Mug", variants=[variant])
    made = [
        await do(store, "complete_cart", cart=(await cart(store, n))["id"], expected_total=PRICE)
        for n in range(2)
    ]
    action = SHOP.actions["expire_order"]

    def fails_once(tx, item):
        if item.order == made[0]["order"]["id"]:
            raise LookupError("a bug")
        return action.work(tx, item)

    broken = dict(SHOP.actions) | {"expire_order": type(action)(action.model, fails_once)}
    monkeypatch.setattr(SHOP, "actions", broken)
    store.clock.advance(30 * 60)
    assert (await Timers(store, SHOP).once())["expire_order"] == 1


async def told_at(store, *names):
    async with store.read() as connection:
        found = await connection.execute(select(events.c.type, events.c.occurred_at))
        return {row.type: row.occurred_at for row in found if row.type in names}


@pytest.mark.parametrize("restored", [False, True])
async def test_what_a_lost_store_may_have_told_is_told_with_its_own_time(store, restored):
    variant = {"sku": "MUG", "prices": [PRICE], "on_hand": 5}
    await do(store, "create_product", title="Mug", variants=[variant])
    sold, left = await cart(store, 1), await cart(store, 2)
    await do(store, "complete_cart", cart=sold["id"], expected_total=PRICE)
    began = store.clock.now()
    store.clock.advance(5 * 3600)
    paid_at = began + timedelta(minutes=1)
    if restored:
        store.writer.restored_at = store.clock.now() - timedelta(minutes=5)
    assert (await Timers(store, SHOP).once())["end_cart"] == 1
    made = await do(store, "complete_cart", cart=left["id"], expected_total=PRICE)
    await do(
        store, "record_payment", connector="stripe", fact="captured", payment="pi_1", ref="pi_1",
        order=made["order"]["id"], occurred_at=paid_at.isoformat(), **PRICE,
    )  # fmt: skip
    names = ("shop.order.expired", "shop.cart.abandoned", "shop.order.paid")
    told = await told_at(store, *names)
    now = dict.fromkeys(names, store.clock.now())
    own = {
        "shop.order.expired": began + timedelta(minutes=30),
        "shop.cart.abandoned": began + RULES.abandon_after,
        "shop.order.paid": paid_at,
    }
    assert told == (own if restored else now)
