"""SendGrid's bodies against its published OpenAPI; what is refused, and what comes in."""

import copy
import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import connectors.sendgrid
from connectors.sendgrid import SendGrid
from connectors.sendgrid.items import PlainMail, TemplateMail
from hub import Call, ManualClock, RateLimited, Reject, Request, Secret, read_json
from hub.http import Outbound
from hub.http.classify import Received

ROOT = Path(connectors.sendgrid.__file__).parent.parent.parent
FIXTURES = ROOT / "connectors" / "sendgrid" / "fixtures"
SPECS = Path(os.environ.get("HUB_SPECS", ROOT.parent / "shared" / "specs"))
JOB = "job_01kg0000000000000000000001"
FULL = {
    "to": {"email": "buyer@example.com", "name": "B. Yer"},
    "template_id": "d-0123456789abcdef0123456789abcdef",
    "data": {"number": "1001", "total": Decimal("12.90"), "lines": [{"qty": 2}], "gift": None},
    "custom_args": {"hub_order": "ord_1"},
    "categories": ["order", "receipt"],
    "asm_group": 7,
}
PLAIN = {"to": {"email": "buyer@example.com"}, "subject": "Hi", "text": "Hello", "html": "<p>"}


# -- what is sent --------------------------------------------------------------------------------
@pytest.fixture
async def sent(aiohttp_server):
    """Give the raw body that an action sends, and the Content-Type beside it."""
    bodies = []

    async def take(request):
        bodies.append((await request.read(), request.headers["Content-Type"]))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/v3/mail/send", take)
    server = await aiohttp_server(app)

    async def perform(action, item, **more):
        given = {"api_key": Secret("SG.test"), "from": "shop@example.com", **more}
        given["base_url"] = str(server.make_url("")).rstrip("/")
        settings = SendGrid.Settings.model_validate(given)
        clock = ManualClock()
        deadline = clock.now() + timedelta(seconds=5)
        async with Outbound(clock) as out:
            client = out.client(SendGrid, settings, name="mails", allow_private=["127.0.0.1"])
            call = Call(
                http=client.attempt(deadline=deadline), job=JOB, key=JOB, attempt=1,
                deadline=deadline, links=None, log=None, clock=clock,
            )  # fmt: skip
            await getattr(SendGrid("mails", settings, None), action)(call, item)
        return bodies[-1]

    return perform


async def test_a_decimal_goes_out_as_the_number_it_is(sent):
    raw, content_type = await sent("send_template", TemplateMail.model_validate(FULL))
    assert b'"total":12.90' in raw
    assert content_type.startswith("application/json")


async def test_the_same_mail_has_the_same_bytes(sent):
    item = TemplateMail.model_validate(FULL)
    assert await sent("send_template", item) == await sent("send_template", item)


async def test_the_order_of_categories_is_kept(sent):
    raw, _ = await sent("send_template", TemplateMail.model_validate(FULL))
    assert read_json(raw)["categories"] == ["order", "receipt"]


