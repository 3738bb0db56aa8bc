"""Reads for people: jobs with their attempts, events, inbox; opened where they are sealed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, literal, null, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model import Json, read_json, rfc3339
from store.crypto import Cipher
from store.jobs import LIVE_STATES
from store.schema import attempts, events, feed, inbox, job_history, jobs

_SHOWN = (
    "uid", "connector", "action", "route", "event_id", "inbox_id", "lane", "state", "due_at",
    "created_at", "attempt", "failures", "effect", "key", "ref", "error",
)  # fmt: skip


async def list_jobs(
    connection: AsyncConnection,
    *,
    state: str | None = None,
    connector: str | None = None,
    event: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[dict[str, Json]]:
    """List jobs, live and ended, newest first; `before` is the uid of the last one seen."""
    both = _all_jobs().subquery()
    wanted = select(both).order_by(both.c.uid.desc()).limit(limit)
    if connector:
        wanted = wanted.where(both.c.connector == connector)
    if event:
        wanted = wanted.where(both.c.event_id == event)
    if before:
        wanted = wanted.where(both.c.uid < before)
    if state:
        codes = [code for code, name in LIVE_STATES.items() if name == state] or [state]
        wanted = wanted.where(both.c.state.in_(codes))
    return [shown_job(row) for row in await connection.execute(wanted)]


async def one_job(connection: AsyncConnection, uid: str, cipher: Cipher) -> dict[str, Json] | None:
    """Give one job with its attempts and payload."""
    both = _all_jobs().subquery()
    row = (await connection.execute(select(both).where(both.c.uid == uid))).first()
    if row is None:
        return None
    tries = select(attempts).where(attempts.c.job == uid).order_by(attempts.c.attempt)
    payload = await _payload(connection, uid, cipher)
    tried = [shown_attempt(found) for found in await connection.execute(tries)]
    return shown_job(row) | {"payload": payload, "attempts": tried}


async def list_events(
    connection: AsyncConnection,
    cipher: Cipher,
    *,
    after: int = 0,
    types: Sequence[str] = (),
    about: str | None = None,
    newest: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> list[tuple[int, dict[str, Json]]]:
    """List events with their place in the feed; the newest first go on `before` a place."""
    wanted = _newest() if newest else _feed(connection.dialect.name)
    place = wanted.selected_columns.place
    wanted = wanted.where(place > after).limit(limit)
    if before is not None:
        wanted = wanted.where(place < before)
    if types:
        wanted = wanted.where(or_(*(named(name) for name in types)))
    if about:
        wanted = wanted.where(events.c.aggregate_id == about)
    return [(row.place, shown_event(row, cipher)) for row in await connection.execute(wanted)]


async def how_many_events(connection: AsyncConnection, *, limit: int) -> int:
    """Count the events there are, up to a limit."""
    some = select(events.c.n).limit(limit).subquery()
    return int((await connection.execute(select(func.count()).select_from(some))).scalar() or 0)


async def end_of_feed(connection: AsyncConnection) -> int:
    """Give the place of the feed's last event; 0 where there is none."""
    last = events.c.n if connection.dialect.name == "sqlite" else feed.c.place
    return int((await connection.execute(select(func.max(last)))).scalar() or 0)


async def place_of(connection: AsyncConnection, ident: str) -> int | None:
    """Give an event's place in the feed."""
    wanted = _feed(connection.dialect.name).subquery()
    found = await connection.execute(select(wanted.c.place).where(wanted.c.id == ident))
    row = found.first()
    return None if row is None else int(row[0])


def _newest() -> Select[Any]:
    return select(events, events.c.n.label("place")).order_by(events.c.n.desc())


def _feed(dialect: str) -> Select[Any]:
    """Give events in an order that nothing new gets into; see store.feed."""
    if dialect == "sqlite":
        return select(events, events.c.n.label("place")).order_by(events.c.n)
    told = select(events, feed.c.place).join(feed, feed.c.n == events.c.n)
    return told.order_by(feed.c.place)


async def one_event(
    connection: AsyncConnection, ident: str, cipher: Cipher
) -> dict[str, Json] | None:
    """Give one event."""
    row = (await connection.execute(select(events).where(events.c.id == ident))).first()
    return None if row is None else shown_event(row, cipher)


