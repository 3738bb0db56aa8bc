"""The far end of a move: a PostgreSQL database that becomes a shop's store; see store.moving."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from hub.errors import ConfigError, Fault, HubError
from store import engine, migrate

ABOUT = "store_copy"
"""The table that says of what this is a copy and how far it went; gone when the move has ended."""

COUNTED = """SELECT column_name FROM information_schema.columns
    WHERE table_name = $1 AND table_schema = current_schema()
      AND pg_get_serial_sequence(quote_ident($1), column_name) IS NOT NULL"""
"""In which column a table counts, if it does."""


class Table(Protocol):
    """What is written: a table's name and columns."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def columns(self) -> Sequence[str]:
        """Its columns."""


@asynccontextmanager
async def database(url: URL) -> AsyncIterator[Any]:
    """Give a connection; only one move at a time goes into a database.

    Raises:
        HubError: It cannot be reached, or another move goes into it.
    """
    async with connected(url) as found:
        if not await found.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", ABOUT):
            raise HubError("another copy into this database is under way")
        yield found


@asynccontextmanager
async def connected(url: URL) -> AsyncIterator[Any]:
    """Give a connection of the driver's own.

    Raises:
        HubError: The database cannot be reached.
    """
    dsn = url.difference_update_query([engine.POOLER]).set(drivername="postgresql")
    try:
        found = await asyncpg.connect(
            dsn.render_as_string(hide_password=False), **engine.driver_settings(url)
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise HubError(f"the database cannot be reached: {type(error).__name__}") from error
    try:
        yield found
    except (OSError, asyncpg.InterfaceError) as error:
        raise HubError(f"the database went away: {type(error).__name__}; run it again") from error
    finally:
        await found.close()


async def begin(
    database: Any, url: URL, source: str, tables: set[str]
) -> dict[str, tuple[int, int]]:
    """Begin a move, or go on with it: give how far each table went, and how many rows it has.

    Raises:
        ConfigError: The database holds something else, or the source has changed meanwhile.
    """
    there = {
        row[0]
        for row in await database.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )
    }
    if ABOUT in there:
        if await database.fetchval(f"SELECT last FROM {ABOUT} WHERE name = $1", source) is None:  # noqa: S608
            raise _refused("the source has changed since the copy began", "empty the database")
        rows = await database.fetch(f"SELECT name, last, rows FROM {ABOUT}")  # noqa: S608
        return {row["name"]: (row["last"], row["rows"]) for row in rows}
    if there:
        await _must_be_fresh(database, there)
    await _make(url, source)
    lacking = tables - {row[0] for row in await database.fetch("SELECT relname FROM pg_class")}
    if lacking:
        raise HubError(f"the database has no tables {', '.join(sorted(lacking))}")
    return {}


async def _must_be_fresh(database: Any, there: set[str]) -> None:
    """Let pass an empty store of this release, and nothing else."""
    if "alembic_version" not in there:
        raise _refused("the database holds tables that are not the hub's", "give an empty one")
    at = await database.fetchval("SELECT version_num FROM alembic_version")
    if [at] != migrate.heads():
        raise _refused(f"the database is at migration {at}, not at this release's", "hub migrate")
    for name in sorted(there - {"alembic_version"}):
        if await database.fetchval(f'SELECT EXISTS (SELECT 1 FROM "{name}")'):  # noqa: S608
            raise _refused(f"the database is not empty: {name} has rows", "give an empty one")


async def _make(url: URL, source: str) -> None:
    """Make the tables and mark them as half of a copy, in one transaction."""
    pool = engine.pooled(url, size=1)

    def make(connection: Connection) -> None:
        migrate.upgrade(connection)
        connection.execute(
            text("UPDATE alembic_version SET version_num = :at"), {"at": migrate.COPYING}
        )
        connection.execute(
            text(f"CREATE TABLE {ABOUT} (name text PRIMARY KEY, last bigint, rows bigint)")
        )
        connection.execute(text(f"INSERT INTO {ABOUT} VALUES (:it, 0, 0)"), {"it": source})  # noqa: S608

    try:
        async with pool.begin() as connection:
            await connection.run_sync(make)
    finally:
        await pool.dispose()


async def put(
    database: Any, table: Table, rows: Sequence[tuple[Any, ...]], *, last: int, there: int
) -> None:
    """Write rows, and how far the table is with them, in one commit."""
    async with database.transaction():
        await database.copy_records_to_table(table.name, records=rows, columns=list(table.columns))
        await database.execute(
            f"INSERT INTO {ABOUT} VALUES ($1, $2, $3) ON CONFLICT (name)"  # noqa: S608 -- our own
            " DO UPDATE SET last = excluded.last, rows = excluded.rows",
            table.name,
            last,
            there,
        )


async def count_on(database: Any, counters: Mapping[str, int]) -> None:
    """Have every counting table count on where the source had stopped."""
    for name, last in counters.items():
        column = await database.fetchval(COUNTED, name)
        if column is not None and last > 0:
            await database.execute(
                "SELECT setval(pg_get_serial_sequence(quote_ident($1), $2), $3)", name, column, last
            )


async def end(database: Any, wanted: Mapping[str, int]) -> None:
    """Say that all is there; from now on a hub may serve it.

    Raises:
        HubError: A table has not as many rows as its source.
    """
    for name, count in wanted.items():
        found = await database.fetchval(f'SELECT count(*) FROM "{name}"')  # noqa: S608 -- our own
        if found != count:
            raise HubError(f"{name} has {found} rows, its source {count}")
    async with database.transaction():
        # In a file an event's number was its place in the feed: whoever reads on misses none.
        # What was a server's once has places of its own.
        await database.execute(
            "INSERT INTO feed (place, n) SELECT n, n FROM events WHERE NOT EXISTS"
            " (SELECT 1 FROM feed) AND NOT EXISTS (SELECT 1 FROM feed_waiting) ORDER BY n"
        )
        await database.execute(
            "SELECT setval(pg_get_serial_sequence('feed', 'place'),"
            " greatest(e.last_value, f.last_value, 1), e.is_called OR f.is_called)"
            " FROM events_n_seq e, feed_place_seq f"
        )
        await database.execute(f"DROP TABLE {ABOUT}")
        await database.execute("UPDATE alembic_version SET version_num = $1", migrate.heads()[0])
    await database.execute("ANALYZE")


def _refused(text: str, fix: str) -> ConfigError:
    return ConfigError(Fault(code="store.copy", text=text, fix=fix))
