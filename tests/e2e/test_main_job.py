"""An order, a signed payment webhook, and CRM, e-mail and analytics told exactly once."""

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.shop import Shop, until
from tests.e2e.signing import stripe_signed
from tests.e2e.stage import Hub
from tests.e2e.told import assert_told_once

PAID_ONCE = ["shop.order.placed", "shop.order.paid"]


def once(events: list[str]) -> list[str]:
    return [kind for kind in events if kind in PAID_ONCE]


@pytest.mark.parametrize("method", ["intent", "checkout"])
async def test_an_order_through_our_cart_is_told_once(shop: Shop, method: str) -> None:
    order = await shop.buys(f"cart-{method}@example.com", "tee", "mug", method=method)
    assert (order["lifecycle"], order["payment_status"]) == ("placed", "paid")
    await assert_told_once(shop, order)
    assert once(await shop.events(order["id"])) == PAID_ONCE
    assert {job["state"] for job in await shop.jobs(order["id"])} == {"done"}
    made = [e for e in await shop.ledger("stripe") if _hub_order(e) == order["id"]]
    kind = "payment_intent" if method == "intent" else "checkout_session"
    assert [effect["kind"] for effect in made] == [kind]
    assert made[0]["key"].startswith("pay:pay_")


async def test_an_order_made_elsewhere_is_told_once_though_its_webhook_comes_later(
    shop: Shop,
) -> None:
    intent = await shop.stripe("/v1/payment_intents", {"amount": 7400, "currency": "eur"})
    order = await shop.make("/v1/orders", _elsewhere("R-1001", "elsewhere@example.com", intent))
    assert order["payment_status"] == "paid"
    await shop.over(order["id"])
    await shop.stripe(f"/_customer/payment_intents/{intent['id']}/pay", {})
    await until(lambda: _heard(shop, order["id"]), "Stripe's own word for it has come")
    await shop.over(order["id"])
    await assert_told_once(shop, order)
    assert once(await shop.events(order["id"])) == PAID_ONCE
    assert (await shop.get(f"/v1/orders/{order['id']}"))["captured"]["amount"] == 7400


async def test_an_order_made_elsewhere_is_told_once_though_its_webhook_came_before(
    shop: Shop,
) -> None:
    intent = await shop.stripe("/v1/payment_intents", {"amount": 7400, "currency": "eur"})
    await shop.stripe(f"/_customer/payment_intents/{intent['id']}/pay", {})
    await until(lambda: _unmatched(shop), "the payment came, and no order claims it")
    order = await shop.make("/v1/orders", _elsewhere("R-1002", "early@example.com", intent))
    await shop.over(order["id"])
    await assert_told_once(shop, order)
    assert once(await shop.events(order["id"])) == PAID_ONCE
    assert (await shop.get(f"/v1/orders/{order['id']}"))["captured"]["amount"] == 7400


async def test_the_same_webhook_fifty_times_changes_nothing(hub: Hub) -> None:
    async with Shop(hub, connections=10) as shop:
        await shop.stock("tee")
        order = await shop.buys("fifty@example.com", "tee")
        await until(lambda: _delivered(shop, order["id"]), "SendGrid has reported the mail")
        body = await _paid_event(shop, order["payments"][0]["provider_ref"])
        before = await _everything(hub, shop)
        url, secret = hub.ground.webhook_url("stripe"), hub.ground.signing["stripe"]

        async def send() -> int:
            async with shop.session.post(
                url, data=body, headers=stripe_signed(body, secret)
            ) as answer:  # fmt: skip
                return answer.status

        assert await asyncio.gather(*(send() for _ in range(50))) == [200] * 50
        assert await _everything(hub, shop) == before
        await assert_told_once(shop, order)


async def test_the_order_and_its_whole_story_can_be_read(hub: Hub, shop: Shop) -> None:
    order = await shop.buys("story@example.com", "tee")
    told = json.loads(hub.cli("orders", "show", order["id"], "--json"))
    assert {entry["kind"] for entry in told} == {"call", "webhook", "fact", "event", "job"}
    assert all(entry["attempts"] for entry in told if entry["kind"] == "job")


def _elsewhere(ref: str, email: str, intent: dict[str, Any]) -> dict[str, Any]:
    def euro(amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": "EUR"}

    return {
        "external_ref": ref,
        "currency": "EUR",
        "customer": {"email": email, "first_name": "Ida"},
        "lines": [
            {"sku": "X-1", "title": "Lamp", "qty": 1, "unit_price": euro(5000)},
            {"sku": "X-2", "title": "Bulb", "qty": 4, "unit_price": euro(600)},
        ],
        "payments": [
            {"connector": "stripe", "provider_ref": intent["id"], "amount": euro(intent["amount"])}
        ],
    }


def _hub_order(effect: dict[str, Any]) -> str | None:
    return ((effect["data"] or {}).get("metadata") or {}).get("hub_order")


async def _heard(shop: Shop, order: str) -> bool:
    return "stripe.payment_intent.succeeded" in await shop.events(order)


async def _delivered(shop: Shop, order: str) -> bool:
    return "sendgrid.delivered" in await shop.events(order)


async def _unmatched(shop: Shop) -> bool:
    found = await shop.get("/v1/events?types=shop.payment.unmatched")
    return bool(found["items"])


async def _paid_event(shop: Shop, intent: str) -> bytes:
    found = await shop.stripe("/v1/events?type=payment_intent.succeeded&limit=100")
    [event] = [e for e in found["data"] if e["data"]["object"]["id"] == intent]
    return json.dumps(event).encode()


async def _everything(hub: Hub, shop: Shop) -> dict[str, Any]:
    """Give all ledgers and all that the hub has stored, to compare."""
    kinds = ("stripe", "hubspot", "sendgrid", "segment")
    return {kind: await shop.ledger(kind) for kind in kinds} | hub.tables()
