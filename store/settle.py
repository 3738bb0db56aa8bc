"""How attempts and uncertain jobs end: fenced by (job, attempt), or by the state `uncertain`.

A zombie's result changes nothing. Whatever ends the head of a lane makes the next its head, in
the same commit. A job that another transaction holds is left out, never waited for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import Row, Select, bindparam, func, select, text, update

from hub import crash
from hub.circuit import Breaker
from hub.model import Job, NewJob
from store import accounts, subscribers
from store.ending import Ending, end, give_head, promote
from store.jobs import OF_JOB, read_job
from store.schema import Int, attempts, events, jobs, links, upserting
from store.tx import AGAIN, Again, Tx, Undone, padded

Settled = tuple["Completion", Row[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """How one attempt ended, as the worker hands it to the writer.

    Args:
        state: Where the job goes; `ready` means again at `due_at`.
        used: Whether the attempt counts against the job's attempts and age.
        pause: The account is claimed no more until then.
        hold: Why the account is held, where it is.
        release: The account was held, and this attempt shows that it works again.
        breaker: When its account's breaker opens; None: it has none.
        disable: Why its subscriber gets nothing any more, where it wants nothing.
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
    breaker: Breaker | None = None
    disable: str | None = None


def settle(tx: Tx, dones: Sequence[Completion]) -> list[bool | Again]:
    """Apply how attempts ended, but not the jobs that follow.

    Returns:
        For each: False where it no longer holds its lease, AGAIN where its job is held just now.
    """
    told = _fenced(tx, [done.job for done in dones])
    settled = [(d, row) for d, row in zip(dones, told, strict=True) if isinstance(row, Row)]
    tx.add(attempts, [_attempt(done) for done, _ in settled])
    over = [(d, row) for d, row in settled if d.state in ("done", "skipped")]
    end(tx, [Ending(row, d.state, reason=d.error, ref=d.ref) for d, row in over])
    _go_on(tx, [(d, row) for d, row in settled if d.state not in ("done", "skipped")])
    _keep_links(tx, [done for done, _ in settled])
    accounts.told(tx, [done for done, _ in settled])
    subscribers.told(tx, [done for done, _ in settled])
    crash.at("F_before")
    return [one if isinstance(one, Again) else one is not None for one in told]


def settle_with(tx: Tx, done: Completion, work: Callable[[Tx], object] | None = None) -> bool:
    """Apply how one attempt ended, with what it changes and the jobs that follow: all or nothing.

    The job itself comes last: whoever holds it waits for nobody.

    Raises:
        Undone: It lost its lease meanwhile, or its job is held just now.
    """
    if not _holds(tx, done.job):
        return False
    if work is not None:
        work(tx)
    tx.enqueue(*done.jobs)
    tx.flush()
    [settled] = settle(tx, [done])
    if settled is not True:
        raise Undone(again=settled is AGAIN)
    return True


def _holds(tx: Tx, job: Job) -> bool:
    return tx.row(_HELD, {"this": job.id, "attempt": job.attempt}) is not None


def _fenced(tx: Tx, ended: Sequence[Job]) -> list[Row[Any] | Again | None]:
    """Lock the rows of jobs that still hold their lease; None for those that do not."""
    if not ended:
        return []
    ids = {"ids": padded([job.id for job in ended])}
    rows = {(r.id, r.attempt): r for r in tx.rows(_LOCK[tx.patient], ids)}
    busy: set[tuple[int, int]] = set()
    if not tx.patient and any((job.id, job.attempt) not in rows for job in ended):
        busy = {(row.id, row.attempt) for row in tx.rows(_SEEN, ids)} - rows.keys()
    told: list[Row[Any] | Again | None] = []
    for job in ended:
        fence = (job.id, job.attempt)
        told.append(AGAIN if fence in busy else rows.pop(fence, None))
    return told


def _attempt(done: Completion) -> dict[str, Any]:
    return {
        "job": done.job.uid,
        "attempt": done.job.attempt,
        "started_at": done.started_at,
        "ms": done.ms,
        "outcome": done.outcome,
        "status": done.status,
        "error": done.error,
        "request_id": done.request_id,
    }


def _go_on(tx: Tx, settled: Sequence[Settled]) -> None:
    """Put jobs that are not over where they wait: ready, uncertain or dead."""
    tx.run_each(MOVE, [_moved(tx, done, row) for done, row in settled])
    promote(tx, [(r.connector, r.lane) for d, r in settled if d.state == "dead" and not r.blocks])
    resolve_from_events(tx, [row.uid for done, row in settled if done.state == "uncertain"])
    tx.woken = tx.woken or bool(settled)


def _moved(tx: Tx, done: Completion, row: Row[Any]) -> dict[str, Any]:
    state = {"ready": "r", "uncertain": "u", "dead": "b" if row.blocks else "d"}[done.state]
    first_sent = row.first_sent_at
    if not done.used:
        # Held time ages nobody: the first attempt that counts starts the clock.
        first_sent = done.job.first_sent_at if done.job.failures else None
    return {
        "this": row.id,
        "state": state,
        "prio": 1 if done.used else row.prio,
        "due_at": done.due_at or tx.now,
        "failures": row.failures + int(done.used),
        "first_sent_at": first_sent,
        "body_hash": row.body_hash or done.body_hash,
        "error": done.error,
        "lease_owner": None,
        "lease_until": None,
    }


