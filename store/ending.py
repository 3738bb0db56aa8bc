"""The end of a job, and the next of its lane: in one commit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, delete, select, text, update
from sqlalchemy.exc import IntegrityError

from store.schema import HEAD, Int, Time, jobs
from store.tx import Tx, padded

HEADS = ("r", "l", "u", "b")


@dataclass(frozen=True, slots=True)
class Ending:
    """A job's row, held by this transaction, and how it ends."""

    row: Row[Any]
    state: str
    reason: str | None = None
    by: str | None = None
    ref: str | None = None


def end(tx: Tx, endings: Sequence[Ending], *, free: bool = True) -> None:
    """Move jobs to history and let their lanes go on.

    Args:
        free: Make the next of each lane its head; where not, whoever calls gives it one.
    """
    if not endings:
        return
    tx.ways.keep_ended(tx.connection, [_ended(one) for one in endings], at=tx.now)
    tx.run(_DROP, {"ids": padded([one.row.id for one in endings])})
    if free:
        promote(tx, [(e.row.connector, e.row.lane) for e in endings if e.row.state in HEADS])


def _ended(one: Ending) -> dict[str, Any]:
    return {
        "id": one.row.id,
        "state": one.state,
        "reason": one.reason,
        "ended_by": one.by,
        "ref": one.ref or one.row.ref,
    }


def promote(tx: Tx, lanes: Iterable[tuple[str, str | None]]) -> None:
    """Make the next waiting job of each lane its head.

    Statements of their own: they must see what was written while this transaction waited. Most
    lanes have nobody waiting; whoever comes from here on finds no head, and is it.
    """
    freed = {(connector, lane) for connector, lane in lanes if lane is not None}
    followed = sorted(tx.ways.followed(tx.connection, sorted(freed)))
    tx.run_each(_PROMOTE, [{"of": c, "freed": lane, "now": tx.now} for c, lane in followed])
    tx.woken = tx.woken or bool(followed)


def give_head(tx: Tx, row: Row[Any]) -> None:
    """See that the lane of a waiting job has a head: the one it has, or its next."""
    held = select(jobs.c.id).where(
        jobs.c.connector == row.connector, jobs.c.lane == row.lane, text(HEAD)
    )
    while tx.row(held.with_for_update(read=True)) is None:
        try:
            with tx.connection.begin_nested():
                promote(tx, [(row.connector, row.lane)])
        except IntegrityError:
            continue  # another transaction gave the lane a head just now: hold that one
        return


_DROP = delete(jobs).where(jobs.c.id.in_(bindparam("ids", expanding=True, type_=Int)))
_next = (
    select(jobs.c.id)
    .where(
        jobs.c.connector == bindparam("of"), jobs.c.lane == bindparam("freed"), text("state = 'w'")
    )
    .order_by(jobs.c.id)
    .limit(1)
    .with_for_update()
    .scalar_subquery()
)
_now = bindparam("now", type_=Time)
# What never went out has no such time, but where the store was restored from a backup.
_sent = and_(jobs.c.effect == "unsafe", jobs.c.first_sent_at.is_not(None))
_PROMOTE = (
    update(jobs)
    .where(jobs.c.id == _next)
    .values(
        state=case((_sent, "u"), else_="r"),
        due_at=case((jobs.c.due_at > _now, jobs.c.due_at), else_=_now),
    )
)
