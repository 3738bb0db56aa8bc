"""Cursors: opaque, sealed with the store's key, bound to the list and filters they came from."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from hub.api.endpoint import Answer, Ask
from hub.errors import HubError, Refused
from hub.model import Json
from store.aggregates import Stored
from store.crypto import Cipher
from store.tx import Tx

MOST = 200
USUAL = 50


def write_cursor(cipher: Cipher, place: int | str, about: str) -> str:
    """Seal a place in a list; `about` names the list and its filters."""
    sealed = cipher.seal(str(place).encode(), f"cursor:{about}")
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_cursor(cipher: Cipher, cursor: str, about: str) -> str:
    """Open a cursor.

    Raises:
        Refused: It was altered, or comes from another list or other filters.
    """
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return cipher.open(sealed, f"cursor:{about}").decode()
    except (HubError, ValueError, binascii.Error) as error:
        fault = {"parameter": "after", "code": "cursor", "detail": "not a cursor of this list"}
        raise Refused(
            "validation_error", "after is no cursor of this list", errors=[fault]
        ) from error


def about(request: web.Request) -> str:
    """Name a list and its filters, whatever their order."""
    filters = sorted((k, v) for k, v in request.query.items() if k not in ("after", "limit"))
    return f"{request.path}?{filters}"


def about_feed(types: str | None, aggregate: str | None) -> str:
    """Name the feed and its filters; its cursors lead on in the stream as well."""
    return f"feed {types} {aggregate}"


def page(request: web.Request, items: Sequence[Json], cursor: str | None) -> Answer:
    """Answer with one page; `cursor` leads to the next."""
    headers: Mapping[str, Any] = {}
    if cursor is not None:
        following = request.rel_url.update_query(after=cursor)
        headers = {"Link": f'<{following}>; rel="next"'}
    return Answer(body={"items": list(items), "next": cursor}, headers=headers)


async def listed(
    ask: Ask,
    rows: Callable[[Tx, str | None], Sequence[Stored]],
    shown: Callable[[Tx, Stored], Json],
    *,
    key: Callable[[Stored], int | str] = lambda row: str(row.id),
) -> Answer:
    """Answer with one page of rows, read with one more than asked for, to know whether there is.

    Args:
        rows: Reads them after the key of the last one seen.
        key: What the next page goes on from.
    """
    about_it, cipher = about(ask.request), ask.api.store.cipher
    seen = read_cursor(cipher, ask.query.after, about_it) if ask.query.after else None

    def work(tx: Tx) -> Answer:
        found = rows(tx, seen)
        kept, more = found[: ask.query.limit], len(found) > ask.query.limit
        cursor = write_cursor(cipher, key(kept[-1]), about_it) if more else None
        return page(ask.request, [shown(tx, row) for row in kept], cursor)

    return await ask.api.store.look(work)
