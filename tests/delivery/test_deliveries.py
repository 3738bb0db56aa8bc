"""Our webhooks out, by a real worker to real servers, on both stores."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import svix.webhooks
from standardwebhooks.webhooks import Webhook as Oracle
from standardwebhooks.webhooks import WebhookVerificationError

from hub.errors import Refused
from hub.model import read_json
from hub.subscribers import SigningKey
from store import deliveries as stored
from store import reads, subscribers
from tests.delivery.conftest import Receiver, secret

ORACLES = (Oracle, svix.webhooks.Webhook)


def verifies(sent, *letters):
    """Say which of the secrets both libraries accept a delivery with."""
    headers, body = sent
    good = []
    for letter in letters:
        try:
            for oracle in ORACLES:
                oracle(secret(letter).text()).verify(body, headers)
        except WebhookVerificationError:
            continue
        good.append(letter)
    return good


async def test_a_delivery_carries_what_the_feed_gives_and_both_libraries_verify_it(node, receiver):
    await node.subscribe("we_1", receiver.url)
    event = await node.emit()
    await node.quiet()
    [(headers, body)] = receiver.seen
    assert verifies((headers, body), "a", "b") == ["a"]
    assert headers["webhook-id"] == event.id
    assert headers["content-type"] == "application/json"
    async with node.store.read() as connection:
        found = await reads.one_event(connection, event.id, node.store.cipher)
    assert read_json(body) == found
    assert await node.states("we_1") == ["done"]


async def test_a_time_of_another_zone_is_told_as_the_feed_tells_it(node, receiver):
    await node.subscribe("we_1", receiver.url)
    zone = (await node.emit()).at.astimezone().tzinfo
    made = replace(await node.emit(), id="", at=node.clock.now().astimezone(zone))
    event = await node.store.write(lambda tx: tx.emit(made))
    await node.quiet()
    async with node.store.read() as connection:
        found = await reads.one_event(connection, event.id, node.store.cipher)
    bodies = {headers["webhook-id"]: read_json(body) for headers, body in receiver.seen}
    assert bodies[event.id] == found


async def test_only_wanted_types_and_origins_are_delivered(here, receiver):
    await here.subscribe("we_1", receiver.url, types=("shop.order.paid", "shop.cart.*"))
    wanted = [
        await here.emit("shop.order.paid"),
        await here.emit("shop.cart.created"),
        await here.emit("shop.order.paid", origin="backfill"),
    ]
    await here.emit("shop.order.placed")
    await here.emit("shop.carts.created")
    await here.emit("shop.order.paid", origin="import")
    await here.emit("shop.order.paid", origin="replay")
    await here.quiet()
    assert sorted(receiver.taken) == sorted(event.id for event in wanted)


async def test_the_event_and_its_deliveries_are_one_commit(node, receiver):
    await node.subscribe("we_1", receiver.url)

    def half(tx):
        event = tx.emit(replace_event(node))
        raise Refused("invalid_transition", event.id)

    with pytest.raises(Refused):
        await node.store.change(lambda tx, _: half(tx), None)
    await node.quiet()
    assert receiver.seen == []
    assert await node.listed("we_1") == []


def replace_event(node):
    from hub.model import Event  # noqa: PLC0415

    return Event(type="shop.order.paid", at=node.clock.now(), data={})


async def test_who_subscribes_in_a_commit_hears_of_what_follows_in_it(node, receiver):
    """On SQLite one transaction holds many units: what one has read is not what the next sees."""
    before = asyncio.create_task(node.emit(about="before"))
    added = asyncio.create_task(node.subscribe("we_1", receiver.url))
    after = asyncio.create_task(node.emit(about="after"))
    await asyncio.gather(before, added)
    last = await node.emit(about="last")
    await after
    await node.quiet()
    assert last.id in receiver.taken
    assert before.result().id not in receiver.taken


@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 401, 403, 404, 422, 500, 502])
async def test_whatever_is_no_2xx_is_tried_again_under_the_same_id(here, receiver, status):
    receiver.answers = [(status, {"Location": receiver.url})]
    await here.subscribe("we_1", receiver.url)
    event = await here.emit()
    await here.quiet()
    assert await here.states("we_1") == ["ready"]
    await here.pass_time(60, steps=6)
    ids = {headers["webhook-id"] for headers, _ in receiver.seen}
    stamps = [headers["webhook-timestamp"] for headers, _ in receiver.seen]
    assert (ids, len(receiver.seen)) == ({event.id}, 2)
    assert stamps[0] != stamps[1]  # the time is the attempt's
    assert receiver.seen[0][1] == receiver.seen[1][1]
    assert await here.states("we_1") == ["done"]


@pytest.mark.parametrize("status", [429, 503, 500, 400])
async def test_retry_after_is_heeded(here, receiver, status):
    receiver.answers = [(status, {"Retry-After": "900"})]
    await here.subscribe("we_1", receiver.url)
    await here.emit()
    await here.quiet()
    await here.pass_time(890, steps=4)
    assert len(receiver.seen) == 1
    await here.pass_time(120, steps=4)
    assert await here.states("we_1") == ["done"]


@pytest.mark.parametrize("answer", [410, (500, {"Webhook-Delivery": "disable"})])
async def test_a_receiver_that_wants_no_more_is_disabled_and_nothing_is_lost(
    node, receiver, answer, capsys
):
    receiver.answers = [answer]
    await node.subscribe("we_1", receiver.url)
    events = [await node.emit()]
    await node.quiet()
    kept = await node.kept("we_1")
    assert kept.disabled_at is not None
    assert "wants no more" in kept.disabled_reason
    events += [await node.emit(about=f"ord_{n}") for n in range(5)]
    await node.pass_time(3600, steps=4)
    assert len(receiver.seen) == 1
    assert set(await node.states("we_1")) == {"ready"}
    await node.store.write(lambda tx: subscribers.enable(tx, "we_1", by="test"))
    await node.quiet()
    await node.pass_time(120, steps=4)
    assert sorted(receiver.taken) == sorted(event.id for event in events)
    assert set(await node.states("we_1")) == {"done"}


async def test_a_receiver_may_abort_one_message(here, receiver):
    receiver.answers = [(500, {"webhook-delivery": "abort-message"})]
    await here.subscribe("we_1", receiver.url)
    aborted, taken = await here.emit(), await here.emit(about="ord_2")
    await here.quiet()
    told = {one["event"]: one for one in await here.listed("we_1")}
    assert {e.id: told[e.id]["state"] for e in (aborted, taken)} in (
        {aborted.id: "skipped", taken.id: "done"},
        {aborted.id: "done", taken.id: "skipped"},
    )
    assert any("wants this message no more" in (one["error"] or "") for one in told.values())


async def test_a_rotation_loses_nothing_and_both_keys_sign_until_it_is_over(node, receiver):
    to = await node.subscribe("we_1", receiver.url)
    await node.emit()
    await node.quiet()
    until = node.clock.now() + timedelta(seconds=100)
    keys = (SigningKey(secret=secret("b")), SigningKey(secret=secret("a"), until=until))
    await node.store.write(lambda tx: subscribers.change(tx, replace(to, keys=keys)))
    await node.emit()
    await node.quiet()
    await node.pass_time(101)
    await node.emit()
    await node.quiet()
    assert [verifies(sent, "a", "b", "c") for sent in receiver.seen] == [["a"], ["a", "b"], ["b"]]
    assert await node.states("we_1") == ["done"] * 3


async def test_a_subscriber_that_was_down_gets_all_in_order_and_slows_no_other(node, receiver):
    async with Receiver() as other:
        await node.subscribe("we_1", receiver.url, ordered="all")
        await node.subscribe("we_2", other.url, ordered="all")
        receiver.down = True
        events = []
        for hour in range(6):
            events += [await node.emit(about=f"ord_{hour}_{n}") for n in range(10)]
            await node.quiet()
            assert other.taken == [event.id for event in events]  # at once, each hour
            await node.pass_time(3600, steps=3)
        assert receiver.taken == []
        receiver.down = False
        await node.pass_time(6 * 3600, steps=24)
    assert receiver.taken == [event.id for event in events]
    assert await node.states("we_1") == ["done"] * 60
    assert (await node.kept("we_1")).failing_since is None


async def test_without_order_what_was_missed_comes_soon_after_the_first_success(here, receiver):
    await here.subscribe("we_1", receiver.url)
    receiver.down = True
    events = [await here.emit(about=f"ord_{n}") for n in range(20)]
    await here.pass_time(8 * 3600, steps=24)
    receiver.down = False
    events.append(await here.emit(about="fresh"))
    await here.pass_time(600, steps=10)
    assert sorted(receiver.taken) == sorted(event.id for event in events)


async def test_of_each_aggregate_the_order_is_kept(here, receiver):
    receiver.gate = asyncio.Event()
    await here.subscribe("we_1", receiver.url, ordered="aggregate")
    events = [await here.emit(about=f"ord_{n % 3}") for n in range(12)]
    await here.until(lambda: len(receiver.seen) == 3)  # one of each at a time
    receiver.gate.set()
    await here.quiet()
    about = {event.id: event.aggregate.id for event in events}
    for order in ("ord_0", "ord_1", "ord_2"):
        told = [ident for ident in receiver.taken if about[ident] == order]
        assert told == [event.id for event in events if event.aggregate.id == order]


async def test_one_that_hangs_takes_none_of_the_others_slots(here, receiver):
    receiver.gate = asyncio.Event()
    async with Receiver() as other:
        await here.subscribe("we_1", receiver.url)
        await here.subscribe("we_2", other.url)
        for n in range(10):
            await here.emit(about=f"ord_{n}")
        await here.until(lambda: len(other.taken) == 10)
        assert len(receiver.seen) == 4  # its own slots
        receiver.gate.set()
        await here.quiet()
    assert len(receiver.taken) == 10


async def test_days_of_failure_disable_it_and_what_waits_is_kept(node, receiver):
    await node.subscribe("we_1", receiver.url)
    receiver.down = True
    await node.emit()
    await node.quiet()
    await node.pass_time(4 * 86_400, steps=12)
    await node.deliveries.review()
    assert (await node.kept("we_1")).disabled_at is None
    await node.pass_time(2 * 86_400, steps=6)
    await node.deliveries.review()
    kept = await node.kept("we_1")
    assert kept.disabled_reason == "nothing was taken for 5 days, 0:00:00"
    receiver.down = False
    await node.pass_time(86_400, steps=4)
    assert await node.states("we_1") == ["ready"]
    await node.store.write(lambda tx: subscribers.enable(tx, "we_1", by="test"))
    await node.pass_time(86_400, steps=8)
    assert await node.states("we_1") == ["done"]


async def test_what_is_kept_too_long_for_one_that_is_disabled_is_let_go(here, receiver):
    await here.subscribe("we_1", receiver.url)
    await here.store.write(lambda tx: subscribers.disable(tx, "we_1", reason="x", by="test"))
    await here.emit()
    await here.pass_time(31 * 86_400)
    await here.deliveries.review()
    [told] = await here.listed("we_1")
    assert (told["state"], told["error"]) == ("skipped", "endpoint gone")


async def test_the_deliveries_of_one_that_is_gone_are_skipped(node, receiver):
    await node.subscribe("we_1", receiver.url)
    await node.store.write(lambda tx: subscribers.disable(tx, "we_1", reason="x", by="test"))
    await node.emit()
    await node.store.write(lambda tx: subscribers.remove(tx, "we_1"))
    await node.quiet()
    [told] = await node.listed("we_1")
    assert (told["state"], told["error"]) == ("skipped", "endpoint gone")
    assert receiver.seen == []


async def test_a_new_url_gets_what_waits(here, receiver):
    to = await here.subscribe("we_1", receiver.url)
    receiver.answers = [500]
    await here.emit()
    await here.quiet()
    async with Receiver() as moved:
        new = replace(to, url=moved.url)
        await here.store.write(lambda tx: subscribers.change(tx, new))
        await here.pass_time(60, steps=6)
        assert len(moved.taken) == 1
    assert len(receiver.seen) == 1


async def test_events_from_before_it_subscribed_are_recovered_once(node, receiver):
    missed = [await node.emit(about=f"ord_{n}") for n in range(3)]
    to = await node.subscribe("we_1", receiver.url)
    taken = await node.emit(about="ord_9")
    await node.quiet()
    idents = [event.id for event in (*missed, taken)]
    for expected in (3, 0):
        count = await node.store.write(
            lambda tx: stored.recover(tx, to, idents, by="test", everything=False)
        )
        assert count == expected
        await node.quiet()
    assert sorted(receiver.taken) == sorted(idents)
    again = await node.store.write(
        lambda tx: stored.recover(tx, to, idents, by="test", everything=True)
    )
    assert again == 4
    await node.quiet()
    assert sorted(receiver.taken) == sorted(idents * 2)


async def test_a_dead_delivery_is_recovered_and_one_by_one_tried_again(here, receiver):
    to = await here.subscribe("we_1", receiver.url)
    receiver.down = True
    event = await here.emit()
    await here.pass_time(9 * 86_400, steps=60)
    assert await here.states("we_1") == ["dead"]
    receiver.down = False
    await here.store.write(
        lambda tx: stored.recover(tx, to, [event.id], by="test", everything=False)
    )
    await here.pass_time(120, steps=4)
    [told] = await here.listed("we_1")
    assert told["state"] == "done"
    uid = await here.store.write(lambda tx: stored.again(tx, to, told["id"], by="test"))
    await here.quiet()
    assert uid != told["id"]
    assert receiver.taken == [event.id, event.id]
