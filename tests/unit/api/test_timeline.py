"""One order's story answers why a customer got no mail."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.effects import unsafe
from hub.ids import new_id
from hub.model import Event, PaymentFact, Request, read_json
from hub.payments import fact_jobs
from hub.routing import direct_job
from hub.shop.facts import RecordPayment
from hub.shop.payments import record_payment
from hub.shop.rules import ShopRules
from store.inbox import Receipt, Taken
from store.schema import events
from store.settle import Completion
from tests.unit.api.conftest import problem
from tests.unit.api.test_shopping import ELSEWHERE

PAID = ELSEWHERE | {
    "payments": [
        {"connector": "pay", "provider_ref": "pi_1", "amount": {"amount": 500, "currency": "EUR"}}
    ]
}


@pytest.fixture
async def order(door, store, clock):
    """Give an order whose mail was tried once and whose provider then told of its payment."""

    def mail(event, now):
        if event.type != "shop.order.paid":
            return []
        job = direct_job("mail", "send", {"to": "canary@example.com"}, key=event.id, now=now,
                         effect=unsafe, event_id=event.id)  # fmt: skip
        return [replace(job, route="order-receipt")]

    store.use(mail)
    await store.know_accounts(["mail"])
    made = await (await door.post("/v1/orders", PAID, key="o1")).json()
    clock.advance(1)
    until = clock.now() + timedelta(seconds=60)
    (job,), _ = await store.claim({"mail": 8}, node="n", until=until)
    await store.settle(
        Completion(job=job, state="ready", outcome="retry", started_at=clock.now(), ms=12,
                   due_at=clock.now() + timedelta(seconds=30), error="503 from the provider",
                   status=503, request_id="prov-1")
    )  # fmt: skip
    clock.advance(1)
    await told_by_provider(store, clock, made["id"])
    return made | {"mail": job.uid}


async def told_by_provider(store, clock, order):
    now = clock.now()
    event = Event(id=new_id("evt", now), type="pay.captured", connector="pay", at=now, ext_id="e1",
                  data={"secret": "canary"}, recorded_at=now)  # fmt: skip
    fact = PaymentFact(fact="captured", payment="pi_1", ref="ch_1", occurred_at=now, order=order,
                       amount=500, currency="EUR")  # fmt: skip
    jobs = fact_jobs("pay", [fact], now=now, event_id=event.id)
    request = Request(method="POST", url="https://x/webhooks/pay", headers=(), body=b"canary")
    await store.receive(
        Receipt(id=new_id("inb", now), connector="pay", request=request, received_at=now,
                taken=[Taken(event=event, jobs=jobs)])
    )  # fmt: skip


async def story(door, order):
    answer = await door.get(f"/v1/orders/{order['id']}/timeline")
    assert answer.status == 200
    return (await answer.json())["items"]


async def test_it_begins_with_the_call_and_is_in_time_order(doors, order):
    items = await story(doors["readonly"], order)
    assert items[0]["kind"] == "call"
    assert items[0]["what"] == "POST /v1/orders"
    assert items[0]["by"].startswith("key_")
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    caused = {item["causation"] for item in items if item["kind"] == "event" and item["about"]}
    assert caused == {items[0]["id"]}


async def test_every_event_of_the_order_and_its_payment_is_told(door, order):
    types = [item["type"] for item in await story(door, order) if item["kind"] == "event"]
    assert {"shop.order.created", "shop.order.paid", "shop.payment.captured"} <= set(types)
    assert types.count("shop.order.paid") == 1


async def test_the_mail_job_says_why_it_has_not_gone_and_when_it_will(door, order, clock):
    (job,) = [item for item in await story(door, order) if item["id"] == order["mail"]]
    assert (job["route"], job["action"], job["state"]) == ("order-receipt", "send", "ready")
    assert job["error"] == "503 from the provider"
    assert job["due_at"] == "2026-01-01T00:00:31Z"
    (attempt,) = job["attempts"]
    assert attempt | {"started_at": ""} == {
        "attempt": 1, "started_at": "", "ms": 12, "outcome": "retry", "status": 503,
        "error": "503 from the provider", "request_id": "prov-1",
    }  # fmt: skip


async def test_the_mail_job_once_sent_has_the_providers_reference(door, order, store, clock):
    clock.advance(60)
    (job,), _ = await store.claim({"mail": 8}, node="n", until=clock.now() + timedelta(seconds=60))
    await store.settle(
        Completion(job=job, state="done", outcome="ok", started_at=clock.now(), ms=9, ref="msg_7",
                   status=202)
    )  # fmt: skip
    clock.advance(60)
    answer = Event(type="mail.delivered", connector="mail", at=clock.now(), data={}, job=job.uid)
    await store.write(lambda tx: tx.emit(answer))
    items = await story(door, order)
    (found,) = [item for item in items if item["id"] == order["mail"]]
    assert (found["state"], found["ref"], found["due_at"]) == ("done", "msg_7", None)
    assert [tried["outcome"] for tried in found["attempts"]] == ["retry", "ok"]
    assert items[-1]["type"] == "mail.delivered"
    assert items[-1]["job"] == order["mail"]


async def test_an_order_can_say_how_far_the_others_are(door, order):
    body = await (await door.get(f"/v1/orders/{order['id']}?expand=sync")).json()
    assert body["sync"] == [
        {"connector": "mail", "action": "send", "state": "ready", "at": "2026-01-01T00:00:00Z",
         "remote_id": None}
    ]  # fmt: skip
    assert "jobs" not in body


async def test_a_skipped_job_gives_its_reason(door, order, store, clock):
    def again(tx):
        event = tx.row(select(events).where(events.c.type == "shop.order.paid"))
        job = direct_job("mail", "send", {}, key=event.id, now=tx.now, effect=unsafe,
                         event_id=event.id)  # fmt: skip
        tx.enqueue(job)
        return job.uid

    uid = await store.write(again)
    (job,) = [item for item in await story(door, order) if item["id"] == uid]
    assert (job["state"], job["reason"]) == ("skipped", "duplicate key")


async def test_facts_and_the_webhooks_that_brought_them_are_told(door, order, store, provider):
    before = await story(door, order)
    assert [i["kind"] for i in before if i["kind"] in ("fact", "webhook")] == ["fact"]  # the shop's
    await perform_fact(store)
    items = await story(door, order)
    (webhook,) = [item for item in items if item["kind"] == "webhook"]
    (event,) = [item for item in items if item.get("type") == "pay.captured"]
    told = [item for item in items if item["kind"] == "fact" and item["event_id"]]
    assert webhook["events"] == [event["id"]]
    assert [fact["ref"] for fact in told] == ["ch_1"]
    assert [i["action"] for i in items if i["kind"] == "job"] == ["send", "record_payment"]


async def perform_fact(store):
    """Do the shop's job as the worker does."""
    await store.know_accounts(["shop"])
    until = store.clock.now() + timedelta(seconds=60)
    (job,), _ = await store.claim({"shop": 8}, node="n", until=until)
    item = RecordPayment.model_validate(read_json(job.payload) | {"event": job.event_id})
    done = Completion(job=job, state="done", outcome="ok", started_at=store.clock.now(), ms=0)
    await store.settle_shop(lambda tx, it: record_payment(tx, it, ShopRules()), item, done)


