"""Stripe's double: its vendor's SDK pays with it, our connector pays with it, it tells of both."""

import asyncio
from datetime import timedelta

import aiohttp
import pytest
import stripe
from aiohttp import web

from connectors.stripe import Stripe
from connectors.stripe.sandbox import Sandbox
from hub import (
    Ambiguous,
    AuthFailed,
    Call,
    Capture,
    Find,
    ManualClock,
    Pay,
    RateLimited,
    Refund,
    Reject,
    Request,
    Retry,
    Secret,
    Sum,
)
from hub.http import Outbound
from hub.ids import new_id
from hub.sandbox import Endpoint, Fault

SECRET = Secret("whsec_sandbox_0123456789", "whsec")
PAY = {"amount": 1099, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}


class Stage:
    """The double on a port, a receiver of its webhooks, the vendor's SDK and our connector."""

    def __init__(self, double, base_url, sdk, arrived):
        self.double, self.base_url, self.v1, self.arrived = double, base_url, sdk.v1, arrived
        self.clock, self.ledger = double.clock, double.state.ledger

    def connector(self, key="sk_test_sandbox"):
        given = {"mode": "test", "api_key": Secret(key), "base_url": self.base_url}
        settings = Stripe.Settings.model_construct(**given, receipts=True)
        return Stripe("stripe", settings, None)

    async def perform(self, action, item, *, job, key=None, api_key="sk_test_sandbox", within=5.0):
        connector = self.connector(api_key)
        deadline = self.clock.now() + timedelta(seconds=within)
        async with Outbound(self.clock) as out:
            client = out.client(
                Stripe, connector.settings, name="stripe", allow_private=["127.0.0.1"]
            )
            call = Call(
                http=client.attempt(deadline=deadline), job=job, key=key or job, attempt=1,
                deadline=deadline, links=None, log=None, clock=self.clock,
            )  # fmt: skip
            return await getattr(connector, action)(call, item)

    async def events(self, count):
        """The next webhooks, verified and parsed, in the order of their ids: they race."""
        found = [await self._event() for _ in range(count)]
        return sorted(found, key=lambda event: event.ext_id)

    async def _event(self):
        request = await asyncio.wait_for(self.arrived.get(), 5)
        connector = self.connector()
        connector.verify(request, SECRET, now=self.clock.now().timestamp())
        [event] = connector.parse(request)
        return event

    async def types(self, count):
        return [event.type for event in await self.events(count)]

    async def person(self, path, **form):
        """What a buyer or merchant does, without a key."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.base_url + path, data=form) as answer,
        ):
            return answer.status, await answer.json()

    def done(self, kind):
        return [effect for effect in self.ledger if effect.kind == kind]

    def job(self):
        return new_id("job", self.clock.now())


@pytest.fixture
async def stage(aiohttp_server):
    arrived = asyncio.Queue()

    async def receive(request):
        body = await request.read()
        arrived.put_nowait(
            Request(method="POST", url=str(request.url), headers=request.raw_headers, body=body)
        )
        return web.Response()

    double = Sandbox(clock=ManualClock())
    app = web.Application()
    app.add_subapp("/stripe", double.app())
    app.router.add_post("/hook", receive)
    server = await aiohttp_server(app)
    double.state.endpoints.append(Endpoint(url=str(server.make_url("/hook")), secret=SECRET))
    base_url = str(server.make_url("/stripe"))
    transport = stripe.AIOHTTPClient()  # the vendor's own, on a session of its own
    sdk = stripe.StripeClient(
        "sk_test_sandbox",
        base_addresses={"api": base_url},
        http_client=transport,
        max_network_retries=0,
    )
    stripe.enable_telemetry = False
    yield Stage(double, base_url, sdk, arrived)
    await transport.close_async()


def pay(**more):
    given = {"order": "ord_1", "payment": "pay_1", "amount": Sum(amount=1099, currency="EUR")}
    return Pay(**given | more)


def names(outcome):
    return [(fact.fact, fact.amount) for fact in outcome.facts]


# -- the vendor's SDK as client --------------------------------------------------------------------
async def test_the_sdk_pays_and_reads_what_it_paid(stage):
    made = await stage.v1.payment_intents.create_async(PAY | {"metadata": {"a": "b"}})
    assert (made.object, made.status, made.amount_received) == ("payment_intent", "succeeded", 1099)
    found = await stage.v1.payment_intents.retrieve_async(made.id, {"expand": ["latest_charge"]})
    charge = found.latest_charge
    assert (charge.object, charge.captured, charge.payment_intent) == ("charge", True, made.id)
    assert dict(charge.metadata.to_dict()) == {"a": "b"}
    assert await stage.types(3) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


async def test_the_sdk_confirms_later_captures_a_part_and_refunds(stage):
    made = await stage.v1.payment_intents.create_async(
        {"amount": 1000, "currency": "eur", "capture_method": "manual"}
    )
    assert made.status == "requires_payment_method"
    held = await stage.v1.payment_intents.confirm_async(made.id, {"payment_method": "pm_card_visa"})
    assert (held.status, held.amount_capturable) == ("requires_capture", 1000)
    done = await stage.v1.payment_intents.capture_async(made.id, {"amount_to_capture": 600})
    assert (done.status, done.amount_received) == ("succeeded", 600)
    back = await stage.v1.refunds.create_async({"payment_intent": made.id, "amount": 200})
    assert (back.status, back.amount, back.charge) == ("succeeded", 200, done.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await stage.v1.refunds.create_async({"payment_intent": made.id, "amount": 401})
    assert caught.value.param == "amount"
    charge = await stage.v1.charges.retrieve_async(done.latest_charge)
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (600, 200, False)
    kinds = await stage.types(7)
    assert kinds[2:] == [
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]


async def test_the_sdk_sees_a_decline_and_may_try_again(stage):
    with pytest.raises(stripe.CardError) as caught:
        await stage.v1.payment_intents.create_async(
            PAY | {"payment_method": "pm_card_chargeDeclined"}
        )
    error = caught.value.error
    assert (caught.value.http_status, error.code) == (402, "card_declined")
    assert error.decline_code == "generic_decline"
    intent = error.payment_intent
    assert intent.status == "requires_payment_method"
    paid = await stage.v1.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}
    )
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


async def test_the_sdk_pages_through_a_list(stage):
    made = []
    for n in range(5):
        made.append((await stage.v1.payment_intents.create_async(PAY | {"amount": 100 + n})).id)
        stage.clock.advance(10)
    first = await stage.v1.payment_intents.list_async({"limit": 2})
    assert ([one.id for one in first.data], first.has_more) == (made[:2:-1], True)
    every = [one.id async for one in first.auto_paging_iter()]
    assert every == made[::-1]
    since = int(stage.clock.now().timestamp()) - 20
    late = await stage.v1.payment_intents.list_async({"created": {"gte": since}})
    assert [one.id for one in late.data] == made[:2:-1]
    before = await stage.v1.payment_intents.list_async({"ending_before": made[2], "limit": 1})
    assert [one.id for one in before.data] == [made[3]]


async def test_the_sdk_lists_events_by_type_and_time(stage):
    made = await stage.v1.payment_intents.create_async(PAY)
    kinds = ["payment_intent.succeeded", "charge.succeeded"]
    found = await stage.v1.events.list_async({"types": kinds})
    assert [event.type for event in found.data] == kinds
    assert found.data[0].data.object.id == made.id
    one = await stage.v1.events.retrieve_async(found.data[0].id)
    assert one.type == kinds[0]
    assert (
        (await stage.v1.events.list_async({"type": "payment_intent.created"})).data[0].api_version
    )
    assert not (await stage.v1.events.list_async({"created": {"lt": 5}})).data


async def test_one_key_acts_once_and_says_that_it_repeats(stage):
    options = {"idempotency_key": "k1"}
    first = await stage.v1.payment_intents.create_async(PAY, options)
    again = await stage.v1.payment_intents.create_async(PAY, options)
    assert first.id == again.id
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert [(e.id, e.key) for e in stage.done("payment_intent")] == [(first.id, "k1")]


async def test_one_key_for_two_requests_is_an_error(stage):
    options = {"idempotency_key": "k1"}
    await stage.v1.payment_intents.create_async(PAY, options)
    for params in (PAY | {"amount": 5}, PAY | {"metadata": {"a": "b"}}):
        with pytest.raises(stripe.IdempotencyError):
            await stage.v1.payment_intents.create_async(params, options)
    assert len(stage.done("payment_intent")) == 1


async def test_a_decline_is_remembered_and_a_wrong_parameter_is_not(stage):
    options = {"idempotency_key": "k1"}
    with pytest.raises(stripe.InvalidRequestError):
        await stage.v1.payment_intents.create_async(PAY | {"planted": "x"}, options)
    declined = PAY | {"payment_method": "pm_card_chargeDeclined"}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await stage.v1.payment_intents.create_async(declined, options)
    assert len(stage.done("charge")) == 1


async def test_a_key_is_forgotten_after_a_day(stage):
    options = {"idempotency_key": "k1"}
    first = await stage.v1.payment_intents.create_async(PAY, options)
    stage.clock.advance(86399)
    assert (await stage.v1.payment_intents.create_async(PAY, options)).id == first.id
    stage.clock.advance(1)
    assert (await stage.v1.payment_intents.create_async(PAY, options)).id != first.id


async def test_a_key_in_use_is_a_conflict(stage):
    stage.double.keys.pace = 5
    options = {"idempotency_key": "k1"}
    slow = asyncio.ensure_future(stage.v1.payment_intents.create_async(PAY, options))
    while not stage.double.keys.saved:
        await asyncio.sleep(0)
    with pytest.raises(stripe.StripeError) as caught:
        await stage.v1.payment_intents.create_async(PAY, options)
    assert caught.value.http_status == 409
    stage.clock.advance(5)
    assert (await slow).status == "succeeded"


UNKNOWN = [
    # params, the parameter named
    (PAY | {"planted": "x"}, "planted"),
    (PAY | {"automatic_payment_methods": {"enable": True}}, "automatic_payment_methods[enable]"),
    (PAY | {"capture_method": "later"}, "capture_method"),
    (PAY | {"amount": "ten"}, "amount"),
    (PAY | {"amount": 0}, "amount"),
    (PAY | {"currency": "euro"}, "currency"),
    (PAY | {"metadata": {"k" * 41: "v"}}, "metadata[" + "k" * 41 + "]"),
    (PAY | {"metadata": {"k": "v" * 501}}, "metadata[k]"),
    ({"currency": "eur"}, "amount"),
    (PAY | {"payment_method": "pm_unheard_of"}, "payment_method"),
]


@pytest.mark.parametrize(("params", "param"), UNKNOWN)
async def test_what_stripe_does_not_know_is_refused_by_name(stage, params, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await stage.v1.payment_intents.create_async(params)
    assert (caught.value.http_status, caught.value.param) == (400, param)


async def test_what_is_not_there_is_a_404(stage):
    for read in (stage.v1.payment_intents, stage.v1.checkout.sessions, stage.v1.charges,
                 stage.v1.refunds, stage.v1.events):  # fmt: skip
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await read.retrieve_async("none")
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


@pytest.mark.parametrize("key", ["revoked", " "])
async def test_a_bad_key_is_refused(stage, key):
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{stage.base_url}/v1/balance", headers=headers) as answer,
    ):
        assert answer.status == 401


async def test_the_sdk_opens_and_expires_a_checkout(stage):
    price = {"currency": "eur", "unit_amount": 500, "product_data": {"name": "Tea"}}
    made = await stage.v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "line_items": [{"quantity": 2, "price_data": price}],
            "success_url": "https://shop.example.com/done",
        }
    )
    assert (made.status, made.amount_total, made.payment_intent) == ("open", 1000, None)
    ended = await stage.v1.checkout.sessions.expire_async(made.id)
    assert (ended.status, ended.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError):
        await stage.v1.checkout.sessions.expire_async(made.id)
    assert await stage.types(1) == ["checkout.session.expired"]


async def test_an_open_checkout_ends_in_time(stage):
    made = await stage.perform(
        "create_checkout", pay(return_url="https://a.example/"), job=stage.job()
    )
    stage.clock.advance(86400)
    found = await stage.v1.checkout.sessions.retrieve_async(made.ref)
    assert found.status == "expired"
    status, _ = await stage.person(f"/_customer/checkout/{made.ref}/pay")
    assert status == 400


# -- our connector ---------------------------------------------------------------------------------
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
