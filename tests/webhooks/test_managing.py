"""Webhook endpoints at the doubles of Stripe and SendGrid: compared, mended, never deleted."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from connectors.sendgrid.endpoints import SETTLING
from connectors.sendgrid.sandbox import Sandbox as SendGridDouble
from connectors.stripe import facts
from connectors.stripe.sandbox import Sandbox as StripeDouble
from connectors.stripe.sdk import API_VERSION
from hub import ManualClock, Request, Secret, SignatureError
from hub import config as configuration
from hub.doubles import application
from hub.errors import Ambiguous, AuthFailed, Reject
from hub.http import Outbound
from hub.managing import Managing
from hub.parts import accounts, managing, receiver
from hub.sandbox import Fault
from hub.shop.vocabulary import VOCABULARY
from store import endpoint_secrets
from store.crypto import new_key
from store.store import Store

FILE = """\
version: 1
service: {{ public_url: "https://hub.example.com", outbound: {outbound} }}
store: {{ encryption_keys: ["${{env:KEY}}"] }}
include: [heard.yaml]
connectors:
  pay:
    type: stripe
    settings: {{ mode: test, api_key: "${{env:PAY}}", base_url: "{base}/stripe" }}
    webhooks: {{ secrets: ["${{env:WHSEC}}"], manage: {manage}, events: [payout.paid] }}
    egress: {{ allow_private: [127.0.0.0/8] }}
  mail:
    type: sendgrid
    settings: {{ api_key: "${{env:MAIL}}", from: a@example.com, base_url: "{base}/sendgrid" }}
    webhooks: {{ secrets: ["${{env:WHSEC}}"], manage: {manage} }}
    egress: {{ allow_private: [127.0.0.0/8] }}
  told: {{ type: segment, settings: {{ write_key: "${{env:MAIL}}" }} }}
routes:
  - {{ name: heard, on: [pay.charge.pending, mail.open], do: told.track, map: heard }}
