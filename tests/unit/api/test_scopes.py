"""Scopes keep a key to some resources, and never give it more than its role may."""

import pytest

from hub.errors import HubError
from store import keys
from tests.unit.api.conftest import Door, problem

CART = {"currency": "EUR", "email": "a@example.com", "lines": []}


@pytest.fixture
def keyed(client, store):
    async def make(role: str, *scopes: str) -> Door:
        told = await store.write(lambda tx: keys.create_key(tx, role, scopes=scopes))
        return Door(client, told["key"])

    return make


async def test_a_key_reaches_what_its_scopes_name_and_no_more(keyed) -> None:
    door = await keyed("shop", "orders:read", "events")
    assert (await door.get("/v1/orders")).status == 200
    assert (await door.get("/v1/events")).status == 200
    told = await problem(await door.post("/v1/orders", {}, key="k"), "forbidden")
    assert told["detail"] == "the key is kept to: orders:read, events"
    await problem(await door.post("/v1/carts", CART), "forbidden")
    await problem(await door.get("/v1/payments/pay_1"), "forbidden")
    await problem(
        await door.post("/v1/events", {"type": "x", "data": {}}, key="k"), "validation_error"
    )


async def test_a_scope_gives_no_more_than_the_role(keyed) -> None:
    await problem(await (await keyed("shop", "jobs")).get("/v1/jobs"), "forbidden")
    await problem(await (await keyed("readonly", "carts")).post("/v1/carts", CART), "forbidden")


@pytest.mark.parametrize("scope", ["", "Orders", "orders:write", "orders read", "*", "a"])
async def test_what_is_no_scope_makes_no_key(store, scope) -> None:
    with pytest.raises(HubError, match="is no scope"):
        await store.write(lambda tx: keys.create_key(tx, "shop", scopes=(scope,)))
    async with store.read() as connection:
        assert await keys.list_keys(connection) == []
