"""SendGrid's double: its vendor's SDK sends to it, our connector sends to it, it reports back."""

import asyncio
import json
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from python_http_client import exceptions
from sendgrid import SendGridAPIClient
from sendgrid.helpers import mail as vendor

from connectors.sendgrid import SendGrid
from connectors.sendgrid.items import PlainMail, TemplateMail
from connectors.sendgrid.sandbox import Sandbox
from hub import (
    Ambiguous,
    AuthFailed,
    Call,
    ManualClock,
    RateLimited,
    Reject,
    Request,
    Secret,
    SignatureError,
)
from hub.http import Outbound
from hub.sandbox import Endpoint, Fault

JOB = "job_01kg0000000000000000000001"
RECEIPT = {"to": {"email": "buyer@example.com"}, "template_id": "d-1", "data": {"number": "7"}}


class Stage:
    """The double on a port, a receiver of its webhooks, and our connector before both."""

    def __init__(self, double, base_url, keys, arrived):
        self.double, self.base_url, self.keys, self.arrived = double, base_url, keys, arrived
        self.clock = double.clock

    def connector(self, key="SG.sandbox", **more):
        given = {"api_key": Secret(key), "from": "shop@example.com", "base_url": self.base_url}
        return SendGrid("mails", SendGrid.Settings.model_validate(given | more), None)

    async def perform(self, action, item, *, key="SG.sandbox", job=JOB, **more):
        connector = self.connector(key, **more)
        deadline = self.clock.now() + timedelta(seconds=5)
        async with Outbound(self.clock) as out:
            client = out.client(
                SendGrid, connector.settings, name="mails", allow_private=["127.0.0.1"]
            )
            http = client.attempt(deadline=deadline)
            call = Call(
                http=http, job=job, key=job, attempt=1, deadline=deadline, links=None, log=None,
                clock=self.clock,
            )  # fmt: skip
            return await getattr(connector, action)(call, item)

    async def delivery(self):
        """The next webhook: its events, after it verified with the public key."""
        request = await asyncio.wait_for(self.arrived.get(), 5)
        connector = self.connector()
        connector.verify(request, self.keys[1], now=self.clock.now().timestamp())
        return list(connector.parse(request))


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
    app.add_subapp("/sendgrid", double.app())
    app.router.add_post("/hook", receive)
    server = await aiohttp_server(app)
    keys = double.new_keys()
    double.state.endpoints.append(Endpoint(url=str(server.make_url("/hook")), secret=keys[0]))
    return Stage(double, str(server.make_url("/sendgrid")), keys, arrived)


def from_sdk(base_url, body, key="SG.sandbox"):
    """Send with SendGrid's own client, which blocks."""
    return SendGridAPIClient(key, host=base_url).send(body)


def sdk_mail(**args):
    mail = vendor.Mail("shop@example.com", "buyer@example.com", "Hello", "Hello you")
    for key, value in args.items():
        mail.add_custom_arg(vendor.CustomArg(key, value))
    return mail.get()


# -- the vendor's SDK as client ------------------------------------------------------------------
async def test_the_sdk_sends_a_mail_and_reads_its_message_id(stage):
    answer = await asyncio.to_thread(from_sdk, stage.base_url, sdk_mail(hub_job=JOB))
    assert (answer.status_code, answer.body) == (202, b"")
    [effect] = stage.double.state.ledger
    assert (effect.kind, effect.id, effect.key) == ("mail", answer.headers["X-Message-Id"], JOB)
    assert effect.data["to"] == "buyer@example.com"
    assert stage.double.mails[JOB] == [effect.data]


async def test_the_sdk_reads_the_scopes(stage):
    client = SendGridAPIClient("SG.sandbox", host=stage.base_url)
    answer = await asyncio.to_thread(client.client.scopes.get)
    assert "mail.send" in answer.to_dict["scopes"]


def without(*path):
    body = sdk_mail()
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return body


