"""The doubles' webhook endpoints, with the vendors' own SDKs as clients."""

import asyncio
import json

import pytest
import stripe as vendor
from aiohttp.test_utils import TestServer
from python_http_client import exceptions
from sendgrid import SendGridAPIClient

from connectors.sendgrid.sandbox import Sandbox as SendGridDouble
from connectors.stripe.sdk import API_VERSION
from hub.doubles import application
from hub.subscriptions import Subscription, Wanted, compare
from tests.connectors.stripe_stage import PAY, staged

URL = "https://hub.example.com/webhooks/stripe"
ALL = {"url": URL, "enabled_events": ["*"]}


@pytest.fixture
async def stage(aiohttp_server):
    async with staged(aiohttp_server) as made:
        yield made


async def test_stripes_own_client_makes_reads_changes_and_deletes_an_endpoint(stage) -> None:
    hooks = stage.v1.webhook_endpoints
    made = await hooks.create_async({**ALL, "api_version": API_VERSION, "description": "d"})
    assert made.secret.startswith("whsec_")
    assert (made.object, made.status, made.api_version) == (
        "webhook_endpoint", "enabled", API_VERSION,
    )  # fmt: skip
    read = await hooks.retrieve_async(made.id)
    assert "secret" not in read.to_dict()  # told once
    off = await hooks.update_async(made.id, {"disabled": True, "enabled_events": ["charge.failed"]})
    assert (off.status, off.enabled_events) == ("disabled", ["charge.failed"])
    assert [one.id for one in (await hooks.list_async({"limit": 5})).data] == [made.id]
    gone = await hooks.delete_async(made.id)
    assert gone.to_dict()["deleted"] is True
    with pytest.raises(vendor.InvalidRequestError, match="No such webhook endpoint"):
        await hooks.retrieve_async(made.id)


async def test_the_same_key_makes_one_endpoint_and_tells_its_secret_again(stage) -> None:
    hooks, key = stage.v1.webhook_endpoints, {"idempotency_key": "k1"}
    one, two = [await hooks.create_async(dict(ALL), key) for _ in range(2)]
    assert (one.id, one.secret) == (two.id, two.secret)
    assert len(stage.double.hooks.things) == 1


REFUSED = [
    ({"url": URL}, "Missing required param"),
    ({**ALL, "enabled_events": ["charge.exploded"]}, "Invalid enabled_events"),
    ({**ALL, "colour": "red"}, "unknown parameter"),
]


@pytest.mark.parametrize(("body", "told"), REFUSED)
async def test_stripes_double_refuses_what_stripe_would_not_know(stage, body, told) -> None:
    with pytest.raises(vendor.InvalidRequestError, match=told):
        await stage.v1.webhook_endpoints.create_async(body)


async def test_an_endpoint_hears_what_it_subscribed_to_while_it_is_enabled(stage) -> None:
    hooks, sent = stage.v1.webhook_endpoints, stage.double.state
    where = sent.endpoints[0].url
    sent.endpoints.clear()
    made = await hooks.create_async({"url": where, "enabled_events": ["payment_intent.succeeded"]})
    await stage.v1.payment_intents.create_async(dict(PAY))
    request = await stage.arrived.get()
    assert json.loads(request.body)["type"] == "payment_intent.succeeded"
    header = dict(request.headers)[b"Stripe-Signature"].decode()
    vendor.WebhookSignature.verify_header(request.body.decode(), header, made.secret)
    await hooks.update_async(made.id, {"disabled": True})
    await stage.v1.payment_intents.create_async(dict(PAY))
    assert stage.arrived.empty()
    assert sent.endpoints == []


@pytest.fixture
async def settings():
    """SendGrid's double, and the vendor's client at its webhook settings."""
    double = SendGridDouble()
    server = TestServer(application({"sendgrid": double}))
    await server.start_server()
    client = SendGridAPIClient("SG.x", host=str(server.make_url("/sendgrid")))
    yield double, client.client.user.webhooks.event.settings
    await server.close()


async def ask(call, **how):
    """Call the vendor's client, which blocks, and read its answer."""
    answer = await asyncio.to_thread(call, **how)
    return answer.status_code, json.loads(answer.body or b"null")


async def test_sendgrids_own_client_makes_signs_reads_changes_and_deletes_one(settings) -> None:
    double, at = settings
    code, made = await ask(at.post, request_body={"enabled": True, "url": URL, "bounce": True})
    assert (code, made["bounce"], made["delivered"], "public_key" in made) == (
        201, True, False, False,
    )  # fmt: skip
    assert double.state.endpoints[0].signed is False
    code, signed = await ask(at.signed._(made["id"]).patch, request_body={"enabled": True})
    assert signed["public_key"]
    _, listed = await ask(at._("all").get)
    assert [(one["id"], one["public_key"]) for one in listed["webhooks"]] == [
        (made["id"], signed["public_key"])
    ]
    _, changed = await ask(at._(made["id"]).patch, request_body={"enabled": False})
    assert (changed["enabled"], changed["bounce"]) == (False, True)
    assert double.state.endpoints == []
    with pytest.raises(exceptions.BadRequestsError):  # one URL, one webhook
        await ask(at.post, request_body={"enabled": True, "url": URL})
    assert (await ask(at._(made["id"]).delete))[0] == 204
    with pytest.raises(exceptions.NotFoundError):
        await ask(at._(made["id"]).get)


async def test_sendgrids_double_sends_each_webhook_what_it_hears_signed_with_its_key(
    settings,
) -> None:
    double, _ = settings
    double.hooks.create({"enabled": True, "url": URL, "bounce": True})
    double.hooks.replace("https://all.example.com", double.new_keys()[0])
    sent = []
    double._spawn = lambda work: (sent.append(work.cr_frame.f_locals.copy()), work.close())
    mail = {"id": "m", "to": "a@example.com", "categories": [], "custom_args": {}}
    double.report(mail, "processed", "bounce")
    told = {
        one["endpoint"].url: [event["event"] for event in json.loads(one["raw"])] for one in sent
    }
    assert told == {URL: ["bounce"], "https://all.example.com": ["processed", "bounce"]}


def test_ours_come_first_and_the_one_that_needs_least_is_chosen() -> None:
    def one(ref, url=URL, events=("a",), **more):
        return Subscription(ref=ref, url=url, events=frozenset(events), **more)

    wanted = Wanted(url=URL, events=frozenset({"a", "b"}))
    have = [one("1", "https://x"), one("2", enabled=False), one("3"), one("4", stuck="old")]
    found = compare(have, wanted)
    assert [(step.does, step.have.ref) for step in found] == [
        ("mend", "3"), ("twice", "2"), ("twice", "4"), ("foreign", "1"),
    ]  # fmt: skip
    assert found[0].events == ("b",)
    assert compare([], wanted)[0].events == ("a", "b")
    assert compare([one("1", URL + "/")], wanted)[0].does == "add"  # an address is exact
