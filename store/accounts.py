"""Accounts: held by bad credentials or an open breaker, tried again by single probes.

Their rows are shared, so all nodes hold alike. Time halted is added up in `held`; it ages no job.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, or_, select, text, update

from hub import log
from hub.circuit import STRIKES, Breaker, Circuit, halted, probed, struck, well
from hub.model import read_json, write_json
from store.chosen import among
from store.schema import EPOCH, MICROSECOND, Int, accounts, jobs
from store.tx import Tx

if TYPE_CHECKING:
    from store.settle import Completion

SPREAD_S = 60
_BREAKER = Breaker()


def on_trial(row: Row[Any]) -> bool:
    """Say whether only probes of an account may pass."""
    return row.held_reason is not None or row.breaker_since is not None


def take_probe(tx: Tx, account: str, *, until: datetime) -> bool:
    """Claim the right to probe; False where another node has it, until its lease ends."""
    free = or_(accounts.c.probe_at.is_(None), accounts.c.probe_at <= tx.now)
    mine = update(accounts).where(accounts.c.account == account, free)
    return tx.run(mine.values(probe_at=until)) == 1


def leave_probe(tx: Tx, account: str) -> None:
    """Give the right back: there was no job to probe with."""
    tx.run(update(accounts).where(accounts.c.account == account).values(probe_at=None))


# -- what attempts tell ----------------------------------------------------------------------------
def told(tx: Tx, dones: Iterable["Completion"]) -> None:
    """Note what settled attempts say of their accounts."""
    telling = sorted((d for d in dones if _tells(d)), key=lambda done: done.job.account)
    for account, of_it in groupby(telling, key=lambda done: done.job.account):
        row = tx.row(select(accounts).where(accounts.c.account == account).with_for_update())
        if row is not None:
            _note(tx, row, list(of_it))


def _tells(done: "Completion") -> bool:
    struck_it = done.breaker is not None and done.outcome in STRIKES
    return struck_it or done.job.probe or done.release or done.pause is not None


def _note(tx: Tx, row: Row[Any], dones: Sequence["Completion"]) -> None:
    pauses = [done.pause for done in dones if done.pause is not None]
    change = _held(tx, row, dones)
    change |= _broken(tx, row, dones, held_since=change.get("held_since", row.held_since))
    if pauses or any(done.release for done in dones):
        change["paused_until"] = max(pauses, default=None)
    change["held"] = row.held + sum(change.pop(name, 0) for name in ("_hold", "_breaker"))
    tx.run(update(accounts).where(accounts.c.account == row.account).values(change))
    if row.breaker_since is not None and change["breaker_since"] is None:
        spread_retries(tx, row.account)


def _held(tx: Tx, row: Row[Any], dones: Sequence["Completion"]) -> dict[str, Any]:
    """Hold an account whose credentials fail; release it once an attempt shows that they work."""
    reasons = [done.hold for done in dones if done.hold is not None]
    if reasons:
        return {"held_reason": reasons[-1], "held_since": row.held_since or tx.now}
    works = any(d.release or (d.job.probe and well(d.outcome, d.status)) for d in dones)
    if row.held_reason is None or not works:
        return {}
    others = (row.paused_at, row.breaker_since)
    ended = halted(row.held_since or tx.now, others, tx.now) // MICROSECOND
    return {"held_reason": None, "held_since": None, "_hold": ended}


def _broken(
    tx: Tx, row: Row[Any], dones: Sequence["Completion"], *, held_since: datetime | None
) -> dict[str, Any]:
    """Open or close the breaker.

    Args:
        held_since: Of a hold that goes on; one that ends now has counted itself up to here.
    """
    breaker = next((done.breaker for done in dones if done.breaker), _BREAKER)
    before = Circuit(since=row.breaker_since, probe_at=row.probe_at, strikes=_times(row.strikes))
    after = before
    for done in dones:
        if done.job.probe:
            told_of = well(done.outcome, done.status)
            after = probed(after, breaker, well=told_of, now=tx.now)
    strikes = Counter(d.outcome in STRIKES for d in dones if d.breaker and not d.job.probe)[True]
    after = struck(after, breaker, count=strikes, now=tx.now) if strikes else after
    change: dict[str, Any] = {
        "breaker_since": after.since,
        "probe_at": after.probe_at,
        "strikes": write_json([(at - EPOCH) // MICROSECOND for at in after.strikes]),
    }
    if before.since == after.since:
        return change
    said = log.get("store")
    if before.since is not None:
        said.info("breaker closed", account=row.account)
        ended = halted(before.since, (row.paused_at, held_since), tx.now)
        change["_breaker"] = ended // MICROSECOND
    if after.since is not None:
        said.error("breaker opened", account=row.account)
    return change


def _times(strikes: bytes | None) -> tuple[datetime, ...]:
    return tuple(EPOCH + at * MICROSECOND for at in read_json(strikes or b"[]"))


# -- closing ---------------------------------------------------------------------------------------
def spread_retries(tx: Tx, account: str) -> None:
    """Let the retries that wait fall due over the next minute, not all at once."""
    tx.run(_SPREAD, {"of": account, "base": (tx.now - EPOCH) // MICROSECOND})
    tx.woken = True


_waiting = (
    select(jobs.c.id)
    .where(jobs.c.account == bindparam("of"), jobs.c.prio == 1, text("state = 'r'"))
    .with_for_update(skip_locked=True)
    .cte("waiting")
)
_SPREAD = (
    update(jobs)
    .where(among(jobs.c.id, _waiting))
    .values(due_at=bindparam("base", type_=Int) + (jobs.c.id * 7919) % (SPREAD_S * 1000) * 1000)
)
