"""Moving a store: a stopped hub's whole state, from its SQLite file into a PostgreSQL database.

Every table as it is, sealed columns sealed, ids and what counts them kept. Each piece is committed
with the place it goes up to, so a move that was cut off goes on where it was. Until it has ended
the database is at a migration that no release knows: no hub can serve the half of a shop.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from hub import crash
from hub.errors import ConfigError, Fault, HubError
from store import engine, migrate, moved

PIECE = 2_000  # rows in a commit
CHANGED = (
    "SELECT state, count(*), sum(attempt), sum(failures), max(due_at) FROM jobs GROUP BY state"
)
Told = Callable[[str, int, int], None]
"""Told the name of a table, how many of its rows are there, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of the source: its columns, and how many rows it has."""

    name: str
    columns: tuple[str, ...]
    count: int


async def move(source: str, target: str, *, told: Told = lambda *_: None) -> dict[str, int]:
    """Copy a store whose hub is stopped; gives the rows of each table, counted on both sides.

    Raises:
        ConfigError: A hub serves it, or one of the two is not what can be moved from or to.
        HubError: The rows cannot be written, or are not all there.
    """
    from_url, to_url = _urls(source, target)
    lock = engine.Lock(from_url)
    lock.take()
    try:
        with _frozen(from_url) as connection:
            return await _move(connection, to_url, told)
    finally:
        lock.release()


async def _move(source: Connection, target: URL, told: Told) -> dict[str, int]:
    tables = _tables(source)
    async with moved.database(target) as database:
        went = await moved.begin(database, target, _print_of(source, tables), _names(tables))
        for table in tables:
            await _copy(source, database, table, *went.get(table.name, (0, 0)), told)
        await moved.count_on(database, _counters(source))
        crash.at("M_before")
        await moved.end(database, {table.name: table.count for table in tables})
    return {table.name: table.count for table in tables}


async def _copy(
    source: Connection, database: Any, table: Rows, last: int, there: int, told: Told
) -> None:
    """Copy the rows of a table from where it went up to."""
    told(table.name, there, table.count)
    while there < table.count:
        rows = _piece(source, table, last)
        if not rows:
            break
        last, there = rows[-1][0], there + len(rows)
        try:
            await moved.put(database, table, [row[1:] for row in rows], last=last, there=there)
        except asyncpg.PostgresError as error:
            raise HubError(f"{table.name} cannot be written: {error}") from error
        crash.at("M_piece")
        told(table.name, there, table.count)


# -- the source ------------------------------------------------------------------------------------
@contextmanager
def _frozen(url: URL) -> Iterator[Connection]:
    """Give the source at one moment; nobody, not even a command, writes into it meanwhile."""
    if not Path(str(url.database)).is_file():
        raise HubError(f"{url.database} does not exist")
    try:
        with engine.writing(url).begin() as connection:
            migrate.require(connection)
            yield connection
    except DBAPIError as error:
        raise HubError(f"{url.database} cannot be read: {error.orig}") from error


def _tables(source: Connection) -> list[Rows]:
    found = source.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        " AND name <> 'alembic_version' ORDER BY name"
    )
    return [_table(source, name) for name in found.scalars().all()]


def _table(source: Connection, name: str) -> Rows:
    columns = source.exec_driver_sql("SELECT name FROM pragma_table_info(?)", (name,)).scalars()
    count = source.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one()  # noqa: S608 -- our own
    return Rows(name, tuple(columns), int(count))


def _piece(source: Connection, table: Rows, after: int) -> list[tuple[Any, ...]]:
    """Give the next rows, each after its place; a NUL, which PostgreSQL has not, is shown."""
    columns = ", ".join(f'"{name}"' for name in table.columns)
    query = f'SELECT rowid, {columns} FROM "{table.name}" WHERE rowid > ? ORDER BY rowid LIMIT ?'  # noqa: S608
    return [
        tuple(v.replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(v, str) else v for v in row)
        for row in source.exec_driver_sql(query, (after, PIECE))
    ]


def _counters(source: Connection) -> dict[str, int]:
    """Give the last id that each counting table has given out."""
    found = source.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
    return {row.name: int(row.seq) for row in found}


def _print_of(source: Connection, tables: Sequence[Rows]) -> str:
    """Give what tells this state of the source from any other."""
    state = [tuple(row) for row in source.exec_driver_sql(CHANGED)]
    whole = (sorted(_counters(source).items()), [(t.name, t.count) for t in tables], state)
    return hashlib.sha256(repr(whole).encode()).hexdigest()


def _names(tables: Sequence[Rows]) -> set[str]:
    return {table.name for table in tables}


def _urls(source: str, target: str) -> tuple[URL, URL]:
    from_url, to_url = engine.parse(source), engine.parse(target)
    if from_url.get_backend_name() != "sqlite" or to_url.get_backend_name() != "postgresql":
        text = "a store is copied from SQLite to PostgreSQL, and no other way"
        raise ConfigError(Fault(code="store.copy", text=text, fix=engine.POSTGRES))
    return from_url, to_url
