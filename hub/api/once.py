"""Changes through the API: one transaction with its idempotency row and its audit line.

An answer is kept without what a page needs to pay; that is put back from the payment at replay.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from hub.api import problems
from hub.api.endpoint import Answer, Ask
from hub.errors import Refused
from hub.model import read_json, write_json
from hub.shop.payments import handoff_of, payment_row
from store import idempotency
from store.audit import note
from store.idempotency import Kept, KeyedCall
from store.tx import Tx

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255})')
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="number")
Work = Callable[[Tx], Answer]
Then = Callable[[Answer], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change as the writer takes it; `waits` leaves the key taken for what comes after."""

    ask: Ask
    work: Work
    call: KeyedCall | None
    waits: bool


async def change(ask: Ask, work: Work, *, then: Then | None = None) -> Answer:
    """Commit a change once per key, and answer after it; `then` waits for a provider meanwhile.

    Raises:
        Refused: The shop's rules or the key forbid it; nothing was changed.
    """
    call = keyed(ask)
    asked = Change(ask=ask, work=work, call=call, waits=then is not None)
    first = await ask.api.store.change(_commit, asked)
    if isinstance(first, Kept):
        return await _replay(ask, first)
    if then is None:
        return first
    last = await _settled(ask, then, first)
    if call is not None:
        await ask.api.store.change(_finish, (call, last))
    return last


def keyed(ask: Ask) -> KeyedCall | None:
    """Read the Idempotency-Key, quoted or bare.

    Raises:
        Refused: It must be there and is not, or it is no key.
    """
    sent = [value.strip() for value in ask.request.headers.getall(HEADER, [])]
    if not any(value not in ("", '""') for value in sent):
        if ask.endpoint.key == "required":
            raise Refused("idempotency_key_missing", f"send {HEADER}, at most 255 characters")
        return None
    found = _KEY.fullmatch(sent[0])
    if len(sent) > 1 or found is None:
        raise Refused("validation_error", f"{HEADER} must be one key of at most 255 characters")
    method, path = ask.request.method, ask.request.path
    text = b"\n".join([method.encode(), path.encode(), _canonical.encode(ask.value)])
    return KeyedCall(
        scope=f"{ask.who.id} {method} {path}",
        key=found[1] or found[2],
        fingerprint=hashlib.sha256(text).digest(),
    )


def _commit(tx: Tx, asked: Change) -> Answer | Kept:
    ask = asked.ask
    if asked.call is not None and (kept := idempotency.begin(tx, asked.call)) is not None:
        return kept
    tx.causation = ask.request_id
    try:
        answer = asked.work(tx)
    finally:
        tx.causation = None
    what = f"{ask.endpoint.method} /v1{ask.endpoint.path}"
    note(tx, ask.who.id, what, answer.subject, ask.request_id)
    if asked.call is not None and not asked.waits:
        _finish(tx, (asked.call, answer))
    return answer


def _finish(tx: Tx, done: tuple[KeyedCall, Answer]) -> None:
    call, answer = done
    kept = Kept(
        status=answer.status,
        headers=answer.all_headers(),
        body=write_json(answer.body),
        subject=answer.subject,
    )
    idempotency.finish(tx, call, kept)


async def _settled(ask: Ask, then: Then, first: Answer) -> Answer:
    """Wait for what follows the commit; a refused payment is an answer too, and kept."""
    try:
        return await then(first)
    except Refused as refusal:
        if refusal.code != "payment_failed":
            raise
        made = problems.document(refusal, instance=ask.request.path, request_id=ask.request_id)
        kind = {"Content-Type": problems.MEDIA_TYPE}
        return Answer(status=made["status"], body=made, headers=kind, subject=first.subject)


async def _replay(ask: Ask, kept: Kept) -> Answer:
    """Give a kept answer again, with what the payment's page needs, which was not kept."""
    body = read_json(kept.body)
    paid = body.get("payment") if kept.status < 300 else None
    handoff = None
    if isinstance(paid, dict):
        handoff = await ask.api.store.look(lambda tx: _handoff(tx, paid["id"]))
    headers = {**kept.headers, REPLAYED: "true"}
    return Answer(status=kept.status, body=body, handoff=handoff, headers=headers)


def _handoff(tx: Tx, payment: str) -> Mapping[str, str] | None:
    row = payment_row(tx, payment)
    return None if row is None else handoff_of(tx, row)
