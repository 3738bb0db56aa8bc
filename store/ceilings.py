"""Ceilings: what a route sends beyond its own is held, before it is sent, until a person decides.

A held job stays ready and keeps its place in its lane, in a class that is never claimed; that
uses up no attempt. Only first attempts count, in the transaction that claims them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Text, bindparam, case, delete, func, select, text, update

from hub import log
from hub.ceiling import LOOK_BACK_DAYS, Ceiling, recipient_of
from hub.errors import HubError
from store.chosen import among
from store.schema import (
    EPOCH,
    MICROSECOND,
    Int,
    jobs,
    recipient_hours,
    route_holds,
    route_hours,
    upserting,
)
from store.tx import Tx, padded

HELD = 10  # added to the class of a held job
PAUSED = 20  # added to the class of a job whose route config.yaml pauses
CeilingOf = Callable[[str | None, str, str], Ceiling | None]
"""Give the ceiling of a route, by its name, and its connector and action."""


def admit(tx: Tx, rows: Sequence[Row[Any]], ceiling_of: CeilingOf) -> list[Row[Any]]:
    """Give the claimed jobs that may be sent; the others are held, as if never claimed."""
    of_route: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.id):
        if row.route is not None and ceiling_of(row.route, row.connector, row.action) is not None:
            of_route[row.route].append(row)
    stopped: dict[int, set[int]] = {HELD: set(), PAUSED: set()}
    for route, its in sorted(of_route.items()):
        ceiling = ceiling_of(route, its[0].connector, its[0].action)
        if ceiling is not None and ceiling.paused:
            stopped[PAUSED] |= {row.id for row in _paused(tx, route, its)}
        elif ceiling is not None:
            stopped[HELD] |= {row.id for row in _over(tx, route, its, ceiling)}
    for away, ids in stopped.items():
        if ids:
            _give_back(tx, ids, away)
    return [row for row in rows if row.id not in stopped[HELD] | stopped[PAUSED]]


def _paused(tx: Tx, route: str, rows: list[Row[Any]]) -> list[Row[Any]]:
    """Note since when a route's jobs are held for its pause; give those that are to be held."""
    adding = upserting(route_holds).values(route=route, paused_at=tx.now)
    since = func.coalesce(route_holds.c.paused_at, adding.excluded.paused_at)
    tx.run(adding.on_conflict_do_update(index_elements=["route"], set_={"paused_at": since}))
    _hold_ready(tx, route, rows, PAUSED)
    return rows


def _over(tx: Tx, route: str, rows: list[Row[Any]], ceiling: Ceiling) -> list[Row[Any]]:
    """Count a route's jobs; give those that are too many, and hold the route where some are."""
    hold = tx.row(select(route_holds).where(route_holds.c.route == route))
    if hold is not None and hold.since is not None:
        _hold_ready(tx, route, rows)
        return rows
    released = hold.released_at if hold is not None else None
    new = [r for r in rows if r.attempt == 1 and not (released and r.created_at <= released)]
    if not new:
        return []
    most, sent = _count(tx, route, len(new), ceiling)
    over = min(max(sent - most, 0), len(new))
    if over:
        _uncount(tx, route, over)
        _hold(tx, route, f"over {most} jobs an hour")
        _hold_ready(tx, route, rows)
    admitted, stopped = new[: len(new) - over], new[len(new) - over :]
    return stopped + _too_many_for_one(tx, admitted, ceiling)


# -- per route -------------------------------------------------------------------------------------
def _count(tx: Tx, route: str, count: int, ceiling: Ceiling) -> tuple[int, int]:
    """Count jobs of this hour; give its ceiling, and how many there are with these."""
    now = hour(tx.now)
    adding = upserting(route_hours).values(route=route, hour=now, jobs=count)
    row = tx.row(
        adding.on_conflict_do_update(
            index_elements=["route", "hour"], set_={"jobs": route_hours.c.jobs + count}
        ).returning(route_hours.c.jobs, route_hours.c.excused)
    )
    assert row is not None  # noqa: S101 -- an upsert that returns
    if row.jobs == count:
        _forget(tx, now)
    busiest = tx.row(
        select(func.max(route_hours.c.jobs)).where(
            route_hours.c.route == route,
            route_hours.c.hour < now,
            route_hours.c.hour >= now - LOOK_BACK_DAYS * 24,
        )
    )
    return ceiling.most(busiest[0] or 0 if busiest else 0), row.jobs - row.excused


