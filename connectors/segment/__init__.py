"""Segment: analytics out, and what its webhook destination sends back.

Segment answers 200 to nearly everything, also to what it drops: what can be checked is checked
before it is sent. Repeats are dropped there by messageId, for 24 hours, as best it can.
Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ (2026-11).
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta

from pydantic import Field

from connectors.segment import inbound
from connectors.segment.bodies import body_of, message_ids, requests
from connectors.segment.items import Entry, Identify, Track
from hub import (
    Call,
    Check,
    Connector,
    ConnectorSettings,
    Event,
    ItemResult,
    Outcome,
    Reject,
    Request,
    Secret,
    Signing,
    Url,
    action,
    basic,
    deduped,
)

ONCE = deduped(timedelta(hours=24))


class Segment(Connector):
    """Segment speaks of a batch: a list of calls in one request."""

    type = "segment"
    auth = basic("write_key")
    emits = dict.fromkeys(("track", "identify", "page", "screen", "group", "alias", "delete"))
    signature = Signing(
        covers="partial",
        dedupe="messageId",
        source="https://segment.com/docs/connections/destinations/catalog/actions-webhook/",
    )

    class Settings(ConnectorSettings):
        """The write key of a server source."""

        write_key: Secret
        base_url: Url = Field(
            default="https://api.segment.io",
            description="EU workspaces: https://eu1.api.segmentapis.com, or events are lost",
        )
        accept_batches: bool = Field(
            default=False,
            description="take webhook batches, of which only the first event is signed",
        )

    settings: Settings

    @action(effect=ONCE)
    async def track(self, call: Call, entry: Track) -> Outcome:
        """Report one thing a user did."""
        return await self._one(call, "/v1/track", entry)

    @action(effect=ONCE)
    async def identify(self, call: Call, entry: Identify) -> Outcome:
        """Report what is known of a user."""
        return await self._one(call, "/v1/identify", entry)

    @action(effect=ONCE, batch=100)
    async def batch(self, call: Call, entries: list[Track]) -> list[ItemResult]:
        """Report many things at once; one too large dies alone."""
        results, bodies = [], []
        for entry, message_id in zip(entries, message_ids(entries, call.job), strict=True):
            try:
                bodies.append(body_of(entry, message_id) | {"type": "track"})
                results.append(ItemResult.ok(message_id))
            except Reject as error:
                results.append(ItemResult.failed(error))
        for body in requests(bodies):
            await call.http.post("/v1/batch", json=body)
        return results

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check X-Signature; a batch's covers less than the body, so it fails unless accepted."""
        check = inbound.verify_batch if self._batches else inbound.SINGLE.verify
        check(request, secret, now=now)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Sign as the webhook destination does."""
        sign = inbound.sign_batch if self._batches else inbound.SINGLE.sign
        return sign(body, secret, now=now)

    def parse(self, request: Request) -> Iterable[Event]:
        """Yield the delivery's event, or those of a batch where batches are accepted."""
        body = request.json()
        if not isinstance(body, list):
            return [inbound.event_of(body)]
        if not self._batches:
            raise ValueError("a batch, and accept_batches is not set")
        return [inbound.event_of(item) for item in body]

    async def check(self) -> list[Check]:
        """Prove reach; no call of Segment's proves a write key."""
        with suppress(Reject):  # a refusal is an answer, which is all that is asked
            await self.http.get("/")
        fix = "send an event and look for it in the source's debugger"
        text = "Segment says yes to any write key, and in the wrong region too"
        return [Check("reach", "ok"), Check("write_key", "warn", text, fix)]

    @property
    def _batches(self) -> bool:
        return self.settings is not None and bool(self.settings.accept_batches)

    async def _one(self, call: Call, path: str, entry: Entry) -> Outcome:
        await call.http.post(path, json=body_of(entry, call.job))
        return Outcome(ref=call.job)
