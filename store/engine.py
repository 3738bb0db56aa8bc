"""Opening a store: URLs, connections as each engine wants them, the lock of a SQLite file."""

import fcntl
import os
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
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


def parse(url: str) -> URL:
    """Read a store URL.

    Raises:
        ConfigError: It names no store this release has.
    """
    found = make_url(url)
    if found.get_backend_name() != "sqlite":
        text = f"store.url names '{found.drivername}'; this release stores in SQLite"
        raise ConfigError(Fault(code="store.url", text=text, fix="sqlite:///var/hub.db"))
    if not found.database or found.database == ":memory:":
        raise ConfigError(
            Fault(code="store.url", text="store.url must name a file", fix="sqlite:///var/hub.db")
        )
    return found


def writing(url: URL) -> Engine:
    """Give the synchronous engine of the one writer: every transaction is BEGIN IMMEDIATE."""
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def reading(url: URL) -> AsyncEngine:
    """Give the asynchronous engine for reads; it refuses to write."""
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"), pool_size=4)
    event.listen(engine.sync_engine, "connect", _prepare_reader)
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
