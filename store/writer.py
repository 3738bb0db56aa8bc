"""The writer: one thread that commits whatever waits, together (group commit).

Units are handed in as plain functions of a Tx; each is told its result only after COMMIT. A unit
that refuses rolls back to its own savepoint and breaks no batch; an unexpected error makes the
batch run again one by one, so that only the guilty unit gets it. Units are safe to run twice.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from hub.clock import Clock
from hub.errors import HubError, NotStored, Refused
from store.crypto import Cipher
from store.tx import Route, Tx

MOST_UNITS = 500
MOST_WAITING = 10_000
T = TypeVar("T")


@dataclass(slots=True)
class Unit:
    """One piece of work for the writer, and the future of who waits for it."""

    work: Callable[[Tx], Any]
    done: asyncio.Future[Any]
    own_savepoint: bool
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Stop:
    """The last thing in the queue."""

    done: threading.Event = field(default_factory=threading.Event)


class Writer:
    """The thread and its queue.

    Args:
        wake: Called on the loop after a commit that made or moved jobs.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        cipher: Cipher,
        route: Route,
        wake: Callable[[], None],
    ) -> None:
        self.engine, self.clock, self.cipher, self.route = engine, clock, cipher, route
        self._wake = wake
        self._queue: queue.SimpleQueue[Unit | Stop] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    async def submit(self, work: Callable[[Tx], T], *, own_savepoint: bool = False) -> T:
        """Run `work` in the next commit and give its result after it.

        Raises:
            NotStored: The store could not commit, or too much is waiting.
            Refused: The work itself said no; nothing of it was kept.
        """
        if self._queue.qsize() >= MOST_WAITING:
            raise NotStored("the writer has too much waiting")
        done: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Unit(work, done, own_savepoint))
        # A client that hangs up must not cancel a unit that will be committed.
        return await asyncio.shield(done)

    def waiting(self) -> int:
        """Say how many units wait."""
        return self._queue.qsize()

    def alive(self) -> bool:
        """Say whether the thread still runs."""
        return self._thread.is_alive()

    async def close(self) -> None:
        """Commit what waits, then end the thread."""
        stop = Stop()
        self._queue.put(stop)
        await asyncio.to_thread(stop.done.wait)

    # -- the thread --------------------------------------------------------------------------------
    def _run(self) -> None:
        stop: Stop | None = None
        with self.engine.connect() as connection:
            while stop is None:
                batch, stop = self._gather()
                if batch:
                    woken = self._commit(connection, batch)
                    self._loop.call_soon_threadsafe(self._tell, batch, woken)
        stop.done.set()

    def _gather(self) -> tuple[list[Unit], Stop | None]:
        """Wait for the first unit, then take all that has come meanwhile."""
        batch: list[Unit] = []
        while len(batch) < MOST_UNITS:
            try:
                item = self._queue.get(block=not batch)
            except queue.Empty:
                break
            if isinstance(item, Stop):
                return batch, item
            batch.append(item)
        return batch, None

    def _commit(self, connection: Connection, batch: list[Unit]) -> bool:
        try:
            return self._together(connection, batch)
        except Exception as error:  # noqa: BLE001 -- told to whom it belongs
            # A locked or full disk is nobody's fault: all are told at once, none waits in turn.
            if len(batch) == 1 or isinstance(error, OperationalError):
                for unit in batch:
                    unit.error = _told(error)
                return False
        woken = [self._commit(connection, [unit]) for unit in batch]
        return any(woken)

    def _together(self, connection: Connection, batch: list[Unit]) -> bool:
        with connection.begin():
            tx = Tx(connection, now=self.clock.now(), cipher=self.cipher, route=self.route)
            for unit in batch:
                unit.error = None
                self._apply(tx, unit)
        return tx.woken

    def _apply(self, tx: Tx, unit: Unit) -> None:
        if not unit.own_savepoint:
            unit.result = unit.work(tx)
            return
        try:
            with tx.connection.begin_nested():
                unit.result = unit.work(tx)
        except Refused as refusal:
            unit.error = refusal

    def _tell(self, batch: list[Unit], woken: bool) -> None:
        for unit in batch:
            if unit.done.done():
                continue
            if unit.error is not None:
                unit.done.set_exception(unit.error)
                unit.done.exception()  # told; nobody waits for it where the client hung up
            else:
                unit.done.set_result(unit.result)
        if woken:
            self._wake()


def _told(error: Exception) -> BaseException:
    """Turn a store's failure into NotStored; leave our own errors and bugs as they are."""
    if isinstance(error, HubError):
        return error
    if isinstance(error, SQLAlchemyError | sqlite3.Error | OSError):
        stored = NotStored(f"the store could not commit: {type(error).__name__}")
        stored.__cause__ = error
        return stored
    return error