NAMES = ["B. Yer, Jr.", 'The "Shop"', "<script>", "a <b@example.com>", "Zoë Ünïcode"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_goes_out_as_it_is(sent, name):
    item = FULL | {"to": {"email": "buyer@example.com", "name": name}}
    raw, _ = await sent("send_template", TemplateMail.model_validate(item), from_name=name)
    body = read_json(raw)
    assert body["personalizations"][0]["to"] == [{"email": "buyer@example.com", "name": name}]
    assert body["from"] == {"email": "shop@example.com", "name": name}


async def test_a_text_that_holds_an_api_key_is_not_sent(sent):
    item = PlainMail.model_validate(PLAIN | {"text": "SG.abcdef.ghijkl"})
    with pytest.raises(Reject, match="API key") as caught:
        await sent("send", item)
    assert "abcdef" not in str(caught.value)


# -- the published OpenAPI -----------------------------------------------------------------------
def closed(schema):
    """Forbid unknown fields wherever the schema names the fields there are."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(inner) for name, inner in schema.items()}
    if isinstance(made.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


@pytest.fixture(scope="module")
def published():
    path = SPECS / "sendgrid" / "tsg_mail_v3.json"
    if not path.exists():
        pytest.skip("SendGrid's OpenAPI is not here: set HUB_SPECS to the folder of specs")
    spec = json.loads(path.read_text())
    body = spec["components"]["requestBodies"]["PostMailSend"]
    schema = body["content"]["application/json"]["schema"]
    # the references in it point to #/components/schemas
    return Draft202012Validator(closed(schema | {"components": spec["components"]}))


def faults(validator, body):
    return sorted(error.json_path + ": " + error.message for error in validator.iter_errors(body))


SENT = [  # action, item, settings
    ("send_template", TemplateMail.model_validate(FULL), {}),
    ("send_template", TemplateMail.model_validate(FULL), {"sandbox_mode": True}),
    ("send_template", TemplateMail.model_validate(FULL), {"from_name": "The Shop"}),
    ("send_template", TemplateMail(to=FULL["to"], template_id="d-1"), {}),
    ("send", PlainMail.model_validate(PLAIN), {}),
    ("send", PlainMail.model_validate({k: v for k, v in PLAIN.items() if k != "html"}), {}),
]


@pytest.mark.parametrize(("action", "item", "more"), SENT)
async def test_each_body_is_as_the_published_openapi_says(sent, published, action, item, more):
    raw, _ = await sent(action, item, **more)
    assert faults(published, json.loads(raw)) == []


def test_each_body_of_the_fixtures_is_as_the_published_openapi_says(published):
    bodies = [
        call["json"]
        for path in sorted((FIXTURES / "out").glob("*/*.json"))
        for call in json.loads(path.read_text())["calls"]
    ]
    assert len(bodies) > 20
    assert [found for body in bodies if (found := faults(published, body))] == []


PLANTED = [  # where an unknown or wrong thing is planted
    lambda body: body.update(hub="x"),
    lambda body: body["from"].update(mail="x"),
    lambda body: body["personalizations"][0].update(data={}),
    lambda body: body["personalizations"][0]["to"][0].update(phone="1"),
    lambda body: body["asm"].update(group="7"),
    lambda body: body["mail_settings"].update(sandbox={"enable": True}),
    lambda body: body["mail_settings"]["sandbox_mode"].update(enabled=True),
    lambda body: body.pop("from"),
    lambda body: body["personalizations"][0].pop("to"),
    lambda body: body["asm"].update(group_id="7"),
    lambda body: body["categories"].append("order"),
    lambda body: body["categories"].append("x" * 256),
]


@pytest.mark.parametrize("plant", PLANTED)
async def test_a_planted_fault_is_caught(sent, published, plant):
    raw, _ = await sent("send_template", TemplateMail.model_validate(FULL), sandbox_mode=True)
    body = json.loads(raw)
    assert faults(published, body) == []
    spoiled = copy.deepcopy(body)
    plant(spoiled)
    assert faults(published, spoiled) != []


# -- what is refused before sending --------------------------------------------------------------
REFUSED = [  # changed members, the field named
    ({"to": {"email": "nobody"}}, "to.email"),
    ({"to": {"email": "B <b@example.com>"}}, "to.email"),
    ({"to": {"email": "a@b.example, c@d.example"}}, "to.email"),
    ({"to": {"email": "a@b.example\n"}}, "to.email"),
    ({"to": {"email": "x" * 320 + "@b.example"}}, "to.email"),
    ({"to": {"email": "a@b.example", "name": "A\r\nBcc: c@d.example"}}, "to.name"),
    ({"to": [{"email": "a@b.example"}]}, "to"),
    ({"template_id": "receipt"}, "template_id"),
    ({"template_id": "d-"}, "template_id"),
    ({"categories": [f"c{n}" for n in range(11)]}, "categories"),
    ({"categories": ["x" * 256]}, "categories.0"),
    ({"categories": ["buyer@example.com"]}, "categories.0"),
    ({"categories": ["order", "order"]}, "categories"),
    ({"custom_args": {"hub_order": 1}}, "custom_args.hub_order"),
    ({"custom_args": {"hub_job": JOB}}, "custom_args"),
    ({"custom_args": {"event": "delivered"}}, "custom_args"),
    ({"custom_args": {"hub_order": "buyer@example.com"}}, "custom_args.hub_order"),
    ({"custom_args": {"hub_order": "x" * 10_000}}, "custom_args"),
    ({"asm_group": 0}, "asm_group"),
    ({"unknown": 1}, "unknown"),
]


@pytest.mark.parametrize(("changed", "field"), REFUSED)
def test_a_mail_sendgrid_would_not_take_is_refused_here(changed, field):
    with pytest.raises(ValidationError) as caught:
        TemplateMail.model_validate(FULL | changed)
    assert field in [".".join(map(str, error["loc"])) for error in caught.value.errors()]


def test_custom_args_fill_their_limit_with_hub_job_counted():
    room = 10_000 - len('{"k":"","hub_job":"' + JOB + '"}')
    TemplateMail.model_validate(FULL | {"custom_args": {"k": "x" * room}})
    with pytest.raises(ValidationError):
        TemplateMail.model_validate(FULL | {"custom_args": {"k": "x" * (room + 1)}})
    with pytest.raises(ValidationError):  # bytes count, not characters
        TemplateMail.model_validate(FULL | {"custom_args": {"k": "ü" * (room // 2 + 1)}})


PLAIN_REFUSED = [
    ({"text": None, "html": None}, ""),
    ({"text": "", "html": None}, "text"),
    ({"subject": ""}, "subject"),
    ({"subject": "Hi\nBcc: c@d.example"}, "subject"),
]


@pytest.mark.parametrize(("changed", "field"), PLAIN_REFUSED)
def test_a_plain_mail_without_words_is_refused(changed, field):
    with pytest.raises(ValidationError) as caught:
        PlainMail.model_validate(PLAIN | changed)
    assert field in [".".join(map(str, error["loc"])) for error in caught.value.errors()]


# -- answers and deliveries ----------------------------------------------------------------------
HTTP_DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
PAUSES = [  # headers, seconds or None: the tables decide
    ({"Date": HTTP_DATE, "X-RateLimit-Reset": "1700000007"}, 7),
    ({"Date": HTTP_DATE, "X-RateLimit-Reset": "1699999999"}, 0),
    ({"Date": HTTP_DATE, "X-RateLimit-Reset": "9999999999"}, 86_400),
    ({"Date": HTTP_DATE, "X-RateLimit-Reset": "soon"}, None),
    ({"Date": "yesterday", "X-RateLimit-Reset": "1700000007"}, None),
    ({"X-RateLimit-Reset": "1700000007"}, None),
    ({"Date": HTTP_DATE}, None),
]


@pytest.mark.parametrize(("headers", "after"), PAUSES)
def test_the_pause_is_reckoned_by_sendgrids_own_clock(headers, after):
    error = SendGrid("mails", None, None).classify(Received(429, headers, b""))
    if after is None:
        assert error is None
    else:
        assert isinstance(error, RateLimited)
        assert error.after == after


def parsed(body):
    request = Request(method="POST", url="https://hub.example.com/w", headers=(), body=body)
    return list(SendGrid("mails", None, None).parse(request))


def item(**more):
    made = {"event": "delivered", "timestamp": 1_700_000_000, "sg_event_id": "e-1", **more}
    return json.dumps([made]).encode()


ECHOES = [  # what the item says, the job read out of it
    ({"hub_job": JOB}, JOB),
    ({"unique_args": {"hub_job": JOB}}, JOB),
    ({"hub_job": JOB, "unique_args": {"hub_job": "job_other"}}, JOB),
    ({}, None),
    ({"hub_job": 7}, None),
    ({"hub_job": None, "unique_args": None}, None),
    ({"unique_args": "hub_job"}, None),
    ({"unique_args": [JOB]}, None),
]


@pytest.mark.parametrize(("members", "job"), ECHOES)
def test_our_job_is_read_wherever_sendgrid_puts_it(members, job):
    [event] = parsed(item(**members))
    assert (event.job, event.ext_id) == (job, "e-1")
    assert event.at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_two_items_without_an_id_stay_two():
    one = {"event": "account_status_change", "timestamp": 1_700_000_000, "type": "x"}
    events = parsed(json.dumps([one, one | {"type": "y"}, one]).encode())
    ids = [event.ext_id for event in events]
    assert ids[0] == ids[2] != ids[1]


UNREADABLE = [
    b"", b"{}", b"null", b"[1]", b"[null]", b'["delivered"]', b"[[]]", b"\xff", b"[{}]",
    b'[{"event":1,"timestamp":1700000000}]', b'[{"event":"x","timestamp":"soon"}]',
    b'[{"event":"x","timestamp":1e30}]', b'[{"event":"x","timestamp":NaN}]',
    b"[" * 65 + b"]" * 65, b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_body_that_cannot_be_read_raises(body):
    with pytest.raises((ValueError, TypeError, KeyError, OverflowError)):
        parsed(body)


def test_the_settings_take_from_and_refuse_what_is_not_theirs():
    good = {"api_key": Secret("SG.x"), "from": "shop@example.com"}
    settings = SendGrid.Settings.model_validate(good)
    assert (settings.sender, settings.base_url) == ("shop@example.com", "https://api.sendgrid.com")
    for changed in ({"from": "shop"}, {"sender": "a@b.example"}, {"api_key": "SG.x"}):
        with pytest.raises(ValidationError):
            SendGrid.Settings.model_validate(good | changed)
