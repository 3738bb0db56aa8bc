"""Webhooks that never came: the provider's own list tells what they should have said."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from hub.sandbox import Fault
from store.schema import cursors
from tests.e2e.inside import House, inside
from tests.e2e.stage import command, environment


@pytest.fixture
async def house(tmp_path) -> AsyncIterator[House]:
    async with inside(tmp_path) as made:
        yield made


async def told(house, order: str) -> list[str]:
    jobs = await house.shop.jobs(order)
    return sorted(job["action"] for job in jobs if job["connector"] != "shop")


async def test_a_payment_whose_webhook_never_came_is_pulled_and_told_once(house) -> None:
    stripe = house.doubles["stripe"]
    stripe.state.faults.append(Fault(fault="drop", times=None))
    order, payment = await house.shop.orders("silent@example.com")
    await house.shop.pays(payment)
    assert stripe.state.deliveries
    assert {one["status"] for one in stripe.state.deliveries} == {0}
    assert await house.hub.fitted.puller.pull("stripe", forced=True) > 0
    await house.shop.over(order["id"])
    first = await told(house, order["id"])
    assert first.count("send_template") == first.count("track") == 1
    for event in list(stripe.events.values()):  # now they come, late, in another order
        stripe.state.faults.clear()
        stripe.emit(event)
    assert await house.hub.fitted.puller.pull("stripe", forced=True) == 0
    await house.shop.over(order["id"])
    assert await told(house, order["id"]) == first
    [paid] = [
        e
        for e in (await house.shop.get("/v1/events?limit=200"))["items"]
        if e["type"] == "shop.order.paid"
    ]
    assert paid["origin"] == "backfill"


async def test_what_is_pulled_days_late_is_booked_and_mails_nobody(house) -> None:
    stripe = house.doubles["stripe"]
    stripe.state.faults.append(Fault(fault="drop", times=None))
    order, payment = await house.shop.orders("late@example.com")
    await house.shop.pays(payment)
    for event in stripe.events.values():  # it happened two days ago
        event["created"] -= 2 * 86_400
    await house.hub.store.write(_from_the_beginning)
    assert await house.hub.fitted.puller.pull("stripe", forced=True) > 0
    await house.shop.over(order["id"])
    actions = await told(house, order["id"])
    assert "send_template" not in actions
    assert "track" not in actions
    assert (await house.shop.get(f"/v1/orders/{order['id']}"))["payment_status"] == "paid"


async def test_a_provider_that_does_not_answer_is_asked_again_from_where_it_was(house) -> None:
    stripe = house.doubles["stripe"]
    stripe.state.faults.append(Fault(fault="drop", times=None))
    _, payment = await house.shop.orders("down@example.com")
    await house.shop.pays(payment)
    stripe.state.faults.append(Fault(fault="500", path="/v1/events", times=1))
    await house.hub.fitted.puller.once()  # due at the start; it fails, and is told
    assert await house.hub.fitted.puller.pull("stripe") is None  # due in a minute
    assert await house.hub.fitted.puller.pull("stripe", forced=True) > 0


def _from_the_beginning(tx: Any) -> None:
    tx.run(update(cursors).values(cursor=None))


async def hub(house, *words: str) -> tuple[int, str]:
    """Run a command beside the running hub; give its exit code and all it said."""
    done = await asyncio.create_subprocess_exec(
        *command(*words, "--config", str(house.config)),
        env=environment(house.config.parent), cwd=house.config.parent,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await done.communicate()
    return done.returncode or 0, said.decode()


async def test_commands_pull_beside_the_hub(house) -> None:
    stripe = house.doubles["stripe"]
    stripe.state.faults.append(Fault(fault="drop", times=None))
    order, payment = await house.shop.orders("beside@example.com")
    await house.shop.pays(payment)
    code, said = await hub(house, "pull", "stripe", "--since", "1h")
    assert (code, said.split()[-5:]) == (0, [said.split()[-5], "new", "events", "of", "stripe"])
    await house.shop.over(order["id"])
    code, said = await hub(house, "reconcile", "--since", "1h", "--json")
    assert (code, json.loads(said)) == (
        0,
        {
            "sources": [{"connector": "stripe", "recovered": 0, "error": None, "drifted": 0}],
            "days_matched": 0,
            "payments_asked": 0,
        },
    )
    stripe.state.faults.append(Fault(fault="500", path="/v1/events", times=None))
    code, said = await hub(house, "reconcile")
    assert code == 1
    assert "Traceback" not in said
    assert await hub(house, "pull", "acme") == (
        1,
        "hub: there is no source of events called acme (have: stripe)\n",
    )


@pytest.mark.parametrize("words", [("pull", "stripe"), ("reconcile",)])
async def test_no_provider_is_asked_where_outbound_says_so(house, words) -> None:
    text = house.config.read_text()
    real = text.replace(f'base_url: "{house.shop.base}/stripe"', "receipts: true")
    assert real != text
    house.config.write_text(real)
    assert await hub(house, *words) == (
        1,
        "hub: service.outbound is sandbox: stripe may not be asked; set it to live to do so\n",
    )
