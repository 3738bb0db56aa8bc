"""Stored events, read as they were."""

from typing import Any

from sqlalchemy import Row, select

from hub.errors import Refused
from hub.model import Aggregate, Event, read_json
from store.schema import events
from store.tx import Tx


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