async def test_no_body_and_no_payload_is_in_it(door, order, store):
    await perform_fact(store)
    answer = await door.get(f"/v1/orders/{order['id']}/timeline")
    assert "canary" not in await answer.text()


async def test_an_unknown_order_has_no_story(door):
    await problem(await door.get("/v1/orders/ord_none/timeline"), "not_found")


async def test_a_job_is_shown_to_staff_without_its_payload(doors, order):
    answer = await doors["support"].get(f"/v1/jobs/{order['mail']}")
    body = await answer.json()
    assert body["state"] == "ready"
    assert len(body["attempts"]) == 1
    assert "canary" not in str(body)
    listed = await (await doors["support"].get("/v1/jobs?state=ready&connector=mail")).json()
    assert [job["uid"] for job in listed["items"]] == [order["mail"]]
    await problem(await doors["support"].get("/v1/jobs/job_none"), "not_found")


async def test_jobs_come_page_by_page(doors, order, store):
    def more(tx):
        for n in range(5):
            tx.enqueue(direct_job("mail", "send", {}, key=f"k{n}", now=tx.now, effect=unsafe))

    await store.write(more)
    seen, where = [], "/v1/jobs?connector=mail&limit=4"
    while where:
        answer = await doors["admin"].get(where)
        seen += [job["uid"] for job in (await answer.json())["items"]]
        link = answer.links.get("next")
        where = str(link["url"].relative()) if link else None
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 6
