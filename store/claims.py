"""Claiming: due jobs are leased, as many of each account and class as this node has room for.

First attempts come before retries, those before syncs; now and then it is the other way round, so
that nobody starves. An account on trial gives out probes only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Row,
    Text,
    bindparam,
    case,
    func,
    literal_column,
    select,
    text,
    true,
    update,
)

from hub.model import Job
from store import schema
from store.accounts import leave_probe, on_trial, take_probe
from store.ceilings import CeilingOf, admit
from store.chosen import among
from store.jobs import OF_JOB, read_job
from store.restored import may_call
from store.schema import MICROSECOND, accounts, jobs
from store.tx import Tx, padded

FIRST, RETRY, SYNC = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many jobs of an account a node can take now.

    Args:
        most: In all.
        later: Of those, retries and syncs: the rest is kept for first attempts.
        syncs: Of those, syncs and back-fills: they leave a reserve of the budget alone.
        actions: Of those, each action that has a limit of its own.
        probes: In all, while the account is on trial.
    """

    most: int
    later: int
    syncs: int
    actions: Mapping[str, int] = field(default_factory=dict)
    probes: int = 1

    @classmethod
    def of(cls, most: int) -> "Room":
        """Make room for any jobs."""
        return cls(most=most, later=most, syncs=most)

    def less(self, taken: Mapping[str, int]) -> "Room":
        """Give what is left when so many jobs of each action have taken their room."""
        count = sum(taken.values())
        return replace(
            self,
            most=max(self.most - count, 0),
            later=max(min(self.later, self.most - count), 0),
            syncs=max(min(self.syncs, self.most - count), 0),
            actions={name: max(n - taken.get(name, 0), 0) for name, n in self.actions.items()},
        )

    def halves(self) -> tuple["Room", "Room"]:
        """Share it among two who do not know of each other; the first gets what is odd."""
        second = self.less({"": self.most - self.most // 2})
        return self.less({"": second.most}), second

    def full(self) -> bool:
        """Say whether there is work it would leave lying."""
        return min(self.most, self.later, self.syncs, *self.actions.values(), 1) <= 0

    def of_class(self, prio: int) -> int:
        """Give the most of one class."""
        return min((self.most, self.later, self.syncs)[: prio + 1])


@dataclass(slots=True)
class _Taking:
    """One claim under way: who leases until when, and what it has got so far."""

    tx: Tx
    node: str
    until: datetime
    ceiling_of: CeilingOf
    jobs: list[Job] = field(default_factory=list)
    upcoming: list[datetime] = field(default_factory=list)


def claim(
    tx: Tx,
    room: Mapping[str, Room | int],
    *,
    node: str,
    until: datetime,
    last_first: bool = False,
    ceiling_of: CeilingOf = lambda *_: None,
) -> tuple[list[Job], datetime | None]:
    """Lease due jobs, as there is room for each account.

    Args:
        room: An account that is not named has that of its connector, one of whose many it is.
        last_first: Begin with the last class that has work.
        ceiling_of: Above which a route's jobs are held instead.

    Returns:
        The jobs, oldest first, and when the next one that could be claimed falls due.
    """
    taking = _Taking(tx, node, until, ceiling_of)
    for account, of_it in groupby(tx.rows(_due), key=lambda row: str(row.account)):
        rows = sorted(of_it, key=lambda row: row.prio, reverse=last_first)
        due = [row for row in rows if _is_due(taking, row)]
        given = room.get(account, room.get(rows[0].connector, 0))
        wanted = Room.of(given) if isinstance(given, int) else given
        if due and wanted.most > 0:
            take = _take_probes if on_trial(due[0]) else _take_classes
            take(taking, due, wanted)
    taking.jobs.sort(key=lambda job: job.id)
    return taking.jobs, min(taking.upcoming, default=None)


def _is_due(taking: _Taking, row: Row[Any]) -> bool:
    """Say whether a class has a job that may be claimed now; note when it will have."""
    if row.due_at is None:
        return False
    gates = [row.due_at, row.paused_until, row.probe_at if on_trial(row) else None]
    due = max(at for at in gates if at is not None)
    if due > taking.tx.now:
        taking.upcoming.append(due)
    return bool(due <= taking.tx.now)


def _take_probes(taking: _Taking, due: list[Row[Any]], room: Room) -> None:
    """Take a probe or few, whose end says whether the account works again."""
    account = due[0].account
    most = 1 if due[0].held_reason is not None else room.probes
    if not take_probe(taking.tx, account, until=taking.until):
        return
    before = len(taking.jobs)
    _take_classes(taking, due, Room.of(min(most, room.most)), probe=True)
    if len(taking.jobs) == before:
        leave_probe(taking.tx, account)


def _take_classes(taking: _Taking, due: list[Row[Any]], room: Room, *, probe: bool = False) -> None:
    taken = {FIRST: 0, RETRY: 0, SYNC: 0}
    actions = dict(room.actions)
    for row in due:
        spare = min(room.most - sum(taken.values()), room.of_class(row.prio) - taken[row.prio])
        if row.prio != FIRST:
            spare = min(spare, room.later - taken[RETRY] - taken[SYNC])
        found = _take(taking, row, spare, actions, probe=probe)
        taken[row.prio] += len(found)
        taking.jobs += found


def _take(
    taking: _Taking, row: Row[Any], most: int, actions: dict[str, int], *, probe: bool
) -> list[Job]:
    """Take the oldest jobs of a class, in pieces so small that no action gets more than its own."""
    found: list[Job] = []
    held = _held(row, taking.tx.now) // MICROSECOND
    while (piece := min([most - len(found), *(n for n in actions.values() if n > 0)])) > 0:
        closed = [name for name, left in actions.items() if left <= 0]
        rows = taking.tx.rows(
            _CLAIM,
            {
                "who": row.account,
                "class": row.prio,
                "now": taking.tx.now,
                "most": piece,
                "closed": padded(closed or [""]),
                "node": taking.node,
                "until": taking.until,
                "held": held,
            },
        )
        admitted = admit(taking.tx, rows, taking.ceiling_of)
        for one in admitted:
            actions |= {one.action: actions[one.action] - 1} if one.action in actions else {}
        found += [read_job(taking.tx, one, held=held, probe=probe) for one in admitted]
        if len(rows) < piece:
            break
    return found


def _held(row: Row[Any], now: datetime) -> timedelta:
    """Give for how long an account was held in all, the hold under way included."""
    since = min(filter(None, (row.held_since, row.breaker_since)), default=now)
    return timedelta(microseconds=row.held) + (now - since)


# -- statements ------------------------------------------------------------------------------------
_due = (
    select(
        accounts,
        literal_column("p.prio", schema.Int).label("prio"),
        select(func.min(jobs.c.due_at))
        .where(
            jobs.c.account == accounts.c.account,
            jobs.c.prio == literal_column("p.prio"),
            text("state = 'r'"),
        )
        .scalar_subquery()
        .label("due_at"),
    )
    .where(accounts.c.paused_at.is_(None), may_call())
    .select_from(
        accounts.join(text("(SELECT 0 AS prio UNION ALL SELECT 1 UNION ALL SELECT 2) p"), true())
    )
    .order_by(accounts.c.account, text("p.prio"))
)
# In a CTE, or the planner of PostgreSQL may look again and lease more than was asked for.
_free = (
    select(jobs.c.id)
    .where(
        jobs.c.account == bindparam("who"),
        jobs.c.prio == bindparam("class"),
        text("state = 'r'"),
        jobs.c.due_at <= bindparam("now", type_=schema.Time),
        jobs.c.action.not_in(bindparam("closed", expanding=True, type_=Text)),
    )
    .order_by(jobs.c.due_at, jobs.c.id)
    .limit(bindparam("most", type_=schema.Int))
    .with_for_update(skip_locked=True)
    .cte("free")
)
_CLAIM = (
    update(jobs)
    .where(among(jobs.c.id, _free))
    .values(
        state="l",
        attempt=jobs.c.attempt + 1,
        lease_owner=bindparam("node"),
        lease_until=bindparam("until", type_=schema.Time),
        first_sent_at=func.coalesce(jobs.c.first_sent_at, bindparam("now", type_=schema.Time)),
        held0=case((jobs.c.first_sent_at.is_(None), bindparam("held")), else_=jobs.c.held0),
    )
    .returning(*OF_JOB)
)
