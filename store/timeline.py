"""One order's story: calls, webhooks, facts, events, jobs and attempts in one list, oldest first.

It answers "why did this customer get no mail?". Bodies and payloads are never opened here.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Select, literal, null, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model import Json, rfc3339
from store.money_schema import cases, disputes, payment_facts, payments, refunds
from store.reads import shown_attempt, shown_job
from store.schema import attempts, audit, events, inbox, job_history, jobs
from store.shop_schema import carts, fulfilments, orders

RANKS = ("call", "webhook", "fact", "event", "job")
PENDING = ("waiting", "ready")
_JOB_FIELDS = (
    "uid", "connector", "action", "route", "event_id", "lane", "state", "blocked", "error",
    "reason", "failures", "ref", "ended_at",
)  # fmt: skip


@dataclass(slots=True)
class Found:
    """The rows that tell the story, by id, as the search goes from one to the next."""

    events: dict[str, Row[Any]] = field(default_factory=dict)
    jobs: dict[str, Row[Any]] = field(default_factory=dict)


async def timeline(connection: AsyncConnection, order_id: str) -> list[dict[str, Json]] | None:
    """Give an order's timeline; None where there is no such order."""
    if not await _ids(connection, select(orders.c.id).where(orders.c.id == order_id)):
        return None
    paid = await _ids(connection, select(payments.c.id).where(payments.c.order_id == order_id))
    about = {order_id, *paid, *await _parts(connection, order_id)}
    facts = await _rows(
        connection, select(payment_facts).where(payment_facts.c.payment_id.in_(paid))
    )
    found = await _search(connection, about, {row.event_id for row in facts if row.event_id})
    entries = [
        *await _calls(connection, about),
        *await _webhooks(connection, found.events.values()),
        *(_fact(row) for row in facts),
        *(_event(row) for row in found.events.values()),
        *await _jobs(connection, found.jobs),
    ]
    entries.sort(key=lambda entry: (entry["at"], RANKS.index(entry["kind"]), entry["id"]))
    return [entry | {"at": rfc3339(entry["at"])} for entry in entries]


async def _parts(connection: AsyncConnection, order_id: str) -> set[str]:
    """Give the ids of the order's cart, fulfilments, refunds, disputes and cases."""
    tables = (carts, fulfilments, refunds, disputes, cases)
    mine = [select(t.c.id).where(t.c.order_id == order_id) for t in tables]
    return await _ids(connection, union(*mine))


async def _search(connection: AsyncConnection, about: set[str], told: set[str]) -> Found:
    """Go from the order's events to their jobs, and on to the events that answered those jobs."""
    found = Found()
    first = or_(events.c.aggregate_id.in_(about), events.c.id.in_(told))
    asked = union(
        *(
            select(t.c.job).where(t.c.id.in_(about), t.c.job.is_not(None))
            for t in (payments, refunds)
        )
    )
    fresh = await _rows(connection, select(events).where(first))
    uids = await _ids(connection, asked)
    while fresh or uids:
        found.events |= {row.id: row for row in fresh}
        more = await _their_jobs(connection, [row.id for row in fresh], uids)
        new = [row for row in more if row.uid not in found.jobs]
        found.jobs |= {row.uid: row for row in new}
        answers = select(events).where(events.c.job.in_([row.uid for row in new]))
        fresh = [row for row in await _rows(connection, answers) if row.id not in found.events]
        uids = set()
    return found


async def _their_jobs(
    connection: AsyncConnection, event_ids: Sequence[str], uids: Collection[str]
) -> list[Row[Any]]:
    """Give the jobs of events, and jobs by name, live or ended."""
    ended_at = literal(None, job_history.c.ended_at.type).label("ended_at")
    live = select(jobs, null().label("reason"), ended_at)
    ended = select(job_history)
    rows = []
    for wanted, table in ((live, jobs), (ended, job_history)):
        of_these = or_(table.c.event_id.in_(event_ids), table.c.uid.in_(uids))
        rows += await _rows(connection, wanted.where(of_these))
    return rows


async def _calls(connection: AsyncConnection, about: set[str]) -> list[dict[str, Any]]:
    rows = await _rows(connection, select(audit).where(audit.c.subject.in_(about)))
    return [
        {
            "at": row.at,
            "kind": "call",
            "id": row.note or str(row.n),
            "by": row.who,
            "what": row.what,
            "about": row.subject,
        }
        for row in rows
    ]


async def _webhooks(connection: AsyncConnection, told: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    brought: dict[str, list[str]] = {}
    for row in told:
        if row.inbox_id is not None:
            brought.setdefault(row.inbox_id, []).append(row.id)
    rows = await _rows(connection, select(inbox).where(inbox.c.id.in_(brought)))
    return [
        {
            "at": row.received_at,
            "kind": "webhook",
            "id": row.id,
            "connector": row.connector,
            "via": row.via,
            "events": brought[row.id],
        }
        for row in rows
    ]


def _fact(row: Row[Any]) -> dict[str, Any]:
    money = None
    if row.amount is not None:
        money = {"amount": row.amount, "currency": row.currency}
    return {
        "at": row.recorded_at,
        "kind": "fact",
        "id": f"{row.payment_id}:{row.fact}:{row.provider_ref}",
        "connector": row.connector,
        "payment": row.payment_id,
        "fact": row.fact,
        "ref": row.provider_ref,
        "amount": money,
        "code": row.code,
        "event_id": row.event_id,
        "occurred_at": rfc3339(row.occurred_at),
    }


def _event(row: Row[Any]) -> dict[str, Any]:
    return {
        "at": row.recorded_at,
        "kind": "event",
        "id": row.id,
        "type": row.type,
        "origin": row.origin,
        "about": row.aggregate_id,
        "version": row.aggregate_version,
        "sequence": row.sequence,
        "causation": row.causation,
        "job": row.job,
        "webhook": row.inbox_id,
        "occurred_at": rfc3339(row.occurred_at),
    }


async def _jobs(connection: AsyncConnection, found: dict[str, Row[Any]]) -> list[dict[str, Any]]:
    wanted = select(attempts).where(attempts.c.job.in_(found))
    tried: dict[str, list[Json]] = {uid: [] for uid in found}
    for row in await _rows(connection, wanted.order_by(attempts.c.job, attempts.c.attempt)):
        tried[row.job].append(shown_attempt(row))
    return [_job(row, tried[uid]) for uid, row in found.items()]


def _job(row: Row[Any], tried: list[Json]) -> dict[str, Any]:
    shown = shown_job(row)
    return {
        "at": row.created_at,
        "kind": "job",
        "id": row.uid,
        **{name: shown[name] for name in _JOB_FIELDS if name != "uid"},
        "due_at": shown["due_at"] if shown["state"] in PENDING else None,
        "attempts": tried,
    }


async def _rows(connection: AsyncConnection, wanted: Select[Any]) -> list[Row[Any]]:
    return list(await connection.execute(wanted))


async def _ids(connection: AsyncConnection, wanted: Any) -> set[str]:
    return set((await connection.execute(wanted)).scalars()) - {None}