def _uncount(tx: Tx, route: str, count: int) -> None:
    this = route_hours.c.route == route, route_hours.c.hour == hour(tx.now)
    tx.run(update(route_hours).where(*this).values(jobs=route_hours.c.jobs - count))


def _forget(tx: Tx, now: int) -> None:
    """Drop counts that nobody asks for any more."""
    tx.run(delete(recipient_hours).where(recipient_hours.c.hour < now))
    tx.run(delete(route_hours).where(route_hours.c.hour < now - (LOOK_BACK_DAYS + 1) * 24))


def _hold(tx: Tx, route: str, reason: str) -> None:
    held = {"route": route, "since": tx.now, "reason": reason}
    adding = upserting(route_holds).values(held)
    tx.run(adding.on_conflict_do_update(index_elements=["route"], set_=held))
    log.get("store").error("route held", route=route, reason=reason)


def _hold_ready(tx: Tx, route: str, rows: Sequence[Row[Any]], away: int = HELD) -> None:
    """Take the ready jobs of a held route, in the accounts of these, out of what is claimed."""
    for account in sorted({row.account for row in rows}):
        tx.run(_HOLD_READY, {"of": account, "its": route, "away": away})


# -- per recipient ---------------------------------------------------------------------------------
def _too_many_for_one(tx: Tx, rows: list[Row[Any]], ceiling: Ceiling) -> list[Row[Any]]:
    """Count the jobs of each recipient; give those of whoever gets too many."""
    known = [(row, who) for row in rows if (who := _recipient(tx, row, ceiling)) is not None]
    stopped = []
    # In one order, so that two nodes never wait for each other.
    for row, who in sorted(known, key=lambda pair: (pair[1], pair[0].id)):
        if _sent_to(tx, who) > ceiling.per_recipient:
            stopped.append(row)
            log.get("store").warning("job held", job=row.uid, route=row.route)
    return stopped


def _recipient(tx: Tx, row: Row[Any], ceiling: Ceiling) -> bytes | None:
    if ceiling.recipient is None or row.payload is None:
        return None
    try:
        payload = tx.unseal(row.payload, "jobs.payload", row.uid)
        found = recipient_of(payload, ceiling.recipient)
    except (HubError, ValueError):
        return None  # it will be dead, and say why
    return None if found is None else tx.cipher.blind(found)


def _sent_to(tx: Tx, who: bytes) -> int:
    adding = upserting(recipient_hours).values(who=who, hour=hour(tx.now), jobs=1)
    row = tx.row(
        adding.on_conflict_do_update(
            index_elements=["who", "hour"], set_={"jobs": recipient_hours.c.jobs + 1}
        ).returning(recipient_hours.c.jobs)
    )
    return int(row.jobs) if row is not None else 0


# -- statements ------------------------------------------------------------------------------------
def hour(now: datetime) -> int:
    """Number the hours since 1970."""
    return int((now - EPOCH) // MICROSECOND // 3_600_000_000)


def _give_back(tx: Tx, ids: set[int], away: int) -> None:
    """Undo the claim of jobs, in the transaction that made it, and hold them."""
    first = case((jobs.c.failures == 0, None), else_=jobs.c.first_sent_at)
    tx.run(
        update(jobs)
        .where(jobs.c.id.in_(padded(sorted(ids))))
        .values(
            state="r",
            prio=jobs.c.prio + away,
            attempt=jobs.c.attempt - 1,
            first_sent_at=first,
            lease_owner=None,
            lease_until=None,
        )
    )


_ready = (
    select(jobs.c.id)
    .where(
        jobs.c.account == bindparam("of", type_=Text),
        jobs.c.prio < HELD,
        text("state = 'r'"),
        jobs.c.route == bindparam("its", type_=Text),
    )
    .with_for_update(skip_locked=True)
    .cte("ready")
)
_HOLD_READY = (
    update(jobs)
    .where(among(jobs.c.id, _ready))
    .values(prio=jobs.c.prio + bindparam("away", type_=Int))
)
