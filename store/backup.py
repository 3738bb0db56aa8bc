"""A backup: one SQLite file with all that was committed at one moment, made beside running hubs.

Of a PostgreSQL database too: its rows are read in one snapshot, so nothing but the hub is needed.
Sealed columns stay sealed. A file has its name only once it is whole and was checked.
"""

import os
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from hub.errors import HubError
from store import engine, migrate, moved
from store.schema import EPOCH, MICROSECOND

PIECE = 2_000  # rows written at once
PART = ".part"
NEVER_OVER = "a backup is never written over another"
Told = Callable[[str, int, int], None]
"""Told the name of a table, how many of its rows are there, and how many there will be."""
Check = Callable[[str], Awaitable[list[str]]]
"""Given the URL of a copy, names what does not hold in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that is whole.

    Args:
        cut: What was committed before is in it.
        rows: Of each table.
        size: In bytes.
    """

    file: Path
    cut: datetime
    rows: Mapping[str, int]
    size: int


async def back_up(
    url: str, file: Path, *, by: str, cut: datetime, check: Check, told: Told = lambda *_: None
) -> Made:
    """Copy a store into a new file and check the copy.

    Raises:
        HubError: There is such a file, it cannot be written, or the copy is not whole.
    """
    source, part = engine.parse(url), _begun(file)
    try:
        await _copy(source, part, told)
        rows = _mark(part, (_stamp(cut), by, source.get_backend_name()))
        if broken := await check(f"sqlite:///{part}"):
            raise HubError(f"the copy breaks what must hold: {', '.join(broken)}")
        return Made(file=file, cut=cut, rows=rows, size=_finished(part, file))
    except (sqlite3.Error, DBAPIError) as error:
        raise HubError(f"{file} cannot be written: {error}") from error
    finally:
        forget(part)


def _begun(file: Path) -> Path:
    """Begin a file that only its owner may read; give its name until it is whole."""
    if file.exists():
        raise HubError(f"{file} exists; {NEVER_OVER}")
    part = file.with_name(file.name + PART)
    os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    return part


def _finished(part: Path, file: Path) -> int:
    """Make it one file without a log beside it, on the disk, under its name; give its size."""
    with closing(sqlite3.connect(part)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    sync(part)
    try:
        os.link(part, file)
    except FileExistsError:
        raise HubError(f"{file} exists; {NEVER_OVER}") from None
    sync(file.parent)
    return file.stat().st_size


async def _copy(source: URL, part: Path, told: Told) -> None:
    if source.get_backend_name() == "sqlite":
        _of_file(Path(str(source.database)), part)
    else:
        await _of_server(source, part, told)


# -- SQLite ----------------------------------------------------------------------------------------
def _of_file(database: Path, part: Path) -> None:
    """Copy a file at one moment; its hub goes on writing meanwhile."""
    if not database.is_file():
        raise HubError(f"{database} does not exist")
    with closing(sqlite3.connect(database, timeout=5)) as connection:
        connection.execute("VACUUM INTO ?", (str(part),))


# -- PostgreSQL ------------------------------------------------------------------------------------
async def _of_server(source: URL, part: Path, told: Told) -> None:
    """Copy every table's rows as one snapshot shows them."""
    with engine.writing(engine.parse(f"sqlite:///{part}")).begin() as connection:
        migrate.upgrade(connection)
    async with moved.connected(source) as database, database.transaction(
        isolation="repeatable_read", readonly=True
    ):  # fmt: skip
        at = await database.fetchval("SELECT version_num FROM alembic_version")
        if [at] != migrate.heads():
            raise HubError("the store is not at this release; hub migrate")
        with closing(sqlite3.connect(part, isolation_level=None)) as target:
            target.execute("BEGIN")
            for name in tables(target):
                await _table(database, target, name, told)
            await _count_on(database, target)
            target.execute("COMMIT")


async def _table(database: Any, target: sqlite3.Connection, name: str, told: Told) -> None:
    columns = [row[0] for row in target.execute("SELECT name FROM pragma_table_info(?)", (name,))]
    listed = ", ".join(f'"{column}"' for column in columns)
    count = await database.fetchval(f'SELECT count(*) FROM "{name}"')  # noqa: S608 -- our own
    places = ", ".join("?" * len(columns))
    insert = f'INSERT INTO "{name}" ({listed}) VALUES ({places})'  # noqa: S608 -- our own
    reading = await database.cursor(f'SELECT {listed} FROM "{name}"')  # noqa: S608 -- our own
    there = 0
    told(name, there, count)
    while rows := await reading.fetch(PIECE):
        target.executemany(insert, [tuple(row) for row in rows])
        told(name, there := there + len(rows), count)
    if there != count:
        raise HubError(f"{name} has {there} rows in the copy, {count} in the database")


async def _count_on(database: Any, target: sqlite3.Connection) -> None:
    """Have each counting table count on where the database has come to."""
    for name in tables(target):
        column = await database.fetchval(moved.COUNTED, name)
        if column is None:
            continue
        last = await database.fetchval(
            "SELECT pg_sequence_last_value(pg_get_serial_sequence(quote_ident($1), $2))",
            name, column,
        )  # fmt: skip
        if last is not None:
            target.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            target.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))


# -- the copy --------------------------------------------------------------------------------------
def tables(connection: sqlite3.Connection) -> list[str]:
    """Name the hub's tables in a file."""
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        " AND name <> 'alembic_version' ORDER BY name"
    )
    return [row[0] for row in found]


def _mark(part: Path, mark: tuple[int, str, str]) -> dict[str, int]:
    """Say in the copy what it is of; give how many rows of each table it has."""
    with closing(sqlite3.connect(part)) as connection, connection:
        [whole] = connection.execute("PRAGMA integrity_check").fetchone()
        if whole != "ok":
            raise HubError(f"the copy is not whole: {whole}")
        connection.execute("INSERT INTO restores (cut, made_by, kind) VALUES (?, ?, ?)", mark)
        return {
            name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608
            for name in tables(connection)
        }


def sync(path: Path) -> None:
    """See a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def forget(part: Path) -> None:
    """Delete what is left of a copy, and what SQLite kept beside it."""
    for end in ("", "-wal", "-shm", "-journal", ".lock"):
        part.with_name(part.name + end).unlink(missing_ok=True)


def _stamp(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND
