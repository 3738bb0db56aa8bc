"""What PostgreSQL does in its own way: rows travel as arrays, and lanes are shared with others.

Whoever writes a job into a lane holds the lane's head FOR SHARE until it commits, so that the
head cannot end unseen meanwhile. Nobody but writers of jobs ever waits for a head.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    CursorResult,
    Table,
    bindparam,
    func,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.sql.dml import ReturningInsert

from store.job_columns import BORN_WITH, ENDED_WITH, LASTING, LEASE
from store.schema import HEAD, Time, events, feed_waiting, job_history, job_keys, jobs, upserting

ROUNDS = 3
Lane = tuple[str, str]
Rows = Sequence[Mapping[str, Any]]


class Unsettled(Exception):
    """Others changed the same lanes meanwhile; the transaction is to be run again."""


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, in their order."""
    connection.execute(_inserting(table), rows)


@cache
def _inserting(table: Table) -> Insert:
    return upserting(table).inline()


def insert_new(connection: Connection, table: Table, rows: Rows) -> set[tuple[Any, ...]]:
    """Insert rows whose primary key is free, in the order of their keys; give those keys.

    A node that inserts the same key at the same time is waited for, and its word is the truth.
    """
    if not rows:
        return set()
    return {tuple(row) for row in connection.execute(_new(table), _by_key(table, rows))}


def insert_events(connection: Connection, rows: Rows) -> None:
    """Insert events, and note each `n` for who numbers the feed."""
    if rows:
        connection.execute(_INSERT_EVENTS, _columns(rows))


def insert_keys(connection: Connection, rows: Rows, told: Rows) -> set[str]:
    """Insert the keys of jobs that are free, and events; give the uids of those jobs."""
    of_key = {(row["connector"], row["key16"]): row["uid"] for row in rows}
    if not told:
        return {of_key[key] for key in insert_new(connection, job_keys, rows)}
    keys = {KEY + name: values for name, values in _by_key(job_keys, rows).items()}
    found = connection.execute(_INSERT_TOLD, _columns(told) | keys)
    return {of_key[connector, key] for connector, key in found}


def insert_jobs(connection: Connection, rows: Rows) -> dict[str, int]:
    """Insert jobs: the first of a free lane heads it, the others wait behind its head."""
    free = [row for row in rows if row["lane"] is None]
    ids = _insert_leased(connection, [row for row in free if row["birth"] == "l"])
    _insert(connection, [row for row in free if row["birth"] == "r"], "r")
    _insert(connection, [row for row in free if row["birth"] == "d"], "d")
    laned = [row for row in rows if row["lane"] is not None]
    heads = _take_free_lanes(connection, laned)
    _insert(connection, [row for row in laned if row["uid"] not in heads], "w")
    return ids | {
        r["uid"]: heads[r["uid"]] for r in laned if r["uid"] in heads and r["birth"] == "l"
    }


def _take_free_lanes(connection: Connection, rows: Rows) -> dict[str, int]:
    """Hold every lane: the heads of busy ones, and in free ones a new head; give the new ones.

    Returns:
        The ids of the new heads, by uid.
    """
    undecided: dict[Lane, Mapping[str, Any]] = {}
    for row in rows:
        undecided.setdefault((row["connector"], row["lane"]), row)
    heads: dict[str, int] = {}
    for _ in range(ROUNDS):
        busy = _hold_heads(connection, list(undecided))
        free = [row for lane, row in sorted(undecided.items()) if lane not in busy]
        if heads and free:
            # Waiting for a lane out of order while holding others is how deadlocks begin.
            raise Unsettled
        won = _insert_heads(connection, free)
        heads |= won
        # A lane that was free and is no more got its head from another node just now: look again.
        undecided = {(r["connector"], r["lane"]): r for r in free if r["uid"] not in won}
        if not undecided:
            return heads
    raise Unsettled


def _hold_heads(connection: Connection, lanes: Sequence[Lane]) -> set[Lane]:
    if not lanes:
        return set()
    given = {"c": [lane[0] for lane in lanes], "l": [lane[1] for lane in lanes]}
    return {tuple(row) for row in connection.execute(_HOLD_HEADS, given)}


def followed(connection: Connection, lanes: Sequence[Lane]) -> set[Lane]:
    """Give those of some lanes in which a job waits."""
    if not lanes:
        return set()
    given = {"c": [lane[0] for lane in lanes], "l": [lane[1] for lane in lanes]}
    return {(connector, lane) for connector, lane in connection.execute(_FOLLOWED, given)}


def keep_ended(connection: Connection, endings: Rows, *, at: datetime) -> None:
    """Copy jobs to history, each with what it says of its end."""
    connection.execute(_KEEP_ENDED, _columns(endings, ENDED_WITH) | {"at": at})


