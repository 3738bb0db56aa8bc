"""Leases: prolonged while a worker lives, taken back when it does not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, select, text, tuple_, update

from hub import retry
from store.chosen import among
from store.ending import promote
from store.schema import Int, Time, attempts, jobs
from store.settle import MOVE, resolve_from_events
from store.tx import Tx, padded

MOST = 500
MOST_LOST = 8
"""So often a job may be lost with its hub before it is taken for the cause of that."""
LOST = "the outcome of an attempt is unknown: the node went away"


def renew(tx: Tx, held: Sequence[tuple[int, int]], *, until: datetime) -> set[tuple[int, int]]:
    """Prolong leases, each a job's id and attempt; gives those still held."""
    if not held:
        return set()
    flights = {"held": padded(sorted(held)), "ids": padded(sorted({ident for ident, _ in held}))}
    tx.run(_RENEW, flights | {"until": until})
    # What a writer of jobs holds just now keeps its old end and is asked about again.
    return {(row.id, row.attempt) for row in tx.rows(_STILL, flights)}


def rescue(tx: Tx, *, all_of_them: bool = False) -> int:
    """Take back leases that ran out (at start, all): to ready, unsafe ones to uncertain.

    A job that is lost again and again may be what ends its hubs: it waits longer each time, apart
    from those lost with it, and in the end it is given up.
    """
    rows = tx.rows(_ALL) if all_of_them else tx.rows(_OVER, {"now": tx.now})
    tx.add(attempts, [_lost(tx, row) for row in rows])
    lost = _times_lost(tx, rows)
    tx.run_each(MOVE, [_taken_back(tx, row, lost[row.uid]) for row in rows])
    now = {row.uid: _state(row, lost[row.uid]) for row in rows}
    promote(tx, [(row.connector, row.lane) for row in rows if now[row.uid] == "d"])
    resolve_from_events(tx, [uid for uid, state in now.items() if state == "u"])
    tx.woken = tx.woken or bool(rows)
    return len(rows)


def _lost(tx: Tx, row: Row[Any]) -> dict[str, Any]:
    noted = {"job": row.uid, "attempt": row.attempt, "started_at": tx.now}
    return noted | {"outcome": "lost", "error": LOST}


def _times_lost(tx: Tx, rows: Sequence[Row[Any]]) -> dict[str, int]:
    """Count how often in a row each was lost, this time included; a person's retry begins anew."""
    again = [row.uid for row in rows if row.failures]
    survived: dict[str, int] = {}
    if again:
        of_them = attempts.c.job.in_(padded(again)), attempts.c.outcome != "lost"
        last = select(attempts.c.job, func.max(attempts.c.attempt)).where(*of_them)
        survived = dict(tx.rows(last.group_by(attempts.c.job)))  # type: ignore[arg-type] # pairs
    return {r.uid: min(r.failures + 1, r.attempt - survived.get(r.uid, 0)) for r in rows}


def _taken_back(tx: Tx, row: Row[Any], lost: int) -> dict[str, Any]:
    wait = retry.delay(retry.Policy(), row.uid, lost - 1) if 1 < lost < MOST_LOST else 0.0
    return {
        "this": row.id,
        "state": _state(row, lost),
        "prio": 1,
        "due_at": tx.now + timedelta(seconds=wait),
        "failures": row.failures + 1,
        "error": LOST if lost < MOST_LOST else f"gave up: {lost} hubs ended while it ran",
        "lease_owner": None,
        "lease_until": None,
    }


def _state(row: Row[Any], lost: int) -> str:
    if row.effect == "unsafe":
        return "u"
    if lost < MOST_LOST:
        return "r"
    if row.effect == "keyed":
        return "u"
    return "b" if row.blocks else "d"


# -- statements ------------------------------------------------------------------------------------
_still = and_(
    jobs.c.id.in_(bindparam("ids", expanding=True, type_=Int)),  # SQLite finds no pairs by an index
    tuple_(jobs.c.id, jobs.c.attempt).in_(bindparam("held", expanding=True)),
    text("state = 'l'"),
)
_STILL = select(jobs.c.id, jobs.c.attempt).where(_still)
_mine = (
    select(jobs.c.id)
    .where(_still)
    .order_by(jobs.c.id)
    .with_for_update(skip_locked=True)
    .cte("mine")
)
_RENEW = (
    update(jobs).where(among(jobs.c.id, _mine)).values(lease_until=bindparam("until", type_=Time))
)
_ALL = (
    select(jobs)
    .where(text("state = 'l'"))
    .order_by(jobs.c.lease_until)
    .limit(MOST)
    .with_for_update(skip_locked=True)
)
_OVER = _ALL.where(jobs.c.lease_until < bindparam("now", type_=Time))
