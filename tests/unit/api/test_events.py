"""The feed out, and the shop's own event types in."""

import pytest

from hub.model import Event
from tests.unit.api.conftest import problem

POINTS = {"type": "loyalty.points_changed", "data": {"points": 5, "why": "birthday"}}


async def send(door, body=POINTS, key="e1"):
    return await door.post("/v1/events", body, key=key)


async def feed(door, query=""):
    answer = await door.get(f"/v1/events{query}")
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_an_event_of_a_declared_type_is_taken_and_routed(door, store):
    routed = []
    store.use(lambda event, now: routed.append(event) or [])
    answer = await send(door)
    body = await answer.json()
    assert answer.status == 201
    assert (body["type"], body["origin"]) == ("loyalty.points_changed", "live")
    assert body["data"] == POINTS["data"]
    assert body["causation"] == answer.headers["X-Request-Id"]
    assert [event.id for event in routed] == [body["id"]]
    assert (await feed(door))["items"] == [body]


async def test_the_same_event_twice_is_once(door):
    await send(door)
    assert (await send(door)).headers["Idempotent-Replayed"] == "true"
    assert len((await feed(door))["items"]) == 1


BAD = [
    ({"type": "loyalty.unheard_of", "data": {}}, "/type", "undeclared"),
    ({"type": "shop.order.paid", "data": {}}, "/type", "undeclared"),  # ours are not for others
    (POINTS | {"data": {"points": "5"}}, "/data/points", "type"),
    (POINTS | {"data": {"points": -1}}, "/data/points", "minimum"),
    (POINTS | {"data": {}}, "/data", "required"),
    (POINTS | {"data": {"points": 1, "more": 1}}, "/data", "additionalProperties"),
    (POINTS | {"data": []}, "/data", "dict_type"),
    ({"type": "loyalty.circular", "data": {"a": 1}}, "/data", "circular"),
    (POINTS | {"origin": "replay"}, "/origin", "literal_error"),
    (POINTS | {"id": "evt_1"}, "/id", "extra_forbidden"),
    ({"type": "loyalty.points_changed"}, "/data", "missing"),
]


@pytest.mark.parametrize(("body", "pointer", "code"), BAD)
async def test_what_breaks_its_schema_is_named(door, body, pointer, code):
    told = await problem(await send(door, body), "validation_error")
    assert (pointer, code) in [(fault["pointer"], fault["code"]) for fault in told["errors"]]


async def test_a_broken_schema_repeats_nothing_that_was_sent(door):
    told = await problem(
        await send(door, POINTS | {"data": {"points": "canary", "why": 5}}), "validation_error"
    )
    assert "canary" not in str(told)


async def test_the_feed_leads_on_and_waits_at_its_end(door):
    for n in range(3):
        await send(door, POINTS | {"data": {"points": n}}, key=f"e{n}")
    first = await feed(door, "?limit=2")
    rest = await feed(door, f"?limit=2&after={first['next']}")
    points = [event["data"]["points"] for event in first["items"] + rest["items"]]
    assert points == [0, 1, 2]
    end = await feed(door, f"?after={rest['next']}")
    assert end["items"] == []
    await send(door, POINTS | {"data": {"points": 9}}, key="e9")
    new = await feed(door, f"?after={end['next']}")
    assert [event["data"]["points"] for event in new["items"]] == [9]


async def test_the_feed_holds_types_asked_for_and_never_a_providers(door, store, clock):
    raw = Event(type="stripe.charge.succeeded", connector="stripe", at=clock.now(), data={"s": 1})
    await store.write(lambda tx: tx.emit(raw))
    await door.post("/v1/products", {"title": "Mug"})
    await send(door)
    types = [event["type"] for event in (await feed(door))["items"]]
    assert types == ["shop.product.created", "loyalty.points_changed"]
    for asked, found in (("shop.*", types[:1]), ("loyalty.points_changed", types[1:])):
        body = await feed(door, f"?types={asked}")
        assert [event["type"] for event in body["items"]] == found
    await problem(await door.get("/v1/events?types=stripe.*"), "validation_error")


async def test_the_feed_can_follow_one_thing(door):
    made = await (await door.post("/v1/products", {"title": "Mug"})).json()
    await door.post("/v1/products", {"title": "Cup"})
    body = await feed(door, f"?aggregate={made['id']}")
    assert [event["data"]["product"]["title"] for event in body["items"]] == ["Mug"]
