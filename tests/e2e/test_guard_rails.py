"""Guard rails G4, G6-G9, G11, G12 of the shop: whole hubs on both stores, against the doubles.

All twelve, and where each is tested: docs/guarantees.md.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select

from hub import config as configuration
from hub.app import Hub
from hub.clock import ManualClock
from hub.model import write_json
from hub.sandbox import Fault
from hub.serving import running
from hub.shop.vocabulary import VOCABULARY
from store.money_schema import payment_facts
from store.schema import events
from tests.e2e.inside import House, inside
from tests.e2e.stage import free_port

SUM = 5800
INTERVAL = 900
PRICE = {"amount": 2900, "currency": "EUR"}


@pytest.fixture
async def house(tmp_path, store_url) -> AsyncIterator[House]:
    async with inside(tmp_path, clock=ManualClock(), store=store_url) as made:
        yield made


async def ordered(house: House) -> tuple[str, dict[str, Any]]:
    """Order; give the order's id and its intent as the double keeps it."""
    stripe = house.doubles["stripe"]
    made, payment = await house.shop.orders(f"buyer-{len(stripe.events)}@example.com")
    await house.quiet()
    return made["id"], stripe.bank.things[payment["client_secret"].partition("_secret_")[0]]


async def shown(house: House, order: str) -> dict[str, Any]:
    return dict(await house.shop.get(f"/v1/orders/{order}?expand=cases,payments"))


async def kinds(house: House, order: str) -> set[str]:
    """Name the open cases of an order."""
    found = (await shown(house, order))["cases"]
    return {case["kind"] for case in found if case["state"] == "open"}


def mails(house: House) -> int:
    return sum(effect.kind == "mail" for effect in house.doubles["sendgrid"].state.ledger)


async def test_g4_one_event_many_times_on_all_nodes_counts_once(house, store_url) -> None:
    stripe = house.doubles["stripe"]
    stripe.state.faults.append(Fault(fault="drop", times=None))
    order, intent = await ordered(house)
    stripe.bank.pay(intent, "pm_card_visa")
    stripe.state.faults.clear()
    async with AsyncExitStack() as nodes:
        urls = [house.shop.hub.url]
        if store_url.startswith("postgresql"):  # a file has one hub
            for node in (another(house, store_url), another(house, store_url)):
                urls += [await nodes.enter_async_context(node)]
        raw = write_json(next(e for e in stripe.events.values() if "succeeded" in e["type"]
                              and e["type"].startswith("payment_intent")))  # fmt: skip
        headers = stripe.sign(raw, stripe.state.endpoints[0])
        answers = await asyncio.gather(
            *(post(house, f"{url}/webhooks/stripe", raw, headers) for url in urls * 5)
        )
        assert set(answers) == {200}
        await house.quiet()
    assert (await shown(house, order))["payment_status"] == "paid"
    assert await house.count(payment_facts, payment_facts.c.fact == "captured") == 1
    assert await house.count(events, events.c.type == "shop.order.placed") == 1
    assert mails(house) == 1


@asynccontextmanager
async def another(house: House, store_url: str) -> AsyncIterator[str]:
    """Run one more hub of the same configuration on the same store; gives its address."""
    listen = f"127.0.0.1:{free_port()}"
    env = {"HUB_STORE_URL": store_url, "HUB_LISTEN": listen}
    config = configuration.load(house.config, env=env, shop=VOCABULARY)
    async with running(Hub(config, clock=house.clock)):
        yield f"http://{listen}"


async def post(house: House, url: str, raw: bytes, headers: Any) -> int:
    async with house.shop.session.post(url, data=raw, headers=headers) as answer:
        return int(answer.status)


async def test_g6_a_webhook_before_its_order_settles_when_the_order_appears(house) -> None:
    bank = house.doubles["stripe"].bank
    named = {"amount": 2900, "currency": "eur", "metadata": {"hub_order": "W-1"}}
    bank.pay(bank.new_intent(named), "pm_card_visa")
    await house.quiet()
    line = {"sku": "tee", "title": "Tee", "qty": 1, "unit_price": PRICE}
    body = {"external_ref": "W-1", "currency": "EUR", "customer": {"email": "w@example.com"}}
    made = await house.shop.make("/v1/orders", body | {"lines": [line]})
    await house.quiet()
    found = await shown(house, made["id"])
    assert (found["lifecycle"], found["payment_status"]) == ("placed", "paid")
    assert mails(house) == 1


async def test_g7_a_webhook_that_never_comes_is_settled_by_the_reconciler(house) -> None:
    house.doubles["stripe"].state.faults.append(Fault(fault="drop", times=None))
    order, intent = await ordered(house)
    house.doubles["stripe"].bank.pay(intent, "pm_card_visa")
    await house.pass_by(INTERVAL, step=30)
    await house.quiet()
    assert (await shown(house, order))["payment_status"] == "paid"
    assert mails(house) == 1


