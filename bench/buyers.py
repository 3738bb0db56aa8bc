"""Many buyers at once over HTTP: does it cost anything to turn five out of six away?"""

import asyncio
from itertools import count as numbers
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.rounds import Rate, interleave
from hub.api.app import api_app
from hub.api.endpoint import Api
from hub.clock import SystemClock
from hub.gcra import Meter, Quota
from hub.secrets import Secret
from hub.shop.catalog import NewProduct, create_product
from hub.shop.rules import ShopRules
from store import keys
from store.crypto import new_key
from store.store import Store

CLIENTS = 4
RULES = ShopRules(currencies=("EUR",))


class Market:
    """A served shop and its buyers, several clients with a connection pool each."""

    def __init__(self, store: Store, url: str, key: str) -> None:
        self.store, self.url, self.key = store, url, key
        self._sku = numbers(1)

    async def sell(self, buyers: int, stock: int) -> list[int]:
        """Let buyers who have filled their carts complete them at once; give the statuses."""
        sku = f"MUG-{next(self._sku)}"
        price = {"amount": 1250, "currency": "EUR"}
        variant = {"sku": sku, "prices": [price], "on_hand": stock}
        item = NewProduct.model_validate({"title": sku, "variants": [variant]})
        await self.store.change(lambda tx, it: create_product(tx, it, RULES), item)
        sessions = [aiohttp.ClientSession() for _ in range(CLIENTS)]
        try:
            body = {"currency": "EUR", "lines": [{"variant": sku, "qty": 1}]}
            carts = await asyncio.gather(
                *(
                    self._post(
                        sessions[n % CLIENTS], "/carts", body | {"email": f"{n}@example.com"}
                    )
                    for n in range(buyers)
                )
            )
            done = await asyncio.gather(
                *(
                    self._complete(sessions[n % CLIENTS], cart["id"], price)
                    for n, (_, cart) in enumerate(carts)
                )
            )
        finally:
            for session in sessions:
                await session.close()
        return [status for status, _ in done]

    async def _complete(self, session: Any, cart: str, price: Any) -> tuple[int, Any]:
        path = f"/carts/{cart}/complete"
        return await self._post(session, path, {"expected_total": price}, key=cart)

    async def _post(
        self, session: Any, path: str, body: Any, *, key: str | None = None
    ) -> tuple[int, Any]:  # fmt: skip
        headers = {"Authorization": f"Bearer {self.key}"}
        headers |= {"Idempotency-Key": key} if key else {}
        async with session.post(f"{self.url}/v1{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json()


async def never(_check: Any, _seconds: float) -> bool:
    """Wait for no worker: there is none, and no payment is asked for."""
    return False


async def opened(url: str) -> tuple[Market, Any]:
    """Serve a shop on loopback; give it and what ends it."""
    store = await Store.open(url, keys=[Secret(new_key())], clock=SystemClock(), served=True)
    meter = Meter(Quota(10_000_000, 1.0))
    api = Api(store=store, clock=store.clock, wait_for=never, rules=RULES, meter=meter)
    root = web.Application()
    root.add_subapp("/v1", api_app(lambda: api))
    server = TestServer(root)
    await server.start_server()
    told = await store.write(lambda tx: keys.create_key(tx, "shop"))

    async def end() -> None:
        await server.close()
        await store.close()

    return Market(store, str(server.make_url("")).rstrip("/"), str(told["key"])), end


async def buyers(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare buyers with enough stock to those of whom five in six are refused."""
    market, end = await opened(f"sqlite:///{folder}/buyers.db")

    async def enough() -> int:
        assert set(await market.sell(count, count)) == {201}
        return count

    async def too_few() -> int:
        told = await market.sell(count, count // 6)
        assert told.count(201) == count // 6
        assert told.count(409) == count - count // 6
        return count

    try:
        return await interleave({"stock for all": enough, "stock for one in six": too_few}, rounds)
    finally:
        await end()
