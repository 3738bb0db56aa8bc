"""If-Match: the ETag of what the caller has read; strong comparison, as changes have it.

A tag begins with the version, which is all that a change is compared with.

Source: RFC 9110 §13.1.1, RFC 6585 §3.
"""

import re

from aiohttp import web

from hub.errors import Refused
from hub.shop.versions import ANY, Match

HEADER = "If-Match"
_TAG = re.compile(r'"([0-9]{1,18})(?:\.[0-9a-f]{16})?"')


def read(request: web.Request) -> Match:
    """Read which versions the caller would change; a tag that is none of ours fits nothing.

    Raises:
        Refused: precondition_required, where the header is missing.
    """
    sent = ",".join(request.headers.getall(HEADER, [])).strip()
    if not sent:
        raise Refused("precondition_required", f'send {HEADER}: the ETag of what you read, or "*"')
    if sent == "*":
        return ANY
    tags = (_TAG.fullmatch(tag.strip()) for tag in sent.split(","))
    return Match(frozenset(int(tag[1]) for tag in tags if tag))
