"""The writer of PostgreSQL: receipts in batches, completions in batches, each change by itself.

Mixed, they deadlock across nodes; apart, they do not. Several nodes write at once: what loses
against another is run again.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub import metrics
from store.postgres import Unsettled
from store.tx import AGAIN, Tx, Undone
from store.writer import MOST_UNITS, Unit, Writer, apply, not_stored

LOST_AGAINST_OTHERS = ("40P01", "40001", "55P03")  # deadlock, serialization, lock timeout
TRIES = 5
AT_ONCE = 8
# No scan of a table where an index will do, and no compiling: what a writer's statements find is
# always few, whatever the statistics of a table say that fills and empties within seconds.
# And whether anybody subscribes, for whom events are told: most shops have nobody to look up.
_BEGIN = text(
    "SELECT EXISTS (SELECT 1 FROM webhook_endpoints),"
    " set_config('lock_timeout', :wait, true), set_config('synchronous_commit', 'on', true),"
    " set_config('idle_in_transaction_session_timeout', '10s', true),"
    " set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
)


class PostgresWriter(Writer):
    """A queue of receipts, one of completions, and a bounded number of changes; see Writer."""

    def __init__(self, engine: AsyncEngine, **parts: Any) -> None:
        super().__init__(**parts)
        self.engine = engine
        self._queues: dict[str, deque[Unit]] = {"receipt": deque(), "completion": deque()}
        self._come = {kind: asyncio.Event() for kind in self._queues}
        self._room = {kind: asyncio.Semaphore(AT_ONCE) for kind in ("change", "duty", "patient")}
        self._loops: list[asyncio.Task[None]] = []
        self._alone: set[asyncio.Task[None]] = set()
        self._closing: set[str] = set()

    def start(self) -> None:
        """Begin to commit."""
        self._loops = [asyncio.create_task(self._batches(kind)) for kind in self._queues]

    def waiting(self) -> int:
        """Say how many units wait."""
        return sum(map(len, self._queues.values())) + len(self._alone)

    def alive(self) -> bool:
        """Say whether both queues are still served."""
        return bool(self._loops) and not any(loop.done() for loop in self._loops)

    async def close(self) -> None:
        """Commit what waits, then end."""
        while self._alone:
            await asyncio.wait(self._alone)
        # Receipts first: completions follow from them.
        for kind, loop in zip(self._queues, self._loops, strict=True):
            self._closing.add(kind)
            self._come[kind].set()
            await loop
        while self._alone:
            await asyncio.wait(self._alone)

    def _put(self, unit: Unit) -> None:
        if unit.kind in self._queues:
            self._queues[unit.kind].append(unit)
            self._come[unit.kind].set()
            return
        self._spawn(self._by_itself(unit))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._alone.add(task)
        task.add_done_callback(self._alone.discard)

    # -- batches -----------------------------------------------------------------------------------
    async def _batches(self, kind: str) -> None:
        """Commit what waits of one kind, and what has come meanwhile, until closed."""
        waiting, come = self._queues[kind], self._come[kind]
        while waiting or kind not in self._closing:
            if not waiting:
                come.clear()
                await come.wait()
                continue
            batch = [waiting.popleft() for _ in range(min(len(waiting), MOST_UNITS))]
            # Who has lost too often waits for his rows, alone: his neighbours do not wait for him.
            for unit in (unit for unit in batch if unit.tries >= TRIES):
                self._spawn(self._patiently(unit))
            if batch := [unit for unit in batch if unit.tries < TRIES]:
                await self._commit(batch)

    async def _patiently(self, unit: Unit) -> None:
        async with self._room["patient"]:
            await self._commit([unit], patient=True)

    async def _by_itself(self, unit: Unit) -> None:
        async with self._room[unit.kind]:
            while True:
                await self._commit([unit], patient=unit.tries >= TRIES)
                if not (isinstance(unit.error, Undone) and unit.error.again):
                    break
                unit.tries += 1
                await self._pause(unit)
        self._tell([unit])

    async def _commit(self, batch: Sequence[Unit], *, patient: bool = False) -> None:
        """Commit units together, else one by one; tell who waits."""
        tx, error = await self._try(batch, patient=patient)
        if error is not None and len(batch) > 1 and not lost(error):
            for unit in batch:
                await self._commit([unit], patient=patient)
            return
        for unit in batch:
            unit.error = None if error is None else _told(error)
        again = [unit for unit in batch if unit.error is None and unit.result is AGAIN]
        for unit in again:
            unit.tries += 1
        settled = [u for u in batch if u not in again and not isinstance(u.error, Undone)]
        self._tell(settled, tx)
        if again:
            await self._pause(again[0])
            self._queues[again[0].kind].extend(again)

    async def _try(
        self, batch: Sequence[Unit], *, patient: bool
    ) -> tuple[Tx | None, BaseException | None]:
        """Commit units together, a few times where others win; give the error that remained."""
        for tries in range(TRIES):
            committing, tx, began = False, None, time.perf_counter()
            try:
                async with self.engine.connect() as connection:
                    tx = await self._run(connection, batch, patient=patient)
                    committing = True
                    await connection.commit()
            except Exception as error:  # noqa: BLE001 -- told to whom it belongs
                if tx is not None:
                    tx.unbear()
                # Lost before COMMIT means rolled back, so it may run again; lost in COMMIT may not.
                again = (lost(error) and not committing and tries == 0) or lost_out(error)
                if not again or tries == TRIES - 1:
                    return None, error
                await self._pause(batch[0])
            else:
                metrics.committed(len(batch), time.perf_counter() - began)
                self._follow(tx)
                return tx, None
        raise AssertionError  # every last try returns

    async def _run(
        self, connection: AsyncConnection, batch: Sequence[Unit], *, patient: bool
    ) -> Tx:
        alone = batch[0].kind not in self._queues
        wait = "5s" if alone or patient else "500ms"
        subscribed = (await connection.execute(_BEGIN, {"wait": wait})).scalar_one()
        how = {"patient": patient, "alone": alone, "subscribed": subscribed}
        return await connection.run_sync(partial(self._work, batch, **how))

    def _work(
        self,
        batch: Sequence[Unit],
        connection: Connection,
        *,
        patient: bool,
        alone: bool,
        subscribed: bool,
    ) -> Tx:
        tx = self._tx(connection, last=True, patient=patient)
        tx.subscribers = None if subscribed else ()
        try:
            if alone:  # what it raises takes the whole transaction back: no savepoint
                tx.trace = batch[0].trace
                [batch[0].result] = batch[0].many(tx, [batch[0].item])
            else:
                apply(tx, batch)
            tx.flush()
        except BaseException:
            tx.unbear()
            raise
        return tx

    def _follow(self, tx: Tx) -> None:
        """Hand in what is to be done now that this is committed, as completions."""
        for work in tx.afterwards:
            done = self._loop.create_future()
            self._put(Unit(_each_of, work, "completion", done))
            done.add_done_callback(lambda done: done.exception())

    async def _pause(self, unit: Unit) -> None:
        await asyncio.sleep(random.uniform(0.001, 0.005) * (1 + unit.tries))  # noqa: S311 -- spreads


def _told(error: BaseException) -> BaseException:
    if isinstance(error, Unsettled | asyncpg.PostgresError | asyncpg.InterfaceError):
        error = OSError(f"{type(error).__name__}: {error}")
    return not_stored(error)


def _each_of(tx: Tx, works: Sequence[Any]) -> list[Any]:
    return [work(tx) for work in works]


def lost_out(error: BaseException) -> bool:
    """Say whether other transactions won; the same may succeed in a moment."""
    if isinstance(error, Unsettled):
        return True
    return isinstance(error, DBAPIError) and _state(error) in LOST_AGAINST_OTHERS


def lost(error: BaseException) -> bool:
    """Say whether the connection or the server went away."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _state(error)[:2] in ("08", "53", "57")
    # While it connects, the driver's own errors come through.
    return isinstance(error, OSError | asyncpg.PostgresError | asyncpg.InterfaceError)


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")
