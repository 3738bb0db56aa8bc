"""What SQLite does in its own way: one writer, so nobody to wait for."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Table,
    bindparam,
    case,
    insert,
    literal,
    select,
    text,
)

from store.schema import BORN_WITH, HEAD, LEASE, events, job_keys, jobs, upserting

Rows = Sequence[Mapping[str, Any]]
_head = jobs.alias("h")
_lane_taken = (
    select(literal(1))
    .where(
        _head.c.connector == bindparam("connector"),
        _head.c.lane == bindparam("lane"),
        text(HEAD),
    )
    .exists()
)
_INSERT_PLAIN = insert(jobs).inline()
_INSERT_LANED = insert(jobs).values(
    {name: bindparam(name, type_=jobs.c[name].type) for name in BORN_WITH}
    | {"state": case((_lane_taken, "w"), else_="r")}
)
_INSERT_LEASED = insert(jobs).returning(jobs.c.uid, jobs.c.id)
_INSERT_EVENTS = insert(events).inline()
_INSERT_KEYS = upserting(job_keys).on_conflict_do_nothing()
_OWNER = select(job_keys.c.uid).where(
    *(column == bindparam(column.name) for column in job_keys.primary_key)
)
_HEADS = select(jobs.c.connector, jobs.c.lane).where(
    text(HEAD),
    text("(connector, lane) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:lanes))"),
)

_FOLLOWED = text(
    "SELECT value ->> 0, value ->> 1 FROM json_each(:lanes) WHERE EXISTS (SELECT 1 FROM jobs"
    " WHERE connector = value ->> 0 AND lane = value ->> 1 AND state = 'w')"
)


def insert_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> set[tuple[Any, ...]]:
    """Insert rows whose primary key is free; give those keys."""
    if not rows:
        return set()
    return {tuple(row) for row in connection.execute(_new(table), rows)}


@cache
def _new(table: Table) -> Executable:
    return upserting(table).on_conflict_do_nothing().returning(*table.primary_key)


def insert_keys(connection: Connection, rows: Rows) -> set[str]:
    """Insert the keys of jobs that are free; give the uids of those jobs.

    Seldom is one taken, and rows that are not told one by one go in several times as fast.
    """
    if connection.execute(_INSERT_KEYS, rows).rowcount == len(rows):
        return {row["uid"] for row in rows}
    owners = {connection.scalar(_OWNER, row) for row in rows}
    return {row["uid"] for row in rows} & owners


def insert_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert events; their `n` is the feed's order."""
    _insert(connection, _INSERT_EVENTS, rows)


def insert_jobs(connection: Connection, rows: Rows) -> dict[str, int]:
    """Insert jobs: each that has a lane looks for itself whether the lane has a head.

    Those to be born leased go first, so that each is before what waits behind it.
    """
    leased = _free(connection, [row for row in rows if row["birth"] == "l"])
    ids = _insert_leased(connection, list(leased.values()))
    rest = [row for row in rows if row["uid"] not in leased]
    _insert(connection, _INSERT_PLAIN, [_born(row, state=s) for row in rest if (s := _state(row))])
    _insert(connection, _INSERT_LANED, [_born(row) for row in rest if not _state(row)])
    return ids


def _state(row: Mapping[str, Any]) -> str | None:
    """Give the state a job is born in; None where its lane says it."""
    if row["birth"] == "d":
        return "d"
    return "r" if row["lane"] is None else None


def _born(row: Mapping[str, Any], **more: str) -> dict[str, Any]:
    return {name: row[name] for name in BORN_WITH} | more


def _insert(connection: Connection, statement: Executable, rows: Rows) -> None:
    if rows:
        connection.execute(statement, rows)


def _free(connection: Connection, rows: Rows) -> dict[str, Mapping[str, Any]]:
    """Give those of some jobs, by uid, whose lane has no head."""
    lanes = [(row["connector"], row["lane"]) for row in rows if row["lane"] is not None]
    taken: set[tuple[str, str]] = set()
    if lanes:
        found = connection.execute(_HEADS, {"lanes": json.dumps(lanes)})
        taken = {(row.connector, row.lane) for row in found}
    return {row["uid"]: row for row in rows if (row["connector"], row["lane"]) not in taken}


def _insert_leased(connection: Connection, rows: Rows) -> dict[str, int]:
    if not rows:
        return {}
    made = [{name: row[name] for name in (*BORN_WITH, *LEASE)} | {"state": "l"} for row in rows]
    return {row.uid: row.id for row in connection.execute(_INSERT_LEASED, made)}


def followed(connection: Connection, lanes: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Give those of some lanes in which a job waits."""
    if not lanes:
        return set()
    found = connection.execute(_FOLLOWED, {"lanes": json.dumps(lanes)})
    return {(connector, lane) for connector, lane in found}
