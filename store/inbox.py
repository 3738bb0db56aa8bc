"""Receipts: a verified inbound request, its events and their jobs, taken in once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert
from sqlalchemy.dialects.sqlite import insert as upserting

from hub.model import Event, NewJob, Request, read_json, write_json
from store import schema
from store.crypto import Cipher
from store.settle import resolve_from_events
from store.tx import Tx, add_event, key16


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One event of a receipt and the jobs that follow from it, mapped before the commit."""

    event: Event
    jobs: Sequence[NewJob]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A verified request on its way into the store.

    Args:
        id: The inbox id (`inb_…`).
        taken: Its events; each is deduplicated for itself.
        kept: Jobs of a request that could not be read: it is stored all the same.
        secret_used: The name of the secret that verified it, never the secret.
    """

    id: str
    connector: str
    request: Request
    received_at: datetime
    taken: Sequence[Taken] = ()
    kept: Sequence[NewJob] = ()
    secret_used: str | None = None
    via: str = "webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of a receipt: how many of its events were new."""

    fresh: int
    duplicates: int


def receive(tx: Tx, receipt: Receipt) -> Received:
    """Store what is new of a receipt; a request that brings nothing new changes nothing."""
    body = receipt.request.body
    fresh = [t for t in receipt.taken if _is_new(tx, receipt.connector, t.event, body)]
    kept = receipt.kept if receipt.kept and _is_new(tx, receipt.connector, None, body) else ()
    if fresh or kept:
        _keep_request(tx, receipt)
    _add(tx, receipt.id, fresh)
    tx.enqueue(*kept)
    return Received(
        fresh=len(fresh) + len(kept),
        duplicates=len(receipt.taken) - len(fresh) + len(receipt.kept) - len(kept),
    )


def take_in(tx: Tx, connector: str, inbox_id: str, taken: Sequence[Taken]) -> None:
    """Store the new events of a request that is kept already."""
    fresh = [t for t in taken if _is_new(tx, connector, t.event, inbox_id.encode())]
    _add(tx, inbox_id, fresh)


def _add(tx: Tx, inbox_id: str, fresh: Sequence[Taken]) -> None:
    for taken in fresh:
        add_event(tx, taken.event, inbox_id=inbox_id, jobs_made=len(taken.jobs))
        tx.enqueue(*taken.jobs)
    if echoes := [taken.event.job for taken in fresh if taken.event.job]:
        resolve_from_events(tx, echoes)


def _is_new(tx: Tx, connector: str, event: Event | None, body: bytes) -> bool:
    """Take the dedupe key of an event, or of the body where it has no id; False if taken."""
    key = key16(body)
    if event is not None:
        key = key16(event.ext_id) if event.ext_id else key16(key + event.type.encode())
    taken = upserting(schema.dedupe).on_conflict_do_nothing()
    values = {"connector": connector, "key16": key, "seen_on": tx.now}
    return tx.run(taken, values) == 1


def _keep_request(tx: Tx, receipt: Receipt) -> None:
    request = receipt.request
    headers = write_json([[k.decode("latin-1"), v.decode("latin-1")] for k, v in request.headers])
    tx.run(
        insert(schema.inbox),
        {
            "id": receipt.id,
            "connector": receipt.connector,
            "received_at": receipt.received_at,
            "via": receipt.via,
            "method": request.method,
            "target": request.url,
            "headers": tx.seal(headers, "inbox.headers", receipt.id),
            "body": tx.seal(request.body, "inbox.body", receipt.id),
            "secret_used": receipt.secret_used,
        },
    )


def request_of(cipher: Cipher, row: Row[Any]) -> Request:
    """Make the request of an inbox row again, its headers and body opened."""
    headers = read_json(cipher.open(row.headers, f"inbox.headers:{row.id}"))
    return Request(
        method=row.method,
        url=row.target,
        headers=tuple((k.encode("latin-1"), v.encode("latin-1")) for k, v in headers),
        body=cipher.open(row.body, f"inbox.body:{row.id}"),
        received_at=row.received_at,
    )
