"""`webhooks.manage: apply` in a running hub, and `hub webhooks plan|apply` beside it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from store import endpoint_secrets
from tests.e2e.inside import House, inside
from tests.e2e.test_pull import hub


def managed(text: str) -> str:
    """Have the hub look after the endpoints at Stripe."""
    secrets = 'stripe_webhook_secret}"]'
    assert secrets in text
    return text.replace(secrets, f"{secrets}, manage: apply", 1)


@pytest.fixture
async def house(tmp_path) -> AsyncIterator[House]:
    async with inside(tmp_path, edited=managed, told=False) as made:
        yield made


async def held(house) -> list[Any]:
    found = await house.hub.store.look(endpoint_secrets.held)
    return list(found.get("stripe", ()))


async def test_a_hub_makes_its_endpoint_at_start_and_is_paid_through_it(house) -> None:
    stripe = house.doubles["stripe"]
    async with asyncio.timeout(30):
        while not house.hub.fitted.receiver.doors["stripe"].held:
            await asyncio.sleep(0.05)
    [endpoint] = stripe.state.endpoints
    assert endpoint.url.endswith("/webhooks/stripe")
    order, payment = await house.shop.orders("managed@example.com")
    await house.shop.pays(payment)
    await house.shop.over(order["id"])
    assert (await house.shop.get(f"/v1/orders/{order['id']}"))["payment_status"] == "paid"
    assert {one["status"] for one in stripe.state.deliveries} == {200}
    async with house.hub.store.read() as connection:
        rows = await connection.exec_driver_sql("SELECT DISTINCT secret_used FROM inbox")
        assert [row[0] for row in rows] == [f"endpoint {endpoint.ref}"]


async def test_commands_compare_and_mend_beside_the_hub(house) -> None:
    stripe = house.doubles["stripe"]
    async with asyncio.timeout(30):
        while not await held(house):
            await asyncio.sleep(0.05)
    code, said = await hub(house, "webhooks", "plan")
    assert (code, said.splitlines()[-1]) == (0, "all is as it should be")
    [one] = stripe.hooks.things
    stripe.hooks.update(one, {"disabled": True})
    stripe.hooks.create({"url": "https://else.example.com", "enabled_events": ["*"]})
    code, said = await hub(house, "webhooks", "plan", "stripe", "--json")
    assert code == 1
    assert [row["does"] for row in json.loads(said)] == ["enable", "foreign"]
    assert stripe.hooks.things[one]["status"] == "disabled"
    code, said = await hub(house, "webhooks", "apply")
    assert (code, said.splitlines()[-1]) == (0, "all is as it should be")
    assert stripe.hooks.things[one]["status"] == "enabled"
    code, said = await hub(house, "webhooks", "apply", "--json")
    assert [row["does"] for row in json.loads(said)] == ["good", "foreign"]
    for words, told in (
        (("apply", "sendgrid"), "connectors.sendgrid.webhooks.manage is off"),
        (("plan", "hubspot"), "the webhooks of hubspot are set up at the provider"),
        (("plan", "nobody"), "there is no connector nobody"),
    ):
        code, said = await hub(house, "webhooks", *words)
        assert (code, told in said, "Traceback" in said) == (1, True, False), said
    async with house.hub.store.read() as connection:
        rows = await connection.exec_driver_sql("SELECT what, subject, who FROM audit ORDER BY at")
        notes = [tuple(row) for row in rows if row[0] == "webhooks.apply"]
    assert notes[0] == ("webhooks.apply", "stripe", "hub")
    assert notes[1][2].endswith("@cli")
    assert len(notes) == 2
