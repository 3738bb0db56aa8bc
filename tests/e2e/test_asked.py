"""What the API asks of a provider (sync, void, one more payment), and a person forgotten."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from hub.clock import SystemClock
from hub.model import read_json
from hub.sandbox import Fault
from store import schema
from store.schema import events, inbox
from tests.e2e.inside import House, inside

CANARIES = ("grace.hopper@example.com", "Hopper", "+4930900900", "Compiler Street 7")


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


async def test_of_a_person_who_is_forgotten_no_table_says_a_word(house) -> None:
    mail, name, phone, street = CANARIES
    line = {"sku": "tee", "title": "Tee", "qty": 1, "unit_price":
            {"amount": 2900, "currency": "EUR"}}  # fmt: skip
    customer = {"email": mail, "first_name": "Grace", "last_name": name, "phone": phone}
    place = {"street": street, "city": "Berlin", "country": "DE"}
    body = {"external_ref": "G-1", "currency": "EUR", "customer": customer, "lines": [line]}
    order = await house.shop.make("/v1/orders", body | {"shipping_address": place})
    named = {"amount": 2900, "currency": "eur", "metadata": {"hub_order": "G-1"}}
    bank = house.doubles["stripe"].bank
    bank.pay(bank.new_intent(named), "pm_card_visa")
    await house.shop.over(order["id"])
    await house.shop.make(f"/v1/orders/{order['id']}/notes", {"text": f"{name} rang: {phone}"})
    before = await everything(house)
    assert all(any(word in text for text in before) for word in CANARIES)
    await house.shop.make(f"/v1/customers/{order['customer']['id']}/anonymise", {})
    left = [text[:300] for text in await everything(house) for w in CANARIES if w in text]
    assert left == []
    assert (await house.shop.get(f"/v1/orders/{order['id']}"))["captured"]["amount"] == 2900


async def everything(house: House) -> list[str]:
    """Give every row of every table as text, and what lies sealed in it opened.

    Answers kept for Idempotency-Keys stay sealed for their 72 hours: they are left out.
    """
    store, found = house.hub.store, []
    async with store.read() as connection:
        for table in schema.metadata.tables.values():
            found += [repr(row) for row in await connection.execute(select(table))]
        told = await connection.execute(select(events).where(events.c.data.is_not(None)))
        for row in told:
            opened = store.cipher.open(row.data, f"events.data:{row.id}")
            found.append(repr(read_json(opened)))
        for table in (schema.jobs, schema.job_history):
            kept = select(table).where(table.c.payload.is_not(None))
            for row in await connection.execute(kept):
                found.append(store.cipher.open(row.payload, f"jobs.payload:{row.uid}").decode())
        ids = (await connection.execute(select(inbox.c.id).where(inbox.c.body.is_not(None)))).all()
    found += [repr((await store.kept_request(row.id)).body) for row in ids]
    return found
