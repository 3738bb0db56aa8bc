"""How attempts and uncertain jobs end: fenced by (job, attempt), or by the state `uncertain`.

A zombie's result changes nothing. Whatever ends the head of a lane makes the next its head, in
the same commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import case, delete, func, insert, literal, select, update
from sqlalchemy.dialects.sqlite import insert as upserting

from hub.model import Job, NewJob
from store import schema
from store.jobs import read_job
from store.schema import accounts, attempts, events, job_history, jobs, links
from store.tx import Tx

SHARED = tuple(c.name for c in job_history.columns if c.name in jobs.columns and c.name != "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """How one attempt ended, as the worker hands it to the writer.

    Args:
        state: Where the job goes; `ready` means again at `due_at`.
        used: Whether the attempt counts against the job's attempts and age.
        pause: The account is claimed no more until then.
        hold: Why the account is held, where it is.
        release: The account was held, and this attempt shows that it works again.
        jobs: Jobs that follow from the outcome, written in the same commit.
    """

    job: Job
    state: Literal["done", "ready", "dead", "uncertain", "skipped"]
    outcome: str
    started_at: datetime
    ms: int
    due_at: datetime | None = None
    used: bool = True
    error: str | None = None
    ref: str | None = None
    status: int | None = None
    request_id: str | None = None
    body_hash: bytes | None = None
    links: Mapping[tuple[str, str], str] = field(default_factory=dict)
    jobs: Sequence[NewJob] = ()
    pause: datetime | None = None
    hold: str | None = None
    release: bool = False


def settle(tx: Tx, done: Completion) -> bool:
    """Apply one attempt's end; False where the attempt no longer holds the lease."""
    job = done.job
    if not _fenced(tx, job):
        return False
    _note_attempt(tx, done)
    if done.state in ("done", "skipped"):
        end(tx, job.id, done.state, reason=done.error, ref=done.ref)
    else:
        _go_on(tx, done)
    for (kind, our_id), their_id in done.links.items():
        keep_link(tx, job.connector, kind, our_id, their_id)
    if done.pause is not None or done.release:
        _pause(tx, job.account, done)
    tx.enqueue(*done.jobs)
    return True


def _fenced(tx: Tx, job: Job) -> bool:
    held = select(jobs.c.id).where(
        jobs.c.id == job.id, jobs.c.attempt == job.attempt, jobs.c.state == "l"
    )
    return tx.row(held) is not None


def _note_attempt(tx: Tx, done: Completion) -> None:
    tx.run(
        insert(attempts),
        {
            "job": done.job.uid,
            "attempt": done.job.attempt,
            "started_at": done.started_at,
            "ms": done.ms,
            "outcome": done.outcome,
            "status": done.status,
            "error": done.error,
            "request_id": done.request_id,
        },
    )


def _go_on(tx: Tx, done: Completion) -> None:
    """Put a job that is not over where it waits: ready, uncertain or dead."""
    job = done.job
    state = {"ready": "r", "uncertain": "u", "dead": "b" if job.blocks else "d"}[done.state]
    change: dict[str, Any] = {
        "state": state,
        "failures": jobs.c.failures + int(done.used),
        "due_at": done.due_at or tx.now,
        "error": done.error,
        "lease_owner": None,
        "lease_until": None,
    }
    if done.used:
        change["prio"] = 1
    else:
        # Held time ages nobody: the first attempt that counts starts the clock.
        change["first_sent_at"] = job.first_sent_at if job.failures else None
    if job.body_hash is None and done.body_hash is not None:
        change["body_hash"] = done.body_hash
    tx.run(update(jobs).where(jobs.c.id == job.id).values(change))
    if state == "d":
        promote(tx, job.connector, job.lane)
    if state == "u":
        resolve_from_events(tx, [job.uid])
    tx.woken = True


