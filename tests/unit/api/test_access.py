"""Keys and roles: nobody gets in by default, and the matrix is the route table's."""

import re
from pathlib import Path

import pytest

from hub.api.app import ENDPOINTS
from hub.api.endpoint import PUBLIC
from store import keys
from tests.unit.api.conftest import Door, problem


def filled(path):
    return "/v1" + re.sub(r"\{\w+\}", "none", path)


ROUTES = [pytest.param(e, id=f"{e.method} {e.path}") for e in ENDPOINTS]


@pytest.mark.parametrize("role", keys.ROLES)
@pytest.mark.parametrize("endpoint", ROUTES)
async def test_a_role_passes_where_the_table_says_so_and_nowhere_else(doors, endpoint, role):
    answer = await doors[role].send(endpoint.method, filled(endpoint.path))
    if endpoint.may == PUBLIC:
        await problem(answer, "unsupported_media_type")  # anybody is let in
    elif role not in endpoint.may:
        await problem(answer, "forbidden")
    elif endpoint.takes is not None:
        await problem(answer, "unsupported_media_type")  # let in: the next step says no
    elif "{" in endpoint.path or endpoint.path == "/config":  # this door has none to show
        await problem(answer, "not_found")
    else:
        assert answer.status == 200


@pytest.mark.parametrize("endpoint", ROUTES)
async def test_without_a_key_nothing_is_answered(client, endpoint):
    answer = await client.request(endpoint.method, filled(endpoint.path))
    if endpoint.may == PUBLIC:
        await problem(answer, "unsupported_media_type")
    else:
        await problem(answer, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


WRITERS = {
    "POST /events": {"admin", "shop"},
    "POST /payments/{id}/refunds": {"admin", "shop", "support"},
}


def test_readers_never_write_and_the_shop_sees_no_jobs():
    for endpoint in ENDPOINTS:
        if endpoint.may == PUBLIC:
            continue
        assert set(endpoint.may) <= set(keys.ROLES)
        assert "admin" in endpoint.may
        assert endpoint.method == "GET" or "readonly" not in endpoint.may
        assert not endpoint.path.startswith("/jobs") or "shop" not in endpoint.may


BAD = ["", "Bearer", "Bearer ", "Basic abc", "Bearer hub_admin_none", "Bearer " + "x" * 300]


@pytest.mark.parametrize("sent", BAD)
async def test_what_is_no_key_is_401(client, sent):
    await problem(
        await client.get("/v1/events", headers={"Authorization": sent}), "unauthenticated"
    )


async def test_a_key_of_odd_bytes_is_401(client):
    sent = {"Authorization": "Bearer h\u00fcb"}
    await problem(await client.get("/v1/events", headers=sent), "unauthenticated")


async def test_a_key_is_shown_once_and_stored_as_its_hash(store, url):
    told = await store.write(lambda tx: keys.create_key(tx, "shop", "the till"))
    assert told["key"].startswith("hub_shop_")
    assert len(told["key"]) >= len("hub_shop_") + 43  # 256 bits
    async with store.read() as connection:
        (kept,) = await keys.list_keys(connection)
        assert (kept.id, kept.role, kept.title) == (told["id"], "shop", "the till")
        assert await keys.find_key(connection, told["key"]) == kept
    file = Path(url.removeprefix("sqlite:///"))
    on_disk = [part.read_bytes() for part in file.parent.glob("hub.db*")]
    assert any(told["id"].encode() in part for part in on_disk)
    assert not any(told["key"].encode() in part for part in on_disk)


async def test_an_unknown_role_gets_no_key(store):
    with pytest.raises(Exception, match="no role 'root'"):
        await store.write(lambda tx: keys.create_key(tx, "root"))


async def test_a_revoked_key_ends_at_once(client, store):
    told = await store.write(lambda tx: keys.create_key(tx, "admin"))
    door = Door(client, told["key"])
    assert (await door.get("/v1/events")).status == 200
    assert await store.write(lambda tx: keys.revoke_key(tx, told["id"]))
    assert not await store.write(lambda tx: keys.revoke_key(tx, told["id"]))
    await problem(await door.get("/v1/events"), "unauthenticated")


async def test_the_last_use_is_noted_once_a_minute(client, store, clock):
    told = await store.write(lambda tx: keys.create_key(tx, "admin"))
    door = Door(client, told["key"])

    async def seen():
        await door.get("/v1/events")
        async with store.read() as connection:
            return (await keys.list_keys(connection))[0].last_used_at

    first = await seen()
    assert first == clock.now()
    clock.advance(59)
    assert await seen() == first
    clock.advance(1)
    assert await seen() == clock.now()
