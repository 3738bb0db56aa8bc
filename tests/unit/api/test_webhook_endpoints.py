"""/v1/webhook-endpoints: made, changed, rotated, disabled, replayed; its secret shown once."""

import pytest

from hub.model import Event
from hub.secrets import Secret
from hub.subscribers import account_of
from store.reads import one_job
from tests.unit.api.conftest import problem
from webhooks.deliver import check_key

HOOK = {"url": "https://wms.example.com/hook", "types": ["shop.order.*"], "ordered": True}
PLACE = "/v1/webhook-endpoints"
ANY = {"If-Match": "*"}


async def made(door, **more):
    answer = await door.post(PLACE, HOOK | more)
    assert answer.status == 201, await answer.text()
    return await answer.json()


async def told(answer, status=200):
    assert answer.status == status, await answer.text()
    return await answer.json()


def emitted(store, about="ord_1"):
    def emit(tx):
        return tx.emit(Event(type="shop.order.paid", at=tx.now, data={"order": {"id": about}}))

    return store.write(emit)


async def test_its_secret_is_shown_once(door, store):
    body = await made(door)
    check_key(Secret(body["secret"]))
    assert (body["ordered"], body["enabled"], body["managed"]) == ("aggregate", True, "api")
    one = await told(await door.get(f"{PLACE}/{body['id']}"))
    listed = await told(await door.get(PLACE))
    assert listed["items"] == [one]
    assert {k: v for k, v in body.items() if k != "secret"} == {
        k: v for k, v in one.items() if k != "secret"
    }
    assert one.get("secret") is None


