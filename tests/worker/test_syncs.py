"""Syncs on both stores: what has changed is sent once, whoever runs it and whatever breaks off."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import select

from hub import Call, Connector, ManualClock, Outcome, Page, Retry, Secret, action, source, upsert
from hub import syncing as module
from hub.breaker import Gate
from hub.errors import MappingError, NotStored, RateLimited, Reject
from hub.model import NewJob, read_json
from hub.perform import Account
from hub.retry import Policy
from hub.routing import OMIT, Route, Router
from hub.schedules import Schedule
from hub.shop.people import CustomerChange, NewCustomer, change_customer, create_customer
from hub.syncing import Syncer, where
from hub.syncs import Sync
from store import operate, runs, schema
from store.crypto import new_key
from store.store import Store
from store.tx import Tx

KEY = Secret(new_key())
HOURLY = Schedule(cron="0 * * * *")
LEASE = module.LEASE.total_seconds() + 1


class Thing(BaseModel):
    id: str
    changed: int


class Crm(Connector):
    type = "crm"

    @action(effect=upsert("id"))
    async def put(self, call: Call, item: Thing) -> Outcome: ...

    @source(model=Thing, version="changed")
    async def things(self, cursor: str | None) -> Page: ...


def rule(**more: Any) -> Route:
    def mapped(names: Any) -> Any:
        return {"id": names["customer"]["id"], "name": names["customer"].get("first_name")}

    base = {
        "name": "nightly", "on": ("shop.customer.*",), "connector": "crm", "map": mapped,
        "action": Crm.actions()["put"],
    }  # fmt: skip
    return Route(**(base | more))


def sync(schedule: Schedule = HOURLY, *, full: bool = False, **more: Any) -> Sync:
    return Sync(
        rule=rule(**more), connector="shop", source="customers", schedule=schedule,
        schema="shop.customer@1", full=full,
    )  # fmt: skip


@dataclass
class Town:
    """Nodes on one store, each with a syncer of its own, and the shop they read."""

    clock: ManualClock
    url: str
    stores: list[Store]
    people: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.stores[0]

    async def syncer(self, *syncs: Sync, node: int = 0, kind: type[Syncer] = Syncer) -> Syncer:
        made = kind(
            self.stores[node], {one.name: one for one in syncs}, {}, clock=self.clock, config="c0"
        )
        await made.know()
        return made

    async def moves_in(self, *names: str) -> None:
        for name in names:
            item = NewCustomer(email=f"{name}@example.com", first_name=name)
            made = await self.store.change(create_customer, item)
            self.people.append(made["customer"]["id"])

    async def renames(self, n: int, name: str) -> None:
        change = CustomerChange(first_name=name)
        await self.store.change(lambda tx, item: change_customer(tx, self.people[n], item), change)

    async def rows(self) -> list[Any]:
        """Give every job there is or was, in order."""
        async with self.store.read() as connection:
            live = list(await connection.execute(select(schema.jobs)))
            over = list(await connection.execute(select(schema.job_history)))
        return sorted([*live, *over], key=lambda row: row.id or 0)

    async def sent(self) -> list[str]:
        """Give what the jobs say, in the order they were written."""
        cipher = self.store.cipher
        return [
            read_json(cipher.open(row.payload, f"jobs.payload:{row.uid}"))["name"]
            for row in await self.rows()
            if row.payload is not None
        ]

    async def shown(self, of: Sync) -> runs.Shown:
        found = await self.store.look(lambda tx: runs.shown(tx, where(of)))
        assert found is not None
        return found


@pytest.fixture
async def town(store_url: str) -> AsyncIterator[Town]:
    """Three nodes; on SQLite the others stand beside the first, as commands do."""
    clock = ManualClock()
    async with AsyncExitStack() as ends:
        stores = []
        for n in range(3):
            served = n == 0 or not store_url.startswith("sqlite")
            store = await Store.open(store_url, keys=[KEY], clock=clock, served=served)
            ends.push_async_callback(store.close)
            stores.append(store)
        await stores[0].know_accounts(["crm"])
        yield Town(clock, store_url, stores)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)


# -- what is sent --------------------------------------------------------------------------------
async def test_everyone_first_then_only_who_has_changed(town: Town, small_pages: None) -> None:
    await town.moves_in("ada", "ben", "cid", "dot", "eve")
    nightly = await town.syncer(sync())
    assert await nightly.run("nightly", forced=True) == 5
    assert await nightly.run("nightly", forced=True) == 0
    await town.renames(1, "bea")
    await town.renames(3, "dan")
    await town.renames(3, "don")
    assert await nightly.run("nightly", forced=True) == 2
    assert await nightly.run("nightly", forced=True) == 0
    assert await town.sent() == ["ada", "ben", "cid", "dot", "eve", "bea", "don"]
    jobs = await town.rows()
    assert {(row.prio, row.route, row.lane, row.config_hash) for row in jobs} == {
        (2, "nightly", None, "c0")
    }
    assert all(row.key == f"{town.people[n]}:1:nightly" for n, row in enumerate(jobs[:5]))
    assert all(row.event_id for row in jobs)


async def test_who_changes_while_all_are_read_is_sent_as_he_became(
    town: Town, small_pages: None
) -> None:
    await town.moves_in("ada", "ben", "cid", "dot")

    class Slow(Syncer):
        pages = 0

        async def _keep(self, *given: Any) -> int:
            self.pages += 1
            if self.pages == 2:
                await town.renames(0, "amy")
                await town.moves_in("eve")
            return await super()._keep(*given)

    nightly = await town.syncer(sync(), kind=Slow)
    await nightly.run("nightly", forced=True)
    assert sorted(set(await town.sent())) == ["ada", "amy", "ben", "cid", "dot", "eve"]
    again = await town.syncer(sync())
    await again.run("nightly", forced=True)
    done = Counter(row.key for row in await town.rows() if row.state != "skipped")
    assert max(done.values()) == 1
    assert len(done) == 6


async def test_full_sends_everyone_each_time_and_keeps_its_place(town: Town) -> None:
    await town.moves_in("ada", "ben")
    everyone = await town.syncer(sync(full=True))
    assert await everyone.run("nightly", forced=True) == 2
    town.clock.advance(3600)
    assert await everyone.run("nightly", forced=True) == 2
    changed = await town.syncer(sync())
    assert await changed.run("nightly", forced=True) == 0
    assert await town.sent() == ["ada", "ben"] * 2


async def test_all_can_be_sent_anew_when_a_person_asks(town: Town) -> None:
    await town.moves_in("ada", "ben")
    nightly = await town.syncer(sync())
    await nightly.run("nightly", forced=True)
    town.clock.advance(1)
    await nightly.anew("nightly")
    assert await nightly.run("nightly", forced=True) == 2
    assert await nightly.run("nightly", forced=True) == 0
    assert await town.sent() == ["ada", "ben"] * 2


async def test_a_condition_an_omission_and_a_lane_hold_as_on_routes(town: Town) -> None:
    await town.moves_in("ada", "ben", "cid")

    def mapped(names: Any) -> Any:
        return OMIT if names["customer"]["first_name"] == "cid" else {"name": "x"}

    some = sync(
        when=lambda names: names["customer"]["first_name"] != "ada", map=mapped,
        order_by=lambda names: names["customer"]["id"],
    )  # fmt: skip
    assert await (await town.syncer(some)).run("nightly", forced=True) == 2
    cid, ben = await town.rows()
    assert (ben.lane, ben.state) == (town.people[1], "r")
    assert (cid.state, cid.reason) == ("skipped", "mapping omitted")


async def test_what_cannot_be_mapped_is_dead_and_mapped_again_when_that_is_mended(
    town: Town,
) -> None:
    await town.moves_in("ada", "ben")

    def picky(names: Any) -> Any:
        if names["customer"]["first_name"] == "ada":
            raise MappingError("mapping.missing", "customer.phone is missing")
        return {"name": names["customer"]["first_name"]}

    broken = await town.syncer(sync(map=picky))
    assert await broken.run("nightly", forced=True) == 2
    assert await broken.run("nightly", forced=True) == 0
    dead = next(row for row in await town.rows() if row.state == "d")
    assert "customer.phone" in dead.error
    mended = Router((), syncs=[rule()])
    await town.store.write(lambda tx: operate.again(tx, dead.uid, by="test", rewrite=mended.job_of))
    assert sorted(await town.sent()) == ["ada", "ben"]


async def test_an_event_as_its_sync_sees_it_is_the_past(town: Town) -> None:
    await town.moves_in("ada")
    seen: list[Any] = []
    await (await town.syncer(sync(map=lambda names: seen.append(names) or {"name": "x"}))).run(
        "nightly", forced=True
    )
    [names] = seen
    assert (names["event"]["type"], names["event"]["origin"]) == ("shop.customers", "backfill")
    assert names["customer"]["email"] == "ada@example.com"


# -- when ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [2, 3])
async def test_of_several_nodes_one_fires_each_tick(town: Town, count: int) -> None:
    nodes = [await town.syncer(sync(), node=n) for n in range(count)]
    await town.moves_in("ada", "ben", "cid")
    for tick in range(4):
        town.clock.advance(3600)
        ran: list[str] = []

        class Counted(Syncer):
            async def _through(self, *given: Any) -> int:
                ran.append(self.node)  # noqa: B023 -- of this tick
                return await super()._through(*given)

        for node in nodes:
            node.__class__ = Counted
        await asyncio.gather(*(node.once() for node in nodes))
        await asyncio.gather(*(node.once() for node in nodes))
        assert len(ran) == 1
        await town.renames(0, f"ada {tick}")
    assert sorted(await town.sent()) == ["ada", "ada 0", "ada 1", "ada 2", "ben", "cid"]
    keys = Counter(row.key for row in await town.rows())
    assert max(keys.values()) == 1


async def test_ticks_that_were_missed_are_made_up_for_once(town: Town) -> None:
    nightly = await town.syncer(sync())
    await town.moves_in("ada")
    assert await nightly.run("nightly") is None  # due at the full hour only
    town.clock.advance(5 * 3600 + 120)  # nobody was there for five of them
    after = await town.syncer(sync(), node=1)
    assert await after.run("nightly") == 1
    await town.renames(0, "amy")
    assert await after.run("nightly") is None
    assert (await town.shown(sync())).due_at == town.clock.now() + timedelta(minutes=58)


async def test_another_schedule_moves_what_is_due_and_the_same_one_does_not(town: Town) -> None:
    await town.syncer(sync())
    due = (await town.shown(sync())).due_at
    town.clock.advance(7200)
    await town.syncer(sync())
    assert (await town.shown(sync())).due_at == due  # still due: the tick was missed
    await town.syncer(sync(Schedule(every=timedelta(minutes=5))))
    assert (await town.shown(sync())).due_at == town.clock.now() + timedelta(minutes=5)


async def test_on_demand_runs_when_it_is_asked_for(town: Town) -> None:
    asked = await town.syncer(sync(Schedule()))
    await town.moves_in("ada")
    town.clock.advance(400 * 86_400)
    await asked.once()
    assert await town.sent() == []
    assert await asked.run("nightly", forced=True) == 1


async def test_a_new_pace_begins_at_once(town: Town) -> None:
    paced = await town.syncer(sync(Schedule(every=timedelta(minutes=5))))
    await town.moves_in("ada")
    await paced.once()
    assert await town.sent() == ["ada"]
    await town.renames(0, "amy")
    await paced.once()
    town.clock.advance(300)
    await paced.once()
    assert await town.sent() == ["ada", "amy"]


# -- what is cut short ---------------------------------------------------------------------------
class Died(BaseException):
    """The process is gone: nothing more of it runs."""


class Mortal(Syncer):
    """A node that dies at a page, before or after its commit, and lets go of nothing."""

    page, after = 2, False

    async def _keep(self, *given: Any) -> int:
        self.page -= 1
        if self.page == 0 and not self.after:
            raise Died
        made = await super()._keep(*given)
        if self.page == 0:
            raise Died
        return made

    async def _let_go(self, *given: Any) -> None:
        if self.page > 0:
            await super()._let_go(*given)


@pytest.mark.parametrize("page", [1, 2, 3, 4])
@pytest.mark.parametrize("after", [False, True])
async def test_a_node_that_dies_at_a_page_is_followed_from_there(
    town: Town, small_pages: None, page: int, after: bool
) -> None:
    await town.moves_in("ada", "ben", "cid", "dot", "eve")
    first = await town.syncer(sync(), kind=Mortal)
    first.page, first.after = page, after
    town.clock.advance(3600)
    with pytest.raises(Died):
        await first.once()
    there = len(await town.rows())
    second = await town.syncer(sync(), node=1)
    await second.once()
    assert len(await town.rows()) == there  # the lease is not over
    town.clock.advance(LEASE)
    await second.once()
    assert await town.sent() == ["ada", "ben", "cid", "dot", "eve"]
    assert {row.state for row in await town.rows()} == {"r"}  # no second of one key either
    shown = await town.shown(sync())
    assert (shown.jobs, shown.began_at, shown.error) == (5, None, None)


async def test_a_commit_that_fails_keeps_neither_jobs_nor_cursor(
    town: Town, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.moves_in("ada", "ben", "cid")
    nightly = await town.syncer(sync())
    town.clock.advance(3600)
    real, calls = Tx.enqueue, []

    def enqueue(self: Tx, *jobs: NewJob) -> None:
        real(self, *jobs)
        calls.append(jobs)
        if len(calls) > 1:
            raise RuntimeError("between jobs and commit")

    with monkeypatch.context() as broken:
        broken.setattr(Tx, "enqueue", enqueue)
        await nightly.once()
    assert len(calls) > 1
    assert await town.sent() == ["ada", "ben"]
    shown = await town.shown(sync())
    assert (shown.cursor, shown.error) == (f"all:3:{town.people[1]}", "cut short")
    assert await nightly.run("nightly") is None
    town.clock.advance(60)
    await nightly.once()
    assert await town.sent() == ["ada", "ben", "cid"]


async def test_a_node_that_wakes_too_late_keeps_nothing(town: Town, small_pages: None) -> None:
    await town.moves_in("ada", "ben", "cid")

    class Sleeper(Syncer):
        async def _keep(self, *given: Any) -> int:
            town.clock.advance(LEASE)
            second = await town.syncer(sync(), node=1)
            assert await second.run("nightly") == 3
            return await super()._keep(*given)

    first = await town.syncer(sync(), kind=Sleeper)
    town.clock.advance(3600)
    with pytest.raises(NotStored, match="another node"):
        await first.run("nightly")
    assert await town.sent() == ["ada", "ben", "cid"]
    shown = await town.shown(sync())
    assert (shown.jobs, shown.error) == (3, None)
    assert shown.due_at > town.clock.now() + timedelta(minutes=30)


async def test_a_full_run_cut_short_goes_on_under_its_own_keys(
    town: Town, small_pages: None
) -> None:
    await town.moves_in("ada", "ben", "cid", "dot")
    first = await town.syncer(sync(full=True), kind=Mortal)
    first.page = 2
    town.clock.advance(3600)
    with pytest.raises(Died):
        await first.once()
    town.clock.advance(LEASE)
    await (await town.syncer(sync(full=True), node=1)).once()
    assert await town.sent() == ["ada", "ben", "cid", "dot"]
    assert len({row.key.split(":", 2)[2] for row in await town.rows()}) == 1


async def test_a_run_under_way_is_not_begun_beside_itself(town: Town) -> None:
    await town.moves_in("ada")
    beside: list[Any] = []

    class Twice(Syncer):
        async def _keep(self, *given: Any) -> int:
            beside.append(await self.run("nightly", forced=True))
            other = await town.syncer(sync(), node=1)
            beside.append(await other.run("nightly", forced=True))
            return await super()._keep(*given)

    assert await (await town.syncer(sync(), kind=Twice)).run("nightly", forced=True) == 1
    assert beside == [None, None] * 2


# -- a connector's source ------------------------------------------------------------------------
@dataclass
class Shelf:
    """A provider's things, two to a page."""

    things: list[dict[str, Any]]
    fails: Exception | None = None
    asked: list[str | None] = field(default_factory=list)

    async def things_from(self, cursor: str | None) -> Page:
        self.asked.append(cursor)
        if self.fails is not None:
            raise self.fails
        at = int(cursor or 0)
        upto = min(at + 2, len(self.things))
        return Page(
            records=tuple(self.things[at:upto]), cursor=str(upto), more=upto < len(self.things)
        )


