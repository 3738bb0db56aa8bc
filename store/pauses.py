"""Pausing an account: nothing of it is claimed until a person resumes it; the time ages no job.

Its webhooks are still taken and its jobs still written. Calls in flight end as they would.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.errors import Refused
from hub.model import Json, rfc3339
from store.audit import note
from store.jobs import LIVE_STATES
from store.schema import accounts, jobs
from store.tx import Tx

MICROSECOND = timedelta(microseconds=1)


def pause(tx: Tx, account: str, *, by: str) -> None:
    """Claim no more jobs of an account.

    Raises:
        Refused: It is paused already.
    """
    row = _row(tx, account)
    if row is None:
        tx.run(insert(accounts), {"account": account, "connector": account})
    elif row.paused_at is not None:
        since = rfc3339(row.paused_at)
        raise Refused("invalid_transition", f"{account} is paused since {since} by {row.paused_by}")
    _change(tx, account, paused_by=by, paused_at=tx.now)
    note(tx, by, "connector.pause", account)


def resume(tx: Tx, account: str, *, by: str) -> timedelta:
    """Claim its jobs again; gives how long it was paused.

    Raises:
        Refused: It is not paused.
    """
    row = _row(tx, account)
    if row is None or row.paused_at is None:
        raise Refused("invalid_transition", f"{account} is not paused")
    # A hold within the pause, or around it, is counted once: up to now here, from now on there.
    halts = {name: at for name in ("held_since", "breaker_since") if (at := getattr(row, name))}
    held = row.held + (tx.now - min([row.paused_at, *halts.values()])) // MICROSECOND
    goes_on = dict.fromkeys(halts, tx.now)
    _change(tx, account, paused_by=None, paused_at=None, held=held, **goes_on)
    lasted: timedelta = tx.now - row.paused_at
    note(tx, by, "connector.resume", account, f"paused for {lasted} by {row.paused_by}")
    tx.woken = True
    return lasted


async def accounts_shown(connection: AsyncConnection) -> dict[str, dict[str, Json]]:
    """Give each account's pause, its hold, and how many of its jobs are in which state."""
    found = {row.account: _shown(row) for row in await connection.execute(select(accounts))}
    counted = select(jobs.c.account, jobs.c.state, func.count()).group_by(
        jobs.c.account, jobs.c.state
    )
    for account, state, count in await connection.execute(counted):
        states = found.setdefault(account, {"jobs": {}})["jobs"]
        name = LIVE_STATES[state]
        states[name] = states.get(name, 0) + count
    return found


def _shown(row: Row[Any]) -> dict[str, Json]:
    return {
        "paused_by": row.paused_by,
        "paused_at": _time(row.paused_at),
        "held_reason": row.held_reason,
        "held_since": _time(row.held_since),
        "jobs": {},
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


def _row(tx: Tx, account: str) -> Row[Any] | None:
    return tx.row(select(accounts).where(accounts.c.account == account))


def _change(tx: Tx, account: str, **values: Any) -> None:
    tx.run(update(accounts).where(accounts.c.account == account).values(values))
