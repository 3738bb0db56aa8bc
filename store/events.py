"""Events: stored as they are, read as they were."""

from typing import Any

from sqlalchemy import Row, select

from hub.errors import Refused
from hub.model import Aggregate, Event, read_json, write_json
from store.schema import events
from store.tx import Rows, Tx


# -- write -----------------------------------------------------------------------------------------
def add_event(tx: Tx, event: Event, *, inbox_id: str | None = None, jobs_made: int = 0) -> None:
    """Insert one event as it is."""
    insert_events(tx, [row_of(tx, event, inbox_id=inbox_id, jobs_made=jobs_made)])


def insert_events(tx: Tx, rows: Rows) -> None:
    """Insert rows of events, in order."""
    tx.ways.insert_events(tx.connection, rows)
    tx.told = tx.told or bool(rows)


def row_of(
    tx: Tx, event: Event, *, inbox_id: str | None = None, jobs_made: int = 0
) -> dict[str, Any]:
    """Make the row of an event.

    Args:
        inbox_id: The request that brought it.
        jobs_made: How many jobs its routes wrote.
    """
    about = event.aggregate
    return {
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
    }


# -- read ------------------------------------------------------------------------------------------
def read_event(tx: Tx, row: Row[Any]) -> Event:
    """Make an event of its row, its data opened."""
    about = None
    if row.aggregate_id is not None:
        about = Aggregate(
            type=row.aggregate_type, id=row.aggregate_id, version=row.aggregate_version
        )
    return Event(
        type=row.type,
        at=row.occurred_at,
        data=read_json(tx.unseal(row.data, "events.data", row.id)),
        ext_id=row.ext_id,
        job=row.job,
        failed=bool(row.failed),
        id=row.id,
        connector=row.connector,
        origin=row.origin,
        schema=row.schema,
        aggregate=about,
        sequence=row.sequence,
        causation=row.causation,
        recorded_at=row.recorded_at,
    )


def kept_event(tx: Tx, event_id: str) -> Event:
    """Read an event with its data.

    Raises:
        Refused: There is none, or its data is no longer kept.
    """
    row = event_row(tx, event_id)
    if row.data is None:
        raise Refused("invalid_transition", f"the data of {event_id} is no longer kept")
    return read_event(tx, row)


def event_row(tx: Tx, event_id: str) -> Row[Any]:
    """Read an event's row.

    Raises:
        Refused: There is none.
    """
    row = tx.row(select(events).where(events.c.id == event_id))
    if row is None:
        raise Refused("not_found", f"there is no event {event_id}")
    return row
