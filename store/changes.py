"""What of the shop has changed: everything first, from then on what the event feed tells of.

A change and its event are one commit, and a place in the feed, once seen, gets no lower neighbour
(store.feed): so nothing is missed, whatever else is being written, and nothing is found by a clock.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select

from store.aggregates import TABLES
from store.schema import events, feed
from store.tx import Tx

Changed = tuple[int, Row[Any]]
"""A place in the feed, and the row as it is now."""


def end_of_feed(tx: Tx) -> int:
    """Give the place of the feed's last event; 0 where there is none."""
    last = events.c.n if tx.connection.dialect.name == "sqlite" else feed.c.place
    return int(tx.connection.execute(select(func.max(last))).scalar() or 0)


def all_after(tx: Tx, kind: str, ident: str, limit: int) -> Sequence[Row[Any]]:
    """Give rows by id, after one."""
    table = TABLES[kind]
    return tx.rows(select(table).where(table.c.id > ident).order_by(table.c.id).limit(limit))


def changed_after(tx: Tx, kind: str, place: int, limit: int) -> list[Changed]:
    """Give the rows that changed after a place in the feed, each at its last event's place."""
    table = TABLES[kind]
    told = _placed(tx).subquery()
    last = (table.c.id == told.c.aggregate_id) & (table.c.sequence == told.c.sequence)
    wanted = select(told.c.place, table).join(table, last)
    rows = tx.rows(
        wanted.where(told.c.place > place, told.c.aggregate_type == kind)
        .order_by(told.c.place)
        .limit(limit)
    )
    return [(row.place, row) for row in rows]


def last_event(tx: Tx, ident: str) -> str | None:
    """Give the last event about something, if it is kept."""
    about = select(events.c.id).where(events.c.aggregate_id == ident)
    row = tx.row(about.order_by(events.c.n.desc()).limit(1))
    return None if row is None else row.id


def _placed(tx: Tx) -> Select[Any]:
    about = (events.c.aggregate_type, events.c.aggregate_id, events.c.sequence)
    if tx.connection.dialect.name == "sqlite":
        return select(events.c.n.label("place"), *about)
    return select(feed.c.place, *about).join(feed, feed.c.n == events.c.n)
