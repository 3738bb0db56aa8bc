"""A SQLite store in memory whose writer commits on the loop: no thread, no file, no waiting.

Everything else is the store's own: its statements, its transactions, its group commit.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import StaticPool

from hub.clock import Clock
from store import engine, migrate, schema
from store.crypto import Cipher
from store.sqlite_writer import SqliteWriter
from store.store import Store
from store.tx import Route
from store.writer import MOST_UNITS, Unit

TABLES = [name for name in schema.metadata.tables if name not in ("alembic_version", "horizons")]


def memory() -> Engine:
    """Make a database in memory, with the tables of this release."""
    made = create_engine("sqlite://", poolclass=StaticPool, **engine.QUIET)
    event.listen(made, "connect", engine._prepare)
    event.listen(made, "begin", _begin)
    with made.begin() as connection:
        migrate.upgrade(connection)
    return made


def _begin(connection: Connection) -> None:
    """Begin as the writer does, past the layers that only cost time here."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("BEGIN IMMEDIATE")


def wipe(connection: Connection, tables: Sequence[str] = TABLES) -> None:
    """Empty tables, and begin to count anew."""
    with connection.begin():
        for name in tables:
            connection.execute(text(f"DELETE FROM {name}"))
        connection.execute(text("DELETE FROM sqlite_sequence"))


class LoopWriter(SqliteWriter):
    """The writer of SQLite without its thread: each turn of the loop commits what waits."""

    def __init__(self, connection: Connection, **parts: Any) -> None:
        super(SqliteWriter, self).__init__(**parts)
        self.connection = connection
        self.units: list[Unit] = []
        self.open = False

    def start(self) -> None:
        self.open = True

    def waiting(self) -> int:
        return len(self.units)

    def alive(self) -> bool:
        return self.open

    async def close(self) -> None:
        while self.units:
            self.turn()
        self.open = False

    def _put(self, unit: Unit) -> None:
        self.units.append(unit)
        if len(self.units) == 1:
            self.soon()

    def soon(self) -> None:
        """See that a turn comes."""
        self._loop.call_soon(self.turn)

    def turn(self) -> None:
        """Commit what waits, and tell who waits for it."""
        batch, self.units = self.units[:MOST_UNITS], self.units[MOST_UNITS:]
        if batch:
            self._told(self._commit(self.connection, batch))
        if self.units:
            self.soon()


class MemoryStore(Store):
    """A store on a connection that others may share; its file is nowhere.

    Args:
        alone: Whether no other hub can serve it; a simulation may say that others do.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock,
        cipher: Cipher,
        writer: type[LoopWriter] = LoopWriter,
        route: Route = lambda _event, _now: (),
        alone: bool = True,
    ) -> None:
        self.url = make_url("sqlite://")
        self.clock, self.cipher, self.connection = clock, cipher, connection
        self._route, self._alone = route, alone
        self.changed = asyncio.Event()
        self.writer = writer(
            connection, clock=clock, cipher=cipher, route=self.route, wake=self.changed.set
        )
        self.writer.start()

    @property
    def alone(self) -> bool:
        return self._alone
