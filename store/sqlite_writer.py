"""The writer of SQLite: one thread, one transaction for all that waits."""

import asyncio
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from hub import metrics
from store.tx import Tx
from store.writer import MOST_UNITS, Unit, Writer, apply, not_stored

Committed = tuple[list[Unit], Tx | None]


@dataclass(slots=True)
class Stop:
    """The last thing in the queue."""

    done: threading.Event = field(default_factory=threading.Event)


class SqliteWriter(Writer):
    """The thread and its queue; see Writer."""

    def __init__(self, engine: Engine, **parts: Any) -> None:
        super().__init__(**parts)
        self.engine = engine
        self._queue: queue.SimpleQueue[Unit | Stop] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

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

    def _put(self, unit: Unit) -> None:
        self._queue.put(unit)

    # -- the thread --------------------------------------------------------------------------------
    def _run(self) -> None:
        stop: Stop | None = None
        with self.engine.connect() as connection:
            while stop is None:
                batch, stop = self._gather()
                if batch:
                    done = self._commit(connection, batch)
                    self._loop.call_soon_threadsafe(self._told, done)
        stop.done.set()

    def _told(self, done: list[Committed]) -> None:
        for batch, tx in done:
            self._tell(batch, tx)

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

    def _commit(self, connection: Connection, batch: list[Unit]) -> list[Committed]:
        """Commit units together, else one by one; give what was, and in which transaction."""
        try:
            return [(batch, self._together(connection, batch))]
        except BaseException as error:  # noqa: BLE001 -- told to whom it belongs; the thread stays
            # A locked or full disk is nobody's fault: all are told at once, none waits in turn.
            if len(batch) == 1 or isinstance(error, OperationalError):
                for unit in batch:
                    unit.error = not_stored(error)
                return [(batch, None)]
        return [one for unit in batch for one in self._commit(connection, [unit])]

    def _together(self, connection: Connection, batch: list[Unit]) -> Tx:
        tx, began = self._tx(connection), time.perf_counter()
        try:
            with connection.begin():
                apply(tx, batch)
                while tx.afterwards:
                    # One writer: what follows from these units cannot be missed: it commits here.
                    tx.afterwards.pop(0)(tx)
        except BaseException:
            tx.unbear()
            raise
        metrics.committed(len(batch), time.perf_counter() - began)
        return tx
