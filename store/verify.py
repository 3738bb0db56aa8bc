"""The stored invariants of events, jobs and lanes: queries that name the rows breaking them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model import Json

MOST_NAMED = 20


Check = tuple[str, str]
"""What must hold, and the query of the rows for which it does not; its first column names them."""

CHECKS: Sequence[Check] = (
    (
        "every event has its jobs",
        """SELECT e.id, e.jobs_made AS wanted,
             (SELECT count(*) FROM jobs j WHERE j.event_id = e.id) +
             (SELECT count(*) FROM job_history h WHERE h.event_id = e.id) AS found
           FROM events e WHERE e.jobs_made > 0
             AND e.recorded_at >= coalesce((SELECT until FROM horizons WHERE name = 'jobs'), 0)
             AND e.jobs_made >
             (SELECT count(*) FROM jobs j WHERE j.event_id = e.id) +
             (SELECT count(*) FROM job_history h WHERE h.event_id = e.id)""",
    ),
    (
        "every lane that waits has a head",
        """SELECT w.uid, w.connector, w.lane FROM jobs w WHERE w.state = 'w' AND NOT EXISTS
             (SELECT 1 FROM jobs h WHERE h.connector = w.connector AND h.lane = w.lane
                AND h.lane IS NOT NULL AND h.state IN ('r','l','u','b'))""",
    ),
    (
        "no lane has two heads",
        """SELECT connector || ':' || lane, count(*) AS heads FROM jobs
           WHERE lane IS NOT NULL AND state IN ('r','l','u','b')
           GROUP BY connector, lane HAVING count(*) > 1""",
    ),
    (
        "attempts are numbered without gaps",
        """SELECT job, count(*) AS noted, max(attempt) AS last FROM attempts
           GROUP BY job HAVING count(*) <> max(attempt)""",
    ),
    (
        "every attempt of a job at rest is noted",
        """SELECT j.uid, j.attempt,
             (SELECT count(*) FROM attempts a WHERE a.job = j.uid) AS noted
           FROM jobs j WHERE j.state <> 'l'
             AND j.attempt <> (SELECT count(*) FROM attempts a WHERE a.job = j.uid)""",
    ),
    (
        "every dead or uncertain job says why",
        "SELECT uid, state FROM jobs WHERE state IN ('d','b','u') AND error IS NULL",
    ),
    (
        "every job has its key",
        """SELECT j.uid FROM jobs j WHERE NOT EXISTS
             (SELECT 1 FROM job_keys k WHERE k.uid = j.uid)""",
    ),
    (
        "every webhook event has its request",
        """SELECT e.id, e.inbox_id FROM events e WHERE e.inbox_id IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM inbox i WHERE i.id = e.inbox_id)""",
    ),
)


async def verify(
    connection: AsyncConnection, checks: Sequence[Check] = CHECKS
) -> list[dict[str, Json]]:
    """Give each check's name, how many rows break it, and the first of them."""
    told = []
    for name, query in checks:
        rows = list(await connection.execute(text(query)))
        named = [_plain(row) for row in rows[:MOST_NAMED]]
        told.append({"name": name, "broken": len(rows), "rows": named})
    return told


def _plain(row: Row[Any]) -> dict[str, Json]:
    """Give a row as JSON can say it: PostgreSQL adds integers up to decimals."""
    values = row._mapping  # noqa: SLF001 -- a public accessor of SQLAlchemy
    return {name: int(v) if isinstance(v, Decimal) else v for name, v in values.items()}
