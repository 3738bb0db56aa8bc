"""What SQLite does in its own way: one writer, so nobody to wait for."""

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

from store.schema import BORN_WITH, HEAD, events, jobs, upserting

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


def insert_jobs(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert jobs: each looks for itself whether its lane has a head."""
    if rows:
        connection.execute(_INSERT, rows)
