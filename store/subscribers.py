"""Subscribers to our own webhooks: kept, changed, disabled; read where an event is written.

What is disabled is its account: paused, so that its deliveries wait and do not age. Whoever
changes both takes the account's row first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, insert, select, text, update

from hub import alerts
from hub.errors import Refused
from hub.model import Json, read_json, rfc3339, write_json
from hub.secrets import Secret
from hub.subscribers import CONNECTOR, SigningKey, Subscriber, account_of, subscriber_of
from store import accounts as gates
from store import pauses
from store.audit import note
from store.ending import Ending, end
from store.schema import DELIVERY, accounts, jobs, upserting
from store.subscriber_schema import webhook_endpoints as table
from store.tx import Tx

if TYPE_CHECKING:
    from store.settle import Completion

MOST = 1000
FAILED = ("retry", "ambiguous", "rate_limited", "reject", "bug")
_SEALED = "webhook_endpoints.keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A subscriber as it is kept, with what an admin wants to know of it."""

    subscriber: Subscriber
    description: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


# -- read ------------------------------------------------------------------------------------------
def listening(tx: Tx) -> list[Subscriber]:
    """Give all subscribers, without their keys."""
    return [_subscriber(row) for row in tx.rows(_LISTENING)]


def find(tx: Tx, ident: str) -> Subscriber | None:
    """Give a subscriber with its keys; None where there is none."""
    row = tx.row(select(table).where(table.c.id == ident))
    return None if row is None else _subscriber(row, managed=row.managed, keys=_keys(tx, row))


def kept(tx: Tx, ident: str) -> Kept:
    """Give a subscriber with its state.

    Raises:
        Refused: There is none.
    """
    row = tx.row(_WHOLE.where(table.c.id == ident))
    if row is None:
        raise Refused("not_found", f"there is no webhook endpoint {ident}")
    return _kept(tx, row)


def all_kept(tx: Tx) -> list[Kept]:
    """Give every subscriber with its state, oldest first."""
    return [_kept(tx, row) for row in tx.rows(_WHOLE.order_by(table.c.created_at, table.c.id))]


# -- change ----------------------------------------------------------------------------------------
def add(tx: Tx, subscriber: Subscriber, *, description: str | None = None) -> Kept:
    """Keep a new subscriber; events committed from now on are delivered to it.

    Raises:
        Refused: There are too many.
    """
    if len(listening(tx)) >= MOST:
        raise Refused("validation_error", f"there are {MOST} webhook endpoints already")
    row = {"account": subscriber.account, "connector": CONNECTOR}
    tx.run(upserting(accounts).on_conflict_do_nothing(), row)
    given = {"id": subscriber.id, "description": description, "version": 1, "created_at": tx.now}
    tx.run(insert(table), given | _values(tx, subscriber))
    tx.subscribers = None
    return kept(tx, subscriber.id)


def change(tx: Tx, subscriber: Subscriber, *, description: str | None = None) -> Kept:
    """Keep a subscriber as it is now."""
    given = _values(tx, subscriber) | {"description": description, "version": table.c.version + 1}
    tx.run(update(table).where(table.c.id == subscriber.id).values(given))
    tx.subscribers = None
    return kept(tx, subscriber.id)


def remove(tx: Tx, ident: str) -> None:
    """Forget a subscriber; its deliveries that wait end `skipped (endpoint gone)`."""
    free = ("paused_at", "paused_by", "paused_until", "held_reason", "held_since", "breaker_since")
    mine = update(accounts).where(accounts.c.account == account_of(ident))
    tx.run(mine.values(dict.fromkeys((*free, "probe_at"))))
    tx.run(delete(table).where(table.c.id == ident))
    tx.subscribers = None
    tx.woken = True


def lock(tx: Tx, ident: str) -> Kept:
    """Hold a subscriber's rows until the end of the transaction, and give it.

    Raises:
        Refused: There is none.
    """
    mine = select(accounts.c.account).where(accounts.c.account == account_of(ident))
    tx.row(mine.with_for_update())
    tx.row(select(table.c.id).where(table.c.id == ident).with_for_update())
    return kept(tx, ident)


def disable(tx: Tx, ident: str, *, reason: str, by: str) -> None:
    """Hold what is for a subscriber until it is enabled; nothing of it ages."""
    if lock(tx, ident).disabled_at is None:
        pauses.pause(tx, account_of(ident), by=by)
    tx.run(update(table).where(table.c.id == ident).values(disabled_reason=reason))


def enable(tx: Tx, ident: str, *, by: str) -> None:
    """Let what is for a subscriber go on."""
    if lock(tx, ident).disabled_at is not None:
        pauses.resume(tx, account_of(ident), by=by)
    free = {"disabled_reason": None, "failing_since": None}
    tx.run(update(table).where(table.c.id == ident).values(free))


def sync(tx: Tx, configured: Sequence[Subscriber]) -> None:
    """Have those that config.yaml lists, and of its own no others."""
    named = {one.id for one in configured}
    have = {row.id: row.managed for row in tx.rows(select(table.c.id, table.c.managed))}
    for ident in [i for i, managed in have.items() if managed == "config" and i not in named]:
        remove(tx, ident)
        note(tx, "config.yaml", "webhook_endpoint.remove", ident)
    for one in configured:
        (change if one.id in have else add)(tx, one)


