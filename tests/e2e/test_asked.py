"""What the API asks of a provider: sync, void, one more payment."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.clock import SystemClock
from hub.sandbox import Fault
from tests.e2e.inside import House, inside


@pytest.fixture
async def house(tmp_path, store_url) -> AsyncIterator[House]:
    async with inside(tmp_path, clock=SystemClock(), store=store_url) as made:
        yield made


def intent_of(house: House, payment: dict[str, Any]) -> dict[str, Any]:
    bank = house.doubles["stripe"].bank
    return bank.things[payment["client_secret"].partition("_secret_")[0]]


async def test_sync_asks_the_provider_and_answers_with_what_it_said(house) -> None:
    stripe = house.doubles["stripe"]
    stripe.state.faults.append(Fault(fault="drop", times=None))
    order, payment = await house.shop.orders("sync@example.com")
    stripe.bank.pay(intent_of(house, payment), "pm_card_visa")
    told = await house.shop.make(f"/v1/payments/{payment['id']}/sync", {})
    assert told["state"] == "captured"
    assert (await house.shop.get(f"/v1/orders/{order['id']}"))["payment_status"] == "paid"


async def test_a_void_payment_is_given_up_and_another_may_be_asked_for(house) -> None:
    order, payment = await house.shop.orders("void@example.com")
    where = f"/v1/orders/{order['id']}"
    await house.shop.make(f"/v1/payments/{payment['id']}/void", {"reason": "wrong card"})
    while intent_of(house, payment)["status"] != "canceled":
        await house.rest()
    wish = {"connector": "stripe", "method": "intent"}
    second = (await house.shop.make(f"{where}/payments", wish))["payment"]
    while "client_secret" not in (now := await house.shop.get(f"/v1/payments/{second['id']}")):
        await house.rest()
    await house.shop.pays(now)
    await house.shop.over(order["id"])
    found = await house.shop.get(f"{where}?expand=payments,cases")
    assert (found["payment_status"], found["cases"]) == ("paid", [])
    states = sorted(one["state"] for one in found["payments"])
    assert states == ["cancelled", "captured"]
