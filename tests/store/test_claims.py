"""What is claimed, and in which order: by class, by action, and of accounts on trial."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from store import leases
from store.accounts import take_probe
from store.claims import Room
from store.schema import accounts

ALL = {0: 3, 1: 3, 2: 3}


@pytest.fixture
def claimed(store, job, lease):
    """Write jobs of some classes, claim once; give how many of each class came."""

    async def run(made: dict[int, int], room: Room, **how) -> dict[int, int]:
        for prio in sorted(made, reverse=True):
            await store.write(
                lambda tx, prio=prio: tx.enqueue(*(job(prio=prio) for _ in range(made[prio])))
            )
        found, _ = await store.claim({"crm": room}, node="n", until=lease(), **how)
        return {prio: n for prio in made if (n := sum(one.prio == prio for one in found))}

    return run


def room(most: int, later: int | None = None, syncs: int | None = None, **more) -> Room:
    rest = most if later is None else later
    return Room(most=most, later=rest, syncs=rest if syncs is None else syncs, **more)


@pytest.mark.parametrize(
    ("given", "last_first", "wanted"),
    [
        (room(9), False, {0: 3, 1: 3, 2: 3}),
        (room(4), False, {0: 3, 1: 1}),
        (room(7), False, {0: 3, 1: 3, 2: 1}),
        (room(4), True, {2: 3, 1: 1}),
        (room(9, later=2), False, {0: 3, 1: 2}),
        (room(9, later=4), False, {0: 3, 1: 3, 2: 1}),
        (room(9, later=4), True, {0: 3, 1: 1, 2: 3}),
        (room(9, later=9, syncs=1), True, {0: 3, 1: 3, 2: 1}),
        (room(9, later=0), True, {0: 3}),
        (room(2, later=0), True, {0: 2}),
        (room(0), False, {}),
    ],
)
async def test_each_class_gets_its_room(claimed, given, last_first, wanted) -> None:
    assert await claimed(ALL, given, last_first=last_first) == wanted


async def test_actions_with_limits_of_their_own_keep_them_and_the_order(store, job, lease) -> None:
    names = ["pay", "pay", "pay", "put", "pay", "put", "mail", "pay", "put"]
    made = [job(action=name) for name in names]
    await store.write(lambda tx: tx.enqueue(*made))
    given = Room(most=6, later=6, syncs=6, actions={"pay": 2, "put": 3})
    found, _ = await store.claim({"crm": given}, node="n", until=lease())
    assert [one.uid for one in found] == [made[n].uid for n in (0, 1, 3, 5, 6, 8)]


async def test_an_action_without_room_is_left_out(store, job, lease) -> None:
    made = [job(action=name) for name in ("pay", "pay", "put")]
    await store.write(lambda tx: tx.enqueue(*made))
    given = Room(most=6, later=6, syncs=6, actions={"pay": 0, "put": 9})
    found, _ = await store.claim({"crm": given}, node="n", until=lease())
    assert [one.uid for one in found] == [made[2].uid]


# -- on trial --------------------------------------------------------------------------------------
async def set_account(store, **values) -> None:
    change = update(accounts).where(accounts.c.account == "crm").values(values)
    await store.write(lambda tx: tx.run(change))


@pytest.mark.parametrize(
    ("trial", "probes"),
    [({"held_reason": "401"}, 1), ({"breaker_since": True}, 2), ({}, 5)],
)
async def test_an_account_on_trial_gives_probes_only(
    store, job, lease, clock, trial, probes
) -> None:
    await store.write(lambda tx: tx.enqueue(*(job() for _ in range(5))))
    if trial:
        await set_account(store, **{k: clock.now() if v is True else v for k, v in trial.items()})
    given = {"crm": Room(most=8, later=8, syncs=8, probes=2)}
    found, _ = await store.claim(given, node="n", until=lease())
    assert [one.probe for one in found] == [bool(trial)] * probes
    again, upcoming = await store.claim(given, node="other", until=lease())
    assert again == []
    if trial:
        assert upcoming == lease()  # a probe that never ends is given up then
        clock.advance(60)
        found, _ = await store.claim(given, node="other", until=lease())
        assert len(found) == probes


async def test_probes_wait_for_their_time(store, job, lease, clock) -> None:
    await store.write(lambda tx: tx.enqueue(job()))
    at = clock.now() + timedelta(seconds=40)
    await set_account(store, breaker_since=clock.now(), probe_at=at)
    assert await store.claim({"crm": 5}, node="n", until=lease()) == ([], at)
    clock.advance(40)
    found, _ = await store.claim({"crm": 5}, node="n", until=lease())
    assert len(found) == 1


async def test_two_nodes_take_one_probe(store, job, lease) -> None:
    first = await store.write(lambda tx: take_probe(tx, "crm", until=lease()))
    second = await store.write(lambda tx: take_probe(tx, "crm", until=lease()))
    assert (first, second) == (True, False)


async def test_a_job_is_no_older_for_the_time_its_account_was_held(
    store, job, lease, clock
) -> None:
    await store.write(lambda tx: tx.enqueue(job()))
    await set_account(store, held_reason="401", held_since=clock.now(), held=5_000_000)
    [one], _ = await store.claim({"crm": 5}, node="n", until=lease())
    assert one.held == timedelta(0)
    clock.advance(60)
    await store.write(lambda tx: tx.run(update(accounts).values(probe_at=None)))
    clock.advance(1)
    await store.write(leases.rescue)
    [one], _ = await store.claim({"crm": 5}, node="n", until=lease())
    assert one.held == timedelta(seconds=61)
