"""One transaction of the writer, as shop changes and receipts use it.

Plain synchronous code in the writer's thread; nothing here may wait for a network.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.sql import Executable

from hub.ids import new_id
from hub.model import Event, NewJob, write_json
from store import schema
from store.crypto import Cipher

Route = Callable[[Event, datetime], Sequence[NewJob]]


class Tx:
    """A transaction: its time, its connection, and what may be put into it.

    Args:
        now: One time for the whole transaction, aware, UTC.
        route: The pure function that writes an event's jobs (hub.routing.Router.jobs_for).
    """

    def __init__(
        self, connection: Connection, *, now: datetime, cipher: Cipher, route: Route
    ) -> None:
        self.connection, self.now, self.cipher, self.route = connection, now, cipher, route
        self.woken = False
        self.causation: str | None = (
            None  # what events say they follow from, unless they know better
        )

    # -- SQL, for store/ only ----------------------------------------------------------------------
    def run(self, statement: Executable, values: Mapping[str, Any] | None = None) -> int:
        """Execute; give the number of rows it touched."""
        done = self.connection.execute(statement, values or {})
        return done.rowcount

    def rows(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> list[Row[Any]]:
        """Execute; give all rows."""
        return list(self.connection.execute(statement, values or {}))

    def row(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> Row[Any] | None:
        """Execute; give the first row, or None."""
        return self.connection.execute(statement, values or {}).first()

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
        made = replace(
            event,
            id=event.id or new_id("evt", self.now),
            recorded_at=self.now,
            causation=event.causation or self.causation,
        )
        jobs = self.route(made, self.now)
        add_event(self, made, jobs_made=len(jobs))
        self.enqueue(*jobs)
        return made

    def enqueue(self, *jobs: NewJob) -> None:
        """Write jobs; a second one of the same key ends `skipped (duplicate key)`."""
        from store.jobs import enqueue  # noqa: PLC0415 -- jobs builds on Tx

        enqueue(self, jobs)


def add_event(tx: Tx, event: Event, *, inbox_id: str | None = None, jobs_made: int = 0) -> None:
    """Insert one event as it is."""
    about = event.aggregate
    tx.run(
        schema.events.insert(),
        {
            "id": event.id,
            "ext_id": event.ext_id,
            "type": event.type,
            "schema": event.schema,
            "connector": event.connector,
            "origin": event.origin,
            "aggregate_type": about.type if about else None,
            "aggregate_id": about.id if about else None,
            "aggregate_version": about.version if about else None,
            "sequence": event.sequence,
            "occurred_at": event.at,
            "recorded_at": event.recorded_at or tx.now,
            "data": tx.seal(write_json(event.data), "events.data", event.id),
            "inbox_id": inbox_id,
            "job": event.job,
            "failed": int(event.failed),
            "causation": event.causation,
            "jobs_made": jobs_made,
        },
    )


def key16(value: str | bytes) -> bytes:
    """Give the 16 bytes by which dedupe and job_keys know a provider's id, a body or a key."""
    raw = value.encode() if isinstance(value, str) else value
    return hashlib.sha256(raw).digest()[:16]
