"""What SQLite does in its own way: one writer, so nobody to wait for."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Table,
    and_,
    bindparam,
    case,
    insert,
    literal,
    select,
    text,
)

from store.schema import BORN_WITH, HEAD, LEASE, events, jobs, upserting

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
_INSERT = insert(jobs).values(
    {name: bindparam(name, type_=jobs.c[name].type) for name in BORN_WITH}
    | {
        "state": case(
            (bindparam("birth") != "r", "d"),
            (and_(bindparam("lane").is_not(None), _lane_taken), "w"),
            else_="r",
        )
    }
)
_INSERT_LEASED = insert(jobs).returning(jobs.c.uid, jobs.c.id)
_HEADS = select(jobs.c.connector, jobs.c.lane).where(
    text(HEAD),
    text("(connector, lane) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:lanes))"),
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


def insert_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert events; their `n` is the feed's order."""
    if rows:
        connection.execute(insert(events), rows)


def insert_jobs(connection: Connection, rows: Rows) -> dict[str, int]:
    """Insert jobs: each looks for itself whether its lane has a head.

    Those to be born leased go first, so that each is before what waits behind it.
    """
    leased = _free(connection, [row for row in rows if row["birth"] == "l"])
    ids = _insert_leased(connection, list(leased.values()))
    rest = [_unleased(row) for row in rows if row["uid"] not in leased]
    if rest:
        connection.execute(_INSERT, rest)
    return ids


def _unleased(row: Mapping[str, Any]) -> dict[str, Any]:
    birth = "r" if row["birth"] == "l" else row["birth"]
    return {name: row[name] for name in BORN_WITH} | {"birth": birth}


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
