"""What is held of a route ends: a person releases or cancels it, or config.yaml ends its pause."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, case, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.errors import Refused
from hub.model import Json, rfc3339
from store.audit import note
from store.ceilings import HELD, PAUSED, hour
from store.ending import Ending, end
from store.schema import MICROSECOND, jobs, route_holds, route_hours, upserting
from store.tx import Tx

_HELD_JOB = and_(jobs.c.prio >= HELD, text("state = 'r'"))
_OVER, _PAUSED = jobs.c.prio < PAUSED, jobs.c.prio >= PAUSED


def release(tx: Tx, route: str, *, by: str) -> int:
    """Let all held jobs of a route go, past its ceiling; gives how many.

    Raises:
        Refused: Nothing of it is held.
    """
    hold = _hold(tx, route)
    count = _free(tx, route, _OVER, away=HELD, since=hold.since if hold is not None else None)
    count += _unpause(tx, route, hold.paused_at) if hold is not None and hold.paused_at else 0
    if count == 0 and (hold is None or hold.since is None):
        raise Refused("invalid_transition", f"nothing of the route {route} is held")
    _let_go(tx, route, by=by)
    note(tx, by, "route.release", route, f"{count} jobs")
    tx.woken = True
    return count


def unpause(tx: Tx, open_routes: Collection[str]) -> dict[str, int]:
    """End the pauses of routes that config.yaml no longer pauses; gives how many jobs go on.

    Those of a route that is gone stay held: a person releases or cancels them.
    """
    paused = select(route_holds).where(route_holds.c.paused_at.is_not(None))
    rows = [row for row in tx.rows(paused.with_for_update()) if row.route in open_routes]
    found = {row.route: _unpause(tx, row.route, row.paused_at) for row in rows}
    tx.woken = tx.woken or bool(found)
    return found


def _unpause(tx: Tx, route: str, since: datetime) -> int:
    count = _free(tx, route, _PAUSED, away=PAUSED, since=since)
    tx.run(update(route_holds).where(route_holds.c.route == route).values(paused_at=None))
    return count


def _free(tx: Tx, route: str, which: Any, *, away: int, since: datetime | None) -> int:
    """Have held jobs claimed again; the time they were held ages none of them."""
    held_for = 0 if since is None else (tx.now - since) // MICROSECOND
    held0 = case((jobs.c.failures > 0, jobs.c.held0 - held_for), else_=jobs.c.held0)
    return tx.run(
        update(jobs)
        .where(jobs.c.route == route, _HELD_JOB, which)
        .values(prio=jobs.c.prio - away, held0=held0)
    )


def cancel(tx: Tx, route: str, *, by: str, most: int = 500) -> int:
    """Cancel held jobs of a route, some at a time; gives how many: call again until none.

    Where the whole route is held or paused, all its jobs that are not in flight go. With the last
    of them its hold ends; a pause goes on.
    """
    hold = _hold(tx, route)
    over = hold is not None and hold.since is not None
    whole = over or (hold is not None and hold.paused_at is not None)
    wanted = jobs.c.state.in_(("r", "w")) if whole else _HELD_JOB
    found = select(jobs).where(jobs.c.route == route, wanted).order_by(jobs.c.id).limit(most)
    rows = tx.rows(found.with_for_update())
    reason = f"cancelled by {by}: its route was held"
    end(tx, [Ending(row, "cancelled", reason=reason, by=by) for row in rows])
    if rows:
        note(tx, by, "route.cancel", route, f"{len(rows)} jobs")
    elif over:
        _let_go(tx, route, by=by)
        note(tx, by, "route.cancel", route, "the hold ended")
    return len(rows)


def _hold(tx: Tx, route: str) -> Row[Any] | None:
    return tx.row(select(route_holds).where(route_holds.c.route == route).with_for_update())


def _let_go(tx: Tx, route: str, *, by: str) -> None:
    """End a hold: jobs made until now pass, and those of the rest of the hour count anew."""
    free = {"since": None, "reason": None, "released_at": tx.now, "released_by": by}
    adding = upserting(route_holds).values(route=route, **free)
    tx.run(adding.on_conflict_do_update(index_elements=["route"], set_=free))
    this = route_hours.c.route == route, route_hours.c.hour == hour(tx.now)
    tx.run(update(route_hours).where(*this).values(excused=route_hours.c.jobs))


async def routes_shown(connection: AsyncConnection, now_hour: int) -> dict[str, dict[str, Json]]:
    """Give what is known of each route: its hold, its held jobs, its jobs of this hour."""
    found: dict[str, dict[str, Json]] = {}
    for row in await connection.execute(select(route_holds)):
        since = None if row.since is None else rfc3339(row.since)
        paused = None if row.paused_at is None else rfc3339(row.paused_at)
        found[row.route] = {"held_since": since, "reason": row.reason, "paused_since": paused}
    held = select(jobs.c.route, func.count()).where(_HELD_JOB).group_by(jobs.c.route)
    for route, count in await connection.execute(held):
        found.setdefault(route, {})["held"] = count
    sent = select(route_hours).where(route_hours.c.hour == now_hour)
    for row in await connection.execute(sent):
        found.setdefault(row.route, {})["this_hour"] = row.jobs
    return found
