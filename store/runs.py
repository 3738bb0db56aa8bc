"""The runs of syncs, which are kept with their cursors: when they are due, how far they came."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update

from store.cursors import Source, is_of, move
from store.schema import cursors, upserting
from store.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where a run goes on, and what marks its keys."""

    cursor: str | None
    again: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What became of a sync so far; times None where there was none yet."""

    due_at: datetime
    read_at: datetime | None
    began_at: datetime | None
    jobs: int | None
    error: str | None
    cursor: str | None
    node: str | None


def schedule(tx: Tx, source: Source, said: str, *, first: datetime, due: datetime) -> None:
    """Keep when a sync is due; what is due already, and is still meant so, stays due.

    Args:
        said: The schedule, in words: another one moves what is due.
        first: When it is due where nothing is known of it yet.
    """
    row = {"connector": source.connector, "source": source.name, "due_at": first, "schedule": said}
    tx.run(upserting(cursors).values(row).on_conflict_do_nothing())
    other = or_(cursors.c.schedule.is_(None), cursors.c.schedule != said)
    tx.run(update(cursors).where(is_of(source), other).values(due_at=due, schedule=said))


def due(tx: Tx, sources: Iterable[Source]) -> set[Source]:
    """Give those that are due and that nobody reads now."""
    free = or_(cursors.c.until.is_(None), cursors.c.until <= tx.now)
    rows = tx.rows(
        select(cursors.c.connector, cursors.c.source).where(cursors.c.due_at <= tx.now, free)
    )
    return {Source(row.connector, row.source) for row in rows} & set(sources)


def begin(tx: Tx, source: Source, *, anew: str | None) -> Reading:
    """Begin the run of a sync just taken, or go on with the one that was cut short.

    Args:
        anew: Where not None, one that begins reads everything, and this marks its keys.
    """
    row = tx.rows(select(cursors).where(is_of(source)))[0]
    if row.began_at is not None:
        return Reading(cursor=row.cursor, again=row.again)
    start: dict[str, object] = {"began_at": tx.now, "jobs": 0}
    if anew is not None:
        start |= {"cursor": None, "again": anew}
    tx.run(update(cursors).where(is_of(source)).values(start))
    return Reading(cursor=None if anew else row.cursor, again=anew or row.again)


def keep(
    tx: Tx, source: Source, cursor: str | None, jobs: int, *, node: str, until: datetime
) -> None:
    """Move a cursor and count the jobs that this commit writes.

    Raises:
        NotStored: Another node reads the source meanwhile: nothing of this commit is kept.
    """
    move(tx, source, cursor, node=node, until=until)
    counted = func.coalesce(cursors.c.jobs, 0) + jobs
    tx.run(update(cursors).where(is_of(source)).values(jobs=counted))


def end(tx: Tx, source: Source, *, node: str, due: datetime, error: str | None) -> None:
    """Let a sync go until it is due; without an error its run has ended, else it is to go on."""
    values: dict[str, object] = {"node": None, "until": None, "due_at": due, "error": error}
    if error is None:
        values |= {"read_at": tx.now, "began_at": None, "again": None}
    mine = cursors.c.node == node
    tx.run(update(cursors).where(is_of(source), mine).values(values))


def anew(tx: Tx, source: Source, mark: str) -> None:
    """Have a sync read everything and send it, changed or not; who reads it now is cut off."""
    values = {
        "cursor": None, "again": mark, "began_at": tx.now, "jobs": 0, "node": None, "until": None,
        "due_at": tx.now,
    }  # fmt: skip
    tx.run(update(cursors).where(is_of(source)).values(values))


def shown(tx: Tx, source: Source) -> Shown | None:
    """Say what became of a sync; None where no hub has known it yet."""
    row = tx.row(select(cursors).where(is_of(source)))
    if row is None:
        return None
    reads = row.node if row.until is not None and row.until > tx.now else None
    return Shown(
        due_at=row.due_at, read_at=row.read_at, began_at=row.began_at, jobs=row.jobs,
        error=row.error, cursor=row.cursor, node=reads,
    )  # fmt: skip
