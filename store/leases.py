"""Leases: prolonged while a worker lives, taken back when it does not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select, text, tuple_, update

from store.schema import attempts, jobs
from store.settle import MOVE, resolve_from_events
from store.tx import Tx, padded

MOST = 500
LOST = "the outcome of an attempt is unknown: the node went away"


def renew(tx: Tx, held: Sequence[tuple[int, int]], *, until: datetime) -> set[tuple[int, int]]:
    """Prolong leases, each a job's id and attempt; gives those still held."""
    if not held:
        return set()
    still = and_(tuple_(jobs.c.id, jobs.c.attempt).in_(padded(sorted(held))), text("state = 'l'"))
    free = select(jobs.c.id).where(still).order_by(jobs.c.id).with_for_update(skip_locked=True)
    mine = free.cte("mine")
    tx.run(update(jobs).where(jobs.c.id.in_(select(mine.c.id))).values(lease_until=until))
    # What a writer of jobs holds just now keeps its old end and is asked about again.
    return {
        (row.id, row.attempt) for row in tx.rows(select(jobs.c.id, jobs.c.attempt).where(still))
    }


def rescue(tx: Tx, *, all_of_them: bool = False) -> int:
    """Take back leases that ran out (at start, all): to ready, unsafe ones to uncertain."""
    over = [text("state = 'l'")] + ([] if all_of_them else [jobs.c.lease_until < tx.now])
    lock = select(jobs).where(*over).order_by(jobs.c.lease_until).limit(MOST)
    rows = tx.rows(lock.with_for_update(skip_locked=True))
    tx.run_each(insert(attempts), [_lost(tx, row) for row in rows])
    tx.run_each(MOVE, [_taken_back(tx, row) for row in rows])
    resolve_from_events(tx, [row.uid for row in rows if row.effect == "unsafe"])
    tx.woken = tx.woken or bool(rows)
    return len(rows)


def _lost(tx: Tx, row: Row[Any]) -> dict[str, Any]:
    noted = {"job": row.uid, "attempt": row.attempt, "started_at": tx.now}
    return noted | {"outcome": "lost", "error": LOST}


def _taken_back(tx: Tx, row: Row[Any]) -> dict[str, Any]:
    return {
        "this": row.id,
        "state": "u" if row.effect == "unsafe" else "r",
        "prio": 1,
        "due_at": tx.now,
        "failures": row.failures + 1,
        "error": LOST,
        "lease_owner": None,
        "lease_until": None,
    }