async def list_inbox(
    connection: AsyncConnection, *, connector: str | None = None, limit: int = 50
) -> list[dict[str, Json]]:
    """List kept requests, newest first, without their bodies."""
    made = select(func.count()).where(events.c.inbox_id == inbox.c.id).scalar_subquery()
    wanted = select(inbox, made.label("events")).order_by(inbox.c.received_at.desc()).limit(limit)
    if connector:
        wanted = wanted.where(inbox.c.connector == connector)
    return [
        {
            "id": row.id,
            "connector": row.connector,
            "received_at": rfc3339(row.received_at),
            "via": row.via,
            "method": row.method,
            "secret_used": row.secret_used,
            "events": row.events,
        }
        for row in await connection.execute(wanted)
    ]


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """Count live jobs by state, and those that ended."""
    live = select(jobs.c.state, func.count()).group_by(jobs.c.state)
    ended = select(job_history.c.state, func.count()).group_by(job_history.c.state)
    found: dict[str, int] = {}
    for state, count in [*await connection.execute(live), *await connection.execute(ended)]:
        name = LIVE_STATES.get(state, state)
        found[name] = found.get(name, 0) + count
    return found


def shown_job(row: Row[Any]) -> dict[str, Json]:
    """Give a job as lists show it: no payload."""
    values = row._mapping  # noqa: SLF001 -- a public accessor of SQLAlchemy
    shown = {name: _plain(values[name]) for name in _SHOWN}
    return shown | {
        "state": LIVE_STATES.get(row.state, row.state),
        "blocked": row.state == "b",
        "reason": row.reason,
        "ended_at": _plain(row.ended_at),
    }


def shown_attempt(row: Row[Any]) -> dict[str, Json]:
    """Give an attempt as lists show it."""
    return {
        "attempt": row.attempt,
        "started_at": rfc3339(row.started_at),
        "ms": row.ms,
        "outcome": row.outcome,
        "status": row.status,
        "error": row.error,
        "request_id": row.request_id,
    }


def shown_event(row: Row[Any], cipher: Cipher) -> dict[str, Json]:
    """Give an event as the feed shows it."""
    data = None
    if row.data is not None:
        data = read_json(cipher.open(row.data, f"events.data:{row.id}"))
    about = None
    if row.aggregate_id is not None:
        about = {
            "type": row.aggregate_type,
            "id": row.aggregate_id,
            "version": row.aggregate_version,
        }
    return {
        "id": row.id,
        "type": row.type,
        "schema": row.schema,
        "occurred_at": rfc3339(row.occurred_at),
        "recorded_at": rfc3339(row.recorded_at),
        "aggregate": about,
        "sequence": row.sequence,
        "causation": row.causation,
        "origin": row.origin,
        "data": data,
    }


def _all_jobs() -> Any:
    """Give live and ended jobs as one selection."""
    shared = [name for name in _SHOWN if name != "state"]
    live: Select[Any] = select(
        *(jobs.c[name] for name in shared),
        jobs.c.state,
        null().label("reason"),
        literal(None, job_history.c.ended_at.type).label("ended_at"),
    )
    ended: Select[Any] = select(
        *(job_history.c[name] for name in shared),
        job_history.c.state,
        job_history.c.reason,
        job_history.c.ended_at,
    )
    return union_all(live, ended)


async def _payload(connection: AsyncConnection, uid: str, cipher: Cipher) -> Json:
    for table in (jobs, job_history):
        found = await connection.execute(select(table.c.payload).where(table.c.uid == uid))
        if (row := found.first()) is not None:
            return None if row[0] is None else read_json(cipher.open(row[0], f"jobs.payload:{uid}"))
    return None


def named(name: str) -> Any:
    """Give the condition that an event is of a type, or of those below a name that ends in `.*`."""
    if name.endswith(".*"):
        return events.c.type.startswith(name[:-1], autoescape=True)
    return events.c.type == name


def _plain(value: Any) -> Json:
    return rfc3339(value) if isinstance(value, datetime) else value
