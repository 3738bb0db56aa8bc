"""The daily match: what Stripe has booked against our ledger; where they differ there is a case."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, update

from hub.clock import ManualClock
from hub.money import MoneyMatch
from hub.sandbox import Fault
from store.money_schema import payment_facts
from tests.e2e.inside import House, inside
from tests.e2e.shop import until
from tests.e2e.test_pull import hub

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = 86_400


@pytest.fixture
async def house(tmp_path, store_url) -> AsyncIterator[House]:
    async with inside(tmp_path, clock=ManualClock(START), store=store_url) as made:
        yield made


async def sold(house: House, *, silent: bool = False) -> tuple[str, str]:
    """Sell an order; give its id and its intent. `silent`: the hub hears nothing of its payment."""
    stripe = house.doubles["stripe"]
    stripe.state.faults[:] = [Fault(fault="drop", times=None)] if silent else []
    order, payment = await house.shop.orders(f"{len(stripe.events)}@example.com")
    await house.shop.pays(payment)
    stripe.state.faults.clear()
    if silent:
        deaf(house)
        await house.pass_by(10, step=5)
    else:
        await house.quiet()
    return order["id"], payment["client_secret"].partition("_secret_")[0]


def deaf(house: House) -> None:
    """Let the hub learn nothing of events and payments, but read the balance."""
    for path in ("/v1/events", "/v1/payment_intents"):
        fault = Fault(fault="500", path=path, times=None)
        house.doubles["stripe"].state.faults.append(fault)


def match(house: House) -> MoneyMatch:
    now = house.hub.fitted
    return MoneyMatch(
        house.hub.store, now.accounts, now.shop.actions["match_money"], clock=house.clock
    )


async def matched(house: House) -> list[tuple[int, int, int]]:
    """Match the day of the start, from its beginning."""
    found = await match(house).match("stripe", since=START)
    return [(day.payments, day.drifted, day.settled) for day in found]


async def cases(house: House, state: str = "open") -> list[dict]:
    found = (await house.shop.get(f"/v1/cases?state={state}"))["items"]
    return [case for case in found if case["kind"] == "ledger_drift"]


async def alter(house: House, statement) -> None:
    await house.hub.store.write(lambda tx: tx.run(statement))


async def test_a_day_that_agrees_opens_no_case(house) -> None:
    order, intent = await sold(house)
    await house.shop.stripe("/v1/refunds", {"payment_intent": intent, "amount": "700"})
    await sold(house)
    await house.quiet()
    house.clock.advance(DAY)
    assert await matched(house) == [(2, 0, 0)]
    assert await cases(house) == []
    assert (await house.shop.get(f"/v1/orders/{order}"))["refunded"]["amount"] == 700


async def test_a_day_is_matched_once_it_is_over(house) -> None:
    await sold(house)
    assert await matched(house) == []
    house.clock.advance(15 * 3600)
    assert await matched(house) == []  # midnight, but not six hours past it
    house.clock.advance(6 * 3600)
    assert len(await matched(house)) == 1
    assert await match(house).match("stripe") == []  # and not again


async def test_money_the_ledger_does_not_know_is_shown_and_asking_mends_it(house) -> None:
    order, intent = await sold(house, silent=True)
    house.clock.advance(DAY)
    assert await matched(house) == [(1, 1, 0)]
    [case] = await cases(house)
    assert case["order_id"] == order
    assert (case["evidence"]["ref"], case["evidence"]["day"]) == (intent, "2026-03-01")
    [line] = case["evidence"]["differs"]
    assert (line["fact"], line["ledger"]) == ("captured", None)
    assert line["provider"]["money"] == {"amount": 5800, "currency": "EUR"}
    assert case["resolutions"] == ["record", "retry", "write_off"]
    house.doubles["stripe"].state.faults.clear()
    status, told = await house.shop.ask(
        "POST", f"/v1/cases/{case['id']}/resolve", {"resolution": "retry"}
    )
    assert (status, told["state"]) == (200, "resolved")
    await house.quiet()
    assert (await house.shop.get(f"/v1/orders/{order}"))["payment_status"] == "paid"
    assert await matched(house) == [(1, 0, 0)]


async def test_a_case_ends_by_itself_once_the_payment_agrees(house) -> None:
    await sold(house)
    wrong = update(payment_facts).where(payment_facts.c.fact == "captured")
    await alter(house, wrong.values(amount=5700))
    house.clock.advance(DAY)
    assert await matched(house) == [(1, 1, 0)]
    [case] = await cases(house)
    assert case["evidence"]["differs"][0]["ledger"]["money"]["amount"] == 5700
    assert await matched(house) == [(1, 1, 0)]
    assert len(await cases(house)) == 1  # one case, however often it is found
    await alter(house, wrong.values(amount=5800))
    assert await matched(house) == [(1, 0, 1)]
    [case] = await cases(house, "resolved")
    assert case["resolution"] == "settled by later facts"


async def test_money_the_provider_never_booked_is_shown(house) -> None:
    order, _ = await sold(house)
    bank = house.doubles["stripe"].bank
    for ident in [i for i, t in bank.things.items() if t["object"] == "balance_transaction"]:
        del bank.things[ident]
    house.clock.advance(DAY)
    assert await matched(house) == [(0, 1, 0)]
    [case] = await cases(house)
    [line] = case["evidence"]["differs"]
    assert (case["order_id"], line["fact"], line["provider"]) == (order, "captured", None)


async def test_a_payment_nobody_ever_told_us_of_is_found_and_asked_for(house) -> None:
    bank = house.doubles["stripe"].bank
    faults = house.doubles["stripe"].state.faults
    faults.append(Fault(fault="drop", times=None))
    deaf(house)
    intent = bank.new_intent({"amount": 990, "currency": "eur"})
    bank.pay(intent, "pm_card_visa")
    house.clock.advance(DAY)
    assert await matched(house) == [(1, 1, 0)]
    [case] = await cases(house)
    assert case["subject"] == f"stripe:{intent['id']}"
    where = f"/v1/cases/{case['id']}/resolve"
    status, told = await house.shop.ask("POST", where, {"resolution": "record", "amount":
        {"amount": 990, "currency": "EUR"}})  # fmt: skip
    assert (status, told["code"]) == (400, "validation_error")
    faults.clear()
    status, _ = await house.shop.ask("POST", where, {"resolution": "retry"})
    assert status == 200
    await house.quiet()
    events = (await house.shop.get("/v1/events?types=shop.payment.unmatched"))["items"]
    assert [e["data"]["payment"]["provider_ref"] for e in events] == [intent["id"]]
    assert await matched(house) == [(1, 0, 0)]


async def test_a_refund_that_failed_is_booked_twice_and_agrees(house) -> None:
    order, payment = await house.shop.orders("failed@example.com")
    await house.shop.pays(payment, "pm_card_refundFail")
    intent = payment["client_secret"].partition("_secret_")[0]
    await house.shop.stripe("/v1/refunds", {"payment_intent": intent})
    await house.quiet()
    assert (await house.shop.get(f"/v1/orders/{order['id']}"))["refunded"]["amount"] == 0
    house.clock.advance(DAY)
    assert await matched(house) == [(1, 0, 0)]


async def test_the_hub_does_it_by_itself_day_by_day(house) -> None:
    await house.pass_by(2 * 3600, step=1800)
    await sold(house)
    await alter(house, delete(payment_facts).where(payment_facts.c.fact == "captured"))
    await house.pass_by(DAY - 6 * 3600, step=1800)
    assert await cases(house) == []  # five in the morning
    await house.pass_by(2 * 3600, step=1800)

    async def compared() -> object:
        await house.pass_by(60, step=60)  # its hourly round may have begun to wait late
        return await cases(house)

    await until(compared, "the day was compared")
    assert len(await cases(house)) == 1


async def test_the_commands_compare_and_resolve(tmp_path) -> None:
    async with inside(tmp_path, clock=ManualClock(START)) as house:
        await commands(house)


async def commands(house: House) -> None:
    await sold(house)
    await alter(house, delete(payment_facts).where(payment_facts.c.fact == "captured"))
    code, said = await hub(house, "reconcile", "--since", START.isoformat(), "--json")
    told = json.loads(said[said.index("{") :])
    assert (code, told["sources"][0]["drifted"]) == (0, 1)
    assert told["days_matched"] > 1  # by the machine's clock
    code, said = await hub(house, "cases", "--json")
    [case] = json.loads(said)
    assert (code, case["kind"]) == (0, "ledger_drift")
    code, said = await hub(house, "cases", "resolve", case["id"], "shrug")
    assert (code, said) == (
        1,
        "hub: /resolution: of ledger_drift there is: record, retry, write_off\n",
    )
    note = ("--note", "a test")
    code, said = await hub(house, "cases", "resolve", case["id"], "write_off", *note)
    assert (code, said) == (0, f"{case['id']}: write_off\n")
    code, said = await hub(house, "cases", "show", case["id"])
    closed = json.loads(said)
    assert (closed["state"], closed["note"]) == ("resolved", "a test")
    assert await hub(house, "cases") == (0, "nothing\n")
