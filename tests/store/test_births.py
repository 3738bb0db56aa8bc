"""Born leased: what a node begins at once is written so, by the same rules as a claim."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hub.errors import NotStored, Refused
from hub.model import Event
from store import leases
from store.schema import accounts, events, jobs
from store.settle import Completion

LEASE = timedelta(seconds=60)


class Node:
    """A node with room for so many jobs, which notes what it is to begin."""

    node = "node_1"

    def __init__(self, room: int) -> None:
        self.room, self.begun = room, []

    def until(self, now):
        return now + LEASE

    def grant(self, job) -> bool:
        if self.room == 0:
            return False
        self.room -= 1
        return True

    def back(self, jobs) -> None:
        self.room += len(jobs)

    def begin(self, jobs) -> None:
        self.begun += jobs


@pytest.fixture
def node(store):
    store.writer.births = Node(3)
    return store.writer.births


async def states(store) -> list[str]:
    async with store.read() as connection:
        rows = await connection.execute(select(jobs.c.state).order_by(jobs.c.id))
        return list(rows.scalars())


async def put(store, *new) -> None:
    await store.write(lambda tx: tx.enqueue(*new))


async def test_a_fresh_job_is_written_leased_and_begun_after_the_commit(store, node, job, clock):
    one = job(payload=b'{"a": 1}', lane="x", route="r", blocks=True)
    await put(store, one)
    [begun] = node.begun
    assert (begun.uid, begun.attempt, begun.payload, begun.lane) == (one.uid, 1, one.payload, "x")
    async with store.read() as connection:
        row = (await connection.execute(select(jobs))).one()
    assert (row.id, row.state, row.attempt) == (begun.id, "l", 1)
    assert (row.lease_owner, row.lease_until) == ("node_1", clock.now() + LEASE)
    assert (row.first_sent_at, row.held0) == (clock.now(), 0)


async def test_it_is_as_if_it_had_been_claimed(store, node, job, lease) -> None:
    """The same job, claimed, gives the same `Job` and the same row, but for who it is."""
    await put(store, job(lane="x", route="r"))
    store.writer.births = None
    await put(store, job(lane="y", route="r"))
    [claimed], _ = await store.claim({"crm": 5}, node="node_1", until=lease())
    own = {"id", "uid", "key", "lane"}
    [born] = node.begun
    for name in type(born).__slots__:
        assert name in own or getattr(born, name) == getattr(claimed, name), name
    async with store.read() as connection:
        one, two = (await connection.execute(select(jobs).order_by(jobs.c.id))).mappings()
    assert {k for k in one if one[k] != two[k]} <= own | {"payload"}


async def test_no_more_than_there_is_room_for(store, node, job) -> None:
    await put(store, *(job() for _ in range(5)))
    assert sorted(await states(store)) == ["l", "l", "l", "r", "r"]
    assert (len(node.begun), node.room) == (3, 0)


async def test_only_the_head_of_a_lane_and_the_others_in_order_behind_it(store, node, job) -> None:
    new = [job(lane="x"), job(lane="x"), job(lane="y"), job(lane="x")]
    await put(store, *new)
    assert [one.uid for one in node.begun] == [new[0].uid, new[2].uid]
    async with store.read() as connection:
        mine = select(jobs.c.uid, jobs.c.state).where(jobs.c.lane == "x").order_by(jobs.c.id)
        found = [tuple(row) for row in await connection.execute(mine)]
    assert found == [(new[0].uid, "l"), (new[1].uid, "w"), (new[3].uid, "w")]


async def test_one_behind_a_busy_lane_waits_and_its_room_is_free_again(store, node, job) -> None:
    await put(store, job(lane="x"))
    await put(store, job(lane="x"))
    assert await states(store) == ["l", "w"]
    assert (len(node.begun), node.room) == (1, 2)
    async with store.read() as connection:
        waits = select(jobs.c.attempt, jobs.c.lease_owner, jobs.c.first_sent_at)
        row = (await connection.execute(waits.where(jobs.c.state == "w"))).one()
    assert tuple(row) == (0, None, None)


@pytest.mark.parametrize(
    "more",
    [
        {"effect": "unsafe"},  # after a crash nobody could say that it was not sent
        {"prio": 2},
        {"later": True},
        {"state": "dead", "error": "no mapping"},
        {"state": "skipped", "error": "omitted"},
    ],
)
async def test_what_must_be_claimed_is_not_born_leased(store, node, job, clock, more) -> None:
    if more.pop("later", False):
        more["due_at"] = clock.now() + timedelta(seconds=1)
    await put(store, job(**more))
    assert (node.begun, node.room) == ([], 3)
    assert "l" not in await states(store)


@pytest.mark.parametrize("shut", ["held_reason", "breaker_since", "paused_at", "paused_until"])
async def test_a_held_account_takes_none(store, node, job, clock, shut) -> None:
    value = "401" if shut == "held_reason" else clock.now() + timedelta(seconds=9)
    await store.write(lambda tx: tx.run(update(accounts).values({shut: value})))
    await put(store, job(), job(lane="x"))
    assert (node.begun, node.room, await states(store)) == ([], 3, ["r", "r"])
    if shut == "paused_until":
        clock.advance(10)
        await store.write(lambda tx: tx.run(update(jobs).values(due_at=clock.now() + LEASE)))
        await put(store, job())
        assert len(node.begun) == 1


async def test_nobody_overtakes_who_waits_already(store, node, job) -> None:
    node.room = 0
    await put(store, job())
    node.room = 3
    await put(store, job())
    assert (node.begun, node.room, await states(store)) == ([], 3, ["r", "r"])
    await put(store, job(connector="mail"))
    assert len(node.begun) == 1


async def test_a_second_job_of_a_key_is_no_second_lease(store, node, job) -> None:
    one = job()
    await put(store, one, job(key=one.key))
    await put(store, job(key=one.key))
    assert ([b.uid for b in node.begun], node.room) == ([one.uid], 2)


async def test_a_change_that_is_refused_frees_its_room(store, node, job) -> None:
    def refused(tx, _item) -> None:
        tx.enqueue(job())
        tx.flush()
        raise Refused("no")

    with pytest.raises(Refused):
        await store.change(refused, None)
    assert (node.begun, node.room, await states(store)) == ([], 3, [])


async def test_of_a_part_that_is_refused_nothing_is_told_or_begun(store, node, job) -> None:
    def part(tx) -> None:
        tx.emit(Event(type="shop.order.placed", at=tx.now, data={}))
        tx.enqueue(job())
        raise Refused("no")

    def whole(tx, _item) -> None:
        tx.emit(Event(type="shop.order.created", at=tx.now, data={}))
        with pytest.raises(Refused):
            tx.attempt(lambda: part(tx))

    await store.change(whole, None)
    async with store.read() as connection:
        told = list((await connection.execute(select(events.c.type))).scalars())
    assert told == ["shop.order.created"]
    assert (node.begun, node.room, await states(store)) == ([], 3, [])


async def test_a_commit_that_fails_frees_its_room(store, node, job) -> None:
    def broken(tx) -> None:
        tx.enqueue(job())
        tx.flush()
        raise OSError("disk full")

    with pytest.raises(NotStored):
        await store.write(broken)
    assert (node.begun, node.room, await states(store)) == ([], 3, [])


async def test_its_node_gone_it_is_rescued_and_its_word_counts_no_more(
    store, node, job, lease, clock
) -> None:
    await put(store, job(lane="x"), job(lane="x"))
    [begun] = node.begun
    assert await store.write(leases.rescue) == 0
    clock.advance(61)
    assert await store.write(leases.rescue) == 1
    assert await states(store) == ["r", "w"]
    [again], _ = await store.claim({"crm": 5}, node="node_2", until=lease())
    assert (again.id, again.attempt) == (begun.id, 2)
    ended = {"state": "done", "outcome": "ok", "started_at": clock.now(), "ms": 1}
    assert not await store.settle(Completion(job=begun, **ended))
    assert await store.settle(Completion(job=again, **ended))
    assert await states(store) == ["r"]
