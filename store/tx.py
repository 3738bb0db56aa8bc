"""One transaction of the writer, as shop changes and receipts use it.

Plain synchronous code; nothing here may wait for a third party.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import Connection, Row, Table
from sqlalchemy.sql import Executable

from hub.ids import new_id
from hub.model import Event, Job, NewJob
from hub.subscribers import Subscriber, deliveries
from store import postgres, sqlite
from store.crypto import Cipher

if TYPE_CHECKING:
    from store.births import Births

Route = Callable[[Event, datetime], Sequence[NewJob]]
Rows = Sequence[Mapping[str, Any]]
Value = TypeVar("Value")


class Again(Enum):
    """See AGAIN."""

    AGAIN = "again"


AGAIN = Again.AGAIN
"""What a unit gives that must run again in a later transaction: another holds its rows."""


class Undone(Exception):
    """Takes back a unit's change without harm to its neighbours.

    Args:
        again: It is to run again, in a transaction of its own.
    """

    def __init__(self, *, again: bool) -> None:
        super().__init__("taken back")
        self.again = again


class Ways(Protocol):
    """What SQLite and PostgreSQL do differently."""

    def insert_rows(self, connection: Connection, table: Table, rows: Rows) -> None:
        """Insert rows, in their order; all have the columns of the first."""

    def insert_new(self, connection: Connection, table: Table, rows: Rows) -> set[tuple[Any, ...]]:
        """Insert rows whose primary key is free, in the order of their keys; give those keys."""

    def insert_events(self, connection: Connection, rows: Rows) -> None:
        """Insert events, in order, to be told in the feed after commit."""

    def insert_keys(self, connection: Connection, rows: Rows, told: Rows) -> set[str]:
        """Insert the keys of jobs that are free, and events; give the uids of those jobs."""

    def insert_jobs(self, connection: Connection, rows: Rows) -> dict[str, int]:
        """Insert jobs: the first of a free lane heads it, the others wait behind its head.

        Returns:
            The ids of those that were born leased, by uid.
        """

    def keep_ended(self, connection: Connection, endings: Rows, *, at: datetime) -> None:
        """Copy jobs to history, each with what it says of its end: `ENDED_WITH`."""

    def followed(
        self, connection: Connection, lanes: Sequence[tuple[str, str]]
    ) -> set[tuple[str, str]]:
        """Give those of some lanes in which a job waits."""


WAYS: Mapping[str, Ways] = {"sqlite": sqlite, "postgresql": postgres}


class Tx:
    """A transaction: its time, its connection, and what may be put into it.

    Args:
        now: One time for the whole transaction, aware, UTC.
        route: The pure function that writes an event's jobs (hub.routing.Router.jobs_for).
        last: Events and jobs are written when `flush` is called, all at once and in one order:
            a transaction that holds rows and goes on to others must not hold lanes as well.
        patient: Wait for rows that others hold, instead of leaving them out.
        births: What may be born leased here; None: nothing.
        restored_at: When the store was restored last; None where it never was.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        now: datetime,
        cipher: Cipher,
        route: Route,
        last: bool = False,
        patient: bool = False,
        births: "Births | None" = None,
        restored_at: datetime | None = None,
    ) -> None:
        self.connection, self.now, self.cipher, self.route = connection, now, cipher, route
        self.restored_at = restored_at
        self.last, self.patient = last, patient
        self.ways = WAYS[connection.dialect.name]
        self.woken = self.told = False
        self.afterwards: list[Callable[[Tx], object]] = []
        self.subscribers: Sequence[Subscriber] | None = None  # not read yet, or changed since
        self._told: list[Mapping[str, Any]] = []
        self._jobs: list[NewJob] = []
        self.births = births
        self.born: list[Job] = []
        self.trace: str | None = None  # the traceparent its jobs go on with
        self.causation: str | None = (
            None  # what events say they follow from, unless they know better
        )

    # -- SQL, for store/ only ----------------------------------------------------------------------
    def run(self, statement: Executable, values: Mapping[str, Any] | None = None) -> int:
        """Execute; give the number of rows it touched."""
        done = self.connection.execute(statement, values or {})
        return done.rowcount

    def run_each(self, statement: Executable, values: Rows) -> None:
        """Execute once for each of the values, in their order."""
        if values:
            self.connection.execute(statement, values)

    def add(self, table: Table, rows: Rows) -> None:
        """Insert rows, in their order; all have the columns of the first."""
        if rows:
            self.ways.insert_rows(self.connection, table, rows)

    def rows(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> list[Row[Any]]:
        """Execute; give all rows."""
        return list(self.connection.execute(statement, values or {}).all())

    def row(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> Row[Any] | None:
        """Execute; give the first row, or None."""
        return self.connection.execute(statement, values or {}).first()

    def attempt(self, work: Callable[[], Value]) -> Value:
        """Run work that may refuse: then nothing of it is kept, and the rest goes on."""
        told, jobs, born = len(self._told), len(self._jobs), len(self.born)
        try:
            with self.connection.begin_nested():
                return work()
        except BaseException:
            self.drop(told, jobs)
            self.unbear(born)
            raise

    # -- sealing -----------------------------------------------------------------------------------
    def seal(self, value: bytes, column: str, ident: str) -> bytes:
        """Encrypt a value for `table.column` of one row."""
        return self.cipher.seal(value, f"{column}:{ident}")

    def unseal(self, sealed: bytes, column: str, ident: str) -> bytes:
        """Decrypt what `seal` made for the same column and row."""
        return self.cipher.open(sealed, f"{column}:{ident}")

    # -- events and jobs ---------------------------------------------------------------------------
    def emit(self, event: Event) -> Event:
        """Store an event and, in this transaction, the jobs its routes write."""
        from store.events import row_of  # noqa: PLC0415 -- events builds on Tx

        made = replace(
            event,
            at=event.at.astimezone(UTC),
            id=event.id or new_id("evt", self.now),
            recorded_at=self.now,
            causation=event.causation or self.causation,
        )
        jobs = [*self.route(made, self.now), *self._deliveries(made)]
        self.write([row_of(self, made, jobs_made=len(jobs))], jobs)
        return made

    def enqueue(self, *jobs: NewJob) -> None:
        """Write jobs; a second one of the same key ends `skipped (duplicate key)`."""
        self.write((), jobs)

    def write(self, told: Rows, jobs: Sequence[NewJob]) -> None:
        """Write events, each as a row of store.events, and jobs; see `last`."""
        self._told += told
        self._jobs += jobs
        if not self.last:
            self.flush()

    def flush(self) -> None:
        """Write the events and jobs that were put off."""
        from store.events import insert_events  # noqa: PLC0415 -- events builds on Tx
        from store.jobs import enqueue  # noqa: PLC0415 -- jobs builds on Tx

        told, self._told, jobs, self._jobs = self._told, [], self._jobs, []
        if jobs:
            enqueue(self, jobs, told)
        else:
            insert_events(self, told)

    def drop(self, told: int = 0, jobs: int = 0) -> None:
        """Forget what was put off, all but the first: what wanted it was taken back."""
        del self._told[told:], self._jobs[jobs:]
        self.subscribers = None

    def _deliveries(self, event: Event) -> list[NewJob]:
        """Write an event's deliveries to those who subscribe as this transaction sees it."""
        from store.subscribers import listening  # noqa: PLC0415 -- subscribers builds on Tx

        if self.subscribers is None:
            self.subscribers = listening(self)
        return deliveries(self.subscribers, event, self.now)

    def unbear(self, kept: int = 0) -> None:
        """Free the room of jobs that were born leased in what is taken back: all but the first."""
        lost, self.born = self.born[kept:], self.born[:kept]
        if self.births is not None:
            self.births.back(lost)


def padded(values: Sequence[Value]) -> list[Value]:
    """Repeat the last value up to a power of two: few statement texts, so few to prepare."""
    room = (1 << (len(values) - 1).bit_length()) - len(values)
    return list(values) + [values[-1]] * room


def key16(value: str | bytes) -> bytes:
    """Give the 16 bytes by which dedupe and job_keys know a provider's id, a body or a key."""
    raw = value.encode() if isinstance(value, str) else value
    return hashlib.sha256(raw).digest()[:16]
