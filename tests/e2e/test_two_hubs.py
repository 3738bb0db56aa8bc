"""Two hubs with fresh stores on the same providers: each hears of all, and minds its own."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.shop import Shop, until
from tests.e2e.stage import TRACEBACK, Hub, Sandbox
from tests.e2e.told import assert_told_once

SEND = "/v3/mail/send"
Pair = tuple[Shop, Shop]


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Hub]]:
    home = tmp_path_factory.mktemp("two")
    sandbox = Sandbox(home)
    made: list[Hub] = []
    try:
        sandbox.start()
        made += [Hub(home / name, sandbox) for name in ("one", "other")]
        with ThreadPoolExecutor() as pool:
            list(pool.map(Hub.start, made))
        yield made[0], made[1]
        assert [hub.stop() for hub in made] == [0, 0]
        assert TRACEBACK not in "".join(p.said() for p in (sandbox, *made))
    finally:
        for process in (*made, sandbox):
            process.kill()


@pytest.fixture
async def pair(hubs: tuple[Hub, Hub]) -> AsyncIterator[Pair]:
    async with Shop(hubs[0]) as one, Shop(hubs[1]) as other:
        for shop in (one, other):
            await shop.stock("tee", "mug")
        yield one, other
        await one.forget_faults()


async def test_each_tells_its_own_orders_once(pair: Pair) -> None:
    one, other = pair
    mails, tracks = await _told(one)
    mine = [await one.buys("same@example.com", "tee"), await one.buys("mine@example.com", "mug")]
    theirs = [await other.buys("same@example.com", "tee", "mug")]
    for shop, orders in ((one, mine), (other, theirs)):
        for order in orders:
            await assert_told_once(shop, order)
    assert await _told(one) == (mails + 3, tracks + 3)


async def test_orders_of_one_number_are_two_orders(pair: Pair) -> None:
    """Both shops number from 1001 and tell the same external_ref, each with its own payment."""
    made = []
    for shop in pair:
        intent = await shop.stripe("/v1/payment_intents", {"amount": 2900, "currency": "eur"})
        made.append(await shop.make("/v1/orders", _elsewhere(intent["id"])))
        await shop.stripe(f"/_customer/payment_intents/{intent['id']}/pay", {})
    for shop, order in zip(pair, made, strict=True):
        await shop.over(order["id"])
        await until(lambda s=shop: _heard_all(s), "Stripe's webhooks have all come")
        found = await shop.get(f"/v1/orders/{order['id']}")
        assert (found["payment_status"], found["captured"]["amount"]) == ("paid", 2900)
        await assert_told_once(shop, order)


async def test_the_others_payment_is_kept_unmatched_and_mails_nobody(pair: Pair) -> None:
    one, other = pair
    mails, tracks = await _told(one)
    order = await one.buys("foreign@example.com", "tee")
    await until(lambda: _heard_all(other), "the other hub has heard of it")
    intent = order["payments"][0]["provider_ref"]
    seen = "SELECT order_id, captured FROM payments WHERE provider_ref = ?"
    await until(lambda: _rows(other, seen, intent), "the other hub has kept the payment")
    assert other.hub.rows(seen, intent) == [(None, order["total"]["amount"])]
    assert other.hub.rows("SELECT id FROM orders WHERE id = ?", order["id"]) == []
    told = await other.get("/v1/events?types=shop.payment.unmatched&limit=200")
    assert intent in [event["data"]["payment"]["provider_ref"] for event in told["items"]]
    assert await _told(one) == (mails + 1, tracks + 1)


async def test_a_report_settles_the_mail_of_the_hub_that_sent_it(pair: Pair) -> None:
    one, other = pair
    await one.fault("sendgrid", "cut", path=SEND, acted=True, times=2)
    await one.fault("sendgrid", "reorder", times=9, count=9)  # holds the reports back
    orders = []
    for shop, email in ((one, "cut-one@example.com"), (other, "cut-other@example.com")):
        order, payment = await shop.orders(email)
        await shop.pays(payment)
        await shop.job_is(order["id"], "send_template", "uncertain")
        orders.append(order)
    before = [_uncertain(shop) for shop in pair]
    assert [len(jobs) for jobs in before] == [1, 1]
    assert before[0] != before[1]
    await one.release("sendgrid")
    for shop, order in zip(pair, orders, strict=True):
        await shop.job_is(order["id"], "send_template", "done")
        await assert_told_once(shop, order)


async def test_every_webhook_lies_in_both_inboxes(pair: Pair) -> None:
    """The same event id in two stores is new in each: what one has seen the other has not."""
    for shop in pair:
        await until(lambda s=shop: _heard_all(s), "Stripe's webhooks have all come")
        shop.hub.cli("verify")


def _elsewhere(intent: str) -> dict[str, Any]:
    price = {"amount": 2900, "currency": "EUR"}
    return {
        "external_ref": "R-1001",
        "currency": "EUR",
        "customer": {"email": "number@example.com"},
        "lines": [{"sku": "X-1", "title": "Lamp", "qty": 1, "unit_price": price}],
        "payments": [{"connector": "stripe", "provider_ref": intent, "amount": price}],
    }


def _uncertain(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.hub.rows("SELECT uid FROM jobs WHERE state = 'u'")


async def _told(shop: Shop) -> tuple[int, int]:
    """Count the mails and analytics events of both hubs."""
    mails, tracks = await shop.counts("sendgrid"), await shop.counts("segment")
    return mails.get("mail", 0), tracks.get("track", 0)


async def _rows(shop: Shop, query: str, *values: str) -> list[tuple[Any, ...]]:
    return shop.hub.rows(query, *values)


async def _heard_all(shop: Shop) -> bool:
    """Say whether this hub has kept every event that Stripe has made, and is at rest."""
    found = await shop.stripe("/v1/events?limit=100")
    assert not found["has_more"]
    kept = shop.hub.rows("SELECT count(*) FROM dedupe WHERE connector = 'stripe'")[0][0]
    live = shop.hub.rows("SELECT count(*) FROM jobs WHERE state IN ('w', 'r', 'l')")[0][0]
    return bool(kept == len(found["data"]) and not live)
