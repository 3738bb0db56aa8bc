"""Leases: prolonged while a worker lives, taken back when it does not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select, update

from store.schema import attempts, jobs
from store.settle import resolve_from_events
from store.tx import Tx


def renew(tx: Tx, held: Sequence[tuple[int, int]], *, until: datetime) -> set[tuple[int, int]]:
    """Prolong leases, each a job's id and attempt; gives those still held."""
    kept = set()
    for job_id, attempt in held:
        still = and_(jobs.c.id == job_id, jobs.c.attempt == attempt, jobs.c.state == "l")
        if tx.run(update(jobs).where(still).values(lease_until=until)):
            kept.add((job_id, attempt))
    return kept


def rescue(tx: Tx, *, all_of_them: bool = False) -> int:
    """Take back leases that ran out (at start, all): to ready, unsafe ones to uncertain."""
    out = jobs.c.state == "l"
    if not all_of_them:
        out = and_(out, jobs.c.lease_until < tx.now)
    rows = tx.rows(select(jobs).where(out).order_by(jobs.c.lease_until).limit(500))
    for row in rows:
        _take_back(tx, row)
    return len(rows)


def _take_back(tx: Tx, row: Row[Any]) -> None:
    text = "the outcome of an attempt is unknown: the node went away"
    noted = {"job": row.uid, "attempt": row.attempt, "started_at": tx.now, "outcome": "lost"}
    tx.run(insert(attempts), noted | {"error": text})
    state = "u" if row.effect == "unsafe" else "r"
    change: dict[str, Any] = {"state": state, "prio": 1, "due_at": tx.now, "error": text}
    change |= {"failures": jobs.c.failures + 1, "lease_owner": None, "lease_until": None}
    tx.run(update(jobs).where(jobs.c.id == row.id).values(change))
    if state == "u":
        resolve_from_events(tx, [row.uid])
    tx.woken = True
