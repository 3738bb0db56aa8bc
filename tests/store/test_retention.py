"""Retention: what is old goes, in small commits; what a live job needs stays; the rest is sound."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Table, func, select, text, update

from hub.ids import new_id
from hub.model import Aggregate, Event, Request
from store import operate, reads, retention, schema
from store.audit import note
from store.inbox import Receipt, Taken
from store.money_schema import refunds
from store.retention import Retention, Terms
from store.settle import Completion
from store.shop_checks import CHECKS as SHOP_CHECKS
from store.tx import key16
from store.verify import CHECKS, verify

DAY = timedelta(days=1).total_seconds()


class Shop:
    """A store that takes things in, does them, and grows old."""

    def __init__(self, store, clock, job):
        self.store, self.clock, self.job = store, clock, job
        self.retention = Retention(store, Terms(), Quick(clock))

    async def webhook(self, ext_id, *, job=None, **more):
        """Take in a webhook of one event that makes one job; give the ids of all three."""
        now = self.clock.now()
        event = Event(
            type="crm.changed", at=now, data={"email": "ann@example.com"}, ext_id=ext_id,
            id=new_id("evt", now), connector="crm", recorded_at=now, job=job,
        )  # fmt: skip
        made = self.job(event_id=event.id, payload=b'{"email": "ann@example.com"}', **more)
        request = Request(method="POST", url="https://h/crm", headers=((b"A", b"b"),), body=b"{}")
        receipt = Receipt(
            id=new_id("inb", now), connector="crm", request=request, received_at=now,
            taken=[Taken(event=event, jobs=[made])],
        )  # fmt: skip
        received = await self.store.receive(receipt)
        return (receipt.id, event.id, made.uid) if received.fresh else None

    async def unread(self, ident):
        """Take in a request that cannot be read."""
        now = self.clock.now()
        made = self.job(action="inbox.parse", payload=None, inbox_id=ident, state="dead", error="x")
        request = Request(
            method="POST", url="https://h/crm", headers=(), body=b"{" + ident.encode()
        )
        await self.store.receive(
            Receipt(id=ident, connector="crm", request=request, received_at=now, kept=[made])
        )
        return made.uid

    async def end(self, state="done", **more):
        """Let what is due end so; gives whether there was any."""
        until = self.clock.now() + timedelta(seconds=60)
        claimed, _ = await self.store.claim({"crm": 5000}, node="n", until=until)
        for job in claimed:
            told = {"state": state, "outcome": "x", "ms": 1, "error": "no"}
            done = Completion(job=job, started_at=self.clock.now(), **(told | more))
            assert await self.store.settle(done)
        return len(claimed)

    async def count(self, table: Table, *where):
        async with self.store.read() as connection:
            found = await connection.execute(select(func.count()).select_from(table).where(*where))
            return found.scalar_one()

    async def run(self, *, after_days=0, **terms):
        self.clock.advance(after_days * DAY)
        self.retention.terms = replace(self.retention.terms, **days(terms))
        return await self.retention.once()

    async def sound(self):
        async with self.store.read() as connection:
            told = await verify(connection, (*CHECKS, *SHOP_CHECKS))
        assert [one for one in told if one["broken"]] == []


class Quick:
    """A clock on which nobody waits."""

    def __init__(self, clock):
        self.clock = clock

    def now(self):
        return self.clock.now()

    async def sleep(self, seconds):
        return None


def days(terms):
    return {name: timedelta(days=value) for name, value in terms.items()}


@pytest.fixture
def shop(store, clock, job):
    return Shop(store, clock, job)


async def test_bodies_go_after_their_time_and_rows_stay(shop):
    inbox, event, uid = await shop.webhook("e1")
    await shop.end()
    assert await shop.run(after_days=29.9) == {}
    told = await shop.run(after_days=0.2, done=60)
    assert told == {"inbox bodies": 1, "event data": 1, "job payloads": 1}
    async with shop.store.read() as connection:
        (row,) = await connection.execute(select(schema.inbox))
        assert (row.id, row.headers, row.body) == (inbox, None, None)
        shown = await reads.one_event(connection, event, shop.store.cipher)
        assert (shown["id"], shown["data"]) == (event, None)
        done = await reads.one_job(connection, uid, shop.store.cipher)
        assert (done["state"], done["payload"], len(done["attempts"])) == ("done", None, 1)
    assert await shop.run() == {}
    await shop.sound()


async def test_ended_jobs_go_with_their_attempts_and_the_check_knows(shop):
    await shop.webhook("old")
    await shop.end()
    shop.clock.advance(10 * DAY)
    await shop.webhook("new")
    await shop.end()
    told = await shop.run(after_days=20.5)
    assert told["ended jobs"] == 1
    assert await shop.count(schema.job_history) == await shop.count(schema.attempts) == 1
    await shop.sound()
    gone = text("DELETE FROM job_history")
    await shop.store.write(lambda tx: tx.run(gone))
    async with shop.store.read() as connection:  # the younger event's job is missed as ever
        broken = {one["name"] for one in await verify(connection) if one["broken"]}
    assert broken == {"every event has its jobs"}


LIVE = ["w", "r", "l", "u", "b"]


@pytest.mark.parametrize("state", LIVE)
async def test_a_live_job_and_all_it_stems_from_stay(shop, state):
    lane = {"lane": "a", "effect": "unsafe"}
    if state == "w":
        await shop.store.write(lambda tx: tx.enqueue(shop.job(lane="a")))
    inbox, event, uid = await shop.webhook("e1", **lane)
    newer = Event(type="shop.told", at=shop.clock.now(), data={})  # the newest stays anyway
    await shop.store.change(lambda tx, it: tx.emit(it), newer)
    if state in ("l", "u", "b"):
        change = {"state": state, "error": "no", "lease_until": shop.clock.now()}
        await shop.store.write(
            lambda tx: tx.run(update(schema.jobs).where(schema.jobs.c.uid == uid).values(change))
        )
    await shop.run(after_days=2000)
    async with shop.store.read() as connection:
        assert (await reads.one_job(connection, uid, shop.store.cipher))["payload"]
        assert (await reads.one_event(connection, event, shop.store.cipher))["data"]
    assert (await shop.store.kept_request(inbox)).body == b"{}"
    assert await shop.webhook("e1", **lane) is None  # still known: nothing happens twice
    assert await shop.count(schema.job_keys, schema.job_keys.c.uid == uid) == 1


async def test_a_dead_job_can_be_tried_again_until_its_own_time_is_over(shop):
    await shop.webhook("e1")
    await shop.end("dead")
    await shop.run(after_days=179)
    assert (await shop.count(schema.jobs), await shop.count(schema.attempts)) == (1, 1)
    (uid,) = await uids(shop)
    async with shop.store.read() as connection:
        assert (await reads.one_job(connection, uid, shop.store.cipher))["payload"]
    told = await shop.run(after_days=2)
    assert told["dead jobs"] == 1
    assert (await shop.count(schema.jobs), await shop.count(schema.attempts)) == (0, 0)
    await shop.sound()


async def test_an_unread_request_is_kept_while_it_may_be_read_again(shop):
    await shop.unread("inb_1")
    await shop.run(after_days=100)
    assert (await shop.store.kept_request("inb_1")).body == b"{inb_1"
    told = await shop.run(after_days=100)
    assert told["dead jobs"] == 1
    assert await shop.run(after_days=300, events=400) == {"inbox bodies": 1, "requests": 1}


async def test_a_job_tried_again_meanwhile_is_left_alone(shop):
    await shop.webhook("e1")
    await shop.end("dead")
    shop.clock.advance(200 * DAY)
    (uid,) = await uids(shop)
    found = []
    (dead,) = (
        one for one in retention.sweeps(Terms(), shop.clock.now(), {}) if one.name == "dead jobs"
    )
    found = await shop.retention._found(dead, None)
    assert len(found) == 1
    await shop.store.change(lambda tx, it: operate.again(tx, it, by="ana"), uid)
    assert await shop.store.write(lambda tx: retention._let_go(tx, dead, found)) == 0
    assert await uids(shop) == [uid]


async def uids(shop):
    async with shop.store.read() as connection:
        return list((await connection.execute(select(schema.jobs.c.uid))).scalars())


async def test_keys_are_forgotten_and_an_event_told_after_that_is_new(shop):
    await shop.webhook("e1")
    await shop.end()
    await shop.run(after_days=34)
    assert await shop.webhook("e1") is None
    told = await shop.run(after_days=2)
    assert (told["dedupe"], told["job keys"]) == (1, 1)
    assert await shop.webhook("e1") is not None


async def test_one_live_job_keeps_what_its_connector_was_told_since_and_no_more(shop):
    await shop.webhook("before")
    await shop.end()
    shop.clock.advance(DAY)
    await shop.webhook("held", due_at=shop.clock.now() + timedelta(days=900))
    shop.clock.advance(DAY)
    await shop.webhook("after")
    await shop.end()
    await shop.run(after_days=50)
    keys = [key16(ext_id) for ext_id in ("before", "held", "after")]
    found = [await shop.count(schema.dedupe, schema.dedupe.c.key16 == key) for key in keys]
    assert found == [0, 1, 1]


async def test_events_go_last_and_the_newest_never(shop):
    await shop.webhook("e1")
    await shop.webhook("e2")
    await shop.end()
    told = await shop.run(after_days=401)
    assert (told["events"], told["requests"]) == (1, 1)
    assert await shop.count(schema.events) == await shop.count(schema.inbox) == 1
    await shop.sound()


async def test_the_feed_goes_on_where_it_was(shop):
    async def read(after):
        async with shop.store.read() as connection:
            return await reads.list_events(connection, shop.store.cipher, after=after)

    async def emit():
        told = Event(type="shop.told", at=shop.clock.now(), data={})
        return (await shop.store.change(lambda tx, it: tx.emit(it), told)).id

    await emit()
    last = await emit()
    await numbered(shop)
    ((_, _), (place, _)) = await read(0)
    await shop.run(after_days=401)
    assert [event["id"] for _, event in await read(0)] == [last]
    fresh = await emit()
    await numbered(shop)
    assert [event["id"] for _, event in await read(place)] == [fresh]


async def numbered(shop):
    """Wait until the feed has every event its place; where nodes share a store that takes a bit."""
    while await shop.count(schema.feed_waiting):
        pass


async def test_an_aggregates_events_may_begin_later_but_have_no_gaps(shop):
    async def tell(sequence):
        about = Aggregate(type="order", id="ord_1", version=sequence)
        told = Event(
            type="shop.order.x", at=shop.clock.now(), data={}, aggregate=about, sequence=sequence
        )
        await shop.store.change(lambda tx, it: tx.emit(it), told)

    for sequence in (1, 2, 3):
        await tell(sequence)
        shop.clock.advance(100 * DAY)
    await tell(4)
    await shop.run(after_days=150)
    assert await shop.count(schema.events) == 3
    await shop.sound()
    await tell(6)
    async with shop.store.read() as connection:
        told = await verify(connection, SHOP_CHECKS)
    assert [one["name"] for one in told if one["broken"]] == [
        "an aggregate's events are numbered 1, 2, 3 … without gaps"
    ]


async def test_the_audit_goes_after_its_time(shop):
    await shop.store.write(lambda tx: note(tx, "ana", "old", "x"))
    shop.clock.advance(399 * DAY)
    await shop.store.write(lambda tx: note(tx, "ana", "new", "x"))
    assert await shop.run(after_days=2) == {"audit": 1}
    assert await shop.count(schema.audit, schema.audit.c.what == "new") == 1


async def test_no_commit_lets_more_go_than_a_few_hundred(shop, monkeypatch):
    sizes = []
    let_go = retention._let_go

    def seen(tx, sweep, keys):
        gone = let_go(tx, sweep, keys)
        sizes.append(gone)
        return gone

    monkeypatch.setattr(retention, "_let_go", seen)
    await shop.store.write(lambda tx: [note(tx, "ana", "x", str(n)) for n in range(2300)])
    assert await shop.run(after_days=500) == {"audit": 2300}
    assert max(sizes) == retention.MOST <= 1000


async def test_a_run_goes_on_where_the_last_one_came_to_and_once_a_day_over_all(shop):
    await shop.webhook("held", due_at=shop.clock.now() + timedelta(days=900))
    await shop.webhook("e2")
    await shop.end()
    assert (await shop.run(after_days=31))["inbox bodies"] == 1
    await shop.store.change(lambda tx, it: operate.cancel(tx, it, by="ana"), (await uids(shop))[0])
    for _ in range(retention.WHOLE_EVERY - 1):
        assert "inbox bodies" not in await shop.run()
    assert (await shop.run())["inbox bodies"] == 1


async def test_a_sqlite_file_shrinks_again(file_store, clock, job):
    shop = Shop(file_store, clock, job)
    await shop.store.write(lambda tx: [note(tx, "a", "x" * 500, str(n)) for n in range(4000)])
    path = shop.store.url.database
    await shop.store.write(lambda tx: None)
    size = await pages(shop)
    assert await shop.run(after_days=500) == {"audit": 4000}
    assert await pages(shop) < size / 2, path


async def pages(shop):
    async with shop.store.read() as connection:
        return (await connection.execute(text("PRAGMA page_count"))).scalar_one()


@pytest.mark.parametrize(("state", "kept"), [("requested", 1), ("succeeded", 0)])
async def test_the_job_of_a_refund_that_is_under_way_stays(shop, state, kept):
    _, _, uid = await shop.webhook("e1")
    await shop.end()
    row = {
        "id": "ref_1", "payment_id": "pay_1", "order_id": "ord_1", "state": state, "job": uid,
        "source": "hub", "amount": 1, "currency": "EUR",
    }  # fmt: skip

    def ask(tx):
        names = {c.name for c in refunds.columns}
        times = {name: tx.now for name in ("created_at", "updated_at") if name in names}
        tx.run(refunds.insert(), {k: v for k, v in row.items() if k in names} | times)

    await shop.store.write(ask)
    await shop.run(after_days=100)
    assert await shop.count(schema.job_history) == kept
