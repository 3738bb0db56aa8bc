"""Receipts: a verified inbound request, its events and their jobs, taken in once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, select

from hub import crash
from hub.model import Event, NewJob, Request, read_json, write_json
from store import schema
from store.crypto import Cipher
from store.events import row_of
from store.schema import jobs
from store.settle import resolve_from_events
from store.tx import Tx, key16, padded

URL = b":url"  # sealed with the headers, as HTTP/2 has it: a query may hold a token


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


def receive(tx: Tx, receipts: Sequence[Receipt]) -> list[Received]:
    """Store what is new of each receipt; a request that brings nothing new changes nothing."""
    asked = [_keys(r.connector, r.taken, r.request.body, kept=bool(r.kept)) for r in receipts]
    fresh = _take(tx, asked)
    new = [[t for t, own in zip(r.taken, f, strict=False) if own]
           for r, f in zip(receipts, fresh, strict=True)]  # fmt: skip
    kept = [r.kept if r.kept and f[-1] else () for r, f in zip(receipts, fresh, strict=True)]
    brought = [r for r, f in zip(receipts, fresh, strict=True) if any(f)]
    tx.add(schema.inbox, [_request(tx, receipt) for receipt in brought])
    _add(tx, [(r.id, t) for r, of_it in zip(receipts, new, strict=True) for t in of_it])
    tx.enqueue(*(job for each in kept for job in each))
    crash.at("B_before")
    return [
        Received(fresh=len(n) + len(k), duplicates=len(r.taken) - len(n) + len(r.kept) - len(k))
        for r, n, k in zip(receipts, new, kept, strict=True)
    ]


def take_in(tx: Tx, connector: str, inbox_id: str, taken: Sequence[Taken]) -> None:
    """Store the new events of a request that is kept already."""
    [fresh] = _take(tx, [_keys(connector, taken, inbox_id.encode(), kept=False)])
    _add(tx, [(inbox_id, t) for t, own in zip(taken, fresh, strict=True) if own])


def _add(tx: Tx, fresh: Sequence[tuple[str, Taken]]) -> None:
    echoes = [taken.event.job for _, taken in fresh if taken.event.job]
    if echoes:
        # Held, so that the settle that parks one of them cannot miss the event that settles it.
        told = jobs.c.uid.in_(padded(echoes)), jobs.c.state.in_(("l", "u"))
        tx.rows(select(jobs.c.id).where(*told).order_by(jobs.c.id).with_for_update(read=True))
        tx.afterwards.append(partial(resolve_from_events, uids=echoes))
    rows = [row_of(tx, t.event, inbox_id=of, jobs_made=len(t.jobs)) for of, t in fresh]
    tx.write(rows, [job for _, taken in fresh for job in taken.jobs])


Key = tuple[str, bytes]


def _keys(connector: str, taken: Sequence[Taken], body: bytes, *, kept: bool) -> list[Key]:
    """Give the dedupe keys of events, then that of a body kept for itself."""
    of_body = key16(body)
    keys = [_key(t.event, of_body) for t in taken] + ([of_body] if kept else [])
    return [(connector, key) for key in keys]


def _key(event: Event, of_body: bytes) -> bytes:
    return key16(event.ext_id) if event.ext_id else key16(of_body + event.type.encode())


def _take(tx: Tx, asked: Sequence[Sequence[Key]]) -> list[list[bool]]:
    """Take the dedupe keys that are free; say of each whether it was, for the first to name it."""
    rows = [
        {"connector": connector, "key16": key, "seen_on": tx.now}
        for connector, key in dict.fromkeys(key for keys in asked for key in keys)
    ]
    free = tx.ways.insert_new(tx.connection, schema.dedupe, rows)
    return [[_first(free, key) for key in keys] for keys in asked]


def _first(free: set[Key], key: Key) -> bool:
    if key not in free:
        return False
    free.remove(key)
    return True


def _request(tx: Tx, receipt: Receipt) -> dict[str, Any]:
    request = receipt.request
    url = request.url.encode("utf-8", "surrogateescape")
    pairs = ((URL, url), *request.headers)
    headers = write_json([[k.decode("latin-1"), v.decode("latin-1")] for k, v in pairs])
    return {
        "id": receipt.id,
        "connector": receipt.connector,
        "received_at": receipt.received_at,
        "via": receipt.via,
        "method": request.method,
        "target": request.url.partition("?")[0],
        "headers": tx.seal(headers, "inbox.headers", receipt.id),
        "body": tx.seal(request.body, "inbox.body", receipt.id),
        "secret_used": receipt.secret_used,
    }


def request_of(cipher: Cipher, row: Row[Any]) -> Request:
    """Make the request of an inbox row again, its headers and body opened."""
    pairs = read_json(cipher.open(row.headers, f"inbox.headers:{row.id}"))
    (_, url), *headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in pairs]
    return Request(
        method=row.method,
        url=url.decode("utf-8", "surrogateescape"),
        headers=tuple(headers),
        body=cipher.open(row.body, f"inbox.body:{row.id}"),
        received_at=row.received_at,
    )
