"""What stands is read out of the store, whoever brought it about; told once, whoever looks."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from hub.alerting import KEY, Trouble
from store import alerts, leases, operate, pauses
from store.money_schema import cases
from store.schema import accounts, jobs, route_holds
from store.troubles import SETTLING, standing
from store.webhook_schema import silences

LATE = timedelta(minutes=15)


async def stands(store, **more):
    found = await store.look(lambda tx: standing(tx, **more))
    return {(one.signal, one.about): one for one in found}


async def state(store, uid: str, to: str, **more) -> None:
    await store.write(
        lambda tx: tx.run(update(jobs).where(jobs.c.uid == uid).values(state=to, **more))
    )


async def test_nothing_stands_where_all_is_well(store, job) -> None:
    await store.write(lambda tx: tx.enqueue(job(), job(lane="a"), job(lane="a")))
    assert await stands(store, late=LATE) == {}


async def test_dead_jobs_are_counted_by_connector_with_the_first_of_them(store, job) -> None:
    some = [job(lane=None, state="dead", error=f"refused {n}") for n in range(3)]
    await store.write(lambda tx: tx.enqueue(*some, job(connector="mail", state="dead", error="x")))
    found = await stands(store)
    assert {key: one.count for key, one in found.items()} == {
        ("job.dead", "crm"): 3,
        ("job.dead", "mail"): 1,
    }
    first = min(one.uid for one in some)
    assert found["job.dead", "crm"].first.startswith(first)
    await store.write(lambda tx: [operate.cancel(tx, one.uid, by="ann") for one in some])
    assert [*await stands(store)] == [("job.dead", "mail")]


async def test_a_job_that_a_rescue_gives_up_is_dead_too(store, job, clock) -> None:
    lost = job()
    await store.write(lambda tx: tx.enqueue(lost))
    for n in range(1, leases.MOST_LOST + 1):
        assert ("job.dead", "crm") not in await stands(store)
        over = {"attempt": n, "lease_owner": "gone", "lease_until": clock.now()}
        await state(store, lost.uid, "l", **over)
        clock.advance(1)
        await store.write(leases.rescue)
    assert "hubs ended while it ran" in (await stands(store))["job.dead", "crm"].first


async def test_what_carries_alerts_is_never_reported(store, job) -> None:
    ours = job(key=f"{KEY}ops:job.dead:crm", state="dead", error="refused")
    routed = job(key=f"{KEY}by a route", route="r", state="dead", error="refused")
    await store.write(lambda tx: tx.enqueue(ours, routed))
    assert (await stands(store))["job.dead", "crm"].count == 1


async def test_an_uncertain_job_has_a_moment_to_be_settled(store, job, clock) -> None:
    sent = job(effect="unsafe")
    await store.write(lambda tx: tx.enqueue(sent))
    await state(store, sent.uid, "u", first_sent_at=clock.now())
    assert await stands(store) == {}
    clock.advance(SETTLING.total_seconds())
    assert (await stands(store))["job.uncertain", "crm"].count == 1
    await store.write(lambda tx: operate.settle_by_hand(tx, sent.uid, "done", by="ann"))
    assert await stands(store) == {}


async def test_a_blocked_lane_is_told_beside_its_dead_head(store, job) -> None:
    head = job(lane="a", blocks=True)
    await store.write(lambda tx: tx.enqueue(head, job(lane="a")))
    await state(store, head.uid, "b")
    assert set(await stands(store)) == {("job.dead", "crm"), ("lane.blocked", "crm")}


async def test_late_jobs_are_told_where_somebody_asks(store, job, clock) -> None:
    await store.write(lambda tx: tx.enqueue(job(), job()))
    clock.advance(LATE.total_seconds() - 1)
    assert await stands(store, late=LATE) == {}
    clock.advance(1)
    late = (await stands(store, late=LATE))["queue.oldest", "crm"]
    assert (late.count, clock.now() - late.since) == (2, LATE)
    assert await stands(store) == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"held_reason": "crm answered 401", "held_since": 1}, "crm answered 401"),
        ({"breaker_since": 1}, "its breaker is open: too many calls failed"),
        ({"paused_at": 1, "paused_by": "hub"}, "it is disabled: its deliveries failed"),
    ],
)
async def test_an_account_that_is_stopped_is_told_with_what_waits(
    store, job, clock, change, why
) -> None:
    put = {key: clock.now() if value == 1 else value for key, value in change.items()}
    its = update(accounts).where(accounts.c.account == "crm").values(put)
    await store.write(lambda tx: (tx.run(its), tx.enqueue(job(), job())))
    [held] = (await stands(store)).values()
    assert (held.signal, held.about, held.count) == ("connector.held", "crm", 2)
    assert held.first.startswith(why)


async def test_a_pause_that_a_person_made_is_no_trouble(store) -> None:
    await store.write(lambda tx: pauses.pause(tx, "crm", by="ann"))
    assert await stands(store) == {}


async def test_a_long_pause_that_a_provider_asks_for_is_a_spent_budget(store, clock) -> None:
    for seconds, wanted in ((30, []), (3600, [("budget.spent", "crm")])):
        until = clock.now() + timedelta(seconds=seconds)
        its = update(accounts).where(accounts.c.account == "crm").values(paused_until=until)
        await store.write(lambda tx, its=its: tx.run(its))
        assert [*await stands(store)] == wanted


async def test_cases_held_routes_and_silences_stand(store, job, clock) -> None:
    case = {"id": "case_1", "kind": "amount_mismatch", "subject": "pay_1", "state": "open"}
    case |= {"evidence": {}, "created_at": clock.now(), "updated_at": clock.now()}
    held = {"route": "receipt", "since": clock.now(), "reason": "501 in this hour"}
    await store.write(
        lambda tx: (
            tx.run(insert(cases), case),
            tx.run(insert(route_holds), held),
            tx.run(insert(silences), {"connector": "mail", "since": clock.now()}),
            tx.enqueue(job(route="receipt", prio=10)),
        )
    )
    found = await stands(store)
    assert {key: one.next for key, one in found.items()} == {
        ("case.opened", "amount_mismatch"): "hub cases show case_1",
        ("route.held", "receipt"): "hub routes release receipt, or hub routes cancel receipt",
        ("webhook.silent", "mail"): "hub webhooks watch mail",
    }
    assert found["route.held", "receipt"].count == 1


async def test_of_all_who_look_one_tells_each_thing(store, clock) -> None:
    dead = Trouble(signal="job.dead", about="crm", since=clock.now(), count=3)
    for wanted in (True, False, False):
        assert await store.write(lambda tx: alerts.raise_it(tx, dead, "ops")) is wanted
    [told] = await store.look(alerts.told)
    more = Trouble(signal="job.dead", about="crm", since=clock.now(), count=9)
    for wanted in (True, False):
        assert await store.write(lambda tx: alerts.note(tx, told, more, again=True)) is wanted
    assert await store.write(lambda tx: alerts.end(tx, told)) is False  # it has grown since
    [told] = await store.look(alerts.told)
    assert (told.told, told.seen, told.most) == (9, 9, 9)
    for wanted in (True, False):
        assert await store.write(lambda tx: alerts.end(tx, told)) is wanted
    assert await store.look(alerts.told) == []
