"""Where a store is kept: a SQLite file, served by one hub, or a PostgreSQL server, by many.

Both open the same way; everything a store needs of its place, and nothing else, stands here.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.errors import ConfigError, Fault
from store import engine, feed
from store.sqlite_writer import SqliteWriter
from store.writer import Writer

T = TypeVar("T")
MIGRATING = 0x5A0B  # the advisory lock under which one node migrates
POOL = 24


class Place(ABC):
    """A place to keep a store.

    Args:
        changed: Set whenever there may be something new to do.
    """

    alone: bool
    """Whether no other hub can serve this store: every lease found at start is a dead one's."""
    reading: AsyncEngine
    """For single reads."""
    looking: AsyncEngine
    """For transactions that read, all on one snapshot, and cannot write."""

    def __init__(self, url: URL, changed: asyncio.Event) -> None:
        self.url, self.changed = url, changed

    @abstractmethod
    def take(self) -> None:
        """Claim the place for serving.

        Raises:
            ConfigError: Another hub has it.
        """

    @abstractmethod
    def writer(self, **parts: Any) -> Writer:
        """Make the writer."""

    @abstractmethod
    async def migrating(self, work: Callable[[Connection], T]) -> T:
        """Run work on the tables in one transaction, while nobody else does."""

    @abstractmethod
    def start(self, *, served: bool) -> None:
        """Begin what runs beside the writer."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything."""

    async def neighbours_wrote(self, connection: AsyncConnection) -> int:
        """Give a number that moves when another process has written."""
        return 0

    async def number_feed(self) -> None:  # noqa: B027 -- only where several write
        """Have the feed hold all that was committed; with one writer it always does."""


class File(Place):
    """A SQLite file."""

    alone = True

    def __init__(self, url: URL, changed: asyncio.Event) -> None:
        super().__init__(url, changed)
        self.lock = engine.Lock(url)
        self.writing = engine.writing(url)
        self.reading = engine.reading(url)
        self.looking = engine.looking(self.reading)

    def take(self) -> None:
        """Take the lock file."""
        self.lock.take()

    def writer(self, **parts: Any) -> Writer:
        """Give one thread."""
        return SqliteWriter(self.writing, wake=self.changed.set, **parts)

    async def migrating(self, work: Callable[[Connection], T]) -> T:
        """Work in the transaction that locks the file."""

        def run() -> T:
            with self.writing.begin() as connection:
                return work(connection)

        try:
            return await asyncio.to_thread(run)
        except DBAPIError as error:
            text = f"{self.url.database} cannot be opened: {error.orig}"
            raise ConfigError(Fault(code="store.open", text=text)) from error

    def start(self, *, served: bool) -> None:
        """Nothing runs beside the writer."""

    async def close(self) -> None:
        """Let go of the file."""
        await self.reading.dispose()
        self.lock.release()

    async def neighbours_wrote(self, connection: AsyncConnection) -> int:
        """Ask SQLite."""
        found = await connection.execute(text("PRAGMA data_version"))
        return int(found.scalar_one())


class Server(Place):
    """A database on a PostgreSQL server; its locks order and fence the work of many hubs."""

    alone = False

    def __init__(self, url: URL, changed: asyncio.Event, pool: int = POOL) -> None:
        from store.bell import Bell  # noqa: PLC0415 -- a driver that SQLite does not need

        super().__init__(url, changed)
        self.pool = engine.pooled(url, size=pool)
        # Behind a pooler a statement is prepared and run on one connection only in a transaction.
        self.reading = self.pool.execution_options(
            isolation_level="READ COMMITTED" if engine.is_pooled(url) else "AUTOCOMMIT"
        )
        self.looking = self.pool.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self.bell = Bell(url, self.pool, reading=self.reading, heard=changed.set)

    def take(self) -> None:
        """Nothing to claim: any number of hubs may serve it."""

    def writer(self, **parts: Any) -> Writer:
        """Give one that commits receipts, completions and changes apart."""
        from store.postgres_writer import PostgresWriter  # noqa: PLC0415

        bell = self.bell
        return PostgresWriter(self.pool, wake=bell.ring, number=bell.number, **parts)

    async def migrating(self, work: Callable[[Connection], T]) -> T:
        """Work under the advisory lock: other nodes that start now wait, then find it done."""
        async with self.pool.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:it)"), {"it": MIGRATING})
            return await connection.run_sync(work)

    def start(self, *, served: bool) -> None:
        """Begin to ring, and to listen where this is a hub."""
        self.bell.start(listen=served)

    async def number_feed(self) -> None:
        """Number what waits, unless another node is at it."""
        await feed.number(self.pool)

    async def close(self) -> None:
        """Ring a last time and let go of every connection."""
        await self.bell.close()
        await self.pool.dispose()


def place(url: URL, changed: asyncio.Event, *, pool: int = POOL) -> Place:
    """Give the place a URL names; `pool` is the most connections to a server, beside the bell's."""
    if url.get_backend_name() == "sqlite":
        return File(url, changed)
    return Server(url, changed, pool)
