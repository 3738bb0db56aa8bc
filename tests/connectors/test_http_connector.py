"""Connector type `http`: an API declared in YAML, played against its double."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from connectors.http import Http
from connectors.http.calls import filled
from connectors.http.sandbox import Sandbox
from hub import Call, ManualClock, Reject, Secret, config, read_json
from hub.errors import CallError, ConfigError
from hub.http import Outbound
from hub.model import Event
from hub.routing import Router
from store.crypto import new_key

ERP = """\
connectors:
  erp:
    type: http
    settings:
      base_url: BASE
      auth: { bearer: "${env:ERP_TOKEN}" }
      headers: { X-Tenant: shop }
      check: /
      actions:
        book_order: { method: PUT, path: "/orders/{id}", effect: { upsert: id }, ref: id,
                      schema: { type: object, properties: { id: { type: string },
                                total: { type: integer } }, required: [total] } }
        open_ticket: { path: /tickets, ref: id }
        reserve: { path: /reservations, effect: { keyed: 24h }, key_header: Idempotency-Key,
                   lookup: "/reservations?order={order}", ref: id }
        forget: { method: DELETE, path: "/orders/{id}", effect: { upsert: id }, ok: [204, 404] }
"""
MAPPING = """mapping: book
from: loyalty.points_changed
to: {to}
map: {{ id: "{{{{ data.order }}}}", {field} }}
"""
ROUTE = """
include: [book.yaml]
events: { loyalty.points_changed: { schema: any.json } }
routes: [{ name: book, on: loyalty.points_changed, do: erp.book_order, map: book }]
"""


def loaded(home, body=ERP, base="https://erp.example.com/api", token="erp-token-0123456789"):
    path = home / "config.yaml"
    head = 'version: 1\nstore: { encryption_keys: ["${env:HUB_KEY}"] }\n'
    path.write_text(head + body.replace("BASE", base))
    return config.load(path, env={"HUB_KEY": new_key(), "ERP_TOKEN": token})


class Links:
    async def get(self, kind, our_id):
        raise Reject("none")


class Bench:
    """A configured connector, its way out, and the double behind it."""

    def __init__(self, made, double, outbound, clock):
        self.made, self.double, self.clock = made, double, clock
        self.client = outbound.client(
            made.cls, made.settings, name=made.name, allow_private=["127.0.0.0/8"]
        )
        self.connector = made.cls(made.name, made.settings, self.client)

    def call(self, key="key-1"):
        deadline = self.clock.now() + timedelta(seconds=20)
        return Call(
            http=self.client.attempt(deadline=deadline), job="job_1", key=key, attempt=1,
            deadline=deadline, links=Links(), log=None, clock=self.clock,
        )  # fmt: skip

    async def do(self, action, body, key="key-1"):
        spec = self.made.cls.actions()[action]
        return await getattr(self.connector, action)(
            self.call(key), spec.model.model_validate(body)
        )

    async def look_up(self, action, body):
        spec = self.made.cls.actions()[action]
        item = spec.model.model_validate(body)
        return await getattr(self.connector, spec.lookup)(self.call(), item)


@pytest.fixture
async def bench(tmp_path):
    double, clock = Sandbox(), ManualClock()
    app = web.Application()
    app.add_subapp("/http", double.app())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/http"
    body = ERP + "    egress: { allow_private: [127.0.0.0/8] }\n"

    def make(token="erp-token-0123456789"):
        made = loaded(tmp_path, body, base, token).connectors["erp"]
        return Bench(made, double, outbound, clock)

    async with Outbound(clock) as outbound:
        yield make
    await runner.cleanup()


# -- against the double ----------------------------------------------------------------------------
async def test_an_upsert_sent_twice_is_one_effect(bench):
    erp = bench()
    for _ in range(2):
        outcome = await erp.do("book_order", {"id": "ord 1/2", "total": 7})
        assert outcome.ref == "ord 1/2"
    assert [effect.key for effect in erp.double.state.ledger] == ["/orders/ord 1/2"]


async def test_a_keyed_action_sent_twice_is_one_effect_and_is_found(bench):
    erp = bench()
    assert await erp.look_up("reserve", {"order": "ord_1"}) is None
    first = await erp.do("reserve", {"order": "ord_1"})
    assert await erp.do("reserve", {"order": "ord_1"}) == first
    assert await erp.look_up("reserve", {"order": "ord_1"}) == first
    assert [effect.key for effect in erp.double.state.ledger] == ["key-1"]
    await erp.do("reserve", {"order": "ord_2"}, key="key-2")
    assert len(erp.double.state.ledger) == 2


async def test_what_an_action_calls_a_success_is_so_for_it_alone(bench):
    erp = bench()
    gone = [erp.do("forget", {"id": f"ord_{n}"}) for n in range(20)]
    asked = [erp.look_up("reserve", {"order": f"ord_{n}"}) for n in range(20)]
    seen = await asyncio.gather(*gone, *asked, erp.connector.check())
    assert [outcome.ref for outcome in seen[:20]] == [None] * 20
    assert seen[20:40] == [None] * 20
    assert [(one.name, one.state) for one in seen[40]] == [("credentials", "ok")]
    with pytest.raises(Reject):
        await erp.client.get("/orders/ord_1")  # a 404 outside of `forget`


async def test_refused_credentials_hold_the_account(bench):
    erp = bench(token="revoked")
    with pytest.raises(CallError) as refused:
        await erp.do("open_ticket", {"subject": "x"})
    assert type(refused.value).__name__ == "AuthFailed"
    assert [one.state for one in await erp.connector.check()] == ["fail"]


BODIES = [
    # body, what the fault names
    ({"id": "1"}, "required"),
    ({"id": "1", "total": "7"}, "total"),
    ({"total": 7}, "required"),
    ([], "dictionary"),
    (None, "dictionary"),
]


@pytest.mark.parametrize(("body", "named"), BODIES)
async def test_a_body_that_breaks_its_schema_is_not_sent(bench, body, named):
    erp = bench()
    with pytest.raises(ValueError, match=named):
        await erp.do("book_order", body)
    assert erp.double.state.calls == []


FIELDS = [
    ({"id": "a/b c"}, "/orders/a%2Fb%20c"),
    ({"id": 7}, "/orders/7"),
    ({"id": "é?#&"}, "/orders/%C3%A9%3F%23%26"),
    ({"id": "{id}"}, "/orders/%7Bid%7D"),
    ({}, None),
    ({"id": ""}, None),
    ({"id": None}, None),
    ({"id": True}, None),
    ({"id": ["a"]}, None),
]


@pytest.mark.parametrize(("body", "path"), FIELDS)
def test_a_field_in_a_path_stays_one_segment(body, path):
    if path is None:
        with pytest.raises(Reject):
            filled("/orders/{id}", body)
    else:
        assert filled("/orders/{id}", body) == path


# -- configuration ---------------------------------------------------------------------------------
def test_two_connectors_of_the_type_have_each_their_own_actions(tmp_path):
    other = """\
  crm: { type: http, settings: { base_url: BASE, actions: { push: { path: /p, kind: message } } } }
