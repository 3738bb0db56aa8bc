"""The feed: whoever goes on from the last event they saw misses none, however commits overtake."""

import asyncio

import pytest

from hub.clock import SystemClock
from hub.model import Event
from store import reads
from store.events import add_event
from store.store import Store
from store.tx import Tx


def event(ident: str, at) -> Event:
    return Event(id=ident, type="shop.order.placed", at=at, data={}, connector="shop")


def tell(store: Store, ident: str):
    return lambda tx: add_event(tx, event(ident, tx.now))


async def read_on(store: Store, after: int) -> tuple[list[str], int]:
    async with store.read() as connection:
        found = await reads.list_events(connection, store.cipher, after=after)
    return [one["id"] for _, one in found], found[-1][0] if found else after


async def reads_up_to(store: Store, after: int, wanted: set[str]) -> tuple[list[str], int]:
    """Read on until all of these were seen."""
    seen: list[str] = []
    async with asyncio.timeout(5):
        while not wanted <= set(seen):
            more, after = await read_on(store, after)
            seen += more
            await asyncio.sleep(0.01)
    return seen, after


async def test_events_are_told_in_the_order_they_were_committed(store) -> None:
    for n in range(5):
        await store.write(tell(store, f"evt_{n}"))
    seen, _ = await reads_up_to(store, 0, {f"evt_{n}" for n in range(5)})
    assert seen == [f"evt_{n}" for n in range(5)]


async def test_an_event_that_commits_late_is_told_late_not_lost(database, clock, key) -> None:
    url = database.render_as_string(hide_password=False)
    store = await Store.open(url, keys=[key], clock=clock, served=True)
    try:
        async with store.place.pool.connect() as slow:
            await slow.run_sync(
                lambda sync: tell(store, "evt_slow")(
                    Tx(sync, now=clock.now(), cipher=store.cipher, route=store.route)
                )
            )
            await store.write(tell(store, "evt_quick"))
            seen, after = await reads_up_to(store, 0, {"evt_quick"})
            assert seen == ["evt_quick"]
            await slow.commit()
        seen, _ = await reads_up_to(store, after, {"evt_slow"})
        assert seen == ["evt_slow"]
    finally:
        await store.close()


@pytest.mark.parametrize("readers", [3])
async def test_readers_beside_many_nodes_see_every_event_once(database, key, readers) -> None:
    url = database.render_as_string(hide_password=False)
    nodes = [await Store.open(url, keys=[key], clock=SystemClock(), served=True) for _ in range(3)]
    wanted = {f"evt_{n}" for n in range(300)}
    try:
        reading = [asyncio.create_task(reads_up_to(node, 0, wanted)) for node in nodes[:readers]]
        kinds = ("receipt", "change")
        for first in range(0, 300, 30):
            await asyncio.gather(
                *(
                    nodes[n % 3].writer.submit(tell(nodes[n % 3], f"evt_{n}"), kind=kinds[n % 2])
                    for n in range(first, first + 30)
                )
            )
        told = [seen for seen, _ in await asyncio.gather(*reading)]
    finally:
        for node in nodes:
            await node.close()
    assert [len(seen) for seen in told] == [300] * readers
    assert all(seen == told[0] for seen in told)
