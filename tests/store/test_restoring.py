"""What a restore makes of jobs that may have been sent since the backup, and of the feed."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.model import Event
from store import backup, reads, restored, restoring
from store.crypto import Cipher
from store.operate import settle_by_hand
from store.schema import jobs
from store.store import Store

DAY = timedelta(days=1)
WINDOWS = {("crm", "charge"): DAY, ("crm", "track"): DAY}


async def whole(_url: str) -> list[str]:
    return []


@pytest.fixture
def again(request, store, store_url, clock, key, tmp_path):
    """Back the store up, lose it, and give the one made of the backup."""
    target = f"sqlite:///{tmp_path}/again.db"
    if store_url.startswith("postgresql"):
        empty = request.getfixturevalue("empty_database")
        target = empty.render_as_string(hide_password=False)

    async def again(later: timedelta = timedelta()) -> Store:
        file = tmp_path / "copy.db"
        await backup.back_up(store_url, file, by="ann@cli", cut=clock.now(), check=whole)
        clock.advance(later.total_seconds())
        what = restoring.Restore(file=file, by="ann@cli", now=clock.now())
        await restoring.restore(what, target, cipher=Cipher([key]), check=whole)
        return await Store.open(target, keys=[key], clock=clock, served=True)

    return again


async def states(store: Store) -> list[str]:
    return await store.look(lambda tx: [r.state for r in tx.rows(select(jobs).order_by(jobs.c.id))])


async def test_unsafe_jobs_of_a_lane_become_uncertain_one_after_the_other(store, job, again):
    made = [job(effect="unsafe", lane="ann") for _ in range(3)]
    uids = [one.uid for one in made]
    await store.write(lambda tx: tx.enqueue(*made))
    there = await again()
    assert await states(there) == ["u", "w", "w"]
    for uid in uids[:2]:
        await there.write(lambda tx, uid=uid: settle_by_hand(tx, uid, "done", by="ann@cli"))
    assert await states(there) == ["u"]
    await there.write(lambda tx: tx.enqueue(job(effect="unsafe", lane="ann")))
    await there.write(lambda tx: settle_by_hand(tx, uids[2], "done", by="ann@cli"))
    assert await states(there) == ["r"], "what was made since goes out"
    await there.close()


async def test_what_was_in_flight_counts_as_lost(store, job, again, lease):
    await store.write(lambda tx: tx.enqueue(job(), job(effect="unsafe")))
    found, _ = await store.claim({"crm": 9}, node="n", until=lease())
    assert len(found) == 2
    there = await again()
    assert await states(there) == ["r", "u"]
    await there.close()


@pytest.mark.parametrize(
    ("later", "told"),
    [
        (timedelta(hours=22), {"send": 3, "look_up": 0, "too_late": 0}),  # inside the window
        (timedelta(hours=24), {"send": 1, "look_up": 1, "too_late": 1}),  # past it
    ],
)
async def test_a_key_is_good_from_the_backup_on_and_no_longer(store, job, again, later, told):
    many = job(effect="keyed", action="charge"), job(effect="deduped", action="track"), job()
    await store.write(lambda tx: tx.enqueue(*many))
    there = await again(later)
    [found] = await there.look(lambda tx: restored.foreseen(tx, WINDOWS))
    assert found == {"connector": "crm", "uncertain": 0} | told
    await there.close()


async def test_the_time_nobody_was_called_ages_no_job(store, job, again, lease, clock):
    await store.write(lambda tx: tx.enqueue(job(effect="keyed")))
    there = await again()
    clock.advance(DAY.total_seconds())
    assert (await there.claim({"crm": 9}, node="n", until=lease()))[0] == []
    assert await there.write(lambda tx: restored.release(tx, by="ann@cli")) == DAY
    [found], _ = await there.claim({"crm": 9}, node="n", until=lease())
    assert found.held == DAY
    await there.close()


async def test_who_reads_the_feed_misses_nothing_and_meets_nothing_twice(store, again):
    def tell(tx, *names: str) -> None:
        for name in names:
            tx.emit(Event(id=name, type="sale.made", at=tx.now, data={}))

    async def feed(of: Store, after: int, *, up_to: str) -> list[tuple[int, str]]:
        """Read on until an event is there: another may be numbering it just now."""
        found: list[tuple[int, str]] = []
        while not found or found[-1][1] != up_to:
            await of.number_feed()
            async with of.read() as connection:
                listed = await reads.list_events(connection, of.cipher, after=after)
            found = [(at, event["id"]) for at, event in listed]
        return found

    await store.write(lambda tx: tell(tx, "evt_1", "evt_2"))
    await store.number_feed()
    await store.write(lambda tx: tell(tx, "evt_3"))
    there = await again()
    await store.write(lambda tx: tell(tx, "evt_lost"))
    last = (await feed(store, 0, up_to="evt_lost"))[-1]
    told = await feed(there, 0, up_to="evt_3")
    assert [name for _, name in told] == ["evt_1", "evt_2", "evt_3"]
    await there.write(lambda tx: tell(tx, "evt_new"))
    told = await feed(there, last[0], up_to="evt_new")
    assert [name for _, name in told] == ["evt_new"]
    await there.close()


async def test_what_happened_before_the_restore_is_done_again_only_where_that_is_harmless(
    again, job, clock
) -> None:
    there = await again(timedelta(hours=1))
    restored_at = there.restored_at
    assert restored_at is not None

    def emit(tx, origin: str, at) -> None:
        tx.emit(Event(type="shop.order.paid", at=at, data={}, origin=origin))

    there.use(lambda *_: [job(effect=effect) for effect in ("unsafe", "keyed", "upsert")])
    for origin, at in (
        ("backfill", restored_at - timedelta(minutes=1)),
        ("backfill", restored_at + timedelta(minutes=1)),
        ("replay", restored_at - timedelta(minutes=1)),  # a person wants it
    ):
        await there.write(lambda tx, origin=origin, at=at: emit(tx, origin, at))
    found = await there.look(lambda tx: tx.rows(select(jobs.c.effect, jobs.c.state)))
    assert sorted(tuple(row) for row in found) == [
        ("keyed", "d"), ("keyed", "r"), ("keyed", "r"),
        ("unsafe", "d"), ("unsafe", "r"), ("unsafe", "r"), *[("upsert", "r")] * 3,
    ]  # fmt: skip
    await there.close()
