"""Deliveries to subscribers: listed, tried again, made for events that were missed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, false, literal, null, or_, select, text, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Event, Json, rfc3339
from hub.subscribers import LATER, Subscriber, delivery
from store import operate
from store.audit import note
from store.events import add_event, kept_event
from store.jobs import LIVE_STATES
from store.reads import named
from store.schema import DELIVERY, attempts, events, job_history, jobs
from store.tx import Tx

UNDER_WAY = ("w", "r", "l", "u")
DEAD = ("d", "b")
TEST = "hub.webhook_endpoint.tested"


async def list_deliveries(
    connection: AsyncConnection,
    account: str,
    *,
    state: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[dict[str, Json]]:
    """List a subscriber's deliveries, newest first, each with its last attempt."""
    both = _both(account).subquery()
    wanted = select(both, events.c.type).outerjoin(events, events.c.id == both.c.event_id)
    wanted = wanted.order_by(both.c.uid.desc()).limit(limit)
    if before:
        wanted = wanted.where(both.c.uid < before)
    if state:
        codes = [code for code, name in LIVE_STATES.items() if name == state] or [state]
        wanted = wanted.where(both.c.state.in_(codes))
    rows = list(await connection.execute(wanted))
    last = await _last_attempts(connection, [(row.uid, row.attempt) for row in rows])
    return [_shown(row, last.get(row.uid)) for row in rows]


async def events_since(
    connection: AsyncConnection,
    names: Sequence[str],
    *,
    since: datetime,
    until: datetime,
    limit: int,
) -> list[tuple[str, str, datetime]]:
    """Give id, type and time of the events of some names in a range, in their order."""
    wanted = select(events.c.id, events.c.type, events.c.recorded_at).order_by(events.c.n)
    within = events.c.recorded_at >= since, events.c.recorded_at < until
    some = or_(false(), *(named(name) for name in names))
    found = await connection.execute(wanted.where(*within, some).limit(limit))
    return [(row.id, row.type, row.recorded_at) for row in found]


def again(tx: Tx, to: Subscriber, uid: str, *, by: str) -> str:
    """Deliver once more what is dead or over; gives the uid of the job that does.

    Raises:
        Refused: There is no such delivery, it is still under way, or its event is not kept.
    """
    both = _both(to.account).subquery()
    row = tx.row(select(both).where(both.c.uid == uid))
    if row is None:
        raise Refused("not_found", f"there is no delivery {uid} of {to.id}")
    if row.state in UNDER_WAY:
        raise Refused("invalid_transition", f"{uid} is still under way")
    if row.state in DEAD:
        return operate.again(tx, uid, by=by)
    return _once_more(tx, to, kept_event(tx, row.event_id), by=by)


def recover(tx: Tx, to: Subscriber, event_ids: Sequence[str], *, by: str, everything: bool) -> int:
    """Deliver events that did not arrive, or all of them once more; gives how many will be.

    Args:
        everything: Those that did arrive, too. What is under way is left alone all the same.
    """
    count = 0
    for event_id in event_ids:
        states = _states(tx, to, event_id)
        if any(state in UNDER_WAY for state in states.values()):
            continue
        if dead := [uid for uid, state in states.items() if state in DEAD]:
            operate.again(tx, dead[-1], by=by)
        elif "done" in states.values() and not everything:
            continue
        else:
            _once_more(tx, to, kept_event(tx, event_id), by=by, again=len(states))
        count += 1
    return count


def test(tx: Tx, to: Subscriber) -> tuple[Event, str]:
    """Tell one subscriber, and the feed, of an event made to try it; whatever types it wants."""
    event = Event(
        type=TEST,
        at=tx.now,
        data={"webhook_endpoint": {"id": to.id}},
        id=new_id("evt", tx.now),
        connector="hub",
        recorded_at=tx.now,
        causation=tx.causation,
    )
    job = delivery(to, event, tx.now)
    add_event(tx, event, jobs_made=1)
    tx.enqueue(job)
    return event, job.uid


# -- inside ----------------------------------------------------------------------------------------
def _once_more(tx: Tx, to: Subscriber, event: Event, *, by: str, again: int | None = None) -> str:
    times = len(_states(tx, to, event.id)) if again is None else again
    job = delivery(to, event, tx.now, again=times, prio=LATER)
    tx.enqueue(job)
    note(tx, by, "webhook_endpoint.deliver", job.uid, event.id)
    return job.uid


def _states(tx: Tx, to: Subscriber, event_id: str) -> dict[str, str]:
    """Give the state of every delivery of an event to a subscriber, oldest first."""
    found = [
        (row.uid, row.state)
        for table in (jobs, job_history)
        for row in tx.rows(
            select(table.c.uid, table.c.state).where(
                table.c.event_id == event_id, table.c.account == to.account
            )
        )
    ]
    return dict(sorted(found))


_FIELDS = ("uid", "event_id", "state", "due_at", "created_at", "attempt", "failures", "error")


def _both(account: str) -> Any:
    """Give a subscriber's live and ended deliveries as one selection."""
    live: Select[Any] = select(
        *(jobs.c[name] for name in _FIELDS),
        null().label("reason"),
        literal(None, job_history.c.ended_at.type).label("ended_at"),
    ).where(jobs.c.account == account, text(DELIVERY))
    ended: Select[Any] = select(
        *(job_history.c[name] for name in _FIELDS), job_history.c.reason, job_history.c.ended_at
    ).where(job_history.c.account == account, text(DELIVERY))
    return union_all(live, ended)


async def _last_attempts(
    connection: AsyncConnection, tried: Sequence[tuple[str, int]]
) -> dict[str, Row[Any]]:
    if not tried:
        return {}
    wanted = select(attempts).where(tuple_(attempts.c.job, attempts.c.attempt).in_(tried))
    return {row.job: row for row in await connection.execute(wanted)}


def _shown(row: Row[Any], last: Row[Any] | None) -> dict[str, Json]:
    state = LIVE_STATES.get(row.state, row.state)
    return {
        "id": row.uid,
        "event": row.event_id,
        "type": row.type,
        "state": state,
        "attempts": row.attempt,
        "created_at": rfc3339(row.created_at),
        "next_attempt_at": rfc3339(row.due_at) if state == "ready" else None,
        "ended_at": rfc3339(row.ended_at) if row.ended_at else None,
        "last_status": last.status if last else None,
        "error": row.error or row.reason,
    }