def _keep_links(tx: Tx, dones: Sequence[Completion]) -> None:
    found = {
        (done.job.connector, kind, our_id): their_id
        for done in dones
        for (kind, our_id), their_id in done.links.items()
    }
    rows = [
        {**dict(zip(_LINK, key, strict=True)), "their_id": their_id, "updated_at": tx.now}
        for key, their_id in sorted(found.items())
    ]
    tx.run_each(_KEEP_LINK, rows)


# -- statements, made once: making one costs as much as running it ---------------------------------
MOVE = update(jobs).where(jobs.c.id == bindparam("this"))
_HELD = select(jobs.c.id).where(
    jobs.c.id == bindparam("this"), jobs.c.attempt == bindparam("attempt"), text("state = 'l'")
)
_OF_ENDED = (
    jobs.c.id, jobs.c.uid, jobs.c.connector, jobs.c.lane, jobs.c.state, jobs.c.attempt,
    jobs.c.blocks, jobs.c.prio, jobs.c.failures, jobs.c.first_sent_at, jobs.c.body_hash, jobs.c.ref,
)  # fmt: skip
_leased = jobs.c.id.in_(bindparam("ids", expanding=True, type_=Int)), text("state = 'l'")
_SEEN = select(jobs.c.id, jobs.c.attempt).where(*_leased)
_LOCK = {
    patient: select(*_OF_ENDED)
    .where(*_leased)
    .order_by(jobs.c.id)
    .with_for_update(skip_locked=not patient)
    for patient in (False, True)
}
_LINK = ("connector", "kind", "our_id")
_adding = upserting(links)
_KEEP_LINK = _adding.on_conflict_do_update(
    index_elements=list(_LINK),
    set_={"their_id": _adding.excluded.their_id, "updated_at": _adding.excluded.updated_at},
)


# -- resolve: what settles an uncertain job --------------------------------------------------------
def resolve_from_events(tx: Tx, uids: Sequence[str]) -> None:
    """Settle uncertain jobs that the provider's own events already speak of."""
    if not uids:
        return
    told = {row.job: row for row in tx.rows(_told_of(uids))}
    unsure = jobs.c.uid.in_(padded(list(told) or [""])), jobs.c.state == "u"
    lock = select(jobs).where(*unsure).order_by(jobs.c.id)
    rows = tx.rows(lock.with_for_update(skip_locked=not tx.patient)) if told else []
    for row in rows:
        failed, event_id = told[row.uid].failed, told[row.uid].event_id
        _resolve(tx, row, "dead" if failed else "done", reason=f"told by {event_id}")
    if told and not tx.patient:
        seen = {row.uid for row in tx.rows(select(jobs.c.uid).where(*unsure))}
        if seen:
            tx.afterwards.append(partial(resolve_from_events, uids=sorted(seen)))


def _told_of(uids: Sequence[str]) -> Select[Any]:
    return (
        select(
            events.c.job,
            func.max(events.c.failed).label("failed"),
            func.min(events.c.id).label("event_id"),
        )
        .where(events.c.job.in_(padded(uids)))
        .group_by(events.c.job)
    )


def resolve(
    tx: Tx, uid: str, state: Literal["done", "dead"], *, reason: str, by: str | None = None,
    ref: str | None = None,
) -> bool:  # fmt: skip
    """Settle an uncertain job, fenced by that state; False where it is not uncertain."""
    row = tx.row(select(jobs).where(jobs.c.uid == uid, jobs.c.state == "u").with_for_update())
    if row is None:
        return False
    _resolve(tx, row, state, reason=reason, by=by, ref=ref)
    return True


def _resolve(
    tx: Tx, row: Row[Any], state: str, *, reason: str, by: str | None = None, ref: str | None = None
) -> None:
    if state == "done":
        end(tx, [Ending(row, "done", reason=reason, by=by, ref=ref)])
        return
    new = "b" if row.blocks else "d"
    tx.run(update(jobs).where(jobs.c.id == row.id).values(state=new, error=reason))
    if new == "d":
        promote(tx, [(row.connector, row.lane)])


def unsure(tx: Tx) -> list[Job]:
    """Give every uncertain job that no event has settled yet."""
    resolve_from_events(tx, [row.uid for row in tx.rows(_UNSURE)])
    return [read_job(tx, row) for row in tx.rows(_UNSURE)]


_UNSURE = select(*OF_JOB).where(text("state = 'u'")).order_by(jobs.c.uid)


def supersede(tx: Tx, uid: str, heir: NewJob, *, reason: str) -> bool:
    """End an uncertain job; another takes its place, in its lane as well."""
    row = tx.row(select(jobs).where(jobs.c.uid == uid, jobs.c.state == "u").with_for_update())
    if row is None:
        return False
    end(tx, [Ending(row, "skipped", reason=reason)], free=False)
    tx.enqueue(heir)
    tx.flush()
    if row.lane is not None:
        give_head(tx, row)
    return True
