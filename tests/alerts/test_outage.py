"""However many fail, people are told once, and once that it is over; `make outage` takes 10,000."""

import os

import pytest

from hub import alerts
from hub.telling import Teller
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
