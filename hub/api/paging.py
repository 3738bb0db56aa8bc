"""Cursors: opaque, sealed with the store's key, bound to the list and filters they came from."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from hub.api.endpoint import Answer
from hub.errors import HubError, Refused
from hub.model import Json
from store.crypto import Cipher

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


def page(request: web.Request, items: Sequence[Json], cursor: str | None) -> Answer:
    """Answer with one page; `cursor` leads to the next."""
    headers: Mapping[str, Any] = {}
    if cursor is not None:
        following = request.rel_url.update_query(after=cursor)
        headers = {"Link": f'<{following}>; rel="next"'}
    return Answer(body={"items": list(items), "next": cursor}, headers=headers)
