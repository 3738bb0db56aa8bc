"""Born leased: a fresh job that its node begins at once is written leased, and nobody claims it.

The same holds as for a claim: room on this node, no hold, pause or open breaker on the account, no
one of its class waiting already. Never unsafe jobs: after a crash nobody could say that they were
not sent. Never those of a route with a ceiling: they are counted where they are claimed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Text, bindparam, or_, select, text

from hub.model import Job, NewJob
from store.restored import may_call
from store.schema import Time, accounts, jobs
from store.tx import Tx, padded

FIRST = 0


class Births(Protocol):
    """A node's word on which fresh jobs it takes; asked inside transactions, by any thread."""

    node: str

    def until(self, now: datetime) -> datetime:
        """Give when a lease of now ends."""

    def grant(self, job: NewJob) -> bool:
        """Say whether there is room for a job, and keep that room for it."""

    def back(self, jobs: Sequence[NewJob | Job]) -> None:
        """Free the room of jobs that were not written leased after all."""

    def begin(self, jobs: Sequence[Job]) -> None:
        """Begin jobs that are committed; on the loop."""


def granted(tx: Tx, new: Sequence[NewJob]) -> dict[str, dict[str, Any]]:
    """Give the leases of the jobs that may be born with one, by uid."""
    births = tx.births
    if births is None:
        return {}
    asked = [job for job in _first_of_lanes(new) if _able(job, tx.now) and births.grant(job)]
    if not asked:
        return {}
    names = sorted({job.account for job in asked})
    held = {row.account: row.held for row in tx.rows(_OPEN, {"of": padded(names), "now": tx.now})}
    births.back([job for job in asked if job.account not in held])
    lease = {
        "birth": "l", "attempt": 1, "lease_owner": births.node,
        "lease_until": births.until(tx.now), "first_sent_at": tx.now,
    }  # fmt: skip
    return {job.uid: lease | {"held0": held[job.account]} for job in asked if job.account in held}


def note(tx: Tx, new: Sequence[NewJob], leased: Mapping[str, int], wished: Sequence[str]) -> None:
    """Keep the jobs that were born leased, to be begun after the commit; free the others' room.

    Args:
        leased: The ids of those that were, by uid.
        wished: The uids of those that should have been: some found their lane taken.
    """
    if tx.births is None or not wished:
        return
    by_uid = {job.uid: job for job in new}
    tx.births.back([by_uid[uid] for uid in wished if uid not in leased])
    until = tx.births.until(tx.now)
    tx.born += [_born(tx, by_uid[uid], ident, until) for uid, ident in leased.items()]


def _able(job: NewJob, now: datetime) -> bool:
    return job.prio == FIRST and job.due_at <= now and job.effect != "unsafe"


def _first_of_lanes(new: Sequence[NewJob]) -> list[NewJob]:
    """Give the jobs that could head their lane."""
    seen: set[tuple[str, str]] = set()
    found = []
    for job in new:
        if job.state != "ready":
            continue
        if job.lane is None:
            found.append(job)
        elif (lane := (job.connector, job.lane)) not in seen:
            seen.add(lane)
            found.append(job)
    return found


def _born(tx: Tx, job: NewJob, ident: int, until: datetime) -> Job:
    return Job(
        id=ident,
        uid=job.uid,
        connector=job.connector,
        account=job.account,
        action=job.action,
        key=job.key,
        effect=job.effect,
        payload=job.payload,
        attempt=1,
        failures=0,
        created_at=tx.now,
        event_id=job.event_id,
        inbox_id=job.inbox_id,
        route=job.route,
        lane=job.lane,
        blocks=job.blocks,
        first_sent_at=tx.now,
        give_up_at=job.give_up_at,
        prio=job.prio,
        until=until,
        trace=job.trace or tx.trace,
    )


_now = bindparam("now", type_=Time)
_waits = (
    select(jobs.c.id)
    .where(
        jobs.c.account == accounts.c.account,
        jobs.c.prio == FIRST,
        text("state = 'r'"),
        jobs.c.due_at <= _now,
    )
    .exists()
)
_OPEN = select(accounts.c.account, accounts.c.held).where(
    accounts.c.account.in_(bindparam("of", expanding=True, type_=Text)),
    accounts.c.paused_at.is_(None),
    may_call(),
    accounts.c.held_reason.is_(None),
    accounts.c.breaker_since.is_(None),
    or_(accounts.c.paused_until.is_(None), accounts.c.paused_until <= _now),
    ~_waits,
)
