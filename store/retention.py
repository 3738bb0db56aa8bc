"""What is old goes: bodies are nulled first, rows are deleted later, in many small commits.

Nothing that a live job needs goes: not the job, not its event, request, key, or dedupe row. Rows
are found by readers, in the order of their primary keys, and looked at again by the writer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from store.bulk import in_state
from store.money_schema import refunds
from store.schema import (
    attempts,
    audit,
    dedupe,
    events,
    feed,
    horizons,
    inbox,
    job_history,
    job_keys,
    jobs,
)
from store.store import Store
from store.tx import Tx, padded

MOST = 25  # rows of one commit: it takes little longer than a webhook's own
AT_ONCE = 1000  # rows that a reader looks for
BREATH = 0.03  # seconds between commits: 70 million rows a day at most
WHOLE_EVERY = 24  # runs; those between begin where the last one came to
PAGES = 40  # of the file, given back in one commit
SLACK = 10  # per cent of a file that may stay free: it will be filled again
NEVER_GO = ("waiting", "ready", "leased", "uncertain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long what is kept, as in config.yaml's `store.retention`."""

    payloads: timedelta = timedelta(days=30)
    done: timedelta = timedelta(days=30)
    dead: timedelta = timedelta(days=180)
    dedupe: timedelta = timedelta(days=35)
    events: timedelta = timedelta(days=400)
    audit: timedelta = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One kind of old rows.

    Args:
        where: Which rows are old and needed no more.
        nulls: What of them goes; none: they go whole.
        after: What goes with rows that went, in the same commit.
    """

    name: str
    table: Table
    where: ColumnElement[bool]
    nulls: Sequence[str] = ()
    after: Callable[[Tx, Sequence[Row[Any]]], None] | None = None

    def key(self) -> list[Column[Any]]:
        """Give the columns by which rows are found and named."""
        return list(self.table.primary_key.columns)


@dataclass(slots=True)
class Retention:
    """Keeps a store to its terms; `once` is called by a duty, each hour."""

    store: Store
    terms: Terms
    clock: Clock
    runs: int = 0
    reached: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    async def once(self) -> dict[str, int]:
        """Let everything go whose time has come; gives how many rows of which kind."""
        if self.runs % WHOLE_EVERY == 0:
            self.reached = {}
        self.runs += 1
        now = self.clock.now()
        async with self.store.read() as connection:
            needed = await oldest_needed(connection)
        told = {one.name: await self._sweep(one) for one in sweeps(self.terms, now, needed)}
        await self._shrink()
        return {name: count for name, count in told.items() if count}

    async def _sweep(self, sweep: Sweep) -> int:
        place, count = self.reached.get(sweep.name), 0
        while found := await self._found(sweep, place):
            place = found[-1]
            for start in range(0, len(found), MOST):
                some = found[start : start + MOST]
                count += await self.store.write(partial(_let_go, sweep=sweep, keys=some))
                await self.clock.sleep(BREATH)
        if place is not None and sweep.nulls:
            self.reached[sweep.name] = place
        return count

    async def _found(self, sweep: Sweep, place: tuple[Any, ...] | None) -> list[tuple[Any, ...]]:
        key = sweep.key()
        wanted = select(*key).where(sweep.where).order_by(*key).limit(AT_ONCE)
        if place is not None:
            bound = [literal(value, column.type) for value, column in zip(place, key, strict=True)]
            wanted = wanted.where(tuple_(*key) > tuple_(*bound))
        async with self.store.read() as connection:
            return [tuple(row) for row in await connection.execute(wanted)]

    async def _shrink(self) -> None:
        while await self.store.write(_give_back):
            await self.clock.sleep(BREATH)


def sweeps(terms: Terms, now: datetime, needed: Mapping[str, datetime]) -> Iterator[Sweep]:
    """Say what goes at this time, in an order in which nothing is left that leads nowhere.

    Args:
        needed: By connector: what was taken in since then, a live job may still stem from.
    """
    yield from _bodies(now - terms.payloads)
    yield from _ended_jobs(now - terms.done, now - terms.dead)
    yield from _keys(now - terms.dedupe, needed)
    yield from _told(now - terms.events)
    yield Sweep(name="audit", table=audit, where=audit.c.at < now - terms.audit)


def _bodies(until: datetime) -> Iterator[Sweep]:
    """Null what may hold personal data; a job that is not over keeps what it may need again."""
    job, event = jobs.alias(), events.alias()
    parses = exists().where(job.c.inbox_id == inbox.c.id)
    follows = exists().where(event.c.inbox_id == inbox.c.id, job.c.event_id == event.c.id)
    yield Sweep(
        name="inbox bodies",
        table=inbox,
        where=and_(
            inbox.c.body.is_not(None), inbox.c.received_at < until, not_(parses), not_(follows)
        ),
        nulls=("headers", "body"),
    )
    yield Sweep(
        name="event data",
        table=events,
        where=and_(
            events.c.data.is_not(None),
            events.c.recorded_at < until,
            not_(exists().where(job.c.event_id == events.c.id)),
        ),
        nulls=("data",),
    )
    yield Sweep(
        name="job payloads",
        table=job_history,
        where=and_(job_history.c.payload.is_not(None), job_history.c.ended_at < until),
        nulls=("payload",),
    )


def _ended_jobs(done_until: datetime, dead_until: datetime) -> Iterator[Sweep]:
    """Delete jobs that are over, and the dead that hold no lane, with their attempts."""
    asked = exists().where(
        refunds.c.job == job_history.c.uid, refunds.c.state.in_(("requested", "pending"))
    )
    yield Sweep(
        name="ended jobs",
        table=job_history,
        where=and_(job_history.c.ended_at < done_until, not_(asked)),
        after=partial(_jobs_went, until=done_until),
    )
    yield Sweep(
        name="dead jobs",
        table=jobs,
        where=and_(jobs.c.state == "d", jobs.c.due_at < dead_until),  # due_at: when it died
        after=partial(_jobs_went, until=dead_until),
    )


def _keys(until: datetime, needed: Mapping[str, datetime]) -> Iterator[Sweep]:
    """Forget what was taken in and what was sent, but not while a live job stems from it."""
    held = [and_(dedupe.c.connector == name, dedupe.c.seen_on >= at) for name, at in needed.items()]
    yield Sweep(
        name="dedupe",
        table=dedupe,
        where=and_(dedupe.c.seen_on < until, not_(or_(False, *held))),
    )
    live = exists().where(jobs.c.uid == job_keys.c.uid)
    yield Sweep(name="job keys", table=job_keys, where=and_(job_keys.c.seen_on < until, not_(live)))


def _told(until: datetime) -> Iterator[Sweep]:
    """Delete events, but those of jobs that are not over, then requests that brought none."""
    newest = select(func.max(events.alias().c.n)).scalar_subquery()  # the feed goes on from it
    followed = exists().where(jobs.c.event_id == events.c.id)
    yield Sweep(
        name="events",
        table=events,
        where=and_(events.c.recorded_at < until, events.c.n < newest, not_(followed)),
        after=partial(_events_went, until=until),
    )
    brought = exists().where(events.c.inbox_id == inbox.c.id)
    parses = exists().where(jobs.c.inbox_id == inbox.c.id)
    yield Sweep(
        name="requests",
        table=inbox,
        where=and_(inbox.c.received_at < until, not_(brought), not_(parses)),
    )


async def oldest_needed(connection: AsyncConnection) -> dict[str, datetime]:
    """Say, by connector, since when what was taken in may have led to a job that is still live."""
    live = or_(in_state(*NEVER_GO), jobs.c.state == "b")
    of_event = (
        select(events.c.connector, func.min(events.c.recorded_at))
        .join(jobs, jobs.c.event_id == events.c.id)
        .where(live)
        .group_by(events.c.connector)
    )
    unread = (
        select(jobs.c.connector, func.min(jobs.c.created_at))
        .where(jobs.c.inbox_id.is_not(None), live)
        .group_by(jobs.c.connector)
    )
    found: dict[str, datetime] = {}
    for query in (of_event, unread):
        for name, at in await connection.execute(query):
            found[name] = min(at, found.get(name, at))
    return found


# -- in the writer ---------------------------------------------------------------------------------
def _let_go(tx: Tx, sweep: Sweep, keys: Sequence[tuple[Any, ...]]) -> int:
    """Let rows go that are still to go: what has changed since they were found is left alone."""
    return sum(_those(tx, sweep, mine) for mine in _by_key(sweep, keys))


def _by_key(sweep: Sweep, keys: Sequence[tuple[Any, ...]]) -> Iterator[ColumnElement[bool]]:
    """Name rows so that SQLite finds them by their index, which it does not for pairs in a list."""
    *first, last = sweep.key()
    for head, some in groupby(keys, key=lambda key: key[:-1]):
        same = [column == value for column, value in zip(first, head, strict=True)]
        yield and_(*same, last.in_(padded([key[-1] for key in some])))


def _those(tx: Tx, sweep: Sweep, mine: ColumnElement[bool]) -> int:
    if sweep.nulls:
        gone = update(sweep.table).where(mine, sweep.where)
        return tx.run(gone.values(dict.fromkeys(sweep.nulls)))
    rows = tx.rows(delete(sweep.table).where(mine, sweep.where).returning(*_named(sweep.table)))
    if rows and sweep.after is not None:
        sweep.after(tx, rows)
    return len(rows)


def _named(table: Table) -> list[Column[Any]]:
    """Give the columns by which other tables name a row, or its key."""
    return [table.c[name] for name in ("uid", "n") if name in table.c] or list(table.primary_key)


def _jobs_went(tx: Tx, rows: Sequence[Row[Any]], *, until: datetime) -> None:
    tx.run(delete(attempts).where(attempts.c.job.in_(padded([row.uid for row in rows]))))
    _note_horizon(tx, "jobs", until)


def _events_went(tx: Tx, rows: Sequence[Row[Any]], *, until: datetime) -> None:
    tx.run(delete(feed).where(feed.c.n.in_(padded([row.n for row in rows]))))
    _note_horizon(tx, "events", until)


def _note_horizon(tx: Tx, name: str, until: datetime) -> None:
    """Note up to where rows may be missing."""
    mine = horizons.c.name == name
    if tx.row(select(horizons).where(mine)) is None:
        tx.run(insert(horizons), {"name": name, "until": until})
    tx.run(update(horizons).where(mine, horizons.c.until < until).values(until=until))


def _give_back(tx: Tx) -> bool:
    """Give free pages of a SQLite file back; False where there are few. PostgreSQL vacuums."""
    if tx.connection.dialect.name != "sqlite":
        return False
    ask = tx.connection.exec_driver_sql
    free = ask("PRAGMA freelist_count").scalar_one()
    if free * 100 <= ask("PRAGMA page_count").scalar_one() * SLACK:
        return False
    for _ in range(min(PAGES, free)):
        ask("PRAGMA incremental_vacuum(1)")  # the driver takes one step of it, whatever the number
    return bool(ask("PRAGMA freelist_count").scalar_one() < free)