def theirs(shelf: Shelf, syncer: Syncer, slots: int = 4) -> Sync:
    class Shop(Crm):
        @source(model=Thing, version="changed")
        async def things(self, cursor: str | None) -> Page:
            return await shelf.things_from(cursor)

    settings = Crm.Settings(base_url="http://localhost")
    syncer.accounts = {
        "crm": Account(
            connector=Shop("crm", settings, None), client=None, gate=Gate(slots),  # type: ignore[arg-type]
            policy=Policy(), actions=Shop.actions(),
        )
    }  # fmt: skip
    found = replace(
        sync(map=lambda names: {"name": names["data"]["id"]}), connector="crm", source="things",
        schema=None,
    )  # fmt: skip
    syncer.syncs = {"nightly": found}
    return found


async def test_a_connectors_source_is_read_from_where_it_was_left(town: Town) -> None:
    shelf = Shelf([{"id": name, "changed": 1} for name in "abc"])
    nightly = await town.syncer()
    theirs(shelf, nightly)
    await nightly.know()
    assert await nightly.run("nightly", forced=True) == 3
    shelf.things.append({"id": "a", "changed": 2})
    assert await nightly.run("nightly", forced=True) == 1
    assert shelf.asked == [None, "2", "3"]
    assert await town.sent() == ["a", "b", "c", "a"]


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        (Retry("crm did not answer"), "crm did not answer"),
        (RateLimited("slow down"), "slow down"),
        (RuntimeError("a bug"), "cut short"),
    ],
)
async def test_a_source_that_fails_is_asked_again_in_a_minute(town: Town, fails, told) -> None:
    shelf = Shelf([{"id": name, "changed": 1} for name in "abc"])
    nightly = await town.syncer()
    made = theirs(shelf, nightly)
    await nightly.know()
    town.clock.advance(3600)
    shelf.fails = fails
    await nightly.once()
    assert (await town.shown(made)).error == told
    shelf.fails = None
    await nightly.once()
    assert await town.sent() == []
    town.clock.advance(60)
    await nightly.once()
    assert await town.sent() == ["a", "b", "c"]


async def test_a_source_is_not_asked_past_what_its_account_can_spare(town: Town) -> None:
    shelf = Shelf([{"id": "a", "changed": 1}])
    nightly = await town.syncer()
    theirs(shelf, nightly, slots=0)
    await nightly.know()
    with pytest.raises(RateLimited):
        await nightly.run("nightly", forced=True)
    assert shelf.asked == []


@pytest.mark.parametrize("record", [{"id": "a"}, {"changed": 1}, "text", None])
async def test_a_record_without_id_or_version_stops_the_run(town: Town, record: Any) -> None:
    nightly = await town.syncer()
    made = theirs(Shelf([record]), nightly)
    await nightly.know()
    with pytest.raises(Reject, match="without id, changed"):
        await nightly.run("nightly", forced=True)
    assert "without id" in str((await town.shown(made)).error)
