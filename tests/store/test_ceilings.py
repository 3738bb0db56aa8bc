"""Ceilings on every store: what goes over one is held, released or cancelled, and loses nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hub.ceiling import Ceiling
from hub.errors import Refused
from store import ceilings, holds
from store.schema import audit, job_history, jobs, recipient_hours, route_hours

WHO = {"ada": b'{"to": {"email": "Ada@example.com"}}', "bob": b'{"to": {"email": "bob@x.org"}}'}


@pytest.fixture
def mail(job):
    """Make a mail of the route `receipt`."""

    def make(**more):
        return job(**({"connector": "mail", "route": "receipt", "effect": "unsafe"} | more))

    return make


@pytest.fixture
def claim(store, lease):
    """Claim all that may be claimed; give its uids."""

    async def run(ceiling=None, *, most=100) -> list[str]:
        given = {"receipt": ceiling or Ceiling(per_hour=5)}
        uids: list[str] = []
        while True:
            found, _ = await store.claim(
                {"mail": most}, node="n", until=lease(), ceiling_of=lambda name, *_: given.get(name)
            )
            uids += [one.uid for one in found]
            if not found:
                return uids

    return run


async def put(store, made) -> list[str]:
    for n in range(0, len(made), 500):
        await store.write(lambda tx, n=n: tx.enqueue(*made[n : n + 500]))
    return [one.uid for one in made]


async def rows(store, query):
    async with store.read() as connection:
        return (await connection.execute(query)).all()


async def shown(store, clock):
    async with store.read() as connection:
        return (await holds.routes_shown(connection, ceilings.hour(clock.now())))["receipt"]


async def test_a_wrong_route_sends_no_more_than_its_ceiling(store, mail, claim, clock) -> None:
    uids = await put(store, [mail() for _ in range(3000)])
    assert await claim(Ceiling(per_hour=40)) == uids[:40]
    told = await shown(store, clock)
    assert (told["held"], told["reason"]) == (2960, "over 40 jobs an hour")
    assert told["this_hour"] == 40
    held = select(jobs.c.state, jobs.c.attempt, jobs.c.failures, jobs.c.first_sent_at).where(
        jobs.c.uid.in_(uids[40:])
    )
    assert {tuple(row) for row in await rows(store, held)} == {("r", 0, 0, None)}


async def test_later_jobs_of_a_held_route_are_held_too_in_this_hour_and_the_next(
    store, mail, claim, clock
) -> None:
    await put(store, [mail() for _ in range(8)])
    assert len(await claim()) == 5
    await put(store, [mail() for _ in range(3)])
    assert await claim() == []
    clock.advance(7200)
    await put(store, [mail()])
    assert await claim() == []
    assert (await shown(store, clock))["held"] == 7


async def test_other_routes_and_jobs_of_none_go_on(store, mail, claim) -> None:
    await put(store, [mail() for _ in range(8)])
    others = await put(store, [mail(route="other"), mail(route=None)])
    assert set(others) <= set(await claim())


async def test_an_hour_after_a_hour_below_the_ceiling_holds_nothing(store, mail, claim, clock):
    for _ in range(3):
        await put(store, [mail() for _ in range(5)])
        assert len(await claim()) == 5
        clock.advance(3600)


async def test_released_jobs_all_pass_and_later_ones_have_a_fresh_allowance(
    store, mail, claim, clock
) -> None:
    uids = await put(store, [mail() for _ in range(20)])
    first = await claim()
    assert await store.change(lambda tx, route: holds.release(tx, route, by="ada"), "receipt") == 15
    assert [*first, *await claim()] == uids
    clock.advance(1)
    await put(store, [mail() for _ in range(8)])
    assert len(await claim()) == 5
    assert (await shown(store, clock))["held"] == 3
    [row] = await rows(store, select(audit))
    assert (row.who, row.what, row.subject) == ("ada", "route.release", "receipt")


async def test_what_was_let_pass_raises_no_later_ceiling(store, mail, claim, clock) -> None:
    usual = Ceiling()
    await put(store, [mail() for _ in range(300)])
    assert len(await claim(usual)) == 200
    await store.change(lambda tx, route: holds.release(tx, route, by="ada"), "receipt")
    await claim(usual)
    clock.advance(3600)
    await put(store, [mail() for _ in range(1100)])
    assert len(await claim(usual)) == 1000  # five times the 200, not the 300


async def test_the_usual_ceiling_is_five_times_the_busiest_of_fourteen_days(
    store, mail, claim, clock
) -> None:
    usual = Ceiling()
    for count in (30, 60, 10):
        await put(store, [mail() for _ in range(count)])
        assert len(await claim(usual)) == count
        clock.advance(3600)
    await put(store, [mail() for _ in range(350)])
    assert len(await claim(usual)) == 300
    await store.change(lambda tx, route: holds.release(tx, route, by="ada"), "receipt")
    await claim(usual)
    clock.advance(timedelta(days=15).total_seconds())
    await put(store, [mail() for _ in range(250)])
    assert len(await claim(usual)) == 200


async def test_cancelling_ends_all_that_is_held_and_what_waits_behind_it(
    store, mail, claim, clock
) -> None:
    made = [mail(lane=f"l{n % 4}") for n in range(12)] + [mail() for _ in range(12)]
    await put(store, made)
    sent = await claim()
    assert len(sent) == 5
    while await store.change(lambda tx, r: holds.cancel(tx, r, by="ada", most=7), "receipt"):
        pass
    over = await rows(store, select(job_history.c.uid, job_history.c.state, job_history.c.ended_by))
    assert {(row.state, row.ended_by) for row in over} == {("cancelled", "ada")}
    left = {row.uid for row in await rows(store, select(jobs.c.uid))}
    assert left == set(sent)
    assert {row.uid for row in over} == {one.uid for one in made} - left
    assert {r.what for r in await rows(store, select(audit))} == {"route.cancel"}
    clock.advance(1)
    await put(store, [mail() for _ in range(3)])
    assert len(await claim()) == 3


async def test_nothing_held_is_nothing_to_release(store) -> None:
    with pytest.raises(Refused):
        await store.change(lambda tx, route: holds.release(tx, route, by="ada"), "receipt")


async def test_a_recipient_gets_no_more_than_theirs_and_others_get_their_own(
    store, mail, claim, clock
) -> None:
    ceiling = Ceiling(per_hour=100, per_recipient=3, recipient="to.email")
    hers = await put(store, [mail(payload=WHO["ada"]) for _ in range(6)])
    shouted = await put(store, [mail(payload=b'{"to": {"email": " ADA@EXAMPLE.COM"}}')])
    his = await put(store, [mail(payload=WHO["bob"]) for _ in range(2)])
    nobodys = await put(store, [mail(payload=b'{"to": null}'), mail(payload=b"[")])
    assert await claim(ceiling) == [*hers[:3], *his, *nobodys]
    told = await shown(store, clock)
    assert (told["held"], told.get("held_since")) == (4, None)
    await store.change(lambda tx, route: holds.release(tx, route, by="ada"), "receipt")
    assert await claim(ceiling) == [*hers[3:], *shouted]
    clock.advance(3600)
    again = await put(store, [mail(payload=WHO["ada"])])
    assert await claim(ceiling) == again


async def test_a_held_head_keeps_its_lane(store, mail, claim) -> None:
    await put(store, [mail() for _ in range(5)])
    assert len(await claim()) == 5
    first, second = await put(store, [mail(lane="l"), mail(lane="l")])
    assert await claim() == []
    await store.change(lambda tx, route: holds.release(tx, route, by="ada"), "receipt")
    assert await claim() == [first]
    [row] = await rows(store, select(jobs.c.state).where(jobs.c.uid == second))
    assert row.state == "w"


async def test_counts_that_nobody_asks_for_are_dropped(store, mail, claim, clock) -> None:
    ceiling = Ceiling(recipient="to.email")
    for _ in range(3):
        await put(store, [mail(payload=WHO["ada"])])
        await claim(ceiling)
        clock.advance(timedelta(days=20).total_seconds())
    for table in (recipient_hours, route_hours):
        [(count,)] = await rows(store, select(func.count()).select_from(table))
        assert count == 1


async def test_no_address_is_in_the_counts(store, mail, claim) -> None:
    await put(store, [mail(payload=WHO["ada"])])
    await claim(Ceiling(recipient="to.email"))
    [(who,)] = await rows(store, select(recipient_hours.c.who))
    assert len(who) == 16
    assert b"ada" not in who