WRONG = {
    "amount": ({"amount": SUM - 1}, "amount_mismatch"),
    "currency": ({"currency": "usd"}, "currency_mismatch"),
    "order": ({}, "foreign_payment"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_g8_wrong_money_holds_the_order_and_never_places_it(house, wrong) -> None:
    order, intent = await ordered(house)
    change, kind = WRONG[wrong]
    intent |= change
    if wrong == "order":
        intent["metadata"] = {**intent["metadata"], "hub_order": (await ordered(house))[0]}
    house.doubles["stripe"].bank.pay(intent, "pm_card_visa")
    await house.quiet()
    found = await shown(house, order)
    assert (found["lifecycle"], found.get("placed_at")) == ("on_hold", None)
    assert kinds_of(found) == {kind}
    assert await house.count(events, events.c.type == "shop.order.placed") == 0
    assert mails(house) == 0


def kinds_of(order: dict[str, Any]) -> set[str]:
    return {case["kind"] for case in order["cases"]}


async def test_g9_money_after_expiry_is_a_case_and_never_silence(house) -> None:
    order, intent = await ordered(house)
    await house.pass_by(45 * 60, step=30)
    await house.quiet()
    assert (await shown(house, order))["lifecycle"] == "expired"
    assert intent["status"] == "canceled"  # it was given up there first
    intent["status"] = "requires_payment_method"  # and is paid all the same
    house.doubles["stripe"].bank.pay(intent, "pm_card_visa")
    await house.quiet()
    found = await shown(house, order)
    assert (found["lifecycle"], found["captured"]["amount"]) == ("expired", SUM)
    assert kinds_of(found) == {"late_money"}


async def test_g11_what_is_done_in_the_providers_dashboard_is_in_ledger_order_and_events(
    house,
) -> None:
    order, intent = await ordered(house)
    stripe = house.doubles["stripe"]
    stripe.bank.pay(intent, "pm_card_visa")
    await house.quiet()
    asked = {"payment_intent": intent["id"], "amount": "800"}
    await house.shop.stripe("/_dashboard/refunds", asked)
    await house.quiet()
    stripe._tell("charge.dispute.created", dispute(intent))
    await house.quiet()
    found = await shown(house, order)
    assert (found["refunded"]["amount"], found["lifecycle"]) == (800, "on_hold")
    assert (found["payment_status"], kinds_of(found)) == ("disputed", {"dispute"})
    told = await house.shop.events(order)
    assert {"shop.refund.succeeded", "shop.order.refunded", "shop.dispute.opened"} <= set(told)
    async with house.hub.store.read() as connection:
        facts = await connection.execute(select(payment_facts.c.fact))
        assert {"refunded", "dispute_opened"} <= {row.fact for row in facts}


def dispute(intent: dict[str, Any]) -> dict[str, Any]:
    """Give a dispute as Stripe tells of it. Source: https://docs.stripe.com/api/disputes/object."""
    return {
        "id": "du_1", "object": "dispute", "amount": 5000, "currency": "eur", "metadata": {},
        "charge": intent["latest_charge"], "payment_intent": intent["id"], "reason": "fraudulent",
        "status": "needs_response", "balance_transactions": [],
    }  # fmt: skip


async def test_g12_a_429_is_waited_for_and_a_4xx_is_dead_and_visible(house) -> None:
    sendgrid = house.doubles["sendgrid"]
    sendgrid.state.faults.append(Fault(fault="429", path="/v3/mail", after=60, times=1))
    order, intent = await ordered(house)
    house.doubles["stripe"].bank.pay(intent, "pm_card_visa")
    while not any(call["path"].startswith("/v3/mail") for call in sendgrid.state.calls):
        await house.pass_by(1)
    await house.pass_by(30, step=10)
    assert mails(house) == 0
    job = await house.shop.job(order, "send_template")
    assert [tried["outcome"] for tried in job["attempts"]] == ["rate_limited"]
    await house.pass_by(60, step=10)
    await house.quiet()
    assert mails(house) == 1
    wrong = {"amount": {"amount": SUM, "currency": "EUR"}, "reason": "x"}
    [paid] = (await shown(house, order))["payments"]
    charge = house.doubles["stripe"].bank.things[intent["latest_charge"]]
    charge["amount_refunded"] = charge["amount"]  # given back there; we have not heard of it
    made = await house.shop.make(f"/v1/payments/{paid['id']}/refunds", wrong)
    await house.quiet()
    [dead] = (await house.shop.get("/v1/jobs?state=dead"))["items"]
    assert (dead["action"], dead["attempt"]) == ("refund", 1)
    assert "charge_already_refunded" in dead["error"]
    assert (await house.shop.get(f"/v1/refunds/{made['id']}"))["state"] == "failed"
    assert await kinds(house, order) == {"refund_failed"}
