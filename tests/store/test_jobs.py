"""Jobs in the store: lanes, fences, keys, rescue, settlement by events."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.clock import ManualClock
from hub.errors import Refused
from hub.model import Event, Job, NewJob
from store import leases, operate, reads, schema, settle
from store.events import add_event
from store.links import StoredLinks
from store.settle import Completion
from store.store import Store
from store.tx import Tx

Make = Callable[..., NewJob]


async def put(store: Store, *new: NewJob) -> None:
    await store.write(lambda tx: tx.enqueue(*new))


async def claim(store: Store, clock: ManualClock, most: int = 10) -> list[Job]:
    until = clock.now() + timedelta(seconds=60)
    claimed, _ = await store.claim({"crm": most, "mail": most}, node="n1", until=until)
    return claimed


def ended(job: Job, clock: ManualClock, state: str = "done", **more: object) -> Completion:
    base = {"job": job, "state": state, "outcome": "ok", "started_at": clock.now(), "ms": 1}
    return Completion(**(base | more))  # type: ignore[arg-type]


async def states(store: Store) -> dict[str, str]:
    async with store.read() as connection:
        return {j["uid"]: j["state"] for j in await reads.list_jobs(connection)}


async def test_a_lane_has_one_job_in_flight_and_keeps_its_order(store, clock, job) -> None:
    lane = [job(lane="cus_1") for _ in range(3)]
    await put(store, *lane)
    seen = []
    for _ in lane:
        claimed = await claim(store, clock)
        assert len(claimed) == 1
        seen.append(claimed[0].uid)
        assert await claim(store, clock) == []
        await store.settle(ended(claimed[0], clock))
    assert seen == [j.uid for j in lane]


async def test_lanes_of_two_connectors_do_not_wait_for_each_other(store, clock, job) -> None:
    await put(store, job(lane="cus_1"), job(lane="cus_1", connector="mail"))
    assert len(await claim(store, clock)) == 2


async def test_a_retrying_head_holds_its_lane(store, clock, job) -> None:
    await put(store, first := job(lane="a"), job(lane="a"))
    [claimed] = await claim(store, clock)
    later = clock.now() + timedelta(seconds=30)
    await store.settle(ended(claimed, clock, "ready", due_at=later, outcome="retry"))
    assert await claim(store, clock) == []
    clock.advance(31)
    assert [j.uid for j in await claim(store, clock)] == [first.uid]


@pytest.mark.parametrize(("blocks", "follower"), [(False, "ready"), (True, "waiting")])
async def test_a_dead_head_frees_its_lane_unless_it_blocks(
    store, clock, job, blocks, follower
) -> None:
    await put(store, first := job(lane="a", blocks=blocks), second := job(lane="a"))
    [claimed] = await claim(store, clock)
    await store.settle(ended(claimed, clock, "dead", outcome="reject", error="no"))
    assert await states(store) == {first.uid: "dead", second.uid: follower}


async def test_a_zombies_result_changes_nothing(store, clock, job) -> None:
    await put(store, made := job())
    [zombie] = await claim(store, clock)
    clock.advance(61)
    assert await store.write(leases.rescue) == 1
    [heir] = await claim(store, clock)
    assert heir.attempt == 2
    assert not await store.settle(ended(zombie, clock, "dead"))
    assert await store.settle(ended(heir, clock))
    assert await states(store) == {made.uid: "done"}


async def lose(store, clock) -> timedelta:
    """Have a hub end while it tries the job; give how long the job waits then."""
    [taken] = await claim(store, clock)
    clock.advance(61)
    assert await store.write(leases.rescue) == 1
    async with store.read() as connection:
        due = select(schema.jobs.c.due_at).where(schema.jobs.c.uid == taken.uid)
        wait = (await connection.execute(due)).scalar_one() - clock.now()
    clock.advance(wait.total_seconds())
    return wait


@pytest.mark.parametrize(
    ("effect", "blocks", "ends", "follower"),
    [
        ("upsert", False, "dead", "ready"),
        ("upsert", True, "dead", "waiting"),
        ("keyed", False, "uncertain", "waiting"),
    ],
)
async def test_a_job_lost_with_its_hubs_again_and_again_waits_longer_and_is_given_up(
    store, clock, job, effect, blocks, ends, follower
) -> None:
    await put(store, bad := job(lane="a", effect=effect, blocks=blocks), next_ := job(lane="a"))
    waits = [await lose(store, clock) for _ in range(leases.MOST_LOST)]
    assert waits[0] == waits[-1] == timedelta(0)
    assert min(waits[1:-1]) >= timedelta(seconds=1)
    assert max(waits) > timedelta(seconds=5)
    assert await states(store) == {bad.uid: ends, next_.uid: follower}
    async with store.read() as connection:
        shown = await reads.one_job(connection, bad.uid, store.cipher)
    assert shown["error"] == "gave up: 8 hubs ended while it ran"


async def test_a_job_that_was_lost_too_often_and_is_retried_begins_anew(store, clock, job) -> None:
    await put(store, bad := job())
    for _ in range(leases.MOST_LOST):
        await lose(store, clock)
    await store.change(lambda tx, _: operate.again(tx, bad.uid, by="ana"), None)
    assert await lose(store, clock) == timedelta(0)
    assert await states(store) == {bad.uid: "ready"}


async def test_a_job_that_lives_through_an_attempt_now_and_then_is_not_given_up(
    store, clock, job
) -> None:
    await put(store, made := job())
    for _ in range(3):
        for _ in range(leases.MOST_LOST - 1):
            await lose(store, clock)
        [claimed] = await claim(store, clock)
        await store.settle(ended(claimed, clock, "ready", due_at=clock.now(), outcome="retry"))
    assert await states(store) == {made.uid: "ready"}


async def test_a_lost_lease_parks_an_unsafe_job_and_repeats_any_other(store, clock, job) -> None:
    await put(store, mail := job(effect="unsafe", connector="mail"), contact := job())
    await claim(store, clock)
    clock.advance(61)
    await store.write(leases.rescue)
    assert await states(store) == {mail.uid: "uncertain", contact.uid: "ready"}


async def test_a_renewed_lease_is_not_rescued(store, clock, job) -> None:
    await put(store, job())
    [held] = await claim(store, clock)
    clock.advance(50)
    until = clock.now() + timedelta(seconds=60)
    kept = await store.write(lambda tx: leases.renew(tx, [(held.id, held.attempt)], until=until))
    clock.advance(50)
    assert kept == {(held.id, held.attempt)}
    assert await store.write(leases.rescue) == 0


async def test_a_second_job_of_one_key_is_skipped_and_says_so(store, clock, job) -> None:
    await put(store, first := job(key="receipt:1"), twin := job(key="receipt:1"))
    assert await states(store) == {first.uid: "ready", twin.uid: "skipped"}
    async with store.read() as connection:
        shown = await reads.one_job(connection, twin.uid, store.cipher)
    assert shown is not None
    assert shown["reason"] == "duplicate key"


async def test_a_key_stays_taken_after_its_job_is_done(store, clock, job) -> None:
    await put(store, job(key="k"))
    [claimed] = await claim(store, clock)
    await store.settle(ended(claimed, clock))
    await put(store, twin := job(key="k"))
    assert (await states(store))[twin.uid] == "skipped"


@pytest.mark.parametrize(("failed", "state"), [(False, "done"), (True, "dead")])
async def test_the_providers_event_settles_an_uncertain_job(
    store, clock, job, failed, state
) -> None:
    await put(store, mail := job(effect="unsafe", connector="mail"))
    [claimed] = await claim(store, clock)
    await store.settle(ended(claimed, clock, "uncertain", outcome="ambiguous"))

    def told(tx: Tx) -> None:
        event = Event(type="mail.delivered", at=clock.now(), data={}, job=mail.uid, failed=failed,
                      id="evt_1", connector="mail")  # fmt: skip
        add_event(tx, event)
        settle.resolve_from_events(tx, [mail.uid])

    await store.write(told)
    assert await states(store) == {mail.uid: state}


async def test_an_event_that_came_first_settles_the_job_that_turns_uncertain(
    store, clock, job
) -> None:
    await put(store, mail := job(effect="unsafe", connector="mail"))
    [claimed] = await claim(store, clock)
    event = Event(type="mail.delivered", at=clock.now(), data={}, job=mail.uid, id="evt_1")
    await store.write(lambda tx: add_event(tx, event))
    await store.settle(ended(claimed, clock, "uncertain", outcome="ambiguous"))
    assert await states(store) == {mail.uid: "done"}


async def test_an_unused_attempt_counts_neither_against_attempts_nor_age(store, clock, job) -> None:
    await put(store, job())
    [claimed] = await claim(store, clock)
    pause = clock.now() + timedelta(seconds=7)
    await store.settle(
        ended(
            claimed, clock, "ready", due_at=pause, used=False, pause=pause, outcome="rate_limited"
        )
    )
    clock.advance(6.9)
    assert await claim(store, clock) == []
    clock.advance(0.2)
    [again] = await claim(store, clock)
    assert (again.attempt, again.failures) == (2, 0)
    assert again.first_sent_at == clock.now()


async def test_a_pause_holds_every_job_of_the_account_and_no_other(store, clock, job) -> None:
    await put(store, job())
    [claimed] = await claim(store, clock)
    until = clock.now() + timedelta(seconds=60)
    await store.settle(ended(claimed, clock, pause=until))
    await put(store, job(), other := job(connector="mail"))
    assert [j.uid for j in await claim(store, clock)] == [other.uid]


async def test_links_of_a_settled_job_are_kept_for_the_next(store, clock, job) -> None:
    await put(store, job())
    [claimed] = await claim(store, clock)
    await store.settle(ended(claimed, clock, links={("contact", "cus_1"): "501"}))
    assert await StoredLinks(store, "crm").get("contact", "cus_1") == "501"


async def test_a_dead_job_tried_again_goes_first_in_its_lane(store, clock, job) -> None:
    await put(store, first := job(lane="a"), second := job(lane="a"), job(lane="a"))
    [claimed] = await claim(store, clock)
    await store.settle(ended(claimed, clock, "dead", outcome="reject"))
    [running] = await claim(store, clock)
    assert running.uid == second.uid
    await store.change(lambda tx, uid: operate.again(tx, uid, by="ana"), first.uid)
    await store.settle(ended(running, clock))
    assert [j.uid for j in await claim(store, clock)] == [first.uid]


async def test_a_cancelled_head_frees_its_lane_and_names_who_did_it(store, clock, job) -> None:
    await put(store, first := job(lane="a"), second := job(lane="a"))
    await store.change(lambda tx, uid: operate.cancel(tx, uid, by="ana"), first.uid)
    assert await states(store) == {first.uid: "cancelled", second.uid: "ready"}
    with pytest.raises(Refused):
        await store.change(lambda tx, uid: operate.cancel(tx, uid, by="ana"), first.uid)


async def test_a_job_in_flight_cannot_be_cancelled(store, clock, job) -> None:
    await put(store, made := job())
    await claim(store, clock)
    with pytest.raises(Refused, match="state 'l'"):
        await store.change(lambda tx, uid: operate.cancel(tx, uid, by="ana"), made.uid)


async def test_a_follower_is_due_no_earlier_than_it_was_written_for(store, clock, job) -> None:
    later = clock.now() + timedelta(seconds=90)
    await put(store, job(lane="a"), job(lane="a", due_at=later))
    [claimed] = await claim(store, clock)
    await store.settle(ended(claimed, clock))
    clock.advance(60)
    assert await claim(store, clock) == []
    clock.advance(31)
    assert len(await claim(store, clock)) == 1


async def test_a_claim_says_when_the_next_job_falls_due(store, clock, job) -> None:
    due = clock.now() + timedelta(seconds=42)
    await put(store, job(due_at=due))
    claimed, upcoming = await store.claim({"crm": 1}, node="n", until=due)
    assert claimed == []
    assert upcoming == due


async def test_jobs_that_follow_an_outcome_commit_with_it(store, clock, job) -> None:
    await put(store, job())
    [claimed] = await claim(store, clock)
    follow = job(connector="mail")
    await store.settle(ended(claimed, clock, jobs=[follow]))
    assert (await states(store))[follow.uid] == "ready"
    assert not await store.settle(ended(claimed, clock, jobs=[job(connector="mail")]))
    assert len(await states(store)) == 2
