"""What a person may do with a job: try again, cancel, settle an uncertain one. All audited."""

from typing import Any, Literal

from sqlalchemy import Row, delete, select, update

from hub.errors import Refused
from hub.model import NewJob
from store.audit import note
from store.ending import Ending, end, give_head
from store.events import kept_event
from store.replay import Rewrite
from store.schema import job_keys, jobs
from store.settle import resolve
from store.tx import Tx, key16

UNDER_WAY = "r", "w", "d", "b", "u"


def again(tx: Tx, uid: str, *, by: str, rewrite: Rewrite | None = None, why: str = "") -> str:
    """Make a dead job ready, under its old key, first in its lane; gives the uid of what is.

    One that was dead at birth has no input: its route maps its event now, into a new job.

    Args:
        why: The filter that chose it, for the audit.

    Raises:
        Refused: There is no such job, it is not dead, or it can still not be mapped.
    """
    row = _job(tx, uid, "d", "b")
    if row.payload is None and row.action != "inbox.parse":
        made = _map_again(tx, row, rewrite, by=by)
        note(tx, by, "job.retry", uid, why)
        return made
    fresh = {"due_at": tx.now, "prio": 0, "first_sent_at": None, "give_up_at": None, "failures": 0}
    waits = row.state == "d" and row.lane is not None
    state = "w" if waits else "r"
    tx.run(update(jobs).where(jobs.c.id == row.id).values(state=state, **fresh))
    if waits:
        give_head(tx, row)
    tx.woken = True
    note(tx, by, "job.retry", uid, why)
    return uid


def cancel(tx: Tx, uid: str, *, by: str, why: str = "") -> str:
    """End a job that is not in flight; its lane goes on.

    Raises:
        Refused: There is no such job, or it is in flight or over.
    """
    row = _job(tx, uid, *UNDER_WAY)
    end(tx, [Ending(row, "cancelled", reason=f"cancelled by {by}", by=by)])
    note(tx, by, "job.cancel", uid, why)
    return uid


def settle_by_hand(
    tx: Tx, uid: str, state: Literal["done", "dead"], *, by: str, why: str = ""
) -> str:
    """Say what became of an uncertain job.

    Raises:
        Refused: It is not uncertain.
    """
    if not resolve(tx, uid, state, reason=f"settled by {by}", by=by):
        raise Refused("invalid_transition", f"{uid} is not uncertain")
    note(tx, by, f"job.settle.{state}", uid, why)
    return uid


def _map_again(tx: Tx, row: Row[Any], rewrite: Rewrite | None, *, by: str) -> str:
    """End a job that was dead at birth; the one its route writes now takes its place."""
    new = _rewritten(tx, row, rewrite)
    if new is None:
        end(tx, [Ending(row, "skipped", reason="its route wants the event no more", by=by)])
        return str(row.uid)
    if new.state == "dead":
        raise Refused("invalid_transition", f"{row.uid} still cannot be mapped: {new.error}")
    # Nothing was ever sent under its key: its heir may have it.
    tx.run(delete(job_keys).where(job_keys.c.uid == row.uid, job_keys.c.key16 == key16(row.key)))
    end(tx, [Ending(row, "skipped", reason=f"mapped again as {new.uid}", by=by)])
    tx.enqueue(new)
    return new.uid


def _rewritten(tx: Tx, row: Row[Any], rewrite: Rewrite | None) -> NewJob | None:
    if rewrite is None or row.route is None or row.event_id is None:
        raise Refused("invalid_transition", f"{row.uid} has no input, and no route to map it")
    try:
        return rewrite(row.route, kept_event(tx, row.event_id), tx.now)
    except KeyError as error:
        text = f"{row.uid} has no input, and its route {row.route} is no longer there"
        raise Refused("invalid_transition", text) from error


def _job(tx: Tx, uid: str, *states: str) -> Row[Any]:
    row = tx.row(select(jobs).where(jobs.c.uid == uid).with_for_update())
    if row is None:
        raise Refused("not_found", f"there is no live job {uid}")
    if row.state not in states:
        raise Refused("invalid_transition", f"{uid} is in state '{row.state}'")
    return row
