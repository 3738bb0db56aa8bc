"""A small door: a real store, a key per role, and endpoints that do one thing each."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import text

from hub.api.app import api_app, public_routes
from hub.api.endpoint import Api
from hub.clock import ManualClock
from hub.config import load
from hub.effects import keyed
from hub.http.egress import Guard, check_url
from hub.secrets import Secret
from hub.shop.facts import RecordPayment
from hub.shop.payments import AttachPayment, attach_payment, record_payment
from hub.shop.rules import ShopRules
from hub.shop.vocabulary import VOCABULARY
from store import keys
from store.crypto import new_key
from store.store import Store

POINTS = {
    "type": "object",
    "properties": {"points": {"type": "integer", "minimum": 0}, "why": {"type": "string"}},
    "required": ["points"],
    "additionalProperties": False,
}

CONFIG = """\
version: 1
store: { encryption_keys: ["${env:HUB_KEY}"] }
events: { loyalty.points_changed: { schema: points.json } }
forms: { newsletter: { fields: { email: { type: email, required: true } } } }
connectors:
  stripe: { type: stripe, settings: { mode: test, api_key: "${env:STRIPE}" } }
  hubspot: { type: hubspot, settings: { access_token: "${env:STRIPE}" } }
"""


class Door:
    """A client of the API under one key."""

    def __init__(self, client: TestClient, key: str) -> None:
        self.client, self.key = client, key

    async def send(self, method, path, *, key=None, headers=None, **more):
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        if key is not None:
            sent["Idempotency-Key"] = key
        return await self.client.request(method, path, headers=sent, **more)

    async def get(self, path, **more):
        return await self.send("GET", path, **more)

    async def post(self, path, body, **more):
        return await self.send("POST", path, json=body, **more)


class Provider:
    """What the worker would bring: an outcome for each payment asked for, when it is let.

    `answers` says what the next payments become: a handoff, or an error; without one, nothing
    comes in time. `meanwhile` is done once while a call waits.
    """

    def __init__(self, store: Store) -> None:
        self.store, self.answers, self.waits, self.meanwhile = store, [], 0, None

    async def wait_for(self, met, within):
        self.waits += 1
        assert within == 8.0
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        if not await met() and self.answers:
            told = self.answers.pop(0)
            await self.store.write(lambda tx: attach_payment(tx, self._outcome(tx, told)))
        return await met()

    def _outcome(self, tx, told):
        row = tx.row(text("SELECT id, connector FROM payments ORDER BY id DESC LIMIT 1"))
        more = (
            {"error": told} if isinstance(told, str) else {"handoff": told, "ref": f"pi_{row.id}"}
        )
        return AttachPayment(payment=row.id, connector=row.connector, **more)

    async def fact(self, fact, payment, **more):
        """Let the provider's webhook say something of a payment it knows as `pi_<our id>`."""
        item = RecordPayment(
            connector="pay",
            fact=fact,
            payment=f"pi_{payment}",
            ref=f"ch_{payment}",
            occurred_at=self.store.clock.now(),
            **more,
        )
        await self.store.change(lambda tx, it: record_payment(tx, it, ShopRules()), item)


async def problem(answer, code):
    """Assert that an answer is this problem; give its document."""
    body = await answer.json(content_type="application/problem+json")
    assert body["code"] == code, body
    assert answer.status == body["status"]
    assert body["type"] == f"/problems/{code}"
    assert answer.headers["X-Request-Id"] == body["request_id"]
    return body


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def secret():
    return Secret(new_key(), "test")


@pytest.fixture
def url(tmp_path: Path):
    return f"sqlite:///{tmp_path}/hub.db"


@pytest.fixture
async def store(url, clock, secret) -> AsyncIterator[Store]:
    opened = await Store.open(url, keys=[secret], clock=clock, served=True)
    yield opened
    await opened.close()


@pytest.fixture
def made_keys():
    return {}


@pytest.fixture
async def provider(store):
    """Stand in for the worker and its connector."""
    return Provider(store)


@pytest.fixture
def wait_for(provider):
    return provider.wait_for


@pytest.fixture
def rules():
    day = keyed(timedelta(hours=24))
    actions = {"create_payment": day, "create_checkout": day, "refund": day}
    return ShopRules(currencies=("EUR", "CHF"), payment_connectors={"pay": actions})


@pytest.fixture
def config(tmp_path):
    """Give what config.yaml would say of the API's own event type, a form and connectors."""
    tmp_path.joinpath("points.json").write_text(json.dumps(POINTS))
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    env = {"HUB_KEY": new_key(), "STRIPE": "sk_test_" + "x" * 24}
    return load(path, env=env, shop=VOCABULARY)


@pytest.fixture
def api(store, clock, wait_for, rules):
    round_about = {"properties": {"a": {"$ref": "#/properties/a"}}}
    types = {"loyalty.points_changed": POINTS, "loyalty.circular": round_about}
    return Api(
        store=store,
        clock=clock,
        wait_for=wait_for,
        rules=rules,
        event_types=types,
        may_call=lambda url: check_url(url, Guard()),
    )


@pytest.fixture
def endpoints():
    """Override to serve others than all."""


@pytest.fixture
async def client(api, endpoints, config) -> AsyncIterator[TestClient]:
    root = web.Application()
    root.add_subapp("/v1", api_app(lambda: api, *([] if endpoints is None else [endpoints])))
    root.add_routes(public_routes("0.1.0", lambda: config, lambda: api))
    async with TestClient(TestServer(root)) as made:
        yield made


@pytest.fixture
async def doors(client, store):
    """Give a door for each role."""
    made = {}
    for role in keys.ROLES:
        told = await store.write(lambda tx, role=role: keys.create_key(tx, role, f"the {role}"))
        made[role] = Door(client, told["key"])
    return made


@pytest.fixture
def door(doors):
    return doors["shop"]
