"""S29: a person is forgotten, and nothing that is kept or given out says a word of them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select

from hub.clock import SystemClock
from hub.sandbox import Fault
from store import schema
from store.sealed import SEALED
from store.shop_schema import customers
from tests.e2e.inside import House, inside
from tests.e2e.shop import until

MAIL, NAME, PHONE, STREET = "grace.hopper@example.com", "Hopper", "+4930900900", "Compiler Street 7"
PARCEL = "JJD-CANARY-000390007882"
CANARIES = (MAIL, NAME, PHONE, STREET, PARCEL)
NEIGHBOURS = 10_000
ANY = {"If-Match": "*"}


@pytest.fixture
async def house(tmp_path, store_url) -> AsyncIterator[House]:
    async with inside(tmp_path, clock=SystemClock(), store=store_url) as made:
        yield made


def order_of(mail: str, ref: str) -> dict[str, Any]:
    price = {"amount": 2900, "currency": "EUR"}
    return {
        "external_ref": ref, "currency": "EUR",
        "customer": {"email": mail, "first_name": "Grace", "last_name": NAME, "phone": PHONE},
        "lines": [{"sku": "tee", "title": "Tee", "qty": 2, "unit_price": price}],
        "shipping_address": {"street": STREET, "city": "Berlin", "country": "DE"},
    }  # fmt: skip


async def bought(house: House, mail: str, ref: str) -> Any:
    """Have an order made elsewhere and paid; its mail sent, its contact kept."""
    order = await house.shop.make("/v1/orders", order_of(mail, ref), key=f"order-{ref}")
    named = {"amount": 5800, "currency": "eur", "metadata": {"hub_order": ref}}
    bank = house.doubles["stripe"].bank
    bank.pay(bank.new_intent(named), "pm_card_visa")
    await house.shop.over(order["id"])
    return order


async def handled(house: House, order: Any) -> None:
    """Do all that staff do with an order, and write of the person wherever there is room."""
    where, said = f"/v1/orders/{order['id']}", f"{NAME} rang: {PHONE}"
    await house.shop.make(f"{where}/notes", {"text": said})
    await house.shop.make(f"{where}/hold", {"reason": said}, **ANY)
    await house.shop.make(f"{where}/release", {}, **ANY)
    lines = [{"line": order["lines"][0]["id"], "qty": 1}]
    parcel = await house.shop.make(f"{where}/fulfilments", {"lines": lines})
    sent = {"carrier": "dhl", "tracking": PARCEL}
    await house.shop.make(f"/v1/fulfilments/{parcel['id']}/ship", sent, **ANY)
    back = {"amount": {"amount": 2900, "currency": "EUR"}, "reason": said}
    payment = (await house.shop.get(f"{where}?expand=payments"))["payments"][0]
    await house.shop.make(f"/v1/payments/{payment['id']}/refunds", back)
    await house.shop.make(f"{where}/hold", {"reason": said}, **ANY)


async def quiet(house: House) -> None:
    async def over() -> bool:
        return not await house.count(schema.jobs, schema.jobs.c.state.in_(("r", "l", "w")))

    await until(over, "every job has ended")


def words_in(texts: list[str]) -> list[str]:
    return [text[:300] for text in texts if any(word in text for word in CANARIES)]


async def test_s29_of_one_forgotten_among_10000_nothing_is_left(house) -> None:
    order = await bought(house, MAIL, "G-1")
    await handled(house, order)
    await quiet(house)
    await house.hub.store.write(crowd)
    before = await everything(house)
    assert [word for word in CANARIES if not any(word in text for text in before)] == []
    person = order["customer"]["id"]
    await house.shop.make(f"/v1/customers/{person}/anonymise", {})
    assert words_in(await everything(house)) == []
    assert words_in(await given_out(house, person, order["id"])) == []
    story = await house.shop.get(f"/v1/orders/{order['id']}")
    assert (story["captured"]["amount"], story["refunded"]["amount"]) == (5800, 2900)
    assert await house.count(customers, customers.c.first_name == "Ann") == NEIGHBOURS
    forgot = schema.audit.c.what.like("%anonymise"), schema.audit.c.subject == person
    assert await house.count(schema.audit, *forgot) == 1


async def test_s29_an_order_told_again_is_not_made_again_and_its_answer_is_gone(house) -> None:
    order = await bought(house, MAIL, "G-1")
    await house.shop.make(f"/v1/customers/{order['customer']['id']}/anonymise", {})
    told = await house.shop.ask("POST", "/v1/orders", order_of(MAIL, "G-1"), key="order-G-1")
    assert (told[0], told[1]["code"]) == (410, "answer_erased")
    assert words_in([json.dumps(told[1])]) == []
    other = await house.shop.ask("POST", "/v1/orders", order_of(MAIL, "G-2"), key="order-G-1")
    assert other[0] == 410


async def test_s29_what_comes_after_goes_with_the_hour(house) -> None:
    """A mail that nobody knows the end of, and what a provider tells of later."""
    house.doubles["sendgrid"].state.faults.append(Fault(fault="500"))
    order = await bought(house, MAIL, "G-1")
    await house.shop.make(f"/v1/customers/{order['customer']['id']}/anonymise", {})
    story = f"/v1/orders/{order['id']}?expand=payments"
    payment = (await house.shop.get(story))["payments"][0]
    back = {"amount": {"amount": 2900, "currency": "EUR"}}
    paying_back = f"/v1/payments/{payment['id']}/refunds"
    await house.shop.make(paying_back, back, key="back")
    await quiet(house)
    unsure = (await house.shop.get("/v1/jobs?state=uncertain"))["items"]
    assert [job["action"] for job in unsure] == ["send_template"]
    assert words_in(await everything(house))  # a person needs it to decide
    await house.shop.make(f"/v1/jobs/{unsure[0]['uid']}/settle", {"state": "done"})
    await house.hub.rounds._keep_to_terms()
    left = await everything(house)
    assert words_in(left) == []
    await house.shop.make(paying_back, back, key="back")  # asked after: its answer names nobody
    assert any('"status":"anonymised"' in text for text in left)  # the feed goes on telling of it


def crowd(tx) -> None:
    """Add many others, so that one is looked for among them."""
    at = datetime.now(UTC)
    some = {"first_name": "Ann", "created_at": at, "updated_at": at, "metadata": {}}
    rows = [
        some | {"id": f"cus_{n:05}", "email": f"ann{n}@example.com"} for n in range(NEIGHBOURS)
    ]  # fmt: skip
    tx.connection.execute(insert(customers), rows)


async def everything(house: House) -> list[str]:
    """Give every row of every table as text, and what lies sealed in it opened."""
    store, found = house.hub.store, []
    async with store.read() as connection:
        for table in schema.metadata.tables.values():
            found += [repr(row) for row in await connection.execute(select(table))]
        for one in SEALED:
            wanted = select(*one.key, one.column, *one.ident).where(one.column.is_not(None))
            for row in await connection.execute(wanted):
                if sealed := getattr(row, one.column.name):
                    label = f"{one.label or one.name}:{one.of(row)}"
                    found.append(store.cipher.open(sealed, label).decode())
    return found


async def given_out(house: House, person: str, order: str) -> list[str]:
    """Give what the API says of the person and the order to who may ask."""
    paths = (
        f"/v1/customers/{person}", f"/v1/customers/{person}/export", "/v1/cases", "/v1/jobs",
        f"/v1/orders/{order}", f"/v1/orders/{order}/timeline", "/v1/events?limit=100",
        f"/v1/customers?email={MAIL.replace('@', '%40')}",
    )  # fmt: skip
    return [json.dumps(await house.shop.get(path)) for path in paths]