def _insert_heads(connection: Connection, rows: Rows) -> dict[str, int]:
    if not rows:
        return {}
    given = [{**row, "state": row["birth"]} for row in rows]
    return _ids(connection.execute(_INSERT_HEADS, _columns(given, HEADED_WITH)))


def _insert_leased(connection: Connection, rows: Rows) -> dict[str, int]:
    if not rows:
        return {}
    given = [{**row, "state": "l"} for row in rows]
    return _ids(connection.execute(_INSERT_LEASED, _columns(given, HEADED_WITH)))


def _ids(found: CursorResult[Any]) -> dict[str, int]:
    return {row.uid: row.id for row in found}


def _insert(connection: Connection, rows: Rows, state: str) -> None:
    if rows:
        connection.execute(_INSERT[state], _columns(rows, BORN_WITH))


# -- statements ------------------------------------------------------------------------------------
def _columns(rows: Rows, names: Sequence[str] | None = None) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names or list(rows[0])}


def _by_key(table: Table, rows: Rows) -> dict[str, list[Any]]:
    key = table.primary_key.columns.keys()
    return _columns(sorted(rows, key=lambda row: [row[name] for name in key]))


def _from_rows(table: Table, names: Sequence[str], *, of: str = "", **fixed: str) -> Insert:
    """INSERT INTO table SELECT … FROM unnest(one array per column), in the order given.

    Args:
        of: Stands before the names of the arrays, where another's are in the same statement.
    """
    arrays = [bindparam(of + name, type_=ARRAY(table.c[name].type)) for name in names]
    rows = func.unnest(*arrays).table_valued(*names, with_ordinality="place").render_derived()
    columns = [rows.c[name] for name in names] + [literal(word) for word in fixed.values()]
    return upserting(table).from_select(
        [*names, *fixed], select(*columns).order_by(rows.c.place), include_defaults=False
    )


@cache
def _new(table: Table, of: str = "") -> ReturningInsert[Any]:
    wanted = _from_rows(table, table.columns.keys(), of=of).on_conflict_do_nothing()
    return wanted.returning(*table.primary_key)


_lanes = (
    func.unnest(
        bindparam("c", type_=ARRAY(jobs.c.connector.type)),
        bindparam("l", type_=ARRAY(jobs.c.lane.type)),
    )
    .table_valued("c", "l")
    .render_derived()
)
_HOLD_HEADS = (
    select(jobs.c.connector, jobs.c.lane)
    .where(tuple_(jobs.c.connector, jobs.c.lane).in_(select(_lanes.c.c, _lanes.c.l)), text(HEAD))
    .order_by(jobs.c.id)
    .with_for_update(read=True, of=jobs)
)
_INSERT = {state: _from_rows(jobs, BORN_WITH, state=state) for state in ("r", "w", "d")}
HEADED_WITH = (*BORN_WITH, *LEASE, "state")
_INSERT_LEASED = _from_rows(jobs, HEADED_WITH).returning(jobs.c.uid, jobs.c.id)
_INSERT_HEADS = (
    _from_rows(jobs, HEADED_WITH)
    .on_conflict_do_nothing(index_elements=["connector", "lane"], index_where=text(HEAD))
    .returning(jobs.c.uid, jobs.c.id)
)
_EVENT = [column.name for column in events.columns if column.name != "n"]
_events = _from_rows(events, _EVENT).returning(events.c.n).cte("told")
_INSERT_EVENTS = upserting(feed_waiting).from_select(["n"], select(_events.c.n))
_ended = (
    func.unnest(*(bindparam(name, type_=ARRAY(job_history.c[name].type)) for name in ENDED_WITH))
    .table_valued(*ENDED_WITH)
    .render_derived()
)
_KEEP_ENDED = upserting(job_history).from_select(
    [*LASTING, *ENDED_WITH, "ended_at"],
    select(
        *(jobs.c[name] for name in LASTING),
        *(_ended.c[name] for name in ENDED_WITH),
        bindparam("at", type_=Time),
    ).where(jobs.c.id == _ended.c.id),
    include_defaults=False,
)
KEY = "key_"
_INSERT_TOLD = _new(job_keys, KEY).add_cte(_INSERT_EVENTS.cte("noted"))
# A subquery by itself for each lane: EXISTS would be joined, by a walk through all that wait.
_waiting = (
    select(jobs.c.id)
    .where(jobs.c.connector == _lanes.c.c, jobs.c.lane == _lanes.c.l, text("jobs.state = 'w'"))
    .limit(1)
    .scalar_subquery()
)
_FOLLOWED = select(_lanes.c.c, _lanes.c.l).where(_waiting.is_not(None))
