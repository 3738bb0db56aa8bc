"""Connector type `inbound`: any scheme from YAML, through a whole hub over HTTP."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from hub import Request, Secret, config
from hub.app import Hub
from hub.config import Config
from hub.errors import ConfigError
from hub.model import Event
from hub.routing import Router
from store import reads
from store.crypto import new_key
from webhooks.library import SCHEMES

PUBLIC = "https://hub.example.com"
SLACK, MANDRILL, META, FORMS, TOKEN = (f"{word}-secret-0123456789" for word in "smxft")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HEAD = f"""\
version: 1
service: {{ public_url: "{PUBLIC}" }}
store: {{ url: "sqlite:///HOME/hub.db", encryption_keys: ["${{env:HUB_KEY}}"] }}
"""
BODY = f"""\
connectors:
  chat:
    type: inbound
    settings:
      scheme: slack
      event_id: "{{{{ body.event_id }}}}"
      event_type: "{{{{ body.event.type }}}}"
      event_time: "{{{{ body.event_time }}}}"
    webhooks: {{ secrets: ["{SLACK}"] }}
  mails:
    type: inbound
    settings:
      scheme: mandrill
      each: "{{{{ body.mandrill_events }}}}"
      event_id: "{{{{ item._id }}}}"
      event_type: "{{{{ item.event }}}}"
      event_time: "{{{{ item.ts }}}}"
    webhooks: {{ secrets: ["{MANDRILL}"] }}
  pages:
    type: inbound
    settings:
      scheme: meta
      verify_token: "typed-into-the-dashboard"
      event_id: "{{{{ headers['x-id'] }}}}"
      event_type: page
    webhooks: {{ secrets: ["{META}"] }}
  forms:
    type: inbound
    settings:
      scheme: hmac
      header: X-Sig
      event_id: "{{{{ body.id }}}}"
      event_type: "{{{{ headers['x-topic'] }}}}"
    webhooks: {{ secrets: ["{FORMS}", "{FORMS}-old"], events: [orders.create] }}
  bare:
    type: inbound
    settings:
      scheme: token
      event_id: "{{{{ query.n }}}}"
      event_type: "{{{{ body.a }}}}"
    webhooks: {{ secrets: ["{TOKEN}"] }}
