"""What leaves the hub: to the providers, to their doubles, or nothing; and whom messages reach."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from hub import config as configuration
from hub.app import Hub
from hub.errors import ConfigError
from hub.model import Event
from hub.serving import running
from hub.shop.vocabulary import VOCABULARY
from store.crypto import new_key
from store.schema import job_history, jobs
from tests.e2e.stage import free_port

FILE = """\
version: 1
service: {{ listen: "127.0.0.1:{port}"{service} }}
store: {{ url: "sqlite:///{home}/hub.db", encryption_keys: ["${{env:KEY}}"] }}
events: {{ till.ticked: {{ schema: any.json }} }}
include: ["tick.yaml", "mail.yaml"]
connectors:
  pay: {{ type: stripe, settings: {{ mode: {mode}, api_key: "${{env:STRIPE}}" }},
    webhooks: {{ secrets: ["${{env:WHSEC}}"] }} }}
  told: {{ type: segment, settings: {{ write_key: "${{env:WRITE}}" }} }}
  mail: {{ type: sendgrid, settings: {{ api_key: "${{env:MAIL}}", from: shop@example.com }} }}
  erp: {{ type: http, settings: {{ base_url: "https://erp.example.com", auth: {{ bearer: "${{env:MAIL}}" }},
    actions: {{ book: {{ method: PUT, path: "/book/{{id}}", effect: {{ upsert: id }} }} }} }} }}
routes:
  - {{ name: tick, on: till.ticked, do: told.track, map: tick }}
  - {{ name: note, on: till.ticked, do: mail.send, map: note, on_uncertain: park }}
"""  # noqa: E501
TICK = """\
mapping: tick
from: till.ticked
to: segment.track
map: { userId: u, event: e, timestamp: "{{ event.occurred_at }}" }
"""
NOTE = """\
mapping: note
from: till.ticked
to: sendgrid.send
map: { to: { email: "{{ data.to }}" }, subject: Hello, text: Hello }
"""
ENV = {
    "KEY": new_key(),
    "STRIPE": "sk_test_0123456789",
    "WHSEC": "whsec_0123456789abcdef",
    "WRITE": "write-key-0123456789",
    "MAIL": "SG.0123456789",
}


def load(home: Path, *, service: str = "", mode: str = "test", **env: str) -> configuration.Config:
    (home / "any.json").write_text('{"type": "object"}')
    (home / "tick.yaml").write_text(TICK)
    (home / "mail.yaml").write_text(NOTE)
    file = home / "config.yaml"
    file.write_text(FILE.format(port=free_port(), home=home, service=service, mode=mode))
    return configuration.load(file, env=ENV | env, shop=VOCABULARY)


async def tick(hub: Hub, to: str = "a@example.com") -> None:
    event = Event(type="till.ticked", at=hub.clock.now(), data={"to": to})
    await hub.store.write(lambda tx: tx.emit(event))


async def ended(hub: Hub, name: str) -> tuple[str, str | None]:
    async with asyncio.timeout(30):
        while True:
            async with hub.store.read() as connection:
                wanted = select(job_history.c.state, job_history.c.error, job_history.c.reason)
                found = (
                    await connection.execute(wanted.where(job_history.c.route == name))
                ).first()
            if found is not None:
                return found[0], found[2] or found[1]
            await asyncio.sleep(0.05)


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not met():
            await asyncio.sleep(0.05)


async def test_outside_production_the_doubles_are_called(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert (config.outbound, config.production) == ("sandbox", False)
    async with running(Hub(config)) as hub:
        assert sorted(hub.standins.doubles) == ["erp", "mail", "pay", "told"]
        await tick(hub)
        assert (await ended(hub, "tick"))[0] == "done"
        assert [e.kind for e in hub.standins.doubles["told"].state.ledger] == ["track"]
        pay = hub.standins.doubles["pay"]
        event = {"id": "evt_1", "object": "event", "type": "charge.updated", "created": 1}
        pay.emit(event | {"data": {"object": {}}})
        await until(lambda: bool(pay.state.deliveries))
        assert pay.state.deliveries[0]["status"] == 200


async def test_what_has_no_double_calls_nothing_and_is_told_by_a_warning(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("hub.config.standin.has_double", lambda cls: cls.type != "http")
    async with running(Hub(load(tmp_path))) as hub:
        account = hub.fitted.accounts["erp"]
        assert account.gate.paused
        assert account.connector.settings.base_url == "http://127.0.0.1:1"
    faults = configuration.check(tmp_path / "config.yaml", ENV, shop=VOCABULARY)
    assert [(f.code, f.warning) for f in faults] == [("outbound.double", True)]


async def test_on_hold_jobs_are_written_and_nothing_leaves(tmp_path: Path) -> None:
    config = load(tmp_path, service=", outbound: hold")
    async with running(Hub(config)) as hub:
        await tick(hub)
        assert not hub.outbound.ready
        assert all(account.gate.paused for account in hub.fitted.accounts.values())
        async with hub.store.read() as connection:
            states = [row[0] for row in await connection.execute(select(jobs.c.state))]
        assert states == ["r", "r"]


async def test_a_live_key_makes_it_production_whatever_is_said(tmp_path: Path) -> None:
    config = load(tmp_path, mode="live", STRIPE="sk_live_0123456789")
    assert (config.outbound, config.production) == ("live", True)
    assert config.service.environment == "dev"
    file = tmp_path / "config.yaml"
    file.write_text(file.read_text().replace("${env:WRITE}", "in-clear-0123"))
    live = ENV | {"STRIPE": "sk_live_0123456789"}
    faults = configuration.check(file, live, shop=VOCABULARY)
    assert [(f.code, f.warning) for f in faults] == [("secret.literal", False)]


@pytest.mark.parametrize(("mode", "key"), [("test", "sk_live_01234"), ("live", "rk_test_01234")])
def test_a_key_of_the_other_mode_is_named_so(tmp_path: Path, mode: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, mode=mode, STRIPE=key)
    fault = next(f for f in caught.value.faults if not f.warning)
    other = "live" if mode == "test" else "test"
    assert fault.code == "mode.mismatch"
    assert f"is a {other} key, but mode is {mode}" in fault.text
    assert key not in str(caught.value)


def test_production_that_calls_nobody_is_warned_of(tmp_path: Path) -> None:
    load(tmp_path, service=", environment: production, outbound: hold")
    faults = configuration.check(tmp_path / "config.yaml", ENV, shop=VOCABULARY)
    assert [(f.code, f.warning) for f in faults] == [("outbound.production", True)]


@pytest.mark.parametrize(
    ("to", "state"),
    [("a@example.com", "done"), ("B@Example.com", "done"), ("c@example.org", "skipped")],
)
async def test_messages_reach_only_those_who_are_listed(tmp_path, to, state) -> None:
    config = load(tmp_path, service=', messages_only_to: ["*@example.com"]')
    async with running(Hub(config)) as hub:
        await tick(hub, to)
        found = await ended(hub, "note")
        assert found[0] == state
        if state == "skipped":
            assert "messages_only_to" in str(found[1])
            assert hub.standins.doubles["mail"].state.ledger == []
