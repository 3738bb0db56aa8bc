"""The provider of these tests: the double of connector type `http`, which judges by what it saw."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.http.sandbox import Sandbox
from hub import read_json


@dataclass(frozen=True, slots=True)
class Called:
    """One raw call."""

    id: str
    lane: str
    n: int
    key: str


class Ledger(Sandbox):
    """Keeps each raw call, each effect in order, and how often a lane had two jobs in flight.

    Attributes:
        pause: Seconds between what it does and its answer.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.raw: list[Called] = []
        self.overlaps = 0
        self.url, self.pause = "", 0.0
        self._flying: dict[str, set[str]] = defaultdict(set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note the call, then do what the double does."""
        if request.method != "POST":
            return await super().handle(request)
        body = read_json(await request.read())
        lane = str(body["lane"])
        self.raw.append(Called(body["id"], lane, body["n"], request.headers.get("Idempotency-Key", "")))  # fmt: skip  # noqa: E501
        self.overlaps += bool(self._flying[lane] - {body["id"]})
        self._flying[lane].add(body["id"])
        try:
            answer = await super().handle(request)
            await asyncio.sleep(self.pause)
            return answer
        finally:
            self._flying[lane].discard(body["id"])

    # -- what was seen -----------------------------------------------------------------------------
    def effects(self) -> Counter[str]:
        """Count what was really done, by the event's id."""
        return Counter(effect.data["id"] for effect in self.state.ledger)

    def calls(self) -> Counter[str]:
        """Count raw calls, by the event's id."""
        return Counter(call.id for call in self.raw)

    def order_breaks(self) -> list[str]:
        """Name every lane whose effects came in another order than its events."""
        seen: dict[str, list[int]] = defaultdict(list)
        for effect in self.state.ledger:
            seen[effect.data["lane"]].append(effect.data["n"])
        return [lane for lane, told in seen.items() if told != sorted(told)]


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Ledger]:
    """Serve one on loopback."""
    ledger = Ledger(**options)
    app = web.Application()
    app.add_subapp("/http", ledger.app())
    async with TestServer(app) as server:
        ledger.url = str(server.make_url("/http")).rstrip("/")
        yield ledger
