"""Segment's webhook destination: an HMAC-SHA1 of the body, or of a batch's first event alone.

Coverage: partial. Nothing signs the time, and behind a batch's first event anything may stand;
only ids are to be believed. An admin who can bear that sets `accept_batches`.
Source: https://segment.com/docs/connections/destinations/catalog/actions-webhook/ (read 2026-11).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from hub import Event, Json, Request, Secret, SignatureError, schemes

SINGLE = schemes.Hmac(header="X-Signature", digest="sha1")


def verify_batch(request: Request, secret: Secret, *, now: float) -> None:
    """Check a batch's signature, which covers its first event; a single one's covers it all."""
    SINGLE.verify(request.with_body(signed_part(request.body)), secret, now=now)


def sign_batch(body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
    """Sign as the destination does when it sends batches."""
    return SINGLE.sign(signed_part(body), secret, now=now)


def signed_part(body: bytes) -> bytes:
    """Give the bytes of an array's first item, or the body itself where it is no array.

    Raises:
        SignatureError: malformed (an array whose first item cannot be read).
    """
    if not body.startswith(b"["):
        return body
    try:
        text = body.decode()
        _, end = json.JSONDecoder().raw_decode(text, 1)
    except (ValueError, RecursionError) as error:
        raise SignatureError("malformed") from error
    return text[1:end].encode()


def event_of(item: Json) -> Event:
    """Read one event; its messageId may be anybody's, so it settles no job of ours.

    Raises:
        ValueError: It has no type, messageId or zoned timestamp.
    """
    texts = item if isinstance(item, dict) else {}
    kind, ident, time = (texts.get(name) for name in ("type", "messageId", "timestamp"))
    if not (isinstance(kind, str) and isinstance(ident, str) and isinstance(time, str)):
        raise ValueError("an item that is no event")  # noqa: TRY004 -- the body's fault, not ours
    if (at := datetime.fromisoformat(time)).tzinfo is None:
        raise ValueError("a time without its zone")
    return Event(type=kind, at=at.astimezone(UTC), data=item, ext_id=ident)
