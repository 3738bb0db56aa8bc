"""A paused route on every store: its jobs are kept and held, others go on, no time of it counts."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.ceiling import PAUSED, Ceiling
from hub.errors import Refused, Retry
from store import ceilings, holds
from store.schema import jobs
from store.settle import Completion

SPAN = timedelta(minutes=1)


@pytest.fixture
def claim(store, clock):
    """Claim all that may be claimed while some routes are paused; give the jobs."""

    async def run(*paused, ceiling=None):
        found, _ = await store.claim(
            {"crm": 100},
            node="n",
            until=clock.now() + SPAN,
            ceiling_of=lambda name, *_: PAUSED if name in paused else ceiling,
        )
        return found

    return run


@pytest.fixture
def unpause(store):
    async def run(*names):
        return await store.write(lambda tx: holds.unpause(tx, names))

    return run


async def put(store, *made) -> list[str]:
    await store.write(lambda tx: tx.enqueue(*made))
    return [one.uid for one in made]


def uids(found) -> list[str]:
    return [one.uid for one in found]


async def rows(store, *columns):
    async with store.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


async def test_its_jobs_wait_untouched_and_no_others(store, job, claim, unpause) -> None:
    held = await put(store, *(job(route="a") for _ in range(3)))
    free = await put(store, job(route="b"), job())
    assert uids(await claim("a")) == free
    later = await put(store, job(route="a"))
    assert await claim("a") == []
    columns = (jobs.c.attempt, jobs.c.failures, jobs.c.first_sent_at, jobs.c.state)
    at = [row for row in await rows(store, jobs.c.route, *columns) if row[0] == "a"]
    assert at == [("a", 0, 0, None, "r")] * 4
    assert await unpause("a", "b") == {"a": 4}
    assert uids(await claim()) == [*held, *later]
    assert await unpause("a", "b") == {}


async def test_its_lane_keeps_its_order(store, job, claim, unpause) -> None:
    ours = await put(store, job(route="a", lane="x"), job(route="b", lane="x"))
    assert await claim("a") == []  # the second waits behind the first
    await unpause("a")
    [first] = await claim()
    assert first.uid == ours[0]


async def test_a_pause_ages_no_job(store, job, claim, unpause, clock) -> None:
    await put(store, job(route="a"))
    [first] = await claim()
    again = Completion(
        job=first, state="ready", outcome="retry", started_at=clock.now(), ms=1,
        due_at=clock.now(), error=str(Retry("no")), used=True,
    )  # fmt: skip
    assert await store.settle(again)
    assert await claim("a") == []
    clock.advance(86_400)
    await unpause("a")
    [second] = await claim()
    assert (second.attempt, second.failures) == (2, 1)
    assert second.held == timedelta(days=1)


async def test_a_route_that_is_gone_stays_held_until_a_person_decides(
    store, job, claim, unpause
) -> None:
    ours = await put(store, job(route="a"), job(route="a"))
    assert await claim("a") == []
    assert await unpause("b") == {}
    assert await claim() == []
    assert await store.change(lambda tx, of: holds.release(tx, of, by="ada"), "a") == 2
    assert uids(await claim()) == ours


async def test_a_person_may_cancel_what_a_pause_holds(store, job, claim) -> None:
    await put(store, job(route="a"), job(route="a", lane="x"), job(route="a", lane="x"))
    assert await claim("a") == []
    assert await store.change(lambda tx, of: holds.cancel(tx, of, by="ada"), "a") == 3
    assert await rows(store, jobs.c.uid) == []
    await put(store, job(route="a"))
    assert await claim("a") == []  # the pause goes on


async def test_what_a_ceiling_holds_stays_held_when_a_pause_ends(
    store, job, claim, unpause, clock
) -> None:
    ours = await put(store, *(job(route="a") for _ in range(5)))
    assert uids(await claim(ceiling=Ceiling(per_hour=2))) == ours[:2]
    later = await put(store, job(route="a"))
    assert await claim("a") == []
    async with store.read() as connection:
        shown = (await holds.routes_shown(connection, ceilings.hour(clock.now())))["a"]
    assert (shown["held"], shown["reason"]) == (4, "over 2 jobs an hour")
    assert shown["paused_since"]
    assert await unpause("a") == {"a": 1}
    assert await claim(ceiling=Ceiling(per_hour=2)) == []  # the route is over its ceiling still
    await store.change(lambda tx, of: holds.release(tx, of, by="ada"), "a")
    assert uids(await claim()) == [*ours[2:], *later]
    with pytest.raises(Refused, match="nothing of the route a is held"):
        await store.change(lambda tx, of: holds.release(tx, of, by="ada"), "a")
