"""What a scrape tells of an order that was played, and what it must never tell."""

import json
from collections.abc import Awaitable, Callable, Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from hub.secrets import Secret
from tests.e2e.shop import Shop, until
from tests.e2e.signing import stripe_signed

BUYER = "metered@example.com"
CLOSED = {
    "method": {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"},
    "result": {"stored", "duplicate", "refused", "failed"},
    "reason": {"missing", "malformed", "stale", "early", "mismatch", "unsupported", "too_many"},
    "outcome": {"ok", "retry", "rate_limited", "auth_failed", "reject", "ambiguous", "skip", "bug"}
    | {"unwanted", "returned"},
    "state": {"waiting", "ready", "leased", "done", "dead", "uncertain", "cancelled", "skipped"},
    "why": {"held", "breaker", "paused"},
}


async def scraped(shop: Shop) -> list[Sample]:
    async with shop.session.get(f"{shop.hub.url}/metrics") as answer:
        assert answer.status == 200
        text = await answer.text()
    assert BUYER not in text
    return list(_samples(text))


def _samples(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def value(samples: list[Sample], name: str, **labels: str) -> float:
    return sum(
        s.value for s in samples if s.name == name and labels.items() <= s.labels.items()
    )  # fmt: skip


async def test_an_order_shows_in_every_metric_on_its_way(shop: Shop) -> None:
    before = await scraped(shop)
    await shop.buys(BUYER, "tee")
    after = await scraped(shop)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    mail = {"connector": "sendgrid", "action": "send_template"}
    assert more("hub_attempts_total", outcome="ok", **mail) == 1
    assert more("hub_jobs_ended_total", state="done", **mail) == 1
    assert more("hub_delivery_seconds_count", **mail) == 1
    assert more("hub_attempt_seconds_count", **mail) == 1
    assert more("hub_webhooks_total", connector="stripe", result="stored") >= 1
    done = {"method": "POST", "route": "/v1/carts/{id}/complete", "status": "201"}
    assert more("hub_http_requests_total", **done) == 1
    assert more("hub_commit_units_count") > 0
    assert value(after, "hub_ready") == 1
    assert value(after, "hub_config_reload_success") == 1


async def test_a_refused_and_a_repeated_webhook_are_counted_by_what_became_of_them(
    shop: Shop,
) -> None:
    url, secret = shop.hub.ground.webhook_url("stripe"), shop.hub.ground.signing["stripe"]
    other = Secret("whsec_of_another", "another")
    event = {"id": "evt_metered", "object": "event", "type": "plan.created", "created": 1}
    body = json.dumps(event | {"data": {"object": {}}}).encode()
    before = await scraped(shop)
    for headers, status in (
        (stripe_signed(body, secret), 200),
        (stripe_signed(body, secret), 200),
        (stripe_signed(body, other), 401),
        ({}, 401),
    ):
        async with shop.session.post(url, data=body, headers=headers) as answer:
            assert answer.status == status
    after = await scraped(shop)
    counted = {
        result: value(after, "hub_webhooks_total", connector="stripe", result=result)
        - value(before, "hub_webhooks_total", connector="stripe", result=result)
        for result in CLOSED["result"]
    }
    assert counted == {"stored": 1, "duplicate": 1, "refused": 2, "failed": 0}
    for reason in ("mismatch", "missing"):
        why = {"connector": "stripe", "reason": reason}
        told = [value(seen, "hub_webhook_refusals_total", **why) for seen in (before, after)]
        assert told[1] == told[0] + 1


async def test_every_label_has_a_value_of_a_closed_set(shop: Shop) -> None:
    await shop.buys("closed@example.com", "mug")
    async with shop.session.get(f"{shop.hub.url}/no/such/{BUYER}") as answer:
        assert answer.status == 404
    async with shop.session.request("PURGE", f"{shop.hub.url}/v1/orders") as answer:
        assert answer.status in (404, 405)
    for sample in await scraped(shop):
        for name, allowed in CLOSED.items():
            if sample.name.startswith("hub_") and name in sample.labels:
                assert sample.labels[name] in allowed, sample


async def test_an_uncertain_job_stands_in_the_gauges_until_it_is_settled(shop: Shop) -> None:
    async def unsure() -> float:
        return value(await scraped(shop), "hub_jobs", connector="sendgrid", state="uncertain")

    before = await unsure()
    await shop.fault("sendgrid", "drop")
    await shop.fault("sendgrid", "cut", path="/v3/mail/send", acted=True)
    order, payment = await shop.orders("unsure-metric@example.com", "tee")
    await shop.pays(payment)
    job = await shop.job_is(order["id"], "send_template", "uncertain")
    await until(lambda: _is(unsure, before + 1), "the unsure mail stands in hub_jobs")
    shop.hub.cli("jobs", "settle", job["id"], "dead")
    await until(lambda: _is(unsure, before), "it is settled")


async def _is(found: Callable[[], Awaitable[float]], wanted: float) -> bool:
    return await found() == wanted
