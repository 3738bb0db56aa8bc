"""Many jobs or events at once: found by a filter, counted, then done in small commits.

What is done is what was found: rows that a filter would match only later are left alone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.errors import Refused
from hub.model import rfc3339
from store.jobs import LIVE_STATES
from store.reads import named
from store.schema import events, jobs
from store.store import Store
from store.tx import Tx

MOST = 100  # one commit of so many holds up the webhooks behind it by some tens of milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Fields that must all match; those that are None match everything."""

    def __str__(self) -> str:
        """Write it as the audit keeps it."""
        return " ".join(f"{name}={_text(value)}" for name, value in self.given())

    def given(self) -> Iterator[tuple[str, Any]]:
        """Give the fields that are set."""
        found = [(one.name, getattr(self, one.name)) for one in fields(self)]
        return ((name, value) for name, value in found if value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs(Filter):
    """Which live jobs.

    Args:
        type: Of their event; may end in `.*`.
        error: Text that the reason contains, in capitals or not.
        since: Written at or after this; `until`: before that.
    """

    state: str | None = None
    connector: str | None = None
    action: str | None = None
    route: str | None = None
    type: str | None = None
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def query(self) -> Select[Any]:
        """Select their uids, in the order of their lanes."""
        wanted = select(jobs.c.uid).order_by(jobs.c.id)
        if self.type:
            wanted = wanted.join(events, events.c.id == jobs.c.event_id).where(named(self.type))
        if self.state:
            wanted = wanted.where(in_state(self.state))
        if self.error:
            wanted = wanted.where(jobs.c.error.icontains(self.error, autoescape=True))
        for column in (jobs.c.connector, jobs.c.action, jobs.c.route):
            if value := getattr(self, column.name):
                wanted = wanted.where(column == value)
        return wanted.where(*_within(jobs.c.created_at, self.since, self.until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Filter):
    """Which events; `type` may end in `.*`, `about` is the id of what they are about."""

    type: str | None = None
    about: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def query(self) -> Select[Any]:
        """Select their ids, in the order in which they were recorded."""
        wanted = select(events.c.id).order_by(events.c.n)
        if self.type:
            wanted = wanted.where(named(self.type))
        if self.about:
            wanted = wanted.where(events.c.aggregate_id == self.about)
        return wanted.where(*_within(events.c.recorded_at, self.since, self.until))


@dataclass(slots=True)
class Done:
    """What became of many: how many were done, and why others were not."""

    count: int = 0
    refused: Counter[str] = field(default_factory=Counter)


async def find(
    connection: AsyncConnection, which: Jobs | Events, *, states: Sequence[str] = ()
) -> list[str]:
    """Give the uids or ids that a filter matches now; of jobs, those in one of some states."""
    wanted = which.query()
    if states:
        wanted = wanted.where(in_state(*states))
    return list((await connection.execute(wanted)).scalars())


def in_state(*names: str) -> ColumnElement[bool]:
    """Give the condition that a job is in one of some states."""
    return jobs.c.state.in_([code for code, name in LIVE_STATES.items() if name in names])


async def each(store: Store, idents: Sequence[str], work: Callable[[Tx, str], object]) -> Done:
    """Do `work` for each of them, a hundred in a commit; a refusal stops none of the others.

    Args:
        work: Refuses before it has changed anything.
    """
    done = Done()
    for start in range(0, len(idents), MOST):
        some = idents[start : start + MOST]
        refused = await store.write(partial(_do, idents=some, work=work))
        done.refused.update(refused)
        done.count += len(some) - len(refused)
    return done


def _do(tx: Tx, idents: Sequence[str], work: Callable[[Tx, str], object]) -> list[str]:
    """Give why some were refused, without their names, so that like reasons can be counted."""
    refused = []
    for ident in idents:
        try:
            work(tx, ident)
        except Refused as error:
            refused.append(error.detail.replace(ident, "it"))
    return refused


def _within(
    column: Column[datetime], since: datetime | None, until: datetime | None
) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield column >= since
    if until is not None:
        yield column < until


def _text(value: object) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)
