"""Jobs: written into their lanes, read from their rows. Claimed: store.claims; ended: store.settle.

The head of a lane is a row's state (`r l u b`), kept by a unique index, never searched for.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from hub.errors import HubError
from hub.model import Job, NewJob
from store import births
from store.job_columns import BORN_WITH, FREE
from store.schema import job_history, jobs
from store.tx import Rows, Tx, key16

LIVE_STATES = {
    "w": "waiting", "r": "ready", "l": "leased", "u": "uncertain", "d": "dead", "b": "dead",
}  # fmt: skip
ENDED = ("done", "skipped", "cancelled")


def settled(tx: Tx, uid: str, lane: str) -> bool:
    """Say whether a job is done, and what its answer told the shop, in this lane, is done too."""
    done = select(job_history.c.uid).where(job_history.c.uid == uid, job_history.c.state == "done")
    behind = select(jobs.c.uid).where(jobs.c.connector == "shop", jobs.c.lane == lane)
    return tx.row(done) is not None and tx.row(behind.limit(1)) is None


# -- enqueue ---------------------------------------------------------------------------------------
def enqueue(tx: Tx, new: Sequence[NewJob], told: Rows = ()) -> None:
    """Write jobs in order; duplicates of a key go straight to history, the dead stay visible.

    Args:
        told: Rows of events to be written with them.
    """
    rows = [(job, _values(tx, job)) for job in new]
    own = _own_keys(tx, new, told)
    tx.told = tx.told or bool(told)
    live = [(job, row) for job, row in rows if job.uid in own and job.state != "skipped"]
    alive = {job.uid for job, _ in live}
    over = [
        _skipped(job, row, duplicate=job.uid not in own)
        for job, row in rows
        if job.uid not in alive
    ]
    _insert(tx, live)
    tx.add(job_history, [row | {"ended_at": tx.now} for row in over])


def _insert(tx: Tx, live: Sequence[tuple[NewJob, dict[str, Any]]]) -> None:
    """Write jobs that are to be done; those this node begins at once are born leased."""
    leases = births.granted(tx, [job for job, _ in live])
    rows = [{**row, **leases.get(job.uid, FREE)} for job, row in live]
    leased = tx.ways.insert_jobs(tx.connection, rows)
    births.note(tx, [job for job, _ in live], leased, list(leases))
    tx.woken = tx.woken or len(leased) < len(live)


def _own_keys(tx: Tx, new: Sequence[NewJob], told: Rows) -> set[str]:
    """Take the keys that are free, each for the first job under it; give the uids of those."""
    first: dict[tuple[str, bytes], str] = {}
    for job in new:
        first.setdefault((job.connector, key16(job.key)), job.uid)
    rows = [
        {"connector": connector, "key16": key, "uid": uid, "seen_on": tx.now}
        for (connector, key), uid in first.items()
    ]
    return tx.ways.insert_keys(tx.connection, rows, told)


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
        "birth": "r" if job.state == "ready" else "d",
        "prio": job.prio,
        "due_at": job.due_at,
        "created_at": tx.now,
        "blocks": int(job.blocks),
        "give_up_at": job.give_up_at,
        "effect": job.effect,
        "key": job.key,
        "payload": None if payload is None else tx.seal(payload, "jobs.payload", job.uid),
        "mapping_hash": job.mapping_hash,
        "config_hash": job.config_hash,
        "trace": job.trace or tx.trace,
        "error": job.error,
    }


def _skipped(job: NewJob, row: Mapping[str, Any], *, duplicate: bool) -> dict[str, Any]:
    kept = {name: row[name] for name in BORN_WITH}
    return kept | {"state": "skipped", "reason": "duplicate key" if duplicate else job.error or ""}


# -- read ------------------------------------------------------------------------------------------
OF_JOB = (
    jobs.c.id, jobs.c.uid, jobs.c.connector, jobs.c.account, jobs.c.action, jobs.c.key,
    jobs.c.effect, jobs.c.payload, jobs.c.attempt, jobs.c.failures, jobs.c.created_at,
    jobs.c.event_id, jobs.c.inbox_id, jobs.c.route, jobs.c.lane, jobs.c.blocks,
    jobs.c.first_sent_at, jobs.c.give_up_at, jobs.c.body_hash, jobs.c.prio, jobs.c.lease_until,
    jobs.c.held0, jobs.c.trace,
)  # fmt: skip
"""What `read_job` reads, in its order."""


def read_job(tx: Tx, row: Sequence[Any], *, held: int | None = None, probe: bool = False) -> Job:
    """Make a Job of a row of OF_JOB, its payload opened; `held` is its account's, in microseconds.

    A payload that cannot be opened is the job's own fault: it must not stop a whole claim.
    """
    # Unpacked at once: a row's columns by name cost as much as the claim's own statement.
    (ident, uid, connector, account, action, key, effect, sealed, attempt, failures, created_at,
     event_id, inbox_id, route, lane, blocks, first_sent_at, give_up_at, body_hash, prio, until,
     held0, trace) = row  # fmt: skip
    payload, fault = None, None
    try:
        if sealed is not None:
            payload = tx.unseal(sealed, "jobs.payload", uid)
    except HubError as error:
        fault = str(error)
    return Job(
        id=ident, uid=uid, connector=connector, account=account, action=action, key=key,
        effect=effect, payload=payload, fault=fault, attempt=attempt, failures=failures,
        created_at=created_at, event_id=event_id, inbox_id=inbox_id, route=route, lane=lane,
        blocks=bool(blocks), first_sent_at=first_sent_at, give_up_at=give_up_at,
        body_hash=body_hash, prio=prio, until=until, probe=probe, trace=trace,
        held=_NEVER if held is None or held0 is None else timedelta(microseconds=held - held0),
    )  # fmt: skip


_NEVER = timedelta(0)
