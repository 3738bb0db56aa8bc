"""Stripe's double: its vendor's SDK, on the vendor's own transport, is content with it."""

import asyncio

import aiohttp
import pytest
import stripe

from tests.connectors.stripe_stage import PAY, pay, staged


@pytest.fixture
async def stage(aiohttp_server):
    async with staged(aiohttp_server) as stage:
        yield stage


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
