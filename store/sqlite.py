"""What SQLite does in its own way: one writer, so nobody to wait for."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select, text

from store import sqlite_rows
from store.job_columns import BORN_WITH, ENDED_WITH, FREE, LASTING, LEASE
from store.schema import HEAD, Time, events, job_keys, jobs

Rows = Sequence[Mapping[str, Any]]
_OWNER = select(job_keys.c.uid).where(
    *(column == bindparam(column.name) for column in job_keys.primary_key)
)
_LAST = text("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
_HEADS = select(jobs.c.connector, jobs.c.lane).where(
    text(HEAD),
    text("(connector, lane) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:lanes))"),
)

_FOLLOWED = text(
    "SELECT value ->> 0, value ->> 1 FROM json_each(:lanes) WHERE EXISTS (SELECT 1 FROM jobs"
    " WHERE connector = value ->> 0 AND lane = value ->> 1 AND state = 'w')"
)
_KEEP_ENDED = text(
    f"INSERT INTO job_history ({', '.join(LASTING)}, {', '.join(ENDED_WITH)}, ended_at)"  # noqa: S608 -- our own names
    f" SELECT {', '.join(f'jobs.{name}' for name in LASTING)},"
    f" {', '.join(f'value ->> {place}' for place in range(len(ENDED_WITH)))}, :at"
    " FROM json_each(:endings) CROSS JOIN jobs ON jobs.id = value ->> 0"
).bindparams(bindparam("at", type_=Time))


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, in their order."""
    sqlite_rows.insert(connection, table, rows)


def insert_new(connection: Connection, table: Table, rows: Rows) -> set[tuple[Any, ...]]:
    """Insert rows whose primary key is free; give those keys."""
    names = [column.name for column in table.primary_key]
    by_key = {tuple(row[name] for name in names): row for row in rows}
    free = by_key.keys() - sqlite_rows.taken(connection, table, list(by_key))
    sqlite_rows.insert(connection, table, [row for key, row in by_key.items() if key in free])
    return free


def insert_keys(connection: Connection, rows: Rows, told: Rows) -> set[str]:
    """Insert the keys of jobs that are free, and events; give the uids of those jobs."""
    insert_events(connection, told)
    taken = sqlite_rows.insert(connection, job_keys, rows, more="ON CONFLICT DO NOTHING")
    if taken == len(rows):  # seldom is one refused
        return {row["uid"] for row in rows}
    owners = {connection.scalar(_OWNER, row) for row in rows}
    return {row["uid"] for row in rows} & owners


def insert_events(connection: Connection, rows: Rows) -> None:
    """Insert events; their `n` is the feed's order."""
    sqlite_rows.insert(connection, events, rows)


def insert_jobs(connection: Connection, rows: Rows) -> dict[str, int]:
    """Insert jobs, with the ids that come next: the first of a free lane heads it."""
    taken = _taken(connection, rows)
    made: list[dict[str, Any]] = []
    for ident, row in enumerate(rows, (connection.scalar(_LAST) or 0) + 1):
        state = row["birth"]
        if row["lane"] is not None:
            lane = (row["connector"], row["lane"])
            state = "w" if lane in taken else state
            taken.add(lane)
        columns = (*BORN_WITH, *LEASE) if state == "l" else BORN_WITH
        made.append(FREE | {name: row[name] for name in columns} | {"id": ident, "state": state})
    sqlite_rows.insert(connection, jobs, made)
    return {job["uid"]: job["id"] for job in made if job["state"] == "l"}


def _taken(connection: Connection, rows: Rows) -> set[tuple[str, str]]:
    """Give those of the jobs' lanes that have a head."""
    lanes = {(row["connector"], row["lane"]) for row in rows if row["lane"] is not None}
    if not lanes:
        return set()
    found = connection.execute(_HEADS, {"lanes": json.dumps(sorted(lanes))})
    return {(row.connector, row.lane) for row in found}


def keep_ended(connection: Connection, endings: Rows, *, at: datetime) -> None:
    """Copy jobs to history, each with what it says of its end."""
    told = json.dumps([[one[name] for name in ENDED_WITH] for one in endings])
    connection.execute(_KEEP_ENDED, {"endings": told, "at": at})


def followed(connection: Connection, lanes: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Give those of some lanes in which a job waits."""
    if not lanes:
        return set()
    found = connection.execute(_FOLLOWED, {"lanes": json.dumps(lanes)})
    return {(connector, lane) for connector, lane in found}
