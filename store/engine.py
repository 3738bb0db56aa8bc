"""Opening a store: URLs, connections as each engine wants them, the lock of a SQLite file."""

import fcntl
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from hub.errors import ConfigError, Fault

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA wal_autocheckpoint=4000",
)


SQLITE = "sqlite:///var/hub.db"
POSTGRES = "postgresql+asyncpg://USER@HOST/DATABASE"


FAILURE = DBAPIError
CONNECTING = "asyncpg.exceptions"


FILE_GONE = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
})  # fmt: skip
# Connection, rollback, resources, locks, an operator or the system.
# Source: PostgreSQL 18, appendix A, classes of SQLSTATE.
SERVER_GONE = frozenset({"08", "40", "53", "55", "57", "58"})


def away(error: Exception) -> bool:
    """Say whether an error means that the store is not to be had, not that it was asked wrongly.

    What the driver of PostgreSQL raises while it connects, SQLAlchemy hands on as it is.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError | PoolTimeout) or type(error).__module__ == CONNECTING
    code = getattr(error.orig, "sqlite_errorcode", None)
    state = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return code & 0xFF in FILE_GONE
    if state is not None:
        return state[:2] in SERVER_GONE
    return error.connection_invalidated or isinstance(error, InterfaceError)


QUIET: Mapping[str, Any] = {"hide_parameters": True}
"""An error of the database names no value: it ends in logs."""


def parse(url: str) -> URL:
    """Read a store URL.

    Raises:
        ConfigError: It names no store this release has.
    """
    try:
        found = make_url(url)
    except ArgumentError:
        raise _fault("store.url cannot be read", f"{SQLITE} or {POSTGRES}") from None
    backend = found.get_backend_name()
    if found.drivername in ("postgres", "postgresql"):
        fix = str(found.set(drivername="postgresql+asyncpg"))
        raise _fault("store.url names no driver", fix)
    if found.drivername not in ("sqlite", "postgresql+asyncpg"):
        text = f"store.url names '{found.drivername}'; the hub stores in SQLite or PostgreSQL"
        raise _fault(text, f"{SQLITE} or {POSTGRES}")
    if not found.database or found.database == ":memory:":
        what, fix = ("file", SQLITE) if backend == "sqlite" else ("database", POSTGRES)
        raise _fault(f"store.url must name a {what}", fix)
    return found


def _fault(text: str, fix: str) -> ConfigError:
    return ConfigError(Fault(code="store.url", text=text, fix=fix))


# -- SQLite ----------------------------------------------------------------------------------------
def writing(url: URL) -> Engine:
    """Give the synchronous engine of the one writer: every transaction is BEGIN IMMEDIATE."""
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool, **QUIET)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def reading(url: URL) -> AsyncEngine:
    """Give the asynchronous engine for reads; it refuses to write."""
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"), pool_size=4, **QUIET)
    event.listen(engine.sync_engine, "connect", _prepare_reader)
    return engine


def looking(reading: AsyncEngine) -> AsyncEngine:
    """Give the same engine for transactions that read: all of one is on one snapshot."""
    engine = reading.execution_options()
    event.listen(engine.sync_engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own
    cursor = connection.cursor()
    if not cursor.execute("PRAGMA page_count").fetchone()[0]:
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _prepare_reader(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# -- PostgreSQL ------------------------------------------------------------------------------------
POOLER = "pooler"
"""`?pooler=transaction` in the URL: between the hub and PostgreSQL stands a pooler such as
pgbouncer, which hands a connection to another client after each transaction."""


def pooled(url: URL, *, size: int) -> AsyncEngine:
    """Give the asynchronous engine of PostgreSQL; every transaction is READ COMMITTED."""
    bare = url.difference_update_query([POOLER])
    return create_async_engine(
        bare,
        isolation_level="READ COMMITTED",  # promotion relies on a fresh snapshot per statement
        pool_size=size,
        max_overflow=0,
        pool_timeout=10,
        pool_recycle=1800,
        connect_args=driver_settings(url) | _nameless(url),
        **QUIET,
    )


def is_pooled(url: URL) -> bool:
    """Say whether a pooler stands in between."""
    return POOLER in url.query


def driver_settings(url: URL) -> dict[str, Any]:
    """Give asyncpg's own settings: how long to wait, and no cache a pooler would break."""
    cache = {"statement_cache_size": 0} if is_pooled(url) else {}
    return {"timeout": 5, "command_timeout": 30, **cache}


def _nameless(url: URL) -> dict[str, Any]:
    """Give every prepared statement a name of its own: a pooler's next client must not meet it.

    Source: SQLAlchemy, "Prepared Statement Name with PGBouncer".
    """
    if not is_pooled(url):
        return {}
    return {
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": lambda: f"__hub_{uuid4()}__",
    }


# -- one hub per file ------------------------------------------------------------------------------
class Lock:
    """The lock file beside a SQLite database: one hub serves it, no second."""

    def __init__(self, url: URL) -> None:
        self.path = Path(f"{url.database}.lock")
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock, or say who has it.

        Raises:
            ConfigError: Another hub serves this file.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            text = f"SQLite serves one hub; the lock of this store is held by {owner}"
            raise ConfigError(Fault(code="store.single", text=text)) from error
        file.truncate(0)
        file.write(f"process {os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            self._file.close()
            self._file = None