"""
HEARD = """\
mapping: heard
from: pay.charge.pending
to: segment.track
map: { userId: u, event: e, timestamp: "{{ event.occurred_at }}" }
"""
ENV = {"KEY": new_key(), "PAY": "sk_test_0123456789", "MAIL": "SG.0123456789",
       "WHSEC": "whsec_0123456789abcdef"}  # fmt: skip
PAY, MAIL = "https://hub.example.com/webhooks/pay", "https://hub.example.com/webhooks/mail"
NEEDED = sorted({*facts.BY_EVENT, "payout.paid", "charge.pending"})
OTHER = {"url": "https://other.example.com/hook", "enabled_events": ["charge.failed"]}


@dataclass
class Bench:
    """A store, the doubles, and what looks after their endpoints."""

    home: Path
    base: str
    store: Store
    clock: ManualClock
    stripe: StripeDouble
    sendgrid: SendGridDouble
    out: Outbound

    def managing(self, manage: str = "apply", *, outbound: str = "live", **env: str) -> Managing:
        self.config = self._load(manage, outbound, env)
        made = accounts(self.config, self.out)
        self.receiver = receiver(self.config, self.store, made, self.clock)
        return managing(self.config, self.store, made, self.clock)

    def _load(self, manage: str, outbound: str, env: dict[str, str]) -> configuration.Config:
        (self.home / "heard.yaml").write_text(HEARD)
        file = self.home / "config.yaml"
        file.write_text(FILE.format(base=self.base, manage=manage, outbound=outbound))
        return configuration.load(file, env=ENV | env, shop=VOCABULARY)

    def hooks(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return copy.deepcopy(
            (list(self.stripe.hooks.things.values()), list(self.sendgrid.hooks.things.values()))
        )

    async def held(self) -> dict[str, list[Secret]]:
        found = await self.store.look(endpoint_secrets.held)
        return {name: [secret for _, secret in those] for name, those in found.items()}

    def writes(self) -> list[str]:
        calls = [*self.stripe.state.calls, *self.sendgrid.state.calls]
        return [one["path"] for one in calls if one["method"] != "GET"]


@pytest.fixture
async def bench(store_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock()
    stripe, sendgrid = StripeDouble(clock=clock), SendGridDouble(clock=clock)
    async with AsyncExitStack() as stack:
        served = application({"stripe": stripe, "sendgrid": sendgrid})
        server = await stack.enter_async_context(TestServer(served))
        keys = [Secret(ENV["KEY"], "KEY")]
        store = await Store.open(store_url, keys=keys, clock=clock, served=True)
        stack.push_async_callback(store.close)
        out = await stack.enter_async_context(Outbound(clock))
        base = str(server.make_url("")).rstrip("/")
        yield Bench(tmp_path, base, store, clock, stripe, sendgrid, out)


async def does(looked: Managing, name: str, *, apply: bool) -> list[tuple[str, str]]:
    found = await looked.at_hand(name, apply=apply, by="ana")
    assert found is not None
    return [(step.does, step.url) for step in found.steps]


async def test_what_is_missing_is_added_once_and_foreign_ones_are_left_as_they_are(bench) -> None:
    bench.stripe.hooks.create(OTHER)
    bench.sendgrid.hooks.create({"url": OTHER["url"], "enabled": True, "click": True})
    foreign = bench.hooks()
    made = bench.managing()
    await made.know()
    await made.once()
    (theirs, pay), (their_mail, mail) = bench.hooks()
    assert ([theirs], [their_mail]) == foreign
    assert (pay["url"], pay["status"], pay["api_version"]) == (PAY, "enabled", API_VERSION)
    assert sorted(pay["enabled_events"]) == NEEDED
    on = {name for name, value in mail.items() if value is True}
    assert on == {"enabled", "signed", "open", *SETTLING}
    assert mail["url"] == MAIL
    before, writes = bench.hooks(), len(bench.writes())
    for _ in range(2):
        await made.know()
        await made.once()
        assert await does(made, "pay", apply=True) == [("good", PAY), ("foreign", OTHER["url"])]
    assert bench.hooks() == before
    assert len(bench.writes()) == writes  # applying again changes nothing


async def test_a_new_endpoints_secret_lets_its_webhooks_in_and_lies_sealed(bench) -> None:
    made = bench.managing()
    await made.know()
    await made.once()
    for double, name, body in (
        (bench.stripe, "pay", b'{"id":"evt_1"}'),
        (bench.sendgrid, "mail", b"[]\r\n"),
    ):
        [endpoint] = double.state.endpoints
        door = bench.receiver.doors[name]
        headers = tuple(
            (key.encode(), value.encode()) for key, value in double.sign(body, endpoint).items()
        )
        request = Request(method="POST", url=endpoint.url, headers=headers, body=body)
        with pytest.raises(SignatureError):
            door.admit(request, bench.clock.now())
        bench.receiver.hold(await bench.held())
        used = bench.receiver.doors[name].admit(request, bench.clock.now())
        assert used == f"endpoint {endpoint.ref}"
        async with bench.store.read() as connection:
            rows = (await connection.exec_driver_sql("SELECT * FROM endpoint_secrets")).all()
        assert endpoint.secret.reveal() not in repr(rows).encode()
        bench.receiver.hold({})


async def test_a_plan_says_it_all_and_changes_nothing(bench) -> None:
    bench.stripe.hooks.create(OTHER)
    before = bench.hooks()
    made = bench.managing("plan")
    await made.know()
    with capture_logs() as said:
        await made.once()
        await made.once()  # not due before tomorrow
    assert bench.hooks() == before
    assert bench.writes() == []
    assert await bench.held() == {}
    alerts = [one for one in said if one["event"] == "alert"]
    assert [(one["signal"], one["about"]) for one in alerts] == [
        ("webhook.differs", "pay"), ("webhook.differs", "mail"),
    ]  # fmt: skip
    assert f"add {PAY}: nothing comes to our address" in alerts[0]["text"]
    assert alerts[0]["fix"] == "hub webhooks apply pay, or manage: apply"
    [left] = made.shown["pay"]["left"]
    assert left["events"] == NEEDED
    bench.clock.advance(86_401)
    with capture_logs() as said:
        await made.once()
    assert len([one for one in said if one["event"] == "alert"]) == 2


async def test_what_is_there_is_mended_and_goes_on_hearing_what_it_hears(bench) -> None:
    bench.stripe.hooks.create(
        {"url": PAY, "enabled_events": ["charge.failed"], "api_version": API_VERSION,
         "description": "mine", "metadata": {"a": "b"}}
    )  # fmt: skip
    bench.sendgrid.hooks.create({"url": MAIL, "enabled": True, "click": True, "friendly_name": "M"})
    made = bench.managing()
    assert await does(made, "pay", apply=False) == [("mend", PAY)]
    assert await does(made, "pay", apply=True) == [("mend", PAY)]
    assert await does(made, "mail", apply=True) == [("mend", MAIL)]
    [pay], [mail] = bench.hooks()
    assert sorted(pay["enabled_events"]) == sorted({*NEEDED, "charge.failed"})
    assert (pay["description"], pay["metadata"]) == ("mine", {"a": "b"})
    assert (mail["click"], mail["open"], mail["signed"], mail["friendly_name"]) == (
        True, True, True, "M",
    )  # fmt: skip
    assert await does(made, "mail", apply=True) == [("good", MAIL)]


async def test_what_the_provider_disabled_is_enabled_again(bench) -> None:
    made = bench.managing()
    for name in ("pay", "mail"):
        await does(made, name, apply=True)
    [pay], [mail] = bench.hooks()
    bench.stripe.hooks.update(pay["id"], {"disabled": True})
    bench.sendgrid.hooks.update(next(iter(bench.sendgrid.hooks.things)), {"enabled": False})
    assert await does(made, "pay", apply=False) == [("enable", PAY)]
    for name, url in (("pay", PAY), ("mail", MAIL)):
        assert await does(made, name, apply=True) == [("enable", url)]
    assert bench.hooks() == ([pay], [mail])
    assert len(bench.stripe.state.endpoints) == 1


async def test_an_endpoint_that_hears_all_lacks_nothing(bench) -> None:
    bench.stripe.hooks.create({"url": PAY, "enabled_events": ["*"], "api_version": API_VERSION})
    assert await does(bench.managing(), "pay", apply=True) == [("good", PAY)]
    assert bench.writes() == []


async def test_another_api_version_and_a_second_endpoint_are_for_a_person(bench) -> None:
    for version in (API_VERSION, "2020-08-27"):
        bench.stripe.hooks.create({"url": PAY, "enabled_events": ["*"], "api_version": version})
    before = bench.hooks()
    made = bench.managing()
    assert await does(made, "pay", apply=True) == [("good", PAY), ("twice", PAY)]
    bench.stripe.hooks.delete(before[0][0]["id"])
    await made.know()
    with capture_logs() as said:
        await made.once()
    [alert] = [one for one in said if one["event"] == "alert"]
    assert "API version 2020-08-27, the hub reads 2026-10-28.endive" in alert["text"]
    assert alert["fix"] == "mend it at the provider"
    assert bench.hooks()[0] == before[0][1:]


async def test_a_key_without_the_permission_is_told_and_nothing_is_changed(bench) -> None:
    made = bench.managing(PAY="rk_test_nohooks", MAIL="readonly")
    await made.know()
    with capture_logs() as said:
        await made.once()
    texts = [one["text"] for one in said if one["event"] == "alert"]
    assert [text.partition(":")[0] for text in texts] == [
        "webhook endpoints at pay cannot be managed", "webhook endpoints at mail cannot be managed",
    ]  # fmt: skip
    assert "give it Webhook Endpoints, write" in texts[0]
    assert "user.webhooks.event.settings.read, .create, .update" in texts[1]
    assert bench.hooks() == ([], [])
    assert await bench.store.look(lambda tx: endpoint_secrets.begun(tx, "mail")) is None
    with pytest.raises(AuthFailed):
        await does(made, "pay", apply=True)


async def test_a_key_that_is_revoked_is_not_said_to_lack_a_permission(bench) -> None:
    made = bench.managing(PAY="rk_test_revoked", MAIL="revoked")
    await made.know()
    for name, permission in (("pay", "Webhook Endpoints, write"), ("mail", "lacks a scope")):
        with pytest.raises(AuthFailed, match="revoked, rotated, or mistyped") as caught:
            await does(made, name, apply=True)
        assert caught.value.status == 401
        assert permission not in str(caught.value)


async def test_an_answer_that_was_lost_is_asked_for_again_under_its_key(bench) -> None:
    made = bench.managing()
    cut = Fault(fault="cut", path="/v1/webhook_endpoints", acted=True)
    bench.stripe.state.faults += [Fault(fault="slow", path="/v1/webhook_endpoints", after=0), cut]
    with pytest.raises(Ambiguous):
        await does(made, "pay", apply=True)
    [there] = bench.hooks()[0]  # it was made, and its secret did not reach us
    assert await bench.held() == {}
    assert await does(made, "pay", apply=True) == [("good", PAY)]
    assert [one["id"] for one in bench.hooks()[0]] == [there["id"]]
    assert (await bench.held())["pay"] == [bench.stripe.state.endpoints[0].secret]


async def test_a_lost_answer_that_can_be_asked_for_no_more_is_told(bench) -> None:
    made = bench.managing()
    bench.stripe.state.faults += [
        Fault(fault="slow", path="/v1/webhook_endpoints", after=0),
        Fault(fault="cut", path="/v1/webhook_endpoints", acted=True),
    ]
    with pytest.raises(Ambiguous):
        await does(made, "pay", apply=True)
    bench.clock.advance(24 * 3600)
    with capture_logs() as said:
        assert await does(made, "pay", apply=True) == [("good", PAY)]
    [alert] = [one for one in said if one["event"] == "alert"]
    assert "secret of a webhook endpoint was not received" in alert["text"]
    assert len(bench.hooks()[0]) == 1


async def test_the_secret_of_an_endpoint_that_is_gone_is_let_go(bench) -> None:
    made = bench.managing()
    await does(made, "pay", apply=True)
    [old] = (await bench.held())["pay"]
    bench.stripe.hooks.delete(next(iter(bench.stripe.hooks.things)))
    assert await does(made, "pay", apply=True) == [("add", PAY)]
    [new] = (await bench.held())["pay"]
    assert new != old


async def test_nothing_is_asked_where_nothing_may_leave(bench) -> None:
    made = bench.managing(outbound="hold")
    await made.know()
    await made.once()
    assert (bench.stripe.state.calls, bench.sendgrid.state.calls) == ([], [])


async def test_a_provider_that_does_not_answer_is_asked_again_in_ten_minutes(bench) -> None:
    made = bench.managing("plan")
    await made.know()
    bench.stripe.state.faults.append(Fault(fault="500"))
    with capture_logs() as said:
        await made.once()
    assert [one["about"] for one in said if one["event"] == "alert"] == ["mail"]
    assert "500" in made.shown["pay"]["error"]
    calls = len(bench.stripe.state.calls)
    await made.once()
    assert len(bench.stripe.state.calls) == calls
    bench.clock.advance(601)
    await made.once()
    assert made.shown["pay"]["error"] is None
    assert "whsec_" not in json.dumps(made.shown)


async def test_of_two_nodes_one_does_it(bench, store_url) -> None:
    if store_url.startswith("sqlite"):
        pytest.skip("SQLite serves one hub")
    keys = [Secret(ENV["KEY"], "KEY")]
    other = await Store.open(store_url, keys=keys, clock=bench.clock, served=True)
    try:
        one, two = bench.managing(), bench.managing()
        two.store = other
        await one.know()
        await two.know()
        await asyncio.gather(one.once(), two.once(), one.once(), two.once())
        assert [len(found) for found in bench.hooks()] == [1, 1]
        assert {name: len(found) for name, found in (await bench.held()).items()} == {
            "pay": 1, "mail": 1,
        }  # fmt: skip
    finally:
        await other.close()


async def test_what_the_provider_refuses_was_not_made(bench) -> None:
    for n in range(16):
        bench.stripe.hooks.create({**OTHER, "url": f"https://x.example.com/{n}"})
    made = bench.managing()
    with pytest.raises(Reject, match="400 invalid_request_error"):
        await does(made, "pay", apply=True)
    assert await bench.store.look(lambda tx: endpoint_secrets.begun(tx, "pay")) is None