REFUSED = [  # body, field named in the refusal
    (without("from"), "from.email"),
    (without("personalizations"), "personalizations"),
    (without("personalizations", 0, "to"), "personalizations.0.to"),
    (without("subject"), "subject"),
    (without("content"), "content"),
    (sdk_mail() | {"sandbox": True}, "sandbox"),
    (sdk_mail() | {"from": {"email": "nobody"}}, "from.email"),
    (sdk_mail() | {"categories": ["x"] * 11}, "categories"),
    (sdk_mail() | {"categories": ["x" * 256]}, "categories"),
    (sdk_mail() | {"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
    (sdk_mail() | {"asm": {"group_id": "7"}}, "asm.group_id"),
    (sdk_mail() | {"mail_settings": "sandbox"}, "mail_settings"),
    (sdk_mail() | {"mail_settings": {"sandbox_mode": True}}, "mail_settings"),
    (sdk_mail() | {"custom_args": "x"}, "custom_args"),
    (sdk_mail() | {"custom_args": {"n": 1}}, "custom_args"),
    (
        sdk_mail() | {"personalizations": [{"to": [{"email": "x"}]}]},
        "personalizations.0.to.0.email",
    ),
    (
        sdk_mail() | {"personalizations": [{"to": [{"email": "a@b"}], "data": {}}]},
        "personalizations.0.data",
    ),
    (
        sdk_mail() | {"personalizations": [{"to": [{"email": "a@b"}, {"email": "A@B"}]}]},
        "personalizations.0.to",
    ),
    (
        sdk_mail() | {"personalizations": [{"to": [{"email": "a@b"}], "custom_args": {"n": 1}}]},
        "personalizations.0.custom_args",
    ),
    (
        sdk_mail()
        | {"personalizations": [{"to": [{"email": "a@b"}], "custom_args": {"n": "x" * 10_000}}]},
        "personalizations.0.custom_args",
    ),
]


@pytest.mark.parametrize(("body", "field"), REFUSED)
async def test_the_sdk_is_told_which_field_is_refused(stage, body, field):
    with pytest.raises(exceptions.BadRequestsError) as caught:
        await asyncio.to_thread(from_sdk, stage.base_url, body)
    assert field in [error["field"] for error in json.loads(caught.value.body)["errors"]]
    assert stage.double.state.ledger == []


@pytest.mark.parametrize(
    ("key", "error"),
    [("revoked", exceptions.UnauthorizedError), ("readonly", exceptions.ForbiddenError)],
)
async def test_the_sdk_is_told_that_its_key_does_not_do(stage, key, error):
    with pytest.raises(error):
        await asyncio.to_thread(from_sdk, stage.base_url, sdk_mail(), key)
    assert stage.double.state.ledger == []


@pytest.mark.parametrize("body", [b"not JSON", b"[]", b'"text"', b"null"])
async def test_a_body_that_is_no_object_is_refused(stage, body):
    headers = {"Authorization": "Bearer SG.sandbox"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.base_url}/v3/mail/send", data=body, headers=headers) as answer,
    ):
        assert answer.status == 400


# -- our connector as client ---------------------------------------------------------------------
async def test_a_template_mail_arrives_and_its_events_come_back(stage):
    outcome = await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    [effect] = stage.double.state.ledger
    assert (effect.id, effect.key) == (outcome.ref, JOB)
    assert effect.data["data"] == {"number": "7"}
    events = await stage.delivery()
    assert [(e.type, e.job, e.failed) for e in events] == [
        ("processed", JOB, False),
        ("delivered", JOB, False),
    ]
    assert all(event.data["sg_message_id"].startswith(outcome.ref) for event in events)


async def test_a_plain_mail_arrives(stage):
    item = {"to": {"email": "buyer@example.com"}, "subject": "Hi", "text": "Hello"}
    await stage.perform("send", PlainMail.model_validate(item))
    [effect] = stage.double.state.ledger
    assert effect.data["subject"] == "Hi"


async def test_the_delivery_ends_with_crlf_which_is_signed(stage):
    await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    request = await asyncio.wait_for(stage.arrived.get(), 5)
    assert request.body.endswith(b"]\r\n")
    stripped = request.with_body(request.body.rstrip())
    with pytest.raises(SignatureError, match="mismatch"):
        stage.connector().verify(stripped, stage.keys[1], now=stage.clock.now().timestamp())


async def test_a_duplicated_delivery_bears_the_same_event_ids(stage):
    stage.double.state.faults.append(Fault(fault="duplicate", count=3))
    await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    ids = [[e.ext_id for e in await stage.delivery()] for _ in range(3)]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids[0])) == 2


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("dropped", [("dropped", True)]),
        ("bounce", [("processed", False), ("bounce", False)]),
    ],
)
async def test_a_mail_can_be_dropped_or_bounce(stage, fault, told):
    stage.double.state.faults.append(Fault(fault=fault))
    await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    assert [(e.type, e.failed) for e in await stage.delivery()] == told
    await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    assert [e.type for e in await stage.delivery()] == ["processed", "delivered"]


