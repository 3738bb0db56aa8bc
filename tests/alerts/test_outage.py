"""However many fail, people are told once, and once that it is over; `make outage` takes 10,000."""

import os
from datetime import date
from types import SimpleNamespace

import pytest

from hub import alerts
from hub.clock import ManualClock
from hub.config.instances import WebhookSecret
from hub.errors import Fault
from hub.reload import Rejected
from hub.secrets import Secret
from hub.telling import Teller, expiring
from store import alerts as kept
from store.restore_schema import restores
from tests.alerts.outage import stage

COUNT = int(os.environ.get("HUB_TEST_OUTAGE", "100"))
BREAKS = "    breaker: { failures: 20, within: 60s, open_for: 60s }"


@pytest.fixture
def file_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/hub.db"


def told(at) -> list[tuple[str, str, str, int]]:
    return [(p["signal"], p["state"], p["about"], p["count"]) for p in at.world.pages]


@pytest.mark.timeout(600)
async def test_an_outage_is_one_message_and_its_end_another(tmp_path, store_url) -> None:
    async with stage(tmp_path, store_url) as at:
        at.world.down = 500
        await at.emit(COUNT // 2)
        await at.rest()
        await at.look()
        await at.paged(1)
        await at.emit_more(COUNT)
        await at.rest()
        assert at.world.asked == COUNT
        for _ in range(6):
            await at.look()
        [page] = at.world.pages
        assert (page["signal"], page["state"], page["about"]) == ("job.dead", "raised", "crm")
        assert page["first"].startswith("job_")
        assert page["first"].endswith("put: gave up: crm answered 500"), page
        assert page["next"] == "hub jobs --state dead --connector crm"
        assert page["runbook"] == "docs/runbooks.md#jobdead"
        assert page["to"] == ["ops@example.com"]
        scraped = await at.scrape()
        assert scraped["hub_jobs", "crm", "dead"] == COUNT
        at.world.down = 0
        assert await at.retry_all() == COUNT
        await at.rest()
        for _ in range(6):
            await at.look()
        await at.paged(2)
        assert told(at)[1:] == [("job.dead", "over", "crm", COUNT)]
        assert await at.states() == {}


async def test_an_open_breaker_is_told_once_with_how_many_wait(tmp_path, file_url) -> None:
    async with stage(tmp_path, file_url, crm_more=BREAKS) as at:
        at.world.down = 500
        await at.emit(100)

        async def opened() -> bool:
            return ("hub_connector_halted", "crm", "breaker") in await at.scrape()

        await at.until(opened, "the breaker is open")
        await at.look()
        await at.paged(1)
        for _ in range(20):  # what is late because it is held is no news
            await at.look(60)
        scraped = await at.scrape()
        assert scraped["hub_oldest_job_seconds", "crm"] >= 1000
        assert [(p["signal"], p["state"], p["about"]) for p in at.world.pages] == [
            ("connector.held", "raised", "crm")
        ]
        assert at.world.pages[0]["count"] > 50
        assert "breaker" in at.world.pages[0]["first"]
        at.world.down = 0

        async def done() -> bool:
            await at.look(30)
            return await at.states() == {}

        await at.until(done, "all is done")
        await at.look()
        await at.paged(2)
        assert [(p["signal"], p["state"]) for p in at.world.pages[1:]] == [
            ("connector.held", "over")
        ]


async def test_two_nodes_tell_once_and_a_restart_tells_nothing_again(tmp_path, store_url) -> None:
    async with stage(tmp_path, store_url) as at:
        at.world.down = 400
        await at.emit(3)
        await at.rest()
        more = [
            Teller(
                at.hub.store,
                lambda: at.hub.fitted,
                reloads=at.hub.reloads,
                gates=at.hub.runner.gates,
                clock=at.clock,
            )
            for _ in range(3)
        ]
        counts = [await one.once() for one in (at.teller, *more)]
        assert sum(counts) == 1
        await at.paged(1)
        assert told(at) == [("job.dead", "raised", "crm", 3)]


async def test_alerts_that_cannot_be_sent_raise_none(tmp_path, file_url) -> None:
    async with stage(tmp_path, file_url) as at:
        at.world.down, at.world.pager_down = 400, 400
        await at.emit(2)
        await at.rest()
        for _ in range(5):
            await at.look()

        async def given_up() -> bool:
            return (await at.scrape()).get(("hub_jobs", "pager", "dead"), 0) == 1

        await at.until(given_up, "the alert is dead")
        for _ in range(5):
            await at.look()
        assert await given_up()
        assert len(at.world.pages) == 1


async def test_what_is_told_as_it_happens_is_over_when_it_has_ceased(tmp_path, file_url) -> None:
    async with stage(tmp_path, file_url) as at:
        for _ in range(50):
            alerts.tell("webhook.rejected", about="crm", text="a webhook was refused", fix="look")
        await at.look()
        await at.paged(1)
        for _ in range(5):
            await at.look(60)
        assert told(at) == [("webhook.rejected", "raised", "crm", 1)]
        for _ in range(32):
            await at.look(60)
        await at.paged(2)
        assert told(at)[1:] == [("webhook.rejected", "over", "crm", 1)]


async def test_more_dead_after_a_quiet_are_told_again(tmp_path, file_url) -> None:
    async with stage(tmp_path, file_url) as at:
        at.world.down = 400
        await at.emit(3)
        await at.rest()
        await at.look()
        await at.emit_more(5)
        await at.rest()
        await at.look()  # part of the same
        await at.paged(1)
        await at.look(16 * 60)
        await at.emit_more(6)
        await at.rest()
        await at.look()
        await at.paged(2)
        assert told(at) == [("job.dead", "raised", "crm", 3), ("job.dead", "more", "crm", 6)]


async def test_a_refused_configuration_is_told_until_it_is_mended(tmp_path, file_url) -> None:
    async with stage(tmp_path, file_url) as at:
        faults = (Fault(code="key.unknown", text="no such key"),) * 2
        at.hub.reloads.rejected = Rejected(at=at.clock.now(), faults=faults)
        for _ in range(30):  # on and on, by a node that says so again and again
            await at.look(30)
        await at.paged(1)
        assert told(at) == [("config.rejected", "raised", "config", 2)]
        at.hub.reloads.rejected = None
        for _ in range(3):
            await at.look(40)
        await at.paged(2)
        assert told(at)[1:] == [("config.rejected", "over", "config", 2)]


LITTLE = "    budget: { limits: [{ calls: 3, per: 2h }] }"


async def test_a_spent_budget_is_told_until_there_is_room(tmp_path, file_url) -> None:
    async with stage(tmp_path, file_url, crm_more=LITTLE) as at:
        await at.emit(5)

        async def spent() -> bool:
            return at.world.asked == 3

        await at.until(spent, "three calls were made")
        await at.look()
        await at.paged(1)
        assert told(at) == [("budget.spent", "raised", "crm", 1)]

        async def done() -> bool:
            await at.look(600)
            return await at.states() == {}

        await at.until(done, "there was room again")
        await at.look(120)
        await at.paged(2)
        assert told(at)[1:] == [("budget.spent", "over", "crm", 1)]


def test_a_secret_that_ends_within_two_weeks_is_named() -> None:
    ends = {"pay": date(2026, 1, 15), "mail": date(2026, 1, 16), "old": date(2025, 12, 31)}
    made = {
        name: SimpleNamespace(secrets=[WebhookSecret(value=Secret("s", "S"), until=until)])
        for name, until in ends.items()
    } | {"crm": SimpleNamespace(secrets=[WebhookSecret(value=Secret("s", "S"))])}
    [found] = expiring(SimpleNamespace(connectors=made), ManualClock().now())
    assert (found.signal, found.about, found.first) == (
        "secret.expiring",
        "pay",
        "until 2026-01-15",
    )


async def test_a_restored_store_tells_nobody_before_it_is_released(tmp_path, file_url) -> None:
    async with stage(tmp_path, file_url) as at:
        at.world.down = 400
        await at.emit(2)
        await at.rest()
        now = at.clock.now()
        row = {"cut": now, "made_by": "node", "kind": "sqlite", "at": now, "by": "ann"}
        await at.hub.store.write(lambda tx: tx.run(restores.insert(), row))
        for _ in range(3):
            await at.look()
        assert at.world.pages == []
        assert await at.hub.store.look(kept.told) == []
        let = restores.update().values(released_at=at.clock.now())
        await at.hub.store.write(lambda tx: tx.run(let))
        await at.look()
        await at.paged(1)
