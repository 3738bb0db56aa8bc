"""Idempotency rows: written in the transaction of the change they guard, replayed afterwards.

Source: draft-ietf-httpapi-idempotency-key-header. A row with status 0 is a call that still waits
for a provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, update

from hub.errors import Refused
from hub.model import read_json, write_json
from store.schema import idempotency, upserting
from store.tx import Tx

RUNNING = 0
LOCKED_FOR = timedelta(seconds=120)
KEPT_FOR = timedelta(hours=72)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedCall:
    """One API call under an idempotency key.

    Args:
        scope: Who calls what: the API key's id, method and path.
        fingerprint: SHA-256 of method, path and canonical body.
    """

    scope: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as it was given; `body` is JSON without secrets, `subject` the id it tells of."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    subject: str = ""


def begin(tx: Tx, call: KeyedCall) -> Kept | None:
    """Take the key, or give the answer that was given under it.

    Raises:
        Refused: The key belongs to another request, its first call still runs, or its answer went
            with the person it told of.
    """
    if _take(tx, call):
        return None
    row = tx.row(idempotency.select().where(_of(call)))
    if row is not None and row.status != RUNNING and not row.body:
        raise Refused("answer_erased", "it was done; who it told of has been forgotten since")
    if row is None or row.fingerprint != call.fingerprint:
        raise Refused("idempotency_key_reused", "the first call had another body")
    if row.status != RUNNING:
        body = tx.unseal(row.body, "idempotency.body", _place(call))
        return Kept(status=row.status, headers=read_json(row.headers), body=body)
    if tx.now - row.created_at < LOCKED_FOR:
        raise Refused("idempotency_key_in_progress", "its first call waits for a provider")
    tx.run(update(idempotency).where(_of(call)).values(created_at=tx.now))
    return None


def finish(tx: Tx, call: KeyedCall, kept: Kept) -> None:
    """Keep the answer for the replays of the next 72 hours."""
    values = {
        "status": kept.status,
        "headers": write_json(dict(kept.headers)),
        "body": tx.seal(kept.body, "idempotency.body", _place(call)),
        "subject": kept.subject or None,
    }
    tx.run(update(idempotency).where(_of(call)).values(values))


def release(tx: Tx) -> int:
    """Let the calls run again that still waited when their hub ended; gives how many.

    Only for a store that nobody else serves. What they had changed leads them to the same answer.
    """
    over = tx.now - LOCKED_FOR
    waiting = update(idempotency).where(idempotency.c.status == RUNNING)
    return tx.run(waiting.where(idempotency.c.created_at > over).values(created_at=over))


def erase(tx: Tx, subjects: Select[Any], *, before: datetime | None = None) -> None:
    """Take out the answers that tell of these; their keys stay taken."""
    theirs = and_(idempotency.c.subject.in_(subjects), idempotency.c.status != RUNNING)
    if before is not None:
        theirs &= idempotency.c.created_at <= before
    tx.run(update(idempotency).where(theirs).values(fingerprint=b"", headers=b"{}", body=b""))


def forget(tx: Tx) -> int:
    """Delete the rows that are over; gives how many."""
    return tx.run(delete(idempotency).where(idempotency.c.created_at < tx.now - KEPT_FOR))


def _take(tx: Tx, call: KeyedCall) -> bool:
    row = {
        "scope": call.scope,
        "key": call.key,
        "fingerprint": call.fingerprint,
        "status": RUNNING,
        "headers": b"{}",
        "body": b"",
        "created_at": tx.now,
    }
    return tx.run(upserting(idempotency).on_conflict_do_nothing(), row) == 1


def _of(call: KeyedCall) -> ColumnElement[bool]:
    return and_(idempotency.c.scope == call.scope, idempotency.c.key == call.key)


def _place(call: KeyedCall) -> str:
    return f"{call.scope} {call.key}"
