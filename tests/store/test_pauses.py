"""A paused account: nothing of it is claimed, everything is kept, no time of it counts."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hub import retry
from hub.errors import Refused
from store import pauses, schema
from store.settle import Completion

DAY = timedelta(days=1).total_seconds()


async def pause(store, account="crm", by="ana"):
    await store.change(lambda tx, name: pauses.pause(tx, name, by=by), account)


async def resume(store, account="crm", by="ben"):
    return await store.change(lambda tx, name: pauses.resume(tx, name, by=by), account)


async def claim(store, clock):
    until = clock.now() + timedelta(seconds=60)
    return (await store.claim({"crm": 10, "mail": 10}, node="n1", until=until))[0]


async def again_later(store, clock, job, **more):
    """Let an attempt of a job end so that it is tried again now."""
    told = {"state": "ready", "outcome": "retry", "due_at": clock.now(), "ms": 1}
    done = Completion(job=job, started_at=clock.now(), **(told | more))
    assert await store.settle(done)


async def test_a_paused_accounts_jobs_wait_and_no_others(store, clock, job):
    await pause(store)
    await store.write(lambda tx: tx.enqueue(job(), job(connector="mail")))
    assert [j.connector for j in await claim(store, clock)] == ["mail"]
    await resume(store)
    (claimed,) = await claim(store, clock)
    assert claimed.connector == "crm"
    assert (claimed.attempt, claimed.failures) == (1, 0)


async def test_a_claim_does_not_wake_up_for_a_paused_account(store, clock, job):
    await pause(store)
    due = clock.now() + timedelta(seconds=5)
    await store.write(lambda tx: tx.enqueue(job(due_at=due)))
    _, upcoming = await store.claim({"crm": 1}, node="n1", until=due)
    assert upcoming is None


async def test_what_is_in_flight_ends_as_it_would(store, clock, job):
    await store.write(lambda tx: tx.enqueue(job()))
    (flying,) = await claim(store, clock)
    await pause(store)
    await again_later(store, clock, flying, state="done", outcome="ok")


async def test_the_time_of_a_pause_ages_no_job(store, clock, job):
    policy = retry.Policy(max_age=timedelta(days=8), jitter="none")
    await store.write(lambda tx: tx.enqueue(job()))
    (first,) = await claim(store, clock)
    await again_later(store, clock, first)
    clock.advance(7 * DAY)
    await pause(store)
    clock.advance(30 * DAY)
    assert await resume(store) == timedelta(days=30)
    (late,) = await claim(store, clock)
    assert late.held == timedelta(days=30)
    assert retry.again(policy, late, now=clock.now()) is not None
    await again_later(store, clock, late)
    clock.advance(DAY)
    (old,) = await claim(store, clock)
    assert retry.again(policy, old, now=clock.now()) is None


async def test_a_pause_before_the_first_attempt_gives_nothing(store, clock, job):
    await pause(store)
    await store.write(lambda tx: tx.enqueue(job()))
    clock.advance(30 * DAY)
    await resume(store)
    (first,) = await claim(store, clock)
    assert first.held == timedelta(0)
    assert first.first_sent_at == clock.now()


async def test_a_pause_does_not_stretch_the_providers_memory_of_a_key(store, clock, job):
    await store.write(lambda tx: tx.enqueue(job(effect="keyed")))
    (first,) = await claim(store, clock)
    await again_later(store, clock, first)
    await pause(store)
    clock.advance(DAY)
    await resume(store)
    (late,) = await claim(store, clock)
    window = timedelta(hours=24)
    assert retry.again(retry.Policy(), late, now=clock.now(), window=window) is None


async def test_a_hold_around_a_pause_is_counted_once(store, clock, job):
    await store.write(lambda tx: tx.enqueue(job()))
    (first,) = await claim(store, clock)
    await again_later(store, clock, first)
    await store.write(
        lambda tx: tx.run(update(schema.accounts).values(held_reason="401", held_since=clock.now()))
    )
    clock.advance(DAY)
    await pause(store)
    clock.advance(DAY)
    await resume(store)
    (late,) = await claim(store, clock)
    assert late.held == timedelta(days=2)
    async with store.read() as connection:
        rows = await connection.execute(select(schema.accounts).filter_by(account="crm"))
        assert rows.one().held_since == clock.now()


async def test_who_paused_and_who_resumed_is_recorded(store, clock):
    await pause(store)
    clock.advance(90)
    await resume(store)
    async with store.read() as connection:
        rows = await connection.execute(select(schema.audit).order_by(schema.audit.c.n))
        told = [(row.who, row.what, row.subject, row.note) for row in rows]
    assert told == [
        ("ana", "connector.pause", "crm", None),
        ("ben", "connector.resume", "crm", "paused for 0:01:30 by ana"),
    ]


async def test_it_is_shown_by_whom_since_when_and_what_waits(store, clock, job):
    await pause(store)
    await store.write(lambda tx: tx.enqueue(job(lane="a"), job(lane="a"), job()))
    async with store.read() as connection:
        shown = await pauses.accounts_shown(connection)
    assert shown["crm"]["paused_by"] == "ana"
    assert shown["crm"]["paused_at"] == "2026-01-01T00:00:00Z"
    assert shown["crm"]["jobs"] == {"ready": 2, "waiting": 1}
    assert shown["mail"]["paused_at"] is None


async def test_twice_is_refused_and_says_why(store):
    with pytest.raises(Refused, match="crm is not paused"):
        await resume(store)
    await pause(store)
    with pytest.raises(Refused, match="crm is paused since 2026-01-01T00:00:00Z by ana"):
        await pause(store, by="ben")


async def test_an_account_can_be_paused_before_the_hub_knows_it(store, clock, job):
    await pause(store, "fresh")
    await store.know_accounts(["fresh"])
    await store.write(lambda tx: tx.enqueue(job(connector="fresh")))
    until = clock.now() + timedelta(seconds=60)
    assert (await store.claim({"fresh": 1}, node="n1", until=until))[0] == []
