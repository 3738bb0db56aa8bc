"""Stripe's test events at a live account, and the reverse: kept, skipped, told; no money moves."""

import json

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from connectors.stripe import Stripe
from hub import Secret
from hub.config.instances import WebhookSecret
from store import schema
from webhooks.doors import Door

WHSEC = Secret("whsec_0123456789abcdef", "WHSEC")


def event(ident: str, *, live: bool | None) -> bytes:
    intent = {
        "id": f"pi_{ident}", "object": "payment_intent", "amount": 1099, "amount_received": 1099,
        "currency": "eur", "latest_charge": f"ch_{ident}", "status": "succeeded",
        "created": 1_777_000_000,
        "metadata": {"hub_order": "ord_1", "hub_job": "job_1"},
    }  # fmt: skip
    body = {
        "id": ident, "object": "event", "type": "payment_intent.succeeded", "livemode": live,
        "created": 1_777_000_000, "data": {"object": intent},
    }  # fmt: skip
    return json.dumps({k: v for k, v in body.items() if v is not None}).encode()


@pytest.fixture
async def post(bench):
    await bench.store.know_accounts(["stripe", "shop"])

    async def post(raw: bytes, mode: str) -> int:
        settings = Stripe.Settings(mode=mode, api_key=Secret(f"sk_{mode}_0123456789"))
        stripe = Stripe("stripe", settings, None, "https://hub.example.com/webhooks/stripe")
        bench.doors["stripe"] = Door(stripe, [WebhookSecret(value=WHSEC)])
        headers = stripe.sign(raw, WHSEC, now=bench.clock.now().timestamp())
        return await bench.post(raw, dict(headers), name="stripe")

    return post


@pytest.mark.parametrize(("mode", "live"), [("live", False), ("test", True)])
async def test_an_event_of_the_other_mode_is_kept_skipped_and_told(bench, post, mode, live) -> None:
    with capture_logs() as said:
        assert [await post(event(f"evt_{n}", live=live), mode) for n in (1, 1, 2)] == [200] * 3
    inbox, events, jobs = await bench.stored()
    assert (inbox, events) == (2, 2)
    other = "test" if mode == "live" else "live"
    why = f"the event is of {other} mode, the connector of {mode} mode"
    assert [(job["action"], job["state"], job["reason"]) for job in jobs] == [
        ("record_payment", "skipped", why)
    ] * len(jobs)
    assert jobs
    [alert] = [one for one in said if one["event"] == "alert"]  # not one for each event
    assert (alert["signal"], alert["about"]) == ("webhook.rejected", "stripe")
    assert why in alert["text"]
    async with bench.store.read() as connection:
        kept = (await connection.execute(select(schema.events.c.job))).scalars()
    assert set(kept) == {None}  # it settles no uncertain job


@pytest.mark.parametrize(("mode", "live"), [("live", True), ("test", False), ("live", None)])
async def test_an_event_of_its_own_mode_or_of_none_is_taken(bench, post, mode, live) -> None:
    assert await post(event("evt_1", live=live), mode) == 200
    jobs = (await bench.stored())[2]
    assert {job["state"] for job in jobs} == {"ready"}
