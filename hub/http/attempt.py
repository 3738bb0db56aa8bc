"""What one attempt of a job calls its provider with, and what it noted on the way."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from hub import crash
from hub.budget import arrived
from hub.clock import Clock
from hub.errors import Ambiguous, CallError, Retry
from hub.http.classify import Received, clean
from hub.http.egress import Trip
from hub.http.verbs import Ask, Verbs
from hub.plugin import Connector

Timeouts = tuple[float, float]
"""Seconds until connected, and for one call in all."""


class Way(Protocol):
    """The connector's way out, of which an attempt uses a part: `hub.http.Client`."""

    connector: Connector
    clock: Clock

    async def exchange(
        self, ask: Ask, *, within: float, trip: Trip, timeouts: Timeouts | None = None
    ) -> Received:
        """Make one request; give the answer whatever its status."""
        ...

    def judge(self, answer: Received) -> Received:
        """Give a 2xx back; raise what any other answer means."""
        ...


class AttemptHttp(Verbs):
    """The way out of one attempt, and what it saw; this is `call.http`.

    Args:
        heard: Told every answer's headers: they may say what is left of a budget.
        timeouts: For each call, instead of the connector's.

    Attributes:
        status: Of the last answer; None where none came.
        request_id: The provider's id of the last request, by the connector's header.
        body_hash: SHA-256 of the first write's body.
        arrived: By when each had arrived, in unix seconds.
        wrote: A write left and was not refused: doing the attempt again may do it twice.
    """

    def __init__(
        self,
        client: Way,
        *,
        deadline: datetime,
        timeout: float | None,
        expected_hash: bytes | None,
        heard: Callable[[Mapping[str, str]], None] | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._heard, self._timeouts = heard, timeouts
        ends = client.clock.now() + timedelta(seconds=timeout) if timeout else deadline
        self._client, self._ends, self._expected = client, min(ends, deadline), expected_hash
        self.status: int | None = None
        self.request_id: str | None = None
        self.body_hash: bytes | None = None
        self.arrived: list[float] = []
        self.wrote = False

    @property
    def calls(self) -> int:
        """Give how many were made."""
        return len(self.arrived)

    async def send(self, ask: Ask) -> Received:
        """Make the request within what is left of the attempt's time.

        Raises:
            Ambiguous: `final`, where the body is not that of the first attempt; nothing is sent.
        """
        name = self._client.connector.name
        self._pin(ask, name)
        within = (self._ends - self._client.clock.now()).total_seconds()
        if within <= 0:
            raise Retry(f"{name}: no time left")
        trip, before = Trip(self._client.clock), self.wrote
        self.status = None
        answer = None
        try:
            answer = await self._client.exchange(
                ask, within=within, trip=trip, timeouts=self._timeouts
            )
        finally:
            self.wrote = before or (ask.writes and trip.left)
            now = self._client.clock.now().timestamp()
            self.arrived.append(arrived(trip.sent, now, answered=answer is not None))
        crash.at("E_after")
        self._note(answer)
        try:
            return self._client.judge(answer)
        except Ambiguous:
            raise
        except CallError:
            self.wrote = before
            raise

    def _pin(self, ask: Ask, name: str) -> None:
        """Keep keyed and unsafe actions to the body of their first attempt."""
        if not ask.writes or self.body_hash is not None:
            return
        self.body_hash = hashlib.sha256(ask.body or b"").digest()
        if self._expected is not None and self._expected != self.body_hash:
            raise Ambiguous(f"{name}: the body is not that of the first attempt", final=True)

    def _note(self, answer: Received) -> None:
        self.status = answer.status
        if self._heard is not None:
            self._heard(answer.headers)
        header = self._client.connector.request_id_header
        if header and (found := answer.headers.get(header)):
            self.request_id = clean(found)[:120]
