"""What the check of a signature needs beside the request: fetched once, by the one way out.

A stranger may name it, within what the connector's scheme allows: so there are few fetches, and
what no signature has proven is forgotten after a minute. While it is not there the answer is 503
and the provider sends again; never 401 for want of it, and never 200.
"""

import asyncio
from dataclasses import dataclass, replace

from hub import log
from hub.clock import Clock
from hub.errors import Retry
from hub.gcra import Meter, Quota
from hub.model import Request
from hub.plugin import Connector
from webhooks.doors import Door

WITHIN = 5.0
AGAIN = 60.0  # seconds until the same is asked for again
FRESH = 86_400.0  # seconds until what has proven good is asked for anew
ALLOWED = Quota(10, AGAIN)  # fetches of one connector, whatever their paths
LARGEST, MOST = 64 << 10, 32
Key = tuple[str, str]


@dataclass(slots=True)
class Found:
    """What is known of one path.

    Args:
        due: Unix seconds from which it may be asked for again.
        proven: A signature was good with it.
    """

    due: float
    data: bytes = b""
    proven: bool = False
    under_way: asyncio.Task[None] | None = None


class Fetched:
    """What one node fetched, by connector and path.

    Args:
        within: Seconds a fetch, and a request that waits for it, may take.
    """

    def __init__(self, clock: Clock, *, within: float = WITHIN) -> None:
        self.clock, self.within = clock, within
        self._found: dict[Key, Found] = {}
        self._meter = Meter(ALLOWED)
        self.log = log.get("webhooks")

    async def beside(self, door: Door, request: Request) -> Request:
        """Give the request with what its check needs.

        Raises:
            SignatureError: It is refused whatever that is.
            Retry: That is not there yet.
        """
        path = door.needs(request, self.clock.now())
        if path is None:
            return request
        return replace(request, fetched=await self._get(door.connector, path))

    def keep(self, door: Door, request: Request) -> None:
        """Keep what has let a request in for longer than what has not."""
        if not request.fetched or (path := door.needs(request, self.clock.now())) is None:
            return
        found = self._found.get((door.name, path))
        if found is not None and found.data == request.fetched and not found.proven:
            found.proven, found.due = True, self._now() + FRESH

    # -- inside ------------------------------------------------------------------------------------
    async def _get(self, connector: Connector, path: str) -> bytes:
        found = self._sought(connector, path)
        if found is not None and found.under_way is not None:
            await asyncio.wait({found.under_way}, timeout=self.within)
        if found is None or not found.data:
            raise Retry(f"{connector.name}: what proves its signature is not there yet")
        return found.data

    def _sought(self, connector: Connector, path: str) -> Found | None:
        """Give what is known of a path, a fetch begun where one is due and may be."""
        key, now = (connector.name, path), self._now()
        found = self._found.get(key)
        if found is not None and (found.under_way is not None or now < found.due):
            return found
        if not self._meter.spend(connector.name, now).allowed:
            return found
        found = found or Found(now)
        found.due = now + AGAIN
        self._forget(now)
        self._found[key] = found
        found.under_way = asyncio.create_task(self._fetch(connector, path, found))
        return found

    async def _fetch(self, connector: Connector, path: str, found: Found) -> None:
        try:
            async with asyncio.timeout(self.within):
                answer = await connector.http.get(path, headers={"Accept": "*/*"})
            self._take(found, answer.body)
        except Exception as error:  # noqa: BLE001 -- it is not there, whatever the reason
            told = log.why(error)
            self.log.warning("certificate not fetched", connector=connector.name, error=told)
        finally:
            found.under_way = None

    def _take(self, found: Found, data: bytes) -> None:
        if not 0 < len(data) <= LARGEST:
            raise Retry(f"{len(data)} bytes are no certificate")
        if data == found.data and found.proven:
            found.due = self._now() + FRESH
        found.proven = found.proven and data == found.data
        found.data = data

    def _forget(self, now: float) -> None:
        """Let go of what proved nothing in its time, and of the oldest where there is too much."""
        self._found = {k: f for k, f in self._found.items() if f.proven or now < f.due}
        while len(self._found) >= MOST:
            self._found.pop(
                min(self._found, key=lambda k: (self._found[k].proven, self._found[k].due))
            )

    def _now(self) -> float:
        return self.clock.now().timestamp()
