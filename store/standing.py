"""How things stand now: live jobs, halted accounts, held routes, open cases; for metrics."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, not_, or_, select

from store.alert_schema import alerts
from store.ceilings import HELD
from store.jobs import LIVE_STATES
from store.money_schema import cases
from store.restored import may_call
from store.schema import accounts, jobs, route_holds
from store.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One look at a store; as much work as there are live jobs, whatever has ended.

    Args:
        jobs: How many live ones, by connector and state.
        oldest: When the oldest live job that somebody or something still waits for was made.
        due: Since when the job that is due the longest has been due.
        halted: Why an account is halted: `held`, `breaker`, `paused`, by connector.
    """

    jobs: Mapping[tuple[str, str], int]
    oldest: Mapping[str, datetime]
    due: Mapping[str, datetime]
    halted: frozenset[tuple[str, str]]
    routes_held: frozenset[str]
    cases: Mapping[str, int]
    alerts: Mapping[str, int]


def standing(tx: Tx) -> Standing:
    """Look how things stand."""
    rows = tx.rows(_JOBS)
    open_cases = select(cases.c.kind, func.count().label("n")).where(cases.c.state == "open")
    held = select(route_holds.c.route).where(route_holds.c.since.is_not(None))
    return Standing(
        jobs={(row.connector, LIVE_STATES[row.state]): row.n for row in rows},
        oldest=_earliest((row.connector, row.made) for row in rows),
        due=_earliest((row.connector, row.due) for row in rows),
        halted=frozenset(_halted(tx)),
        routes_held=frozenset(row.route for row in tx.rows(held)),
        alerts={row.signal: row.n for row in tx.rows(_ALERTS)},
        cases={row.kind: row.n for row in tx.rows(open_cases.group_by(cases.c.kind))},
    )


def oldest_due(tx: Tx) -> datetime | None:
    """Since when has a job been due that nothing holds back, its provider least of all?

    Accounts that are held, paused, rate limited or have an open breaker are not asked, and only
    the shop's own after a restore.
    """
    halted = select(accounts.c.account).where(
        or_(
            accounts.c.paused_until > tx.now,
            not_(may_call()),
            *(column.is_not(None) for column in _HALTS.values()),
        )
    )
    mine = select(func.min(jobs.c.due_at)).where(_due, jobs.c.account.not_in(halted))
    row = tx.row(mine)
    return row[0] if row is not None else None


def live_jobs(tx: Tx) -> dict[str, int]:
    """Count each connector's jobs that have not ended and are not dead."""
    live = jobs.c.state.in_(("w", "r", "l", "u"))
    counted = select(jobs.c.connector, func.count().label("n")).where(live)
    return {row.connector: row.n for row in tx.rows(counted.group_by(jobs.c.connector))}


def _halted(tx: Tx) -> Iterator[tuple[str, str]]:
    for row in tx.rows(select(accounts.c.connector, *_HALTS.values())):
        for why, column in _HALTS.items():
            if getattr(row, column.name) is not None:
                yield row.connector, why


def _earliest(times: Iterable[tuple[str, datetime | None]]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for name, at in times:
        if at is not None:
            found[name] = min(at, found.get(name, at))
    return found


_HALTS = {
    "held": accounts.c.held_reason,
    "breaker": accounts.c.breaker_since,
    "paused": accounts.c.paused_at,
}
_ALERTS = select(alerts.c.signal, func.count(alerts.c.about.distinct()).label("n")).group_by(
    alerts.c.signal
)
_waits = jobs.c.state.in_(("w", "r", "l"))
_due = and_(jobs.c.state == "r", jobs.c.prio < HELD)
_JOBS = select(
    jobs.c.connector,
    jobs.c.state,
    func.count().label("n"),
    func.min(case((_waits, jobs.c.created_at))).label("made"),
    func.min(case((_due, jobs.c.due_at))).label("due"),
).group_by(jobs.c.connector, jobs.c.state)
