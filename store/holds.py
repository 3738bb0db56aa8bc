"""What a person does with a route over its ceiling: release all that is held, or cancel it."""

from typing import Any

from sqlalchemy import Row, and_, case, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.errors import Refused
from hub.model import Json, rfc3339
from store.audit import note
from store.ceilings import HELD, hour
from store.ending import Ending, end
from store.schema import MICROSECOND, jobs, route_holds, route_hours, upserting
from store.tx import Tx

_HELD_JOB = and_(jobs.c.prio >= HELD, text("state = 'r'"))


def release(tx: Tx, route: str, *, by: str) -> int:
    """Let all held jobs of a route go, past its ceiling; gives how many.

    Raises:
        Refused: Nothing of it is held.
    """
    hold = _hold(tx, route)
    held_for = (tx.now - hold.since) // MICROSECOND if hold is not None and hold.since else 0
    count = tx.run(
        update(jobs)
        .where(jobs.c.route == route, _HELD_JOB)
        .values(
            prio=jobs.c.prio - HELD,
            # The time it was held ages no job.
            held0=case((jobs.c.failures > 0, jobs.c.held0 - held_for), else_=jobs.c.held0),
        )
    )
    if count == 0 and (hold is None or hold.since is None):
        raise Refused("invalid_transition", f"nothing of the route {route} is held")
    _let_go(tx, route, by=by)
    note(tx, by, "route.release", route, f"{count} jobs")
    tx.woken = True
    return count


def cancel(tx: Tx, route: str, *, by: str, most: int = 500) -> int:
    """Cancel held jobs of a route, some at a time; gives how many: call again until none.

    Where the whole route is held, all its jobs that are not in flight go. With the last of them
    its hold ends.
    """
    hold = _hold(tx, route)
    whole = hold is not None and hold.since is not None
    wanted = jobs.c.state.in_(("r", "w")) if whole else _HELD_JOB
    found = select(jobs).where(jobs.c.route == route, wanted).order_by(jobs.c.id).limit(most)
    rows = tx.rows(found.with_for_update())
    reason = f"cancelled by {by}: its route was held"
    end(tx, [Ending(row, "cancelled", reason=reason, by=by) for row in rows])
    if rows:
        note(tx, by, "route.cancel", route, f"{len(rows)} jobs")
    elif whole:
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
        found[row.route] = {"held_since": since, "reason": row.reason}
    held = select(jobs.c.route, func.count()).where(_HELD_JOB).group_by(jobs.c.route)
    for route, count in await connection.execute(held):
        found.setdefault(route, {})["held"] = count
    sent = select(route_hours).where(route_hours.c.hour == now_hour)
    for row in await connection.execute(sent):
        found.setdefault(row.route, {})["this_hour"] = row.jobs
    return found
