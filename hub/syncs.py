"""Syncs: the records of a source, whenever they have changed, become jobs. Pure.

A record is to its rule what an event is to a route, and its origin is `backfill`: it is the past.
The key names record, version and sync, so that nothing is sent twice however often it is read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from hub.model import Event, Json, NewJob
from hub.routing import Route, scope, written
from hub.schedules import Schedule

LATER = 2  # the class of its jobs: after all live work


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing as a source gives it.

    Args:
        version: Another one for each change.
        at: When it changed, where the source tells; else when it was read.
        event_id: The event that told of the change, where there was one.
    """

    id: str
    version: str
    at: datetime
    data: Json
    event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """An admin's rule: what a source has that is new goes, on a schedule, through a mapping.

    Args:
        rule: What is done with each record; of events it hears those of its records only.
        connector: Whose source it is; `shop` for the built-in shop's.
        schema: The data schema of the shop's records.
        full: Each run reads everything and sends it, changed or not.
    """

    rule: Route
    connector: str
    source: str
    schedule: Schedule
    schema: str | None = None
    full: bool = False

    @property
    def name(self) -> str:
        """Give the admin's name for it."""
        return self.rule.name

    def jobs(
        self, records: Iterable[Record], now: datetime, *, config: str, again: str | None
    ) -> Iterator[NewJob]:
        """Write the jobs of records; what cannot be mapped is born dead.

        Args:
            again: Marks the keys of a run that sends what was sent before.
        """
        for record in records:
            event = self._told(record, again)
            job = written(self.rule, event, scope(event), now)
            if job is not None:
                yield replace(job, event_id=record.event_id, prio=LATER, config_hash=config)

    def _told(self, record: Record, again: str | None) -> Event:
        """Give a record as expressions see it."""
        marks = (record.id, record.version, *([again] if again else ()))
        return Event(
            id=":".join(marks),
            type=f"{self.connector}.{self.source}",
            at=record.at,
            data=record.data,
            schema=self.schema,
            origin="backfill",
        )
