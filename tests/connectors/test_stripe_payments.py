"""Our connector pays with Stripe's double: answers and webhooks, losses and look-ups."""

import asyncio

import aiohttp
import pytest

from connectors.stripe import Stripe
from hub import (
    Ambiguous,
    AuthFailed,
    Capture,
    Find,
    RateLimited,
    Refund,
    Reject,
    Retry,
    Sum,
)
from hub.http import Outbound
from hub.sandbox import Fault
from tests.connectors.stripe_stage import PAY, names, pay, staged


@pytest.fixture
async def stage(aiohttp_server):
    async with staged(aiohttp_server) as stage:
        yield stage


async def test_a_payment_is_made_paid_and_partly_refunded(stage):
    job, back = stage.job(), stage.job()
    made = await stage.perform("create_payment", pay(email="buyer@example.com"), job=job)
    assert made.handoff["client_secret"].startswith(f"{made.ref}_secret_")
    assert made.facts == ()
    status, _ = await stage.person(f"/_customer/payment_intents/{made.ref}/pay")
    assert status == 200
    refund = Refund(
        order="ord_1", refund="rfd_1", ref=made.ref, amount=Sum(amount=99, currency="EUR")
    )
    refunded = await stage.perform("refund", refund, job=back)
    assert names(refunded) == [("refunded", 99)]
    now = await stage.perform("retrieve_payment", Find(ref=made.ref), job=stage.job())
    assert names(now) == [("captured", 1099), ("refunded", 99)]
    events = await stage.events(5)
    assert [(event.type, event.job) for event in events] == [
        ("payment_intent.created", job),
        ("charge.succeeded", job),
        ("payment_intent.succeeded", job),
        ("refund.created", back),
        ("charge.refunded", job),
    ]
    told = [fact for event in events for fact in stage.connector().facts(event)]
    assert [(f.fact, f.amount, f.order) for f in told] == [
        ("captured", 1099, "ord_1"),
        ("refunded", 99, "ord_1"),
        ("checked", 99, "ord_1"),
    ]
    # What the answer said and what the webhook said are one thing to the ledger.
    identity = [(f.payment, f.fact, f.ref) for f in (told[0], told[1])]
    assert identity == [(f.payment, f.fact, f.ref) for f in now.facts]
    assert [(e.kind, e.key) for e in stage.ledger if e.kind in ("payment_intent", "refund")] == [
        ("payment_intent", job),
        ("refund", back),
    ]


async def test_an_authorization_is_captured_in_part_and_another_cancelled(stage):
    held = await stage.perform("create_payment", pay(capture="manual"), job=stage.job())
    gone = await stage.perform("create_payment", pay(capture="manual"), job=stage.job())
    await stage.person(f"/_customer/payment_intents/{held.ref}/pay")
    part = Capture(order="ord_1", ref=held.ref, amount=Sum(amount=600, currency="EUR"))
    job = stage.job()
    taken = await stage.perform("capture_payment", part, job=job)
    assert names(taken) == [("captured", 600)]
    ended = await stage.perform(
        "cancel_payment", Capture(order="ord_1", ref=gone.ref, reason="abandoned"), job=stage.job()
    )
    assert [(f.fact, f.code) for f in ended.facts] == [("cancelled", "abandoned")]
    events = await stage.events(7)
    proofs = [event.job for event in events if event.type == "payment_intent.succeeded"]
    assert proofs == [job]
    with pytest.raises(Reject):
        await stage.perform("capture_payment", part, job=stage.job())


async def test_a_checkout_is_opened_paid_and_refunded_by_its_session(stage):
    job = stage.job()
    opened = await stage.perform("create_checkout", pay(return_url="https://a.example/"), job=job)
    async with aiohttp.ClientSession() as session:
        async with session.get(opened.handoff["redirect_url"]) as page:
            assert page.status == 200
            assert "1099 EUR" in await page.text()
        headers = {"Accept": "text/html"}
        where = opened.handoff["redirect_url"] + "/pay"
        async with session.post(where, headers=headers, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "https://a.example/")
    events = await stage.events(4)
    told = [fact for event in events for fact in stage.connector().facts(event)]
    assert [fact.fact for fact in told] == ["captured", "linked"]
    assert told[1].counterpart == told[0].payment
    assert {fact.order for fact in told} == {"ord_1"}
    assert {event.job for event in events} == {job}
    amount = Sum(amount=1099, currency="EUR")
    refund = Refund(order="ord_1", refund="rfd_1", ref=opened.ref, amount=amount)
    await stage.perform("refund", refund, job=stage.job())
    now = await stage.perform("retrieve_payment", Find(ref=opened.ref), job=stage.job())
    assert names(now) == [("linked", None), ("captured", 1099), ("refunded", 1099)]


