"""A store that was restored: nobody is called until a person has seen what would go out.

Webhooks are taken and the shop's own jobs done meanwhile; the time ages no job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, not_, or_, select, update

from hub.errors import Refused
from hub.model import Json, NewJob
from hub.retry import KEY_MARGIN
from store.audit import note
from store.restore_schema import restores
from store.schema import MICROSECOND, accounts, cursors, jobs
from store.tx import Tx

LOST = "its event is from before a restore: it may have been done then"
REPEATED = ("keyed", "deduped", "unsafe")
"""The effects of which it matters whether a job was sent before."""
SHOP = "shop"  # its actions are transactions, not calls

_pending = and_(restores.c.at.is_not(None), restores.c.released_at.is_(None))


def may_call() -> ColumnElement[bool]:
    """Say of a row of `accounts` whether its jobs may go out, as far as restores go."""
    return or_(accounts.c.account == SHOP, not_(select(restores.c.n).where(_pending).exists()))


def latest(tx: Tx) -> Row[Any] | None:
    """Give the last restore, released or not; None where the store is no restored one."""
    newest = select(restores).where(restores.c.at.is_not(None)).order_by(restores.c.n.desc())
    return tx.row(newest.limit(1))


def pending(tx: Tx) -> Row[Any] | None:
    """Give the restore after which nobody was called yet; None where all goes its way."""
    return tx.row(select(restores).where(_pending).order_by(restores.c.n.desc()).limit(1))


def doubted(made: Sequence[NewJob]) -> list[NewJob]:
    """Have jobs of an event from before the restore born dead, where they may have been done.

    What the store knew of them is lost, their keys too: a person tries them again, or does not.
    """
    return [
        replace(job, state="dead", error=job.error or LOST) if job.effect in REPEATED else job
        for job in made
    ]


def foreseen(tx: Tx, windows: Mapping[tuple[str, str], timedelta]) -> list[dict[str, Json]]:
    """Give what becomes of the live jobs of each connector once it may be called.

    Args:
        windows: For how long a provider knows the key of an action, by connector and action.
    """
    counts: dict[str, dict[str, Json]] = {}
    groups = select(
        jobs.c.connector, jobs.c.action, jobs.c.effect, jobs.c.state, func.count().label("many"),
        func.count(jobs.c.first_sent_at).label("sent"),
    ).where(jobs.c.connector != SHOP, jobs.c.state.in_(("r", "w", "u")))  # fmt: skip
    each = (jobs.c.connector, jobs.c.action, jobs.c.effect, jobs.c.state)
    for row in tx.rows(groups.group_by(*each).order_by(*each)):
        mine = counts.setdefault(
            row.connector,
            {"connector": row.connector, "send": 0, "uncertain": 0, "look_up": 0, "too_late": 0},
        )
        parked = row.many if row.state == "u" else row.sent if row.effect == "unsafe" else 0
        mine["uncertain"] += parked
        window = windows.get((row.connector, row.action)) if row.state != "u" else None
        late = _late(tx, row, window) if window is not None else 0
        mine["look_up" if row.effect == "keyed" else "too_late"] += late
        mine["send"] += row.many - parked - late
    return list(counts.values())


def _late(tx: Tx, group: Row[Any], window: timedelta) -> int:
    """Count the jobs of a group whose key the provider may have forgotten."""
    found = tx.row(
        select(func.count())
        .select_from(jobs)
        .where(
            jobs.c.connector == group.connector,
            jobs.c.action == group.action,
            jobs.c.effect == group.effect,
            jobs.c.state == group.state,
            jobs.c.failures > 0,
            jobs.c.first_sent_at <= tx.now - window + KEY_MARGIN,
        )
    )
    return 0 if found is None else int(found[0])


def release(tx: Tx, *, by: str) -> timedelta:
    """Let calls go out again, and read every source; give for how long nobody was called.

    Raises:
        Refused: The store was not restored, or was released before.
    """
    row = pending(tx)
    if row is None:
        raise Refused("invalid_transition", "nothing waits since a restore")
    lasted: timedelta = tx.now - row.at
    tx.run(update(restores).where(_pending).values(released_at=tx.now, released_by=by))
    # A hold or pause of its own that goes on counts this time itself, when it ends.
    free = (accounts.c.paused_at, accounts.c.held_since, accounts.c.breaker_since)
    ran = update(accounts).where(accounts.c.account != SHOP, *(at.is_(None) for at in free))
    tx.run(ran.values(held=accounts.c.held + lasted // MICROSECOND))
    tx.run(update(cursors).where(cursors.c.due_at > tx.now).values(due_at=tx.now))
    note(tx, by, "restore.resume", row.file or "", f"nobody was called for {lasted}")
    tx.woken = True
    return lasted