"""


def loaded(home: Path, body: str = BODY) -> Config:
    path = home / "config.yaml"
    path.write_text(HEAD.replace("HOME", str(home)) + body)
    return config.load(path, env={"HUB_KEY": new_key()})


@dataclass
class Bench:
    """A hub, and a provider that signs for it."""

    hub: Hub
    url: str
    http: ClientSession

    def signed(self, name: str, body: bytes, secret: str, **headers: str) -> Request:
        signer = self.hub.config.connectors[name].settings
        sent = tuple((key.encode(), value.encode()) for key, value in headers.items())
        bare = Request(method="POST", url=f"{PUBLIC}/webhooks/{name}", headers=sent, body=body)
        return signer.sign(bare, Secret(secret), now=time.time())

    async def post(self, request: Request) -> tuple[int, bytes]:
        url = URL(request.url.replace(PUBLIC, self.url), encoded=True)
        headers = [(name.decode(), value.decode()) for name, value in request.headers]
        async with self.http.post(url, data=request.body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def stored(self) -> tuple[int, list[dict], list[dict]]:
        """Give the number of requests kept, the events (the newest last), and the jobs."""
        store = self.hub.store
        async with store.read() as connection:
            inbox = await reads.list_inbox(connection)
            events = await reads.list_events(connection, store.cipher)
            return len(inbox), [event for _, event in events], await reads.list_jobs(connection)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    hub = Hub(loaded(tmp_path))
    await hub.start()
    runner = web.AppRunner(hub.application(), auto_decompress=False, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession() as http:
        yield Bench(hub, f"http://{host}:{port}", http)
    await runner.cleanup()
    await hub.stop()


MESSAGE = {"type": "event_callback", "event_id": "Ev1", "event_time": 1_700_000_000,
           "event": {"type": "message", "text": "hello"}}  # fmt: skip


# -- what passes -----------------------------------------------------------------------------------
async def test_a_signed_request_becomes_an_event_of_the_connector_s_name(bench):
    request = bench.signed("chat", json.dumps(MESSAGE).encode(), SLACK)
    assert (await bench.post(request))[0] == 200
    assert (await bench.post(request))[0] == 200  # sent again
    kept, events, jobs = await bench.stored()
    assert [event["type"] for event in events] == ["chat.message"]
    assert jobs == []
    assert kept == 1


async def test_each_item_of_a_form_is_an_event(bench):
    items = [{"_id": str(n), "event": word, "ts": 1_700_000_000 + n}
             for n, word in enumerate(("send", "open"))]  # fmt: skip
    body = urlencode({"mandrill_events": json.dumps(items)}).encode()
    assert (await bench.post(bench.signed("mails", body, MANDRILL, **FORM)))[0] == 200
    _, events, _ = await bench.stored()
    assert sorted(event["type"] for event in events) == ["mails.open", "mails.send"]


async def test_headers_and_the_second_secret_serve_as_well(bench):
    more = {"X-Topic": "orders/create"}
    request = bench.signed("forms", b'{"id": 7}', f"{FORMS}-old", **more)
    assert (await bench.post(request))[0] == 200
    _, events, _ = await bench.stored()
    assert [event["type"] for event in events] == ["forms.orders.create"]


async def test_a_form_gives_its_parameters_and_the_query_its_own(bench):
    request = bench.signed("bare", b"a=b&a=c&d=e", TOKEN, **FORM)
    request = Request(method="POST", url=f"{request.url}&n=5", headers=request.headers, body=b"a=b")
    assert (await bench.post(request))[0] == 200
    _, events, _ = await bench.stored()
    assert [event["type"] for event in events] == ["bare.b"]


# -- handshakes ------------------------------------------------------------------------------------
async def test_slack_s_challenge_is_answered_once_it_is_verified(bench):
    body = b'{"type":"url_verification","challenge":"3eZbrw1aB"}'
    request = bench.signed("chat", body, SLACK)
    assert await bench.post(request) == (200, b"3eZbrw1aB")
    forged = bench.signed("chat", body, "another-secret-0123456789")
    assert (await bench.post(forged))[0] == 401
    _, events, jobs = await bench.stored()
    assert (events, jobs) == ([], [])


GREETINGS = [
    # method, path, status, body
    ("HEAD", "mails", 200, b""),
    ("GET", "mails", 405, None),
    ("HEAD", "chat", 405, None),
    ("GET", "chat", 405, None),
    ("HEAD", "nobody", 404, None),
    ("GET", "pages?hub.mode=subscribe&hub.challenge=42&hub.verify_token=typed-into-the-dashboard",
     200, b"42"),
    ("GET", "pages?hub.mode=subscribe&hub.challenge=42&hub.verify_token=guessed", 401, None),
    ("GET", "pages?hub.mode=subscribe&hub.challenge=42", 401, None),
    ("GET", "pages", 401, None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status", "said"), GREETINGS)
async def test_a_provider_that_tries_the_address_is_answered(bench, method, path, status, said):
    async with bench.http.request(method, f"{bench.url}/webhooks/{path}") as answer:
        assert answer.status == status
        if said is not None:
            assert await answer.read() == said
    assert (await bench.stored())[0] == 0


# -- what is refused -------------------------------------------------------------------------------
def forgeries(good: Request) -> list[Request]:
    """Give a good request with something about it that is wrong."""
    (name, value), *_ = [pair for pair in good.headers if b"ignature" in pair[0]]
    others = tuple(pair for pair in good.headers if pair[0] != name)
    made = [
        ((*others,), good.body),
        ((*others, (name, b"")), good.body),
        ((*others, (name, b" ")), good.body),
        ((*others, (name, value), (name, value)), good.body),
        ((*others, (name, value[:-1])), good.body),
        ((*others, (name, value + b"0")), good.body),
        ((*others, (name, "é".encode())), good.body),
        ((*others, (name, b"a" * 4000)), good.body),
        (good.headers, good.body + b" "),
        (good.headers, b""),
        (good.headers, good.body[:-1] + bytes([good.body[-1] ^ 1])),
        (good.headers, b"\xff\x00\xfe"),
    ]
    return [Request(method="POST", url=good.url, headers=h, body=b) for h, b in made]


@pytest.mark.parametrize(("name", "secret"), [("chat", SLACK), ("mails", MANDRILL)])
async def test_a_forged_request_is_refused_and_leaves_nothing(bench, name, secret):
    body = json.dumps(MESSAGE).encode() if name == "chat" else b"mandrill_events=%5B%5D"
    good = bench.signed(name, body, secret, **(FORM if name == "mails" else {}))
    for forged in forgeries(good):
        assert (await bench.post(forged))[0] == 401
    elsewhere = Request(method="POST", url=f"{good.url}?a=1", headers=good.headers, body=good.body)
    assert (await bench.post(elsewhere))[0] == (401 if name == "mails" else 200)
    kept, events, jobs = await bench.stored()
    assert (kept, len(events), jobs) == ((0, 0, []) if name == "mails" else (1, 1, []))


UNREADABLE = [
    # verified, and then
    (b"not JSON", "cannot be read"),
    (b'{"id": 7}', "event_type"),  # no header X-Topic
    (b'{"id": null}', "event_type"),
    (b"[" * 65 + b"]" * 65, "cannot be read"),
]


@pytest.mark.parametrize(("body", "why"), UNREADABLE)
async def test_what_verifies_but_cannot_be_read_is_kept_as_a_dead_job(bench, body, why):
    assert (await bench.post(bench.signed("forms", body, FORMS)))[0] == 200
    kept, events, jobs = await bench.stored()
    assert (kept, events) == (1, [])
    assert [(job["action"], job["state"]) for job in jobs] == [("inbox.parse", "dead")]


# -- reading ---------------------------------------------------------------------------------------
def parse(tmp_path, settings: str, body: bytes, **headers: str) -> list[Event]:
    """Read a request by an `inbound` of these settings."""
    text = "".join(f"      {line}\n" for line in settings.splitlines())
    made = loaded(tmp_path, f"connectors:\n  x:\n    type: inbound\n    settings:\n{text}")
    found = made.connectors["x"]
    sent = tuple((name.encode(), value.encode()) for name, value in headers.items())
    request = Request(
        method="POST", url=f"{PUBLIC}/webhooks/x?q=1", headers=sent, body=body,
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    return list(found.cls("x", found.settings, None, request.url).parse(request))


BASIC = 'scheme: basic\nevent_id: "{{ body.id }}"\nevent_type: "{{ body.type }}"\n'
TIMES = [
    ("1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    ("1700000000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    ('"1700000000"', datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    ("1700000000.5", datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)),
    ('"2026-03-01T10:00:00+02:00"', datetime(2026, 3, 1, 8, tzinfo=UTC)),
    ('"2026-03-01T10:00:00"', "without its zone"),
    ('"yesterday"', "no time"),
    ("null", "no time"),
    ("true", "no time"),
    ("1e29", "no time"),
    ("[]", "no time"),
]


@pytest.mark.parametrize(("written", "expected"), TIMES)
def test_a_time_is_read_as_providers_write_it(tmp_path, written, expected):
    body = f'{{"id": 1, "type": "a", "at": {written}}}'.encode()
    settings = BASIC + 'event_time: "{{ body.at }}"'
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            parse(tmp_path, settings, body)
    else:
        assert [event.at for event in parse(tmp_path, settings, body)] == [expected]


def test_without_event_time_an_event_is_of_its_arrival(tmp_path):
    (event,) = parse(tmp_path, BASIC, b'{"id": 1, "type": "a"}')
    assert event.at == datetime(2026, 3, 1, tzinfo=UTC)
    assert (event.ext_id, event.type, event.data) == ("1", "a", {"id": 1, "type": "a"})


WORDS = [
    ('{"id": "", "type": "a"}', "event_id"),
    ('{"id": true, "type": "a"}', "event_id"),
    ('{"id": {}, "type": "a"}', "event_id"),
    ('{"id": 1.5, "type": "a"}', "event_id"),
    ('{"id": "' + "x" * 256 + '", "type": "a"}', "255"),
    ('{"id": 1, "type": "//"}', "nothing but signs"),
    ('{"id": 1, "type": "' + "x" * 121 + '"}', "120"),
]


@pytest.mark.parametrize(("body", "why"), WORDS)
def test_an_id_and_a_type_are_words_of_sane_length(tmp_path, body, why):
    with pytest.raises(ValueError, match=why):
        parse(tmp_path, BASIC, body.encode())


def test_each_wants_a_list_of_sane_length(tmp_path):
    settings = BASIC.replace("body.", "item.") + 'each: "{{ body.all }}"'
    items = [{"id": n, "type": "a"} for n in range(3)]
    found = parse(tmp_path, settings, json.dumps({"all": items}).encode())
    assert [event.ext_id for event in found] == ["0", "1", "2"]
    assert parse(tmp_path, settings, b'{"all": []}') == []
    for body, why in ((b'{"all": 1}', "no list"), (b'{"all": [%s1]}' % (b"1," * 1000), "1000")):
        with pytest.raises(ValueError, match=why):
            parse(tmp_path, settings, body)


def test_twilio_gives_only_parameters_it_is_known_to_send(tmp_path):
    settings = "scheme: twilio\naccount_sid: null\nevent_id: '{{ body.MessageSid }}'\nevent_type: a"
    form = b"MessageSid=SM1&BodyFrom=1&Body=hi&A1B2="
    (event,) = parse(tmp_path, settings, form, **FORM)
    assert event.data == {"MessageSid": "SM1", "Body": "hi"}


# -- configuration ---------------------------------------------------------------------------------
def faults(tmp_path, settings: str, more: str = "") -> set[tuple[str, str]]:
    body = f"connectors:\n  x: {{ type: inbound, settings: {{ {settings} }} }}\n{more}"
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, body)
    return {(fault.code, fault.text) for fault in refused.value.faults if not fault.warning}


GOOD = 'scheme: github, event_id: "{{ body.id }}", event_type: a'
WRONG = [
    # settings, code, words of the fault
    ('scheme: gihtub, event_id: "{{ body.id }}", event_type: a', "value.choice", "one of adyen,"),
    ('event_id: "{{ body.id }}", event_type: a', "key.missing", "needs 'scheme'"),
    ("scheme: github, event_type: a", "key.missing", "needs 'event_id'"),
    (f"{GOOD}, header: X", "key.unknown", "no key 'header'"),
    (GOOD.replace("body.id", "boddy.id"), "mapping.name", "boddy"),
    (GOOD.replace("body.id", "item..id"), "mapping.syntax", ""),
    (GOOD.replace("body.id }}", "body.id }} ${env:HUB_KEY}"), "ref.place", "references"),
    (f'{GOOD}, each: "{{{{ item.x }}}}"', "mapping.name", "item"),
    (f"{GOOD}, each: [1]", "value.type", "wants an expression"),
    ("scheme: hmac, event_id: a, event_type: a", "key.missing", "needs 'header'"),
    ('scheme: hmac, header: X, signed: "{t}", event_id: a, event_type: a', "value.type", "signed"),
    ("scheme: hmac, header: X, time_header: T, event_id: a, event_type: a", "value.refused", "{t}"),
    ("scheme: adyen, event_id: a, event_type: a", "key.missing", "merchant_account"),
    ("scheme: twilio, event_id: a, event_type: a", "key.missing", "account_sid"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "code", "words"), WRONG)
def test_a_wrong_setting_is_told_with_its_place(tmp_path, settings, code, words):
    found = faults(tmp_path, settings)
    assert any(code == seen and words in text for seen, text in found), found
    assert len(found) == 1


def test_a_scheme_that_signs_its_url_needs_the_public_one(tmp_path):
    body = """connectors:
  x:
    type: inbound
    settings: { scheme: hmac, header: X, signed: "{url}{body}", event_id: a, event_type: a }
    webhooks: { secrets: ["a-secret-0123456789"] }