async def test_what_is_read_bears_whole_seconds_as_events_do(stage):
    """Else an event of the same second would look older than what was read before it."""
    made = await stage.v1.payment_intents.create_async(PAY)
    before = stage.clock.now()
    stage.clock.advance(0.75)
    now = await stage.perform("retrieve_payment", Find(ref=made.id), job=stage.job())
    assert [fact.occurred_at for fact in now.facts] == [before]


async def test_an_unpaid_checkout_is_given_up(stage):
    item = pay(return_url="https://a.example/")
    opened = await stage.perform("create_checkout", item, job=stage.job())
    wish = Capture(order="ord_1", ref=opened.ref)
    ended = await stage.perform("cancel_payment", wish, job=stage.job())
    assert [fact.fact for fact in ended.facts] == ["checkout_expired"]
    found = await stage.perform("find_cancel", wish, job=stage.job())
    assert found == ended


async def test_a_declined_buyer_may_try_again(stage):
    made = await stage.perform("create_payment", pay(), job=stage.job())
    path = f"/_customer/payment_intents/{made.ref}/pay"
    status, body = await stage.person(
        path, payment_method="pm_card_chargeDeclinedInsufficientFunds"
    )
    assert (status, body["error"]["decline_code"]) == (402, "insufficient_funds")
    assert (await stage.person(path))[0] == 200
    events = await stage.events(5)
    told = [fact for event in events for fact in stage.connector().facts(event)]
    assert [(f.fact, f.code) for f in told] == [
        ("attempt_failed", "insufficient_funds"),
        ("captured", None),
    ]
    assert told[0].ref != told[1].ref


async def test_a_dashboard_refund_bears_no_mark_of_ours(stage):
    made = await stage.v1.payment_intents.create_async(PAY)
    form = {"payment_intent": made.id, "amount": "50"}
    status, refund = await stage.person("/_dashboard/refunds", **form)
    assert (status, refund["metadata"]) == (200, {})
    event = (await stage.events(5))[3]
    assert (event.type, event.job) == ("refund.created", None)
    [fact] = stage.connector().facts(event)
    assert (fact.fact, fact.amount, fact.order) == ("refunded", 50, None)
    assert stage.done("refund")[0].key == ""


async def test_a_refund_may_fail_after_it_succeeded(stage):
    made = await stage.v1.payment_intents.create_async(
        PAY | {"payment_method": "pm_card_refundFail"}
    )
    amount = Sum(amount=1099, currency="EUR")
    item, job = Refund(order="o", refund="r", ref=made.id, amount=amount), stage.job()
    answer = await stage.perform("refund", item, job=job)
    assert names(answer) == [("refunded", 1099)]
    events = (await stage.events(7))[3:]
    assert [(event.type, event.failed) for event in events] == [
        ("refund.created", False),
        ("charge.refunded", False),
        ("refund.failed", True),
        ("refund.updated", True),
    ]
    assert {event.job for event in events if event.type.startswith("refund.")} == {job}
    [failed] = stage.connector().facts(events[2])
    assert (failed.fact, failed.ref) == ("refund_failed", answer.ref)
    assert failed.occurred_at >= answer.facts[0].occurred_at
    charge = await stage.v1.charges.retrieve_async(made.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)


async def test_a_pending_refund_is_settled_by_the_bank(stage):
    made = await stage.v1.payment_intents.create_async(
        PAY | {"payment_method": "pm_card_pendingRefund"}
    )
    job, amount = stage.job(), Sum(amount=9, currency="EUR")
    item = Refund(order="o", refund="r", ref=made.id, amount=amount)
    asked = await stage.perform("refund", item, job=job)
    assert [(fact.fact, fact.ref) for fact in asked.facts] == [("refund_requested", job)]
    await stage.person(f"/_dashboard/refunds/{asked.ref}/succeed")
    event = (await stage.events(6))[-1]
    [fact] = stage.connector().facts(event)
    assert (event.type, fact.fact, fact.ref) == ("refund.updated", "refunded", asked.ref)


# -- what goes wrong -------------------------------------------------------------------------------
async def test_a_lost_answer_is_found_by_its_key_and_by_its_mark(stage):
    job = stage.job()
    stage.double.state.faults.append(Fault(fault="cut", path="/v1/payment_intents", acted=True))
    with pytest.raises(Ambiguous) as caught:
        await stage.perform("create_payment", pay(), job=job)
    assert not caught.value.final
    found = await stage.perform("find_payment", pay(), job=job)
    again = await stage.perform("create_payment", pay(), job=job)
    assert found.ref == again.ref == stage.done("payment_intent")[0].id
    assert found.handoff == again.handoff
    assert len(stage.done("payment_intent")) == 1


