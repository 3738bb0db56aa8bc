"""Lanes that stand still behind a dead job, as its route wished, or one whose outcome is open."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model import Json, rfc3339
from store.jobs import LIVE_STATES
from store.schema import jobs

MOST = 200


async def blocked(
    connection: AsyncConnection, *, connector: str | None = None, limit: int = MOST
) -> list[dict[str, Json]]:
    """List lanes that stand still, the oldest job first: what holds them, how many jobs wait."""
    behind = jobs.alias()
    its = (behind.c.connector == jobs.c.connector) & (behind.c.lane == jobs.c.lane)
    waiting = select(func.count()).where(its, behind.c.state == "w").scalar_subquery()
    held = jobs.c.lane.is_not(None) & jobs.c.state.in_(("b", "u"))
    wanted: Any = select(jobs, waiting.label("waiting")).where(held)
    if connector:
        wanted = wanted.where(jobs.c.connector == connector)
    rows = await connection.execute(wanted.order_by(jobs.c.id).limit(limit))
    return [
        {
            "connector": row.connector,
            "lane": row.lane,
            "job": row.uid,
            "state": LIVE_STATES[row.state],
            "action": row.action,
            "route": row.route,
            "error": row.error,
            "created_at": rfc3339(row.created_at),
            "waiting": row.waiting,
        }
        for row in rows
    ]