"""
    made = loaded(tmp_path, ERP + other).connectors
    assert sorted(made["erp"].cls.actions()) == ["book_order", "forget", "open_ticket", "reserve"]
    assert [(s.name, s.kind, s.effect.kind) for s in made["crm"].cls.actions().values()] == [
        ("push", "message", "unsafe")
    ]
    assert Http.actions() == {}


def test_secrets_stay_secret(tmp_path):
    made = loaded(tmp_path).connectors["erp"]
    assert isinstance(made.settings.auth.bearer, Secret)
    assert "erp-token" not in repr(made.settings)


AUTHS = [
    ('{ bearer: "${env:ERP_TOKEN}" }', {"Authorization": "Bearer t0ken-of-16-or-more"}),
    ('{ basic: { user: me, password: "${env:ERP_TOKEN}" } }',
     {"Authorization": "Basic bWU6dDBrZW4tb2YtMTYtb3ItbW9yZQ=="}),
    ('{ header: { name: X-Api-Key, value: "${env:ERP_TOKEN}" } }',
     {"X-Api-Key": "t0ken-of-16-or-more"}),
]  # fmt: skip


@pytest.mark.parametrize(("written", "sent"), AUTHS)
def test_credentials_go_as_the_admin_says(tmp_path, written, sent):
    body = ERP.replace('{ bearer: "${env:ERP_TOKEN}" }', written)
    made = loaded(tmp_path, body, token="t0ken-of-16-or-more").connectors["erp"]
    assert made.cls.auth.headers(made.settings) == sent


def test_a_mapping_s_to_names_the_connector_and_is_checked_by_the_schema(tmp_path):
    (tmp_path / "any.json").write_text('{"type": "object"}')
    mapping = tmp_path / "book.yaml"
    mapping.write_text(MAPPING.format(to="erp.book_order", field='total: "{{ data.points }}"'))
    made = loaded(tmp_path, ERP + ROUTE)
    at = ManualClock().now()
    event = Event(id="evt_1", type="loyalty.points_changed", at=at, recorded_at=at,
                  data={"order": "ord_1", "points": 3})  # fmt: skip
    (job,) = Router(made.routes).jobs_for(event, at)
    assert (job.connector, job.action, job.effect) == ("erp", "book_order", "upsert")
    assert read_json(job.payload) == {"id": "ord_1", "total": 3}
    for to, field, code in (
        ("http.book_order", 'total: "{{ data.points }}"', "route.mapping"),
        ("erp.book_order", "sum: 1", "mapping.target"),
    ):
        mapping.write_text(MAPPING.format(to=to, field=field))
        with pytest.raises(ConfigError) as refused:
            loaded(tmp_path, ERP + ROUTE)
        assert any(code in fault.code for fault in refused.value.faults), refused.value


WRONG = [
    # what stands for the actions, words of the one fault
    ("{}", "wants 1 or more"),
    ("{ check: { path: /p } }", "word of the hub's own"),
    ("{ Push: { path: /p } }", "has not the form"),
    ("{ push: { path: p } }", "has not the form"),
    ("{ push: { path: /p? } }", "has not the form"),
    ('{ push: { path: "/p/{id" } }', "brace"),
    ("{ push: { path: /p, method: GET } }", "must be one of"),
    ("{ push: { path: /p, ok: [200, 500] } }", "must be 2xx"),
    ("{ push: { path: /p, ok: [401] } }", "must be 2xx"),
    ("{ push: { path: /p, effect: { keyed: 24h }, key_header: K } }", "keyed and lookup"),
    ("{ push: { path: /p, effect: { keyed: 24h }, lookup: /p } }", "key_header"),
    ("{ push: { path: /p, effect: { deduped: 10m } } }", "key_header"),
    ("{ push: { path: /p, lookup: /p } }", "keyed and lookup"),
    ("{ push: { path: /p, effect: { keyed: 24 }, key_header: K, lookup: /p } }", "timedelta"),
    ("{ push: { path: /p, effect: { upsert: id, deduped: 1h }, key_header: K } }", "one of upsert"),
    ("{ push: { path: /p, key_header: Authorization } }", "hub's own"),
    ("{ push: { path: /p, schema: { type: array } } }", "an object"),
    ("{ push: { path: /p, schema: { type: strnig } } }", "no JSON Schema"),
    ('{ push: { path: /p, schema: { $ref: "https://example.com/s.json" } } }', "of its own"),
    ('{ push: { path: /p, schema: { allOf: [{ $ref: "file:///etc/passwd" }] } } }', "of its own"),
    ("{ push: { path: /p, body: {} } }", "no key 'body'"),
    ("{ push: { pfad: /p } }", "needs 'path'"),
]


@pytest.mark.parametrize(("actions", "words"), WRONG)
def test_a_wrong_action_is_told(tmp_path, actions, words):
    settings = f"{{ base_url: BASE, actions: {actions} }}"
    body = f"connectors:\n  erp:\n    type: http\n    settings: {settings}\n"
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, body)
    assert any(words in fault.text for fault in refused.value.faults), refused.value


def test_a_schema_that_refers_to_nothing_refuses_every_body(tmp_path):
    near = '{ push: { path: /p, schema: { $ref: "#/$defs/none" } } }'
    body = (
        f"connectors:\n  erp: {{ type: http, settings: {{ base_url: BASE, actions: {near} }} }}\n"
    )
    made = loaded(tmp_path, body).connectors["erp"]
    with pytest.raises(ValueError, match="not there"):
        made.cls.actions()["push"].model.model_validate({"a": 1})
