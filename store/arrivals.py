"""When webhooks come: for each hour a bit per minute, the same from whichever node it is noted.

A connector that has fallen silent is noted once, by one node, until it is heard again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from hub.rhythm import Rhythm, hour_of
from store.schema import upserting
from store.tx import Tx
from store.webhook_schema import arrivals, silences

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A silence that was told of, and is over."""

    connector: str
    since: datetime


def note(tx: Tx, heard: Mapping[str, datetime]) -> list[Ended]:
    """Note when a webhook of each connector came; give the silences that end with it."""
    rows = [
        {"connector": name, "hour": hour_of(at), "minutes": 1 << at.minute}
        for name, at in sorted(heard.items())
    ]
    said = upserting(arrivals)
    more = said.on_conflict_do_update(
        index_elements=["connector", "hour"],
        set_={"minutes": arrivals.c.minutes.bitwise_or(said.excluded.minutes)},
    )
    tx.run_each(more, rows)
    return [ended for name, at in sorted(heard.items()) for ended in _ended(tx, name, at)]


def _ended(tx: Tx, connector: str, at: datetime) -> list[Ended]:
    mine = delete(silences).where(silences.c.connector == connector, silences.c.since < at)
    over = tx.rows(mine.returning(silences.c.since))
    return [Ended(connector=connector, since=row.since) for row in over]


def last(tx: Tx, connector: str) -> datetime | None:
    """Give the last minute in which a webhook of a connector came."""
    mine = select(arrivals).where(arrivals.c.connector == connector)
    row = tx.row(mine.order_by(arrivals.c.hour.desc()).limit(1))
    if row is None:
        return None
    found: datetime = row.hour + MINUTE * (row.minutes.bit_length() - 1)
    return found


def silent(tx: Tx, connector: str) -> bool:
    """Say whether a connector is known to be silent."""
    return tx.row(select(silences.c.since).where(silences.c.connector == connector)) is not None


def rhythm(tx: Tx, connector: str, since: datetime) -> Rhythm:
    """Give the hours in which webhooks of a connector came since a time."""
    mine = arrivals.c.connector == connector
    first = tx.row(select(func.min(arrivals.c.hour)).where(mine))
    rows = tx.rows(select(arrivals).where(mine, arrivals.c.hour >= since))
    return Rhythm(
        first=first[0] if first is not None else None,
        busy={row.hour: row.minutes.bit_count() for row in rows},
    )


def fall_silent(tx: Tx, connector: str, since: datetime) -> bool:
    """Note that nothing has come since a time; False where that is known already."""
    row = {"connector": connector, "since": since}
    return tx.run(upserting(silences).on_conflict_do_nothing(), row) > 0


def forget(tx: Tx, before: datetime) -> None:
    """Let go of hours that say nothing about the present any more."""
    tx.run(delete(arrivals).where(arrivals.c.hour < before))
