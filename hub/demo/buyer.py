"""The demo's buyer and shop front: what a shop's own code sends, and what a customer does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import aiohttp

from hub.clock import SystemClock
from hub.demo.show import Steps
from hub.errors import HubError
from hub.ids import new_id
from hub.model import Json, read_json

SKU = "tee-black-m"
PATIENCE = 60.0
OVER = ("done", "skipped", "dead", "cancelled", "uncertain")


class Buyer:
    """Speaks to the hub as the shop's code does, and to Stripe's double as a customer does."""

    def __init__(self, hub: str, sandbox: str, key: str) -> None:
        self.hub, self.sandbox, self.key = hub, sandbox, key
        self.clock = SystemClock()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def play(self, steps: Steps) -> tuple[str, bool]:
        """Buy one thing; give the order's id, and whether all its jobs ended done."""
        with steps.step("a product in the catalogue"):
            await self._product()
        with steps.step("a cart"):
            cart = await self._post("/v1/carts", self._cart())
        with steps.step("the order, its stock held, its payment asked of Stripe"):
            placed = await self._complete(cart)
        order, payment = placed["order"], placed["payment"]
        with steps.step("the customer pays at Stripe"):
            await self._pay(payment)
        with steps.step("Stripe's signed webhook: the order is paid"):
            await self._until(lambda: self._is_paid(order["id"]))
        with steps.step("HubSpot, SendGrid and Segment are told"):
            await self._until(lambda: self._is_told(order["id"]))
        jobs = [e for e in await self.timeline(order["id"]) if e["kind"] == "job"]
        return order["id"], all(job["state"] == "done" for job in jobs)

    async def timeline(self, order: str) -> list[dict[str, Any]]:
        """Give the order's whole story."""
        found = await self._ask("GET", f"/v1/orders/{order}/timeline")
        return list(found["items"])

    # -- the shop's code ---------------------------------------------------------------------------
    async def _product(self) -> None:
        variant = {
            "sku": SKU,
            "prices": [{"amount": 2900, "currency": "EUR"}],
            "on_hand": 100_000,
        }
        body = {"title": "T-shirt, black, M", "status": "active", "variants": [variant]}
        await self._ask("POST", "/v1/products", body, fine=(409,))

    def _cart(self) -> dict[str, Json]:
        return {
            "currency": "EUR",
            "email": "ada@example.com",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "lines": [{"variant": SKU, "qty": 2}],
        }

    async def _complete(self, cart: dict[str, Any]) -> dict[str, Any]:
        body = {
            "expected_total": cart["totals"]["total"],
            "payment": {"connector": "stripe", "method": "intent"},
        }
        return await self._post(f"/v1/carts/{cart['id']}/complete", body)

    async def _is_paid(self, order: str) -> bool:
        found = await self._ask("GET", f"/v1/orders/{order}")
        return bool(found["payment_status"] == "paid")

    async def _is_told(self, order: str) -> bool:
        jobs = [e for e in await self.timeline(order) if e["kind"] == "job"]
        return bool(jobs) and all(job["state"] in OVER for job in jobs)

    # -- the customer ------------------------------------------------------------------------------
    async def _pay(self, payment: dict[str, Any]) -> None:
        if "client_secret" not in payment:
            raise HubError("Stripe's double has not answered yet: see `hub jobs`")
        intent = payment["client_secret"].partition("_secret_")[0]
        url = f"{self.sandbox}/stripe/_customer/payment_intents/{intent}/pay"
        async with self._session.post(url, data={"payment_method": "pm_card_visa"}) as answer:
            if answer.status != 200:
                raise HubError(f"the sandbox answered the customer {answer.status}")

    # -- wire --------------------------------------------------------------------------------------
    async def _post(self, path: str, body: Json) -> dict[str, Any]:
        return await self._ask("POST", path, body)

    async def _ask(
        self, method: str, path: str, body: Json = None, fine: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Idempotency-Key": new_id("demo", self.clock.now()),
        }
        asked = self._session.request(method, self.hub + path, json=body, headers=headers)
        async with asked as answer:
            found = read_json(await answer.read())
            if answer.status >= 400 and answer.status not in fine:
                raise HubError(f"{method} {path} was answered {answer.status}: {found}")
            return dict(found)

    async def _until(self, met: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not await met():
                    await self.clock.sleep(0.1)
        except TimeoutError as error:
            raise HubError(f"nothing came of it in {PATIENCE:g} s") from error