async def test_the_same_call_again_makes_no_second_and_shows_the_same_secret(door):
    first = await (await door.post(PLACE, HOOK, key="k1")).json()
    again = await door.post(PLACE, HOOK, key="k1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await again.json() == first
    assert len((await told(await door.get(PLACE)))["items"]) == 1


REFUSED = ["http://wms.example.com/x", "https://127.0.0.1/x", "https://[::1]/", "https://hub/",
           "https://169.254.169.254/latest", "https://wms.example.com:25/", "https://2130706433/",
           "https://user:pw@wms.example.com/"]  # fmt: skip


@pytest.mark.parametrize("target", REFUSED)
async def test_a_url_the_guard_refuses_is_422_in_both_ways(door, target):
    await problem(await door.post(PLACE, HOOK | {"url": target}), "url_not_allowed")
    body = await made(door)
    there = f"{PLACE}/{body['id']}"
    answer = await door.send("PATCH", there, json={"url": target}, headers=ANY)
    await problem(answer, "url_not_allowed")
    assert (await told(await door.get(there)))["url"] == HOOK["url"]


@pytest.mark.parametrize("name", ["stripe.charge.refunded", "shop", "orders.*", "*"])
async def test_a_type_the_feed_does_not_have_is_refused(door, name):
    await problem(await door.post(PLACE, HOOK | {"types": [name]}), "validation_error")


async def test_an_own_type_and_an_own_secret_are_taken(door):
    secret = "whsec_" + "QUJD" * 8
    body = await made(door, types=["loyalty.points_changed"], secret=secret)
    assert body["secret"] == secret


@pytest.mark.parametrize("weak", ["whsec_", "whsec_QUJD", "x" * 40, "whpk_" + "QUJD" * 8])
async def test_a_weak_secret_is_refused(door, weak):
    await problem(await door.post(PLACE, HOOK | {"secret": weak}), "validation_error")


async def test_a_change_names_the_version_it_read(door):
    body = await made(door)
    there = f"{PLACE}/{body['id']}"
    change = {"types": ["shop.cart.*"], "ordered": "all", "description": "carts"}
    await problem(await door.send("PATCH", there, json=change), "precondition_required")
    changed = await told(await door.send("PATCH", there, json=change, headers={"If-Match": '"1"'}))
    assert (changed["types"], changed["ordered"]) == (["shop.cart.*"], "all")
    assert changed["url"] == HOOK["url"]
    answer = await door.send("PATCH", there, json=change, headers={"If-Match": '"1"'})
    await problem(answer, "version_conflict")


async def test_a_rotation_shows_a_new_secret_and_both_sign_meanwhile(door, store, clock):
    from store import subscribers  # noqa: PLC0415

    body = await made(door)
    turned = await told(await door.post(f"{PLACE}/{body['id']}/rotate-secret", {"overlap": 60}))
    assert turned["secret"] != body["secret"]

    async def signing():
        to = await store.look(lambda tx: subscribers.find(tx, body["id"]))
        return [key.text() for key in to.signing(clock.now())]

    assert await signing() == [turned["secret"], body["secret"]]
    clock.advance(60)
    assert await signing() == [turned["secret"]]


async def test_v1a_shows_its_public_key_and_stays_v1a(door):
    body = await made(door, asymmetric=True)
    assert body["secret"].startswith("whsk_")
    [public] = body["public_keys"]
    turned = await told(await door.post(f"{PLACE}/{body['id']}/rotate-secret", {}))
    assert turned["secret"].startswith("whsk_")
    assert turned["public_keys"][1] == public


async def test_disabled_it_keeps_what_happens_and_enabled_goes_on(door, store):
    body = await made(door)
    there = f"{PLACE}/{body['id']}"
    off = await told(await door.post(f"{there}/disable", {"note": "moving"}))
    assert (off["enabled"], off["disabled_reason"]) == (False, "moving")
    event = await emitted(store)
    [one] = (await told(await door.get(f"{there}/deliveries")))["items"]
    assert (one["event"], one["state"], one["type"]) == (event.id, "ready", "shop.order.paid")
    on = await told(await door.post(f"{there}/enable", {}))
    assert (on["enabled"], on["disabled_reason"]) == (True, None)
    await told(await door.post(f"{there}/enable", {}))  # twice is once


async def test_deleted_it_is_gone(door, store):
    body = await made(door)
    there = f"{PLACE}/{body['id']}"
    assert await told(await door.send("DELETE", there)) == {"id": body["id"], "deleted": True}
    await problem(await door.get(there), "not_found")
    await problem(await door.send("DELETE", there), "not_found")
    await emitted(store)
    assert (await told(await door.get(PLACE)))["items"] == []


async def test_a_test_event_goes_to_it_alone_and_into_the_feed(door, store):
    body, other = await made(door), await made(door)
    tried = await told(await door.post(f"{PLACE}/{body['id']}/test", {}), 202)
    feed = await told(await door.get("/v1/events?types=hub.*"))
    assert [event["id"] for event in feed["items"]] == [tried["event"]]
    async with store.read() as connection:
        job = await one_job(connection, tried["delivery"], store.cipher)
    assert job["payload"] == feed["items"][0]
    listed = await told(await door.get(f"{PLACE}/{other['id']}/deliveries"))
    assert listed["items"] == []


async def test_a_replay_makes_what_was_missed_in_pages(door, store, clock):
    events = [await emitted(store, f"ord_{n}") for n in range(5)]
    await store.write(lambda tx: tx.emit(Event(type="shop.cart.created", at=tx.now, data={})))
    clock.advance(1)
    body = await made(door)
    there = f"{PLACE}/{body['id']}"
    asked = {"from": "2020-01-01T00:00:00Z"}
    answer = await told(await door.post(f"{there}/replay", asked), 202)
    assert answer == {"events": 5, "deliveries": 5, "go_on_from": None}
    again = await told(await door.post(f"{there}/replay", asked), 202)
    assert again["deliveries"] == 0
    first = await told(await door.get(f"{there}/deliveries?limit=3"))
    rest = await told(await door.get(f"{there}/deliveries?limit=3&after={first['next']}"))
    listed = [one["event"] for one in (*first["items"], *rest["items"])][::-1]
    assert listed == [event.id for event in events]
    assert rest["next"] is None
    await problem(
        await door.post(f"{there}/replay", asked | {"to": "2019-01-01T00:00:00Z"}),
        "validation_error",
    )


async def test_a_delivery_under_way_or_unknown_is_not_tried_again(door, store):
    body = await made(door)
    there = f"{PLACE}/{body['id']}/deliveries"
    await emitted(store)
    [one] = (await told(await door.get(there)))["items"]
    await problem(await door.post(f"{there}/{one['id']}/retry", {}), "invalid_transition")
    await problem(await door.post(f"{there}/job_none/retry", {}), "not_found")


async def test_one_shop_key_reads_no_other_account_s_deliveries(door, store):
    assert account_of("we_1") == "webhook/we_1"
    await problem(await door.get(f"{PLACE}/stripe/deliveries"), "not_found")
