"""Jobs: enqueue, claim, settle, promote, rescue, resolve. Statements of one writer (SQLite).

The head of a lane is a row's state (`r l u b`), kept by a unique index, never searched for.
Completions are fenced by (job, attempt): a zombie's result changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upserting

from hub.model import Job, NewJob
from store import schema
from store.schema import accounts, attempts, events, job_history, job_keys, jobs, links
from store.tx import Tx, key16

LIVE_STATES = {
    "w": "waiting", "r": "ready", "l": "leased", "u": "uncertain", "d": "dead", "b": "dead",
}  # fmt: skip
ENDED = ("done", "skipped", "cancelled")
SHARED = tuple(c.name for c in job_history.columns if c.name in jobs.columns and c.name != "state")

_head = jobs.alias("h")
_lane_taken = (
    select(literal(1))
    .where(
        _head.c.connector == bindparam("connector"),
        _head.c.lane == bindparam("lane"),
        _head.c.lane.is_not(None),
        _head.c.state.in_(("r", "l", "u", "b")),
    )
    .exists()
)
_FILLED = (
    "uid", "connector", "account", "action", "route", "event_id", "inbox_id", "lane", "prio",
    "due_at", "created_at", "blocks", "give_up_at", "effect", "key", "payload", "mapping_hash",
    "error",
)  # fmt: skip
_INSERT = insert(jobs).values(
    {name: bindparam(name, type_=jobs.c[name].type) for name in _FILLED}
    | {
        "state": case(
            (bindparam("birth") != "ready", "d"),
            (and_(bindparam("lane").is_not(None), _lane_taken), "w"),
            else_="r",
        )
    }
)


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


# -- enqueue ---------------------------------------------------------------------------------------
def enqueue(tx: Tx, new: Iterable[NewJob]) -> None:
    """Write jobs in order; duplicates of a key go straight to history, the dead stay visible."""
    for job in new:
        values = _values(tx, job)
        if not _own_key(tx, job):
            _to_history(tx, values, "skipped", "duplicate key")
        elif job.state == "skipped":
            _to_history(tx, values, "skipped", job.error or "")
        else:
            tx.run(_INSERT, values | {"birth": job.state})
            tx.woken = True


def _own_key(tx: Tx, job: NewJob) -> bool:
    taken = upserting(job_keys).on_conflict_do_nothing()
    values = {
        "connector": job.connector,
        "key16": key16(job.key),
        "uid": job.uid,
        "seen_on": tx.now,
    }
    return tx.run(taken, values) == 1


def _values(tx: Tx, job: NewJob) -> dict[str, Any]:
    payload = job.payload
    return {
        "uid": job.uid,
        "connector": job.connector,
        "account": job.account,
        "action": job.action,
        "route": job.route,
        "event_id": job.event_id,
        "inbox_id": job.inbox_id,
        "lane": job.lane if job.state == "ready" else None,
        "prio": job.prio,
        "due_at": job.due_at,
        "created_at": tx.now,
        "blocks": int(job.blocks),
        "give_up_at": job.give_up_at,
        "effect": job.effect,
        "key": job.key,
        "payload": None if payload is None else tx.seal(payload, "jobs.payload", job.uid),
        "mapping_hash": job.mapping_hash,
        "error": job.error,
    }


def _to_history(tx: Tx, values: Mapping[str, Any], state: str, reason: str) -> None:
    tx.run(insert(job_history), {**values, "state": state, "reason": reason, "ended_at": tx.now})


# -- claim -----------------------------------------------------------------------------------------
_due = (
    select(
        accounts.c.account,
        text("p.prio"),
        select(func.min(jobs.c.due_at))
        .where(
            jobs.c.account == accounts.c.account,
            jobs.c.prio == text("p.prio"),
            jobs.c.state == "r",
        )
        .scalar_subquery()
        .label("due_at"),
        accounts.c.paused_until,
    )
    .select_from(
        accounts.join(text("(SELECT 0 AS prio UNION ALL SELECT 1 UNION ALL SELECT 2) p"), text("1"))
    )
    .order_by(accounts.c.account, text("p.prio"))
)
_CLAIM = (
    update(jobs)
    .where(
        jobs.c.id.in_(
            select(jobs.c.id)
            .where(
                jobs.c.account == bindparam("who"),
                jobs.c.prio == bindparam("class"),
                jobs.c.state == "r",
                jobs.c.due_at <= bindparam("now", type_=schema.Time),
            )
            .order_by(jobs.c.due_at, jobs.c.id)
            .limit(bindparam("most"))
        )
    )
    .values(
        state="l",
        attempt=jobs.c.attempt + 1,
        lease_owner=bindparam("node"),
        lease_until=bindparam("until", type_=schema.Time),
        first_sent_at=func.coalesce(jobs.c.first_sent_at, bindparam("now", type_=schema.Time)),
    )
    .returning(jobs)
)


def claim(
    tx: Tx, room: Mapping[str, int], *, node: str, until: datetime
) -> tuple[list[Job], datetime | None]:
    """Lease due jobs, at most `room[account]` for each account.

    Returns:
        The jobs, oldest due first, and when the next one that could be claimed falls due.
    """
    claimed: list[Job] = []
    left = dict(room)
    upcoming: list[datetime] = []
    for row in tx.rows(_due):
        account, prio, paused = row.account, row.prio, row.paused_until
        due = row.due_at if paused is None or row.due_at is None else max(row.due_at, paused)
        if due is not None and due > tx.now:
            upcoming.append(due)
        if due is None or due > tx.now or left.get(account, 0) <= 0:
            continue
        found = {"who": account, "class": prio, "now": tx.now, "most": left[account]}
        taken = tx.rows(_CLAIM, found | {"node": node, "until": until})
        left[account] -= len(taken)
        claimed += [read_job(tx, row) for row in taken]
    claimed.sort(key=lambda job: job.id)
    return claimed, min(upcoming, default=None)


def read_job(tx: Tx, row: Row[Any]) -> Job:
    """Make a Job of a row, its payload opened."""
    sealed = row.payload
    return Job(
        id=row.id,
        uid=row.uid,
        connector=row.connector,
        account=row.account,
        action=row.action,
        key=row.key,
        effect=row.effect,
        payload=None if sealed is None else tx.unseal(sealed, "jobs.payload", row.uid),
        attempt=row.attempt,
        failures=row.failures,
        created_at=row.created_at,
        event_id=row.event_id,
        inbox_id=row.inbox_id,
        route=row.route,
        lane=row.lane,
        blocks=bool(row.blocks),
        first_sent_at=row.first_sent_at,
        give_up_at=row.give_up_at,
        body_hash=row.body_hash,
    )


# -- settle ----------------------------------------------------------------------------------------
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


# -- rescue, renew, return -------------------------------------------------------------------------
def renew(tx: Tx, held: Sequence[tuple[int, int]], *, until: datetime) -> set[int]:
    """Prolong leases; gives the ids still held, of those asked about."""
    kept = set()
    for job_id, attempt in held:
        still = and_(jobs.c.id == job_id, jobs.c.attempt == attempt, jobs.c.state == "l")
        if tx.run(update(jobs).where(still).values(lease_until=until)):
            kept.add(job_id)
    return kept


def rescue(tx: Tx, *, all_of_them: bool = False) -> int:
    """Take back leases that ran out (at start, all): to ready, unsafe ones to uncertain."""
    out = jobs.c.state == "l"
    if not all_of_them:
        out = and_(out, jobs.c.lease_until < tx.now)
    rows = tx.rows(select(jobs).where(out).order_by(jobs.c.lease_until).limit(500))
    for row in rows:
        _take_back(tx, row, "lost", used=True, state="u" if row.effect == "unsafe" else "r")
    return len(rows)


def give_back(tx: Tx, held: Sequence[Job]) -> None:
    """Return leases of jobs that were claimed but not begun."""
    for job in held:
        if _fenced(tx, job):
            row = tx.row(select(jobs).where(jobs.c.id == job.id))
            if row is not None:
                _take_back(tx, row, "returned", used=False, state="r")


def _take_back(tx: Tx, row: Row[Any], outcome: str, *, used: bool, state: str) -> None:
    tx.run(
        insert(attempts),
        {
            "job": row.uid,
            "attempt": row.attempt,
            "started_at": tx.now,
            "outcome": outcome,
            "error": "the node went away" if outcome == "lost" else None,
        },
    )
    change: dict[str, Any] = {"state": state, "lease_owner": None, "lease_until": None}
    change |= {"due_at": tx.now, "failures": jobs.c.failures + int(used)}
    if used:
        change |= {"prio": 1, "error": "the outcome of an attempt is unknown: the node went away"}
    tx.run(update(jobs).where(jobs.c.id == row.id).values(change))
    if state == "u":
        resolve_from_events(tx, [row.uid])
    tx.woken = True


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
