"""What stands that a person must know of, read out of the store; the same on every node."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, not_, or_, select, text

from hub.alerting import KEY, Trouble
from hub.alerts import Signal
from store.ceilings import HELD
from store.money_schema import cases
from store.schema import accounts, jobs, route_holds
from store.tx import Tx
from store.webhook_schema import silences

SETTLING = timedelta(minutes=2)
"""For so long after a send its own event or a look-up may say what became of it."""
SPENT = timedelta(minutes=1)
"""A pause that a provider asks for and that is longer is a budget spent, not a moment's haste."""
_BY_THE_HUB = "hub"


def standing(tx: Tx, *, late: timedelta | None = None) -> list[Trouble]:
    """Give all that stands; jobs that carry alerts are none of it.

    Args:
        late: After how long a due job is late; None: nobody asks, so nobody counts.
    """
    return [
        *_accounts(tx),
        *_jobs(tx, "job.dead", text("state IN ('d','b')")),
        *_jobs(tx, "lane.blocked", text("state = 'b'")),
        *_jobs(tx, "job.uncertain", _unsure(tx.now)),
        *_late(tx, late),
        *_cases(tx),
        *_routes(tx),
        *_silences(tx),
    ]


# -- accounts --------------------------------------------------------------------------------------
def _accounts(tx: Tx) -> Iterator[Trouble]:
    ours = and_(accounts.c.paused_at.is_not(None), accounts.c.paused_by == _BY_THE_HUB)
    stopped = (accounts.c.held_reason.is_not(None), accounts.c.breaker_since.is_not(None), ours)
    for row in tx.rows(select(accounts).where(or_(*stopped))):
        since = min(at for at in (row.held_since, row.breaker_since, row.paused_at) if at)
        yield Trouble(
            signal="connector.held",
            about=row.account,
            since=since,
            count=_waiting(tx, row.account),
            first=_why(row),
            next=_mend(row),
            connector=row.connector,
        )
    spent = select(accounts).where(accounts.c.paused_until > tx.now + SPENT)
    for row in tx.rows(spent):
        yield Trouble(
            signal="budget.spent",
            about=row.account,
            since=tx.now,
            first="the provider asked to be left alone until then",
            next=f"wait, or ask the provider for more than {row.connector} may call now",
            connector=row.connector,
        )


def _why(row: Row[Any]) -> str:
    if row.held_reason is not None:
        return str(row.held_reason)
    if row.breaker_since is not None:
        return "its breaker is open: too many calls failed"
    return "it is disabled: its deliveries failed for too long"


def _mend(row: Row[Any]) -> str:
    if row.held_reason is None and row.breaker_since is None:
        return "mend the receiver, then enable the endpoint"
    return "hub connectors status"


def _waiting(tx: Tx, account: str) -> int:
    of_it = select(func.count()).where(jobs.c.account == account, text("state = 'r'"))
    return int(tx.rows(of_it)[0][0])


# -- jobs ------------------------------------------------------------------------------------------
_OURS = and_(jobs.c.route.is_(None), jobs.c.key.startswith(KEY, autoescape=True))


def _unsure(now: datetime) -> Any:
    sent = func.coalesce(jobs.c.first_sent_at, jobs.c.created_at)
    return and_(text("state = 'u'"), sent <= now - SETTLING)


def _jobs(tx: Tx, signal: Signal, which: Any) -> Iterator[Trouble]:
    counted = select(
        jobs.c.connector,
        func.count().label("n"),
        func.min(jobs.c.uid).label("uid"),
    ).where(which, not_(_OURS))
    for row in tx.rows(counted.group_by(jobs.c.connector)):
        first = tx.rows(select(jobs).where(jobs.c.uid == row.uid))[0]
        yield Trouble(
            signal=signal,
            about=row.connector,
            since=first.created_at,
            count=row.n,
            first=f"{first.uid} {first.action}: {first.error or 'no answer'}",
            next=_next(signal, row.connector),
            connector=row.connector,
            route=first.route,
        )


def _next(signal: Signal, connector: str) -> str:
    if signal == "lane.blocked":
        return "hub jobs lanes"
    state = "dead" if signal == "job.dead" else "uncertain"
    return f"hub jobs --state {state} --connector {connector}"


def _late(tx: Tx, after: timedelta | None) -> Iterator[Trouble]:
    if after is None:
        return
    late = text("state = 'r'"), jobs.c.prio < HELD, jobs.c.due_at <= tx.now - after
    counted = select(jobs.c.connector, func.count().label("n"), func.min(jobs.c.due_at).label("at"))
    for row in tx.rows(counted.where(*late, not_(_OURS)).group_by(jobs.c.connector)):
        yield Trouble(
            signal="queue.oldest",
            about=row.connector,
            since=row.at,
            count=row.n,
            next=f"hub jobs --state ready --connector {row.connector}",
            connector=row.connector,
        )


# -- the rest --------------------------------------------------------------------------------------
def _cases(tx: Tx) -> Iterator[Trouble]:
    kinds = select(
        cases.c.kind,
        func.count().label("n"),
        func.min(cases.c.id).label("id"),
        func.min(cases.c.created_at).label("at"),
    ).where(cases.c.state == "open")
    for row in tx.rows(kinds.group_by(cases.c.kind)):
        yield Trouble(
            signal="case.opened",
            about=row.kind,
            since=row.at,
            count=row.n,
            first=row.id,
            next=f"hub cases show {row.id}" if row.n == 1 else f"hub cases --kind {row.kind}",
        )


def _routes(tx: Tx) -> Iterator[Trouble]:
    held = select(route_holds).where(route_holds.c.since.is_not(None))
    for row in tx.rows(held):
        its = and_(jobs.c.route == row.route, jobs.c.prio >= HELD, text("state = 'r'"))
        yield Trouble(
            signal="route.held",
            about=row.route,
            since=row.since,
            count=int(tx.rows(select(func.count()).where(its))[0][0]),
            first=row.reason or "",
            next=f"hub routes release {row.route}, or hub routes cancel {row.route}",
            route=row.route,
        )


def _silences(tx: Tx) -> Iterator[Trouble]:
    for row in tx.rows(select(silences)):
        yield Trouble(
            signal="webhook.silent",
            about=row.connector,
            since=row.since,
            next=f"hub webhooks watch {row.connector}",
            connector=row.connector,
        )
