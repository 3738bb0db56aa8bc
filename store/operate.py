"""What a person may do with a job: try again, cancel, settle an uncertain one. All audited."""

from typing import Literal

from sqlalchemy import Row, insert, select, update

from hub.errors import Refused
from store import schema
from store.schema import jobs
from store.settle import end, promote, resolve
from store.tx import Tx

UNDER_WAY = "r", "w", "d", "b", "u"


def again(tx: Tx, uid: str, *, by: str) -> str:
    """Make a dead job ready, under its old key, first in its lane.

    Raises:
        Refused: There is no such job, or it is not dead.
    """
    row = _job(tx, uid, "d", "b")
    if row.payload is None and row.action != "inbox.parse":
        raise Refused("invalid_transition", "nothing could be mapped: replay its event instead")
    fresh = {"due_at": tx.now, "prio": 0, "first_sent_at": None, "give_up_at": None, "failures": 0}
    if row.state == "b" or row.lane is None:
        tx.run(update(jobs).where(jobs.c.id == row.id).values(state="r", **fresh))
    else:
        tx.run(update(jobs).where(jobs.c.id == row.id).values(state="w", **fresh))
        if not _has_head(tx, row):
            promote(tx, row.connector, row.lane)
    tx.woken = True
    note(tx, by, "job.retry", uid)
    return uid


def cancel(tx: Tx, uid: str, *, by: str) -> str:
    """End a job that is not in flight; its lane goes on.

    Raises:
        Refused: There is no such job, or it is in flight or over.
    """
    row = _job(tx, uid, *UNDER_WAY)
    end(tx, row.id, "cancelled", reason=f"cancelled by {by}", by=by)
    note(tx, by, "job.cancel", uid)
    return uid


def settle_by_hand(tx: Tx, uid: str, state: Literal["done", "dead"], *, by: str) -> str:
    """Say what became of an uncertain job.

    Raises:
        Refused: It is not uncertain.
    """
    if not resolve(tx, uid, state, reason=f"settled by {by}", by=by):
        raise Refused("invalid_transition", f"{uid} is not uncertain")
    note(tx, by, f"job.settle.{state}", uid)
    return uid


def note(tx: Tx, who: str, what: str, subject: str, text: str | None = None) -> None:
    """Record who did what."""
    row = {"at": tx.now, "who": who, "what": what, "subject": subject, "note": text}
    tx.run(insert(schema.audit), row)


def _job(tx: Tx, uid: str, *states: str) -> Row[tuple[object, ...]]:
    row = tx.row(select(jobs).where(jobs.c.uid == uid))
    if row is None:
        raise Refused("not_found", f"there is no live job {uid}")
    if row.state not in states:
        raise Refused("invalid_transition", f"{uid} is in state '{row.state}'")
    return row


def _has_head(tx: Tx, row: Row[tuple[object, ...]]) -> bool:
    head = select(jobs.c.id).where(
        jobs.c.connector == row.connector,
        jobs.c.lane == row.lane,
        jobs.c.state.in_(("r", "l", "u", "b")),
    )
    return tx.row(head) is not None
