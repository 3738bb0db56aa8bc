"""Guard rails G1, G3 and G5 of the shop, on both stores; most others: tests/e2e.

All twelve, and where each is tested: docs/guarantees.md.
"""

import asyncio
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import event, select

from hub.errors import NotStored
from hub.shop.facts import RecordPayment
from hub.shop.payments import record_payment
from hub.shop.rules import ShopRules
from hub.shop.verify import drifted_orders
from store import catalog_schema, schema, shop_checks, shop_schema, verify
from store.money_schema import payment_facts, payments
from tests.unit.api.test_shopping import CART, ELSEWHERE, MUG, SECRET, complete

WRITTEN = (
    shop_schema.orders, shop_schema.order_lines, shop_schema.reservations,
    catalog_schema.stock, shop_schema.carts, shop_schema.customers, payments, schema.idempotency,
    schema.events, schema.jobs, schema.job_keys, schema.audit,
)  # fmt: skip
EUR = {"currency": "EUR"}
FACTS = {
    "created": {"fact": "action_required"},
    "processing": {"fact": "pending"},
    "succeeded": {"fact": "captured", "amount": 500, **EUR},
    "refunded": {"fact": "refunded", "amount": 200, **EUR},
}


class Cut(NotStored):
    """Power is gone; told as any store that cannot commit."""


@pytest.fixture
def url(store_url):
    """Have every test of this file on both stores."""
    return store_url


@pytest.fixture
async def cart(door):
    assert (await door.post("/v1/products", MUG)).status == 201
    return await (await door.post("/v1/carts", CART)).json()


async def everything(store):
    """Give every row that making an order writes."""
    async with store.read() as connection:
        rows = {t.name: (await connection.execute(select(t))).all() for t in WRITTEN}
    return {name: sorted(map(repr, found)) for name, found in rows.items()}


async def hold(store):
    """Check every stored invariant."""
    async with store.read() as connection:
        checks = await verify.verify(connection, (*verify.CHECKS, *shop_checks.CHECKS))
    assert [one["name"] for one in checks if one["broken"]] == []
    assert await store.look(lambda tx: list(drifted_orders(tx))) == []


def cut_at(store, monkeypatch, number):
    """Let the n-th statement of the next change fail, before it is run; give how many there were.

    Later changes of the same call only keep its answer.
    """
    change, seen = store.change, [0]

    def work_until(work, tx, item):
        def count(*_):
            seen[0] += 1
            if seen[0] == number:
                raise Cut("power is gone")

        event.listen(tx.connection, "before_cursor_execute", count)
        try:
            return work(tx, item)
        finally:
            event.remove(tx.connection, "before_cursor_execute", count)

    def changed(work, item):
        monkeypatch.setattr(store, "change", change)
        return change(lambda tx, it: work_until(work, tx, it), item)

    monkeypatch.setattr(store, "change", changed)
    return seen


async def test_g1_an_order_cut_at_any_statement_leaves_nothing(door, cart, store, monkeypatch):
    before = await everything(store)
    for number in range(1, 200):
        with monkeypatch.context() as patch:
            seen = cut_at(store, patch, number)
            answer = await complete(door, cart)
        if seen[0] < number:  # it was never cut: all of it is there
            break
        assert answer.status == 503
        assert await everything(store) == before, number
    assert number > 25
    assert answer.status == 201
    after = await everything(store)
    grown = {name for name in after if len(after[name]) > len(before[name])}
    assert grown >= {
        "orders", "order_lines", "reservations", "payments", "idempotency", "events", "jobs",
    }  # fmt: skip
    again = await complete(door, cart)
    assert again.headers["Idempotent-Replayed"] == "true"
    await hold(store)


async def test_g3_two_requests_with_one_key_at_once_are_one_order(door, cart, store, provider):
    provider.answers = [SECRET]
    answers = await asyncio.gather(*(complete(door, cart, key="one") for _ in range(2)))
    made = [answer for answer in answers if "Idempotent-Replayed" not in answer.headers]
    assert sorted(answer.status for answer in answers) in ([201, 201], [201, 409])
    assert len([answer for answer in made if answer.status == 201]) == 1
    async with store.read() as connection:
        assert len((await connection.execute(select(shop_schema.orders))).all()) == 1
    await hold(store)


async def test_g5_four_facts_in_all_24_orders_come_to_one_state(door, store, provider):
    found = set()
    for number, order in enumerate(permutations(FACTS)):
        body = ELSEWHERE | {"external_ref": f"S-{number}"}
        made = await (await door.post("/v1/orders", body, key=f"o{number}")).json()
        for name in (*order, *order):
            at = list(FACTS).index(name)
            more = {**FACTS[name], "ref": f"{name}_{number}", "order": made["id"]}
            await told(store, number, at, more)
        shown = await (await door.get(f"/v1/orders/{made['id']}")).json()
        found.add((
            shown["lifecycle"], shown["payment_status"], shown["captured"]["amount"],
            shown["refunded"]["amount"],
        ))  # fmt: skip
    assert found == {("placed", "partially_refunded", 500, 200)}
    async with store.read() as connection:
        assert len((await connection.execute(select(payment_facts))).all()) == 24 * 4
    await hold(store)


async def told(store, number, at, more):
    """Let the provider say something of its payment of this number, so many seconds later."""
    when = store.clock.now() + timedelta(seconds=at)
    item = RecordPayment(connector="pay", payment=f"pi_{number}", occurred_at=when, **more)
    await store.change(lambda tx, it: record_payment(tx, it, ShopRules()), item)