"""
    path = tmp_path / "config.yaml"
    path.write_text(f'version: 1\nstore: {{ encryption_keys: ["{new_key()}"] }}\n{body}')
    assert "webhook.public_url" in {fault.code for fault in config.check(path, {})}


ROUTES = """
  out: { type: segment, settings: { write_key: "${env:HUB_KEY}" } }
routes:
  - { name: one, on: x.order.made, do: out.track, map: one, when: "{{ data.live }}" }
  - { name: all, on: "x.*", do: out.track, map: all }
"""
MAPPING = """mapping: {}
from: {}
to: segment.track
map: {{ userId: "{{{{ data.user }}}}", event: E, timestamp: "{{{{ event.occurred_at }}}}" }}
"""


def test_routes_name_events_that_nobody_lists(tmp_path):
    (tmp_path / "one.yaml").write_text(MAPPING.format("one", "x.order.made"))
    (tmp_path / "all.yaml").write_text(MAPPING.format("all", "x.order.made"))
    x = f"x: {{ type: inbound, settings: {{ {GOOD} }} }}"
    body = f"include: [one.yaml, all.yaml]\nconnectors:\n  {x}"
    made = loaded(tmp_path, body + ROUTES)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    data = {"user": "u", "live": True}
    event = Event(id="evt_1", type="x.order.made", at=at, data=data, recorded_at=at)
    jobs = Router(made.routes).jobs_for(event, at)
    assert [(job.route, job.state) for job in jobs] == [("one", "ready"), ("all", "ready")]


def test_every_scheme_can_be_configured(tmp_path):
    more = {"adyen": "merchant_account: Shop", "hmac": "header: X", "paypal": "webhook_id: W",
            "twilio": "account_sid: AC" + "0" * 32}  # fmt: skip
    text = "".join(
        f"  c{n}: {{ type: inbound, settings: {{ scheme: {name}, {more.get(name, '')}"
        f'{"," if name in more else ""} event_id: "{{{{ body.id }}}}", event_type: a }} }}\n'
        for n, name in enumerate(SCHEMES)
    )
    made = loaded(tmp_path, f"connectors:\n{text}").connectors.values()
    assert [one.settings.scheme for one in made] == list(SCHEMES)
    assert all(one.cls.takes_webhooks() and one.cls.signature is not None for one in made)
