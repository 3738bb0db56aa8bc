"""How far each source has been read. One node reads a source at a time, when it is due."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.errors import NotStored
from hub.model import Json, rfc3339
from store.schema import cursors, upserting
from store.tx import Tx


@dataclass(frozen=True, slots=True)
class Source:
    """A source of a connector."""

    connector: str
    name: str = "events"


def know(tx: Tx, source: Source, *, cursor: str | None, due: datetime) -> None:
    """Begin to follow a source from here; one that is followed goes on from where it was."""
    row = {"connector": source.connector, "source": source.name, "cursor": cursor, "due_at": due}
    tx.run(upserting(cursors).values(row).on_conflict_do_nothing())


def take(
    tx: Tx, source: Source, *, node: str, until: datetime, forced: bool = False
) -> str | None:  # fmt: skip
    """Take a source that is due, so that no other node reads it; give its cursor.

    Args:
        forced: Though it is not due.

    Returns:
        The cursor, "" where none is known yet; None where it is not due, or another reads it.
    """
    due = [] if forced else [cursors.c.due_at <= tx.now]
    free = or_(cursors.c.until.is_(None), cursors.c.until <= tx.now, cursors.c.node == node)
    taking = update(cursors).where(is_of(source), free, *due).values(node=node, until=until)
    row = tx.row(taking.returning(cursors.c.cursor))
    return None if row is None else row.cursor or ""


def move(tx: Tx, source: Source, cursor: str | None, *, node: str, until: datetime) -> None:
    """Move a cursor in the commit of what was read; the reader goes on.

    Raises:
        NotStored: Another node reads the source meanwhile: nothing of this commit is kept.
    """
    moving = update(cursors).where(is_of(source), cursors.c.node == node)
    if tx.run(moving.values(cursor=cursor, until=until)) == 0:
        raise NotStored(f"{source.connector}.{source.name} is read by another node")


def leave(tx: Tx, source: Source, *, node: str, due: datetime, ended: bool) -> None:
    """Let a source go until it is due again; `ended` where it was read to its end."""
    values: dict[str, object] = {"node": None, "until": None, "due_at": due}
    if ended:
        values["read_at"] = tx.now
    tx.run(update(cursors).where(is_of(source), cursors.c.node == node).values(values))


def rewind(tx: Tx, source: Source, cursor: str) -> None:
    """Have a source read from another place on; who reads it now is cut off."""
    begin = {"connector": source.connector, "source": source.name}
    values = {"cursor": cursor, "due_at": tx.now, "node": None, "until": None}
    adding = upserting(cursors).values(**begin, **values)
    tx.run(adding.on_conflict_do_update(index_elements=["connector", "source"], set_=values))


def hasten(tx: Tx, source: Source) -> None:
    """Have a source read as soon as may be."""
    tx.run(update(cursors).where(is_of(source)).values(due_at=tx.now))


async def shown(connection: AsyncConnection) -> list[dict[str, Json]]:
    """Give every source that is followed: when it was read, when it is due."""
    rows = await connection.execute(select(cursors).order_by(cursors.c.connector, cursors.c.source))
    return [
        {
            "connector": row.connector,
            "source": row.source,
            "read_at": row.read_at and rfc3339(row.read_at),
            "due_at": rfc3339(row.due_at),
            "node": row.node,
        }
        for row in rows
    ]


def is_of(source: Source) -> ColumnElement[bool]:
    """Say that a row is of this source."""
    return and_(cursors.c.connector == source.connector, cursors.c.source == source.name)
