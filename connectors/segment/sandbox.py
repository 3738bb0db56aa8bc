"""Segment's double: it answers 200 to nearly everything and drops repeats of a messageId.

Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ (2026-11);
the bodies of 400 and 401 are ours (unchecked).
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from connectors.segment import Segment, inbound
from hub import Json, read_json, write_json
from hub.sandbox import Double, Endpoint

ENTRY_BYTES, REQUEST_BYTES = 32 * 1024, 500 * 1024
REMEMBERED = timedelta(hours=24)
REVOKED = "Basic " + base64.b64encode(b"revoked:").decode()
KINDS = ("track", "identify", "page", "screen", "group", "alias")


class Sandbox(Double):
    """What it dropped without a word, and why, is in `dropped`."""

    connector = Segment

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: dict[str, datetime] = {}
        self.dropped: list[dict[str, Json]] = []

    def routes(self) -> list[web.RouteDef]:
        """Give Segment's paths."""
        singles = [web.post(f"/v1/{kind}", self.single) for kind in KINDS]
        return [*singles, web.post("/v1/batch", self.batch)]

    async def single(self, request: web.Request) -> web.StreamResponse:
        """Take one call; its kind is the last word of the path."""
        kind = request.path.rpartition("/")[2]
        raw = await request.read()
        body = _object(raw)
        if (refusal := _refusal(request, raw, body, ENTRY_BYTES)) is not None:
            return refusal
        self._take(kind, body)
        return web.json_response({"success": True})

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """Take a list of calls, each by its own type."""
        raw = await request.read()
        body = _object(raw)
        if (refusal := _refusal(request, raw, body, REQUEST_BYTES)) is not None:
            return refusal
        entries = body.get("batch") if body else None
        for entry in entries if isinstance(entries, list) else ():
            self._take(entry.get("type") if isinstance(entry, dict) else None, entry)
        return web.json_response({"success": True})

    def forward(self, *entries: Json) -> None:
        """Send events as the webhook destination does: one alone, several as a batch."""
        self.emit(list(entries) if len(entries) > 1 else entries[0])

    def sign(self, body: bytes, endpoint: Endpoint) -> dict[str, str]:
        """Sign a body, or of a batch its first event alone."""
        now = self.clock.now().timestamp()
        return dict(inbound.sign_batch(body, endpoint.secret, now=now))

    def _take(self, kind: Json, entry: Json) -> None:
        if fault := _fault(kind, entry):
            self.dropped.append({"why": fault, "entry": entry})
            return
        digest = hashlib.sha256(write_json(entry)).hexdigest()[:32]
        message_id = entry.get("messageId") or f"api-{digest}"
        now = self.clock.now()
        first = self.seen.get(message_id)
        if first is not None and now - first < REMEMBERED:
            return
        self.seen[message_id] = now
        self.effect(kind, f"sandbox-{len(self.seen)}-{digest[:8]}", message_id, entry)


def _object(raw: bytes) -> dict[str, Json] | None:
    try:
        body = read_json(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _refusal(
    request: web.Request, raw: bytes, body: dict[str, Json] | None, limit: int
) -> web.StreamResponse | None:
    """Refuse what Segment refuses aloud: no key, no JSON, too many bytes."""
    sent = request.headers.get("Authorization", "")
    by_body = body is not None and isinstance(body.get("writeKey"), str)
    if sent == REVOKED or not (sent.startswith("Basic ") or by_body):
        return _said(401, "invalid write key")
    if body is None:
        return _said(400, "malformed JSON")
    return _said(400, "too many bytes") if len(raw) > limit else None


def _said(status: int, text: str) -> web.StreamResponse:
    return web.json_response({"success": False, "message": text}, status=status)


def _fault(kind: Json, entry: Json) -> str | None:
    """Say why Segment would drop a call without a word."""
    if not isinstance(entry, dict) or kind not in KINDS:
        return "no such type"
    if not (entry.get("userId") or entry.get("anonymousId")):
        return "no userId or anonymousId"
    if kind == "track" and not entry.get("event"):
        return "no event"
    if len(str(entry.get("messageId", ""))) > 100:
        return "messageId over 100 characters"
    return "over 32 KB" if len(write_json(entry)) > ENTRY_BYTES else None
