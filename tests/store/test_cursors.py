"""Cursors: a source is read by one node at a time, from where it was left."""

import pytest

from hub.errors import NotStored
from store import cursors
from store.cursors import Source

EVENTS = Source("crm")


@pytest.fixture
async def known(store, clock):
    await store.write(lambda tx: cursors.know(tx, EVENTS, cursor="begin", due=clock.now()))


async def take(store, lease, node: str, **how) -> str | None:
    return await store.write(lambda tx: cursors.take(tx, EVENTS, node=node, until=lease(), **how))


async def test_one_node_reads_a_source(store, known, lease) -> None:
    assert await take(store, lease, "a") == "begin"
    assert await take(store, lease, "b") is None
    assert await take(store, lease, "a") == "begin"


async def test_a_node_that_died_is_followed_by_another_from_where_it_was(
    store, known, lease, clock
) -> None:
    await take(store, lease, "a")
    await store.write(lambda tx: cursors.move(tx, EVENTS, "later", node="a", until=lease()))
    clock.advance(61)
    assert await take(store, lease, "b") == "later"
    with pytest.raises(NotStored, match="another node"):
        await store.write(lambda tx: cursors.move(tx, EVENTS, "lost", node="a", until=lease()))
    await store.write(lambda tx: cursors.leave(tx, EVENTS, node="a", due=clock.now(), ended=True))
    assert await take(store, lease, "c") is None


async def test_it_is_read_again_when_it_is_due_or_asked_for(store, known, lease, clock) -> None:
    await take(store, lease, "a")
    later = lease()
    await store.write(lambda tx: cursors.leave(tx, EVENTS, node="a", due=later, ended=True))
    assert await take(store, lease, "b") is None
    assert await take(store, lease, "b", forced=True) == "begin"
    await store.write(lambda tx: cursors.leave(tx, EVENTS, node="b", due=later, ended=False))
    await store.write(lambda tx: cursors.hasten(tx, EVENTS))
    assert await take(store, lease, "c") == "begin"
    clock.advance(1)
    async with store.read() as connection:
        [row] = await cursors.shown(connection)
    assert (row["connector"], row["source"], row["node"]) == ("crm", "events", "c")


async def test_a_source_that_is_followed_does_not_begin_anew(store, known, lease, clock) -> None:
    await store.write(lambda tx: cursors.know(tx, EVENTS, cursor="anew", due=clock.now()))
    assert await take(store, lease, "a") == "begin"