def _pause(tx: Tx, account: str, done: Completion) -> None:
    change: dict[str, Any] = {"paused_until": done.pause}
    if done.hold is not None or done.release:
        change |= {"held_reason": done.hold, "held_since": tx.now if done.hold else None}
    tx.run(update(accounts).where(accounts.c.account == account).values(change))


def end(
    tx: Tx, job_id: int, state: str, *, reason: str | None = None, by: str | None = None,
    ref: str | None = None,
) -> None:  # fmt: skip
    """Move a job to history and let its lane go on."""
    row = tx.row(select(jobs).where(jobs.c.id == job_id))
    if row is None:
        return
    kept = {name: getattr(row, name) for name in SHARED} | {"id": row.id, "state": state}
    kept |= {"reason": reason, "ended_by": by, "ended_at": tx.now, "ref": ref or row.ref}
    tx.run(insert(job_history), kept)
    tx.run(delete(jobs).where(jobs.c.id == job_id))
    if row.state in ("r", "l", "u", "b"):
        promote(tx, row.connector, row.lane)


def promote(tx: Tx, connector: str, lane: str | None) -> None:
    """Make the next waiting job of a lane its head."""
    if lane is None:
        return
    following = (
        select(jobs.c.id)
        .where(jobs.c.connector == connector, jobs.c.lane == lane, jobs.c.state == "w")
        .order_by(jobs.c.id)
        .limit(1)
        .scalar_subquery()
    )
    due = case((jobs.c.due_at > tx.now, jobs.c.due_at), else_=literal(tx.now, schema.Time))
    moved = tx.run(update(jobs).where(jobs.c.id == following).values(state="r", due_at=due))
    tx.woken = tx.woken or moved > 0


def keep_link(tx: Tx, connector: str, kind: str, our_id: str, their_id: str) -> None:
    """Remember that our id is theirs at this connector."""
    values = {
        "connector": connector,
        "kind": kind,
        "our_id": our_id,
        "their_id": their_id,
        "updated_at": tx.now,
    }
    tx.run(
        upserting(links).on_conflict_do_update(
            index_elements=["connector", "kind", "our_id"],
            set_={"their_id": their_id, "updated_at": tx.now},
        ),
        values,
    )


# -- resolve: what settles an uncertain job --------------------------------------------------------
def resolve_from_events(tx: Tx, uids: Sequence[str]) -> None:
    """Settle uncertain jobs that the provider's own events already speak of."""
    told = (
        select(
            events.c.job,
            func.max(events.c.failed).label("failed"),
            func.min(events.c.id).label("event_id"),
        )
        .where(events.c.job.in_(uids))
        .group_by(events.c.job)
    )
    for row in tx.rows(told):
        resolve(tx, row.job, "dead" if row.failed else "done", reason=f"told by {row.event_id}")


def resolve(
    tx: Tx, uid: str, state: Literal["done", "dead"], *, reason: str, by: str | None = None,
    ref: str | None = None,
) -> bool:  # fmt: skip
    """Settle an uncertain job, fenced by that state; False where it is not uncertain."""
    row = tx.row(select(jobs).where(jobs.c.uid == uid, jobs.c.state == "u"))
    if row is None:
        return False
    if state == "done":
        end(tx, row.id, "done", reason=reason, by=by, ref=ref)
        return True
    new = "b" if row.blocks else "d"
    tx.run(update(jobs).where(jobs.c.id == row.id).values(state=new, error=reason))
    if new == "d":
        promote(tx, row.connector, row.lane)
    return True


def unsure(tx: Tx) -> list[Job]:
    """Give every uncertain job."""
    rows = tx.rows(select(jobs).where(jobs.c.state == "u").order_by(jobs.c.id))
    return [read_job(tx, row) for row in rows]


def supersede(tx: Tx, uid: str, *, reason: str) -> bool:
    """End an uncertain job because another takes its place."""
    row = tx.row(select(jobs.c.id).where(jobs.c.uid == uid, jobs.c.state == "u"))
    if row is None:
        return False
    end(tx, row.id, "skipped", reason=reason)
    return True