async def test_a_bounce_can_come_late_and_a_silent_mail_is_told_of_later(stage):
    stage.double.state.faults.append(Fault(fault="silent"))
    await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    assert stage.arrived.empty()
    [mail] = stage.double.mails[JOB]
    stage.double.report(mail, "bounce")
    [event] = await stage.delivery()
    assert (event.type, event.job) == ("bounce", JOB)


async def test_each_run_of_the_double_makes_ids_of_its_own(stage):
    await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    stage.clock.advance(1)
    again = Sandbox(clock=stage.clock)
    again._take(again._message_id(RECEIPT), {}, {"to": [RECEIPT["to"]]})
    [first], [second] = stage.double.state.ledger, again.state.ledger
    assert first.id != second.id


async def test_a_spent_budget_says_when_it_is_full_again(stage):
    stage.double.state.faults.append(Fault(fault="429", after=7))
    with pytest.raises(RateLimited) as caught:
        await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    assert caught.value.after == 7
    assert stage.double.state.ledger == []


@pytest.mark.parametrize("fault", ["500", "cut"])
async def test_a_mail_whose_answer_was_lost_is_ambiguous_though_it_went(stage, fault):
    stage.double.state.faults.append(Fault(fault=fault, acted=True))
    with pytest.raises(Ambiguous):
        await stage.perform("send_template", TemplateMail.model_validate(RECEIPT))
    assert [effect.key for effect in stage.double.state.ledger] == [JOB]
    assert {event.job for event in await stage.delivery()} == {JOB}


async def test_a_refused_mail_names_its_fields(stage):
    item = PlainMail.model_construct(
        to=TemplateMail.model_validate(RECEIPT).to.model_copy(update={"email": "nobody"}),
        custom_args={}, categories=[], asm_group=None, subject="Hi", text="Hello", html=None,
    )  # fmt: skip
    with pytest.raises(Reject) as caught:
        await stage.perform("send", item)
    assert list(caught.value.errors) == ["personalizations.0.to.0.email"]


async def test_a_revoked_key_holds_the_account(stage):
    with pytest.raises(AuthFailed):
        await stage.perform("send_template", TemplateMail.model_validate(RECEIPT), key="revoked")


async def test_sandbox_mode_sends_nothing(stage):
    item = TemplateMail.model_validate(RECEIPT)
    outcome = await stage.perform("send_template", item, sandbox_mode=True)
    assert outcome.ref is None
    assert stage.double.state.ledger == []
    assert stage.arrived.empty()


# -- check ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "states"),
    [
        ("SG.sandbox", {"api_key": "ok", "mail.send": "ok"}),
        ("readonly", {"api_key": "ok", "mail.send": "fail"}),
        ("revoked", {"api_key": "fail"}),
    ],
)
async def test_check_proves_the_key_and_its_permission(stage, key, states):
    settings = stage.connector(key).settings
    async with Outbound(stage.clock) as out:
        client = out.client(SendGrid, settings, name="mails", allow_private=["127.0.0.1"])
        found = await SendGrid("mails", settings, client).check()
    assert {check.name: check.state for check in found} == states
    assert key not in "".join(check.text for check in found)
