"""A provider that sends signed webhooks, and sends again until it is told 200."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, Self

import aiohttp

from tests.chaos.nodes import Setting

Item = dict[str, Any]


class Feed:
    """Sends events to hubs.

    Attributes:
        again: How many deliveries had no 200 and were sent again.
    """

    def __init__(self, setting: Setting, *, connections: int = 100, pause: float = 0.05) -> None:
        self.setting, self.connections, self.pause = setting, connections, pause
        self.again = 0

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.connections),
            timeout=aiohttp.ClientTimeout(total=10),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def post(self, url: str, *items: Item) -> int:
        """Send once; give the status, 0 where no answer came."""
        body = json.dumps({"items": items}).encode()
        mac = hmac.new(self.setting.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Signature": mac, "Content-Type": "application/json"}
        try:
            async with self.session.post(f"{url}/webhooks/feed", data=body, headers=headers) as got:
                await got.read()
                return got.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0

    async def deliver(self, pick: Callable[[], str], *items: Item, within: float = 60.0) -> None:
        """Send until it is told 200, each time to the hub that `pick` names, as a balancer does."""
        async with asyncio.timeout(within):
            while (status := await self.post(pick(), *items)) != 200:
                assert status in (0, 503), (status, items)
                self.again += 1
                await asyncio.sleep(self.pause)
