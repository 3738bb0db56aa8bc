"""A store under the machine: its own writer and statements, on SQLite in memory or a PostgreSQL."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
from sqlalchemy.engine import URL

from hub.clock import ManualClock
from hub.secrets import Secret
from store import schema, verify
from store.crypto import Cipher, new_key
from store.postgres_writer import TRIES
from store.settle import Completion
from store.store import Store
from store.tx import Tx
from store.writer import Unit, _each
from tests.memory import MemoryStore, memory, wipe

Work = Callable[[Tx], Any]
Sort = tuple[Work, Any]
SHOWN = {
    "jobs": "SELECT uid, id, connector, lane, state, prio, due_at, attempt, failures,"
    " first_sent_at FROM jobs",
    "history": "SELECT uid, state, attempt FROM job_history",
    "attempts": "SELECT job, outcome FROM attempts ORDER BY job, attempt",
}
BROKEN = " UNION ALL ".join(
    f"SELECT '{name}' AS name, count(*) AS broken FROM ({query}) AS found"
    for name, query in verify.CHECKS
)
ACCOUNTS = ("crm", "mail")
HISTORY = (
    "jobs", "job_history", "job_keys", "attempts", "events", "dedupe", "inbox", "accounts",
    "audit", "links",
)  # fmt: skip


class Stage(ABC):
    """What the machine does with a store: one thing after the other, or two at a time."""

    store: Store

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cipher = Cipher([Secret(new_key())])
        self.loop = asyncio.new_event_loop()

    def run(self, awaited: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(awaited)

    def do(self, work: Work, kind: Any = "duty") -> Any:
        """Run work in a commit of its own."""
        return self.run(self._do(work, kind))

    async def _do(self, work: Work, kind: Any) -> Any:
        return await self.store.writer.submit(work, kind=kind)

    def settle(self, dones: Sequence[Completion]) -> list[bool]:
        """Hand in ends of attempts at once, as a worker does."""
        return list(self.run(self._settle(dones)))

    async def _settle(self, dones: Sequence[Completion]) -> list[bool]:
        return await asyncio.gather(*(self.store.settle(done) for done in dones))

    @abstractmethod
    def overlap(self, first: Sort, second: Sort, *, patient: bool) -> tuple[Any, Any]:
        """Run `second` while `first` has done its work and not yet committed.

        Args:
            patient: The second waits for rows that the first holds, if it can.
        """

    @abstractmethod
    def follow_up(self) -> None:
        """Wait until what follows from a commit is committed too."""

    @abstractmethod
    def rows(self, sql: str) -> list[Any]:
        """Read."""

    @abstractmethod
    def reset(self) -> None:
        """Begin anew."""

    def _begin(self) -> None:
        self.clock = self.store.clock = self.store.writer.clock = ManualClock()
        self.run(self.store.know_accounts(list(ACCOUNTS)))

    def close(self) -> None:
        self.loop.close()


class Memory(Stage):
    """SQLite: one writer, so what overlaps elsewhere happens in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = memory()
        self.connection = self.engine.connect()
        self.run(self._open())

    async def _open(self) -> None:
        self.store = MemoryStore(self.connection, clock=self.clock, cipher=self.cipher)

    def overlap(self, first: Sort, second: Sort, *, patient: bool) -> tuple[Any, Any]:
        return self.do(*first), self.do(*second)

    def follow_up(self) -> None:
        """Nothing: it is in the same commit."""

    def rows(self, sql: str) -> list[Any]:
        driver = self.connection.connection.driver_connection
        assert driver is not None
        return list(driver.execute(sql))

    def reset(self) -> None:
        wipe(self.connection, HISTORY)
        self._begin()

    def close(self) -> None:
        self.engine.dispose()
        super().close()


class Server(Stage):
    """PostgreSQL: two transactions overlap, and the second waits where it must."""

    def __init__(self, url: URL) -> None:
        super().__init__()
        self.url = url
        self.run(self._open())

    async def _open(self) -> None:
        dsn = self.url.render_as_string(hide_password=False)
        self.store = Store(
            dsn, keys=[Secret(new_key())], clock=self.clock, route=lambda _event, _now: ()
        )
        self.store.writer.start()
        self.watch = await asyncpg.connect(dsn.replace("+asyncpg", ""))

    def overlap(self, first: Sort, second: Sort, *, patient: bool) -> tuple[Any, Any]:
        return self.run(self._overlap(self._unit(*first), self._unit(*second), patient=patient))

    async def _overlap(self, one: Unit, two: Unit, *, patient: bool) -> tuple[Any, Any]:
        writer: Any = self.store.writer
        two.tries = before = TRIES if patient else 0
        async with writer.engine.connect() as connection:
            tx = await writer._run(connection, [one], patient=False)
            writer._put(two)
            while not two.done.done() and two.tries == before and not await self._blocked():
                await asyncio.sleep(0)
            await connection.commit()
        writer._follow(tx)
        await two.done
        await self._followed()
        return one.result, two.result

    def _unit(self, work: Work, kind: Any) -> Unit:
        return Unit(_each, work, kind, self.loop.create_future())

    async def _blocked(self) -> bool:
        waits = await self.watch.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(waits)

    def follow_up(self) -> None:
        self.run(self._followed())

    async def _followed(self) -> None:
        # What follows is handed in as a completion: those before this one are over with it.
        for _ in range(2):
            await self.store.writer.submit(lambda _: None, kind="completion")

    def rows(self, sql: str) -> list[Any]:
        return list(self.run(self.watch.fetch(sql)))

    def reset(self) -> None:
        tables = [*HISTORY, "feed", "feed_waiting"]
        self.run(self.watch.execute(";".join(f"DELETE FROM {name}" for name in tables)))
        counted = [t.name for t in schema.metadata.sorted_tables if t.name == "jobs"]
        for name in counted:
            self.run(self.watch.execute(f"ALTER SEQUENCE {name}_id_seq RESTART"))
        self._begin()

    def close(self) -> None:
        self.run(self.store.writer.close())
        self.run(self.store.place.close())
        self.run(self.watch.close())
        super().close()
