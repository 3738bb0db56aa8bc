"""One key, one effect: at once, again, with another body, and after the process is gone."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import text

from hub.api.app import api_app
from hub.api.endpoint import Api
from store import idempotency, keys
from store.store import Store
from tests.unit.api.conftest import Door, problem

MUG = {"title": "Mug", "variants": [{"sku": "MUG", "prices": [{"amount": 990, "currency": "EUR"}]}]}


async def count(store, table):
    async with store.read() as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()


async def test_the_same_call_again_is_replayed_word_for_word(door, store):
    first = await door.post("/v1/products", MUG, key="k1")
    again = await door.post("/v1/products", MUG, key="k1")
    assert (first.status, again.status) == (201, 201)
    assert await first.read() == await again.read()
    assert first.headers["ETag"] == again.headers["ETag"] == '"1"'
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await count(store, "products") == 1


async def test_twenty_at_once_are_one_effect(door, store):
    answers = await asyncio.gather(*(door.post("/v1/products", MUG, key="k1") for _ in range(20)))
    assert {answer.status for answer in answers} == {201}
    assert len({(await answer.json())["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 19
    assert await count(store, "events") == 1


async def test_fields_in_another_order_are_the_same_call(door):
    await door.post("/v1/products", MUG, key="k1")
    turned = dict(reversed(MUG.items()))
    again = await door.post("/v1/products", turned, key="k1")
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_quoted_and_bare_are_one_key(door):
    await door.post("/v1/products", MUG, key='"k1"')
    again = await door.post("/v1/products", MUG, key="k1")
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_key_with_another_body_is_422(door, store):
    await door.post("/v1/products", MUG, key="k1")
    other = MUG | {"title": "Cup"}
    await problem(await door.post("/v1/products", other, key="k1"), "idempotency_key_reused")
    assert await count(store, "products") == 1


async def test_two_callers_may_use_the_same_key(doors, store):
    one = await doors["shop"].post("/v1/products", {"title": "Mug"}, key="k1")
    two = await doors["admin"].post("/v1/products", {"title": "Cup"}, key="k1")
    assert (one.status, two.status) == (201, 201)
    assert await count(store, "products") == 2


async def test_a_refusal_keeps_nothing_and_is_worked_out_again(door, store):
    await door.post("/v1/products", MUG)
    await problem(await door.post("/v1/products", MUG, key="k1"), "sku_taken")
    assert await count(store, "idempotency") == 0
    cup = {"title": "Cup"}
    assert (await door.post("/v1/products", cup, key="k1")).status == 201  # the key is still free


async def test_without_a_key_every_call_is_its_own(door, store):
    for _ in range(2):
        assert (await door.post("/v1/products", {"title": "Mug"})).status == 201
    assert await count(store, "products") == 2


@pytest.mark.parametrize("key", ["x" * 256, "a b", 'a"b', "a\\b", '"a'])
async def test_what_is_no_key_is_400(door, key):
    await problem(await door.post("/v1/products", MUG, key=key), "validation_error")


@pytest.mark.parametrize("key", [None, "", '""'])
async def test_a_key_that_must_be_there_and_is_not_is_400(door, key):
    body = {"type": "loyalty.points_changed", "data": {"points": 1}}
    await problem(await door.post("/v1/events", body, key=key), "idempotency_key_missing")


async def test_the_longest_key_is_taken(door):
    assert (await door.post("/v1/products", MUG, key="x" * 255)).status == 201


async def never(met, within):
    return False


async def test_a_new_process_on_the_same_store_replays(url, secret, clock, rules):
    bodies, key = [], None
    for _ in range(2):
        store = await Store.open(url, keys=[secret], clock=clock, served=True)
        key = key or (await store.write(lambda tx: keys.create_key(tx, "shop")))["key"]
        root = web.Application()
        api = Api(store=store, clock=clock, wait_for=never, rules=rules)
        root.add_subapp("/v1", api_app(lambda api=api: api))
        async with TestClient(TestServer(root)) as client:
            answer = await Door(client, key).post("/v1/products", MUG, key="k1")
            bodies.append(await answer.read())
        await store.close()
    assert bodies[0] == bodies[1]
    assert answer.headers["Idempotent-Replayed"] == "true"


async def test_a_kept_answer_lies_sealed(door, store, url):
    await door.post("/v1/products", {"title": "canary-in-a-body"}, key="k1")
    async with store.read() as connection:
        row = (await connection.execute(text("SELECT * FROM idempotency"))).one()
    assert b"canary" not in row.body
    assert b"canary" not in row.headers


async def test_rows_are_forgotten_after_three_days(door, store, clock):
    await door.post("/v1/products", MUG, key="k1")
    clock.advance(72 * 3600)
    assert await store.write(idempotency.forget) == 0
    clock.advance(1)
    assert await store.write(idempotency.forget) == 1