# -- what attempts tell ----------------------------------------------------------------------------
def told(tx: Tx, dones: Iterable["Completion"]) -> None:
    """Note what settled deliveries say of their subscribers."""
    of_each: dict[str, list[Completion]] = {}
    for done in dones:
        if (ident := subscriber_of(done.job.account)) is not None:
            of_each.setdefault(ident, []).append(done)
    for ident, those in sorted(of_each.items()):
        _note(tx, ident, those)


def _note(tx: Tx, ident: str, dones: Sequence["Completion"]) -> None:
    mine = update(table).where(table.c.id == ident)
    if any(done.state == "done" for done in dones):
        if tx.run(mine.where(table.c.failing_since.is_not(None)).values(failing_since=None)):
            gates.spread_retries(tx, account_of(ident))  # it is back: what failed need not wait
    elif any(done.outcome in FAILED for done in dones):
        tx.run(mine.where(table.c.failing_since.is_(None)).values(failing_since=tx.now))
    reason = next((done.disable for done in dones if done.disable), None)
    if reason is not None and tx.row(select(table.c.id).where(table.c.id == ident)) is not None:
        disable(tx, ident, reason=reason, by="hub")
        tell_disabled(ident, reason)


def weary(tx: Tx, *, since: datetime, reason: str) -> list[str]:
    """Disable those that have taken nothing since a time; gives who they are."""
    failing = select(table.c.id).where(table.c.failing_since <= since)
    found = [row.id for row in tx.rows(failing.order_by(table.c.id))]
    over = [ident for ident in found if kept(tx, ident).disabled_at is None]
    for ident in over:
        disable(tx, ident, reason=reason, by="hub")
        tell_disabled(ident, reason)
    return over


def tell_disabled(ident: str, reason: str) -> None:
    """Alert that a subscriber gets nothing any more."""
    alerts.tell(
        "connector.held",
        about=account_of(ident),
        text=f"the webhook endpoint {ident} is disabled: {reason}",
        fix=f"mend the receiver, then POST /v1/webhook-endpoints/{ident}/enable",
    )


def let_go(tx: Tx, *, before: datetime, reason: str, most: int) -> int:
    """End deliveries that have waited too long for a disabled subscriber; gives how many."""
    paused = select(accounts.c.account).where(
        accounts.c.paused_at.is_not(None), accounts.c.account.startswith(CONNECTOR + "/")
    )
    old = select(jobs).where(
        jobs.c.account.in_(paused),
        text(DELIVERY),
        jobs.c.state.in_(("r", "w", "d", "b")),
        jobs.c.created_at < before,
    )
    rows = tx.rows(old.order_by(jobs.c.id).limit(most).with_for_update())
    end(tx, [Ending(row, "skipped", reason=reason) for row in rows])
    return len(rows)


# -- rows ------------------------------------------------------------------------------------------
_LISTENING = select(
    table.c.id, table.c.url, table.c.types, table.c.ordered, table.c.origins
).order_by(table.c.id)
_WHOLE = select(table, accounts.c.paused_at).select_from(
    table.outerjoin(accounts, accounts.c.account == CONNECTOR + "/" + table.c.id)
)


def _values(tx: Tx, subscriber: Subscriber) -> dict[str, Any]:
    sealed = None
    if subscriber.managed == "api":
        listed = write_json([_written(key) for key in subscriber.keys])
        sealed = tx.seal(listed, _SEALED, subscriber.id)
    return {
        "managed": subscriber.managed,
        "url": subscriber.url,
        "types": write_json(list(subscriber.types)).decode(),
        "ordered": subscriber.ordered,
        "origins": write_json(sorted(subscriber.origins)).decode(),
        "keys": sealed,
        "updated_at": tx.now,
    }


def _written(key: SigningKey) -> Json:
    return {"secret": key.secret.text(), "until": rfc3339(key.until) if key.until else None}


def _keys(tx: Tx, row: Row[Any]) -> tuple[SigningKey, ...]:
    if row.keys is None:
        return ()
    return tuple(
        SigningKey(
            secret=Secret(one["secret"], row.id),
            until=datetime.fromisoformat(one["until"]) if one["until"] else None,
        )
        for one in read_json(tx.unseal(row.keys, _SEALED, row.id))
    )


def _subscriber(row: Row[Any], **more: Any) -> Subscriber:
    return Subscriber(
        id=row.id,
        url=row.url,
        types=tuple(read_json(row.types)),
        ordered=row.ordered,
        origins=frozenset(read_json(row.origins)),
        **more,
    )


def _kept(tx: Tx, row: Row[Any]) -> Kept:
    return Kept(
        subscriber=_subscriber(row, managed=row.managed, keys=_keys(tx, row)),
        description=row.description,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        failing_since=row.failing_since,
        disabled_at=row.paused_at,
        disabled_reason=row.disabled_reason,
    )