async def test_a_remembered_500_is_not_asked_again_but_looked_up(stage):
    job = stage.job()
    await stage.person("/_dashboard/break", times="1")
    with pytest.raises(Ambiguous) as first:
        await stage.perform("create_payment", pay(), job=job)
    with pytest.raises(Ambiguous) as second:
        await stage.perform("create_payment", pay(), job=job)
    assert (first.value.final, second.value.final) == (False, True)
    found = await stage.perform("find_payment", pay(), job=job)
    assert found.ref == stage.done("payment_intent")[0].id


async def test_what_was_never_done_is_not_found(stage):
    other = await stage.perform("create_payment", pay(), job=stage.job())
    await stage.person(f"/_customer/payment_intents/{other.ref}/pay")
    session = await stage.perform(
        "create_checkout", pay(return_url="https://a.example/"), job=stage.job()
    )
    amount = Sum(amount=9, currency="EUR")
    refund = Refund(order="o", refund="r", ref=other.ref, amount=amount)
    await stage.perform("refund", refund, job=stage.job())
    for find, item in (
        ("find_payment", pay()),
        ("find_checkout", pay(return_url="https://a.example/")),
        ("find_refund", refund),
        ("find_capture", Capture(order="o", ref=other.ref)),
        ("find_cancel", Capture(order="o", ref=other.ref)),
        ("find_cancel", Capture(order="o", ref=session.ref)),
    ):
        assert await stage.perform(find, item, job=stage.job()) is None, find


async def test_every_write_is_found_by_its_look_up(stage):
    held = await stage.perform("create_payment", pay(capture="manual"), job=stage.job())
    await stage.person(f"/_customer/payment_intents/{held.ref}/pay")
    amount = Sum(amount=600, currency="EUR")
    for action, find, item in (
        ("create_checkout", "find_checkout", pay(return_url="https://a.example/")),
        ("capture_payment", "find_capture", Capture(order="o", ref=held.ref, amount=amount)),
        ("refund", "find_refund", Refund(order="o", refund="r", ref=held.ref, amount=amount)),
    ):
        job = stage.job()
        made = await stage.perform(action, item, job=job)
        found = await stage.perform(find, item, job=job)
        assert (found.ref, found.facts, found.handoff) == (made.ref, made.facts, made.handoff)


async def test_a_look_up_reads_on_past_the_first_page(stage):
    job = stage.job()
    await stage.perform("create_payment", pay(), job=job)
    for _ in range(101):
        stage.double.bank.create_intent({"amount": 5, "currency": "eur"})
    found = await stage.perform("find_payment", pay(), job=job)
    assert found.ref == stage.done("payment_intent")[0].id


async def test_the_connector_tells_a_busy_a_broken_and_a_revoked_account_apart(stage):
    faults = stage.double.state.faults
    faults.append(Fault(fault="429", path="/v1/", after=7))
    with pytest.raises(RateLimited) as busy:
        await stage.perform("create_payment", pay(), job=stage.job())
    assert busy.value.after == 7
    faults.append(Fault(fault="500", path="/v1/"))
    with pytest.raises(Ambiguous):
        await stage.perform("create_payment", pay(), job=stage.job())
    faults.append(Fault(fault="hang", path="/v1/"))
    with pytest.raises(Ambiguous):
        await stage.perform("create_payment", pay(), job=stage.job(), within=0.2)
    with pytest.raises(AuthFailed):
        await stage.perform("create_payment", pay(), job=stage.job(), api_key="revoked")
    assert stage.ledger == []


async def test_a_key_in_use_is_tried_later_and_a_misused_one_is_dead(stage):
    job = stage.job()
    stage.double.keys.pace = 5
    slow = asyncio.ensure_future(stage.perform("create_payment", pay(), job=job))
    while not stage.double.keys.saved:
        await asyncio.sleep(0)
    with pytest.raises(Retry):
        await stage.perform("create_payment", pay(), job=job)
    stage.clock.advance(4.9)
    stage.double.keys.pace = 0
    stage.clock.advance(0.1)
    await slow
    with pytest.raises(Reject, match="a fault of the hub"):
        await stage.perform("create_payment", pay(order="ord_2"), job=job)


async def test_check_proves_the_key_and_its_mode(stage):
    async def checked(key, mode="test"):
        connector = stage.connector(key)
        settings = connector.settings.model_copy(update={"mode": mode})
        async with Outbound(stage.clock) as out:
            http = out.client(Stripe, settings, name="stripe", allow_private=["127.0.0.1"])
            found = await Stripe("stripe", settings, http).check()
            return [(check.name, check.state) for check in found]

    assert await checked("sk_test_sandbox") == [("credentials", "ok"), ("mode", "ok")]
    assert await checked("sk_test_sandbox", "live") == [("credentials", "ok"), ("mode", "fail")]
    assert await checked("revoked") == [("credentials", "fail")]
    stage.double.state.faults.append(Fault(fault="500"))
    assert await checked("sk_test_sandbox") == [("reach", "fail")]
