"""A shop front: speaks to a hub as the shop's code does, to the doubles as customers do."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import aiohttp

from tests.e2e.stage import Hub

HOW_TO_PAY = {"client_secret", "redirect_url"}
PAID = ("paid", "partially_refunded", "refunded")
Found = TypeVar("Found")


async def until(
    met: Callable[[], Awaitable[Found]], what: str, *, within: float = 30.0
) -> Found:  # fmt: skip
    """Wait until a condition gives something true, and give that."""
    try:
        async with asyncio.timeout(within):
            while not (found := await met()):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"after {within:g} s it still does not hold: {what}") from None
    return found


class Shop:
    """Speaks to a hub as the shop's code does, to the doubles as customers and testers do."""

    def __init__(self, hub: Hub, *, connections: int = 100) -> None:
        self.hub, self.base = hub, hub.sandbox.base
        self.connections = connections

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.connections),
            timeout=aiohttp.ClientTimeout(total=30),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    # -- the hub ---------------------------------------------------------------------------------
    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Call the hub's API under an idempotency key; give status and body."""
        sent = {
            "Authorization": f"Bearer {self.hub.key}",
            "Idempotency-Key": key or secrets.token_hex(16),
            **headers,
        }
        url = self.hub.url + path
        async with self.session.request(method, url, json=body, headers=sent) as answer:
            return answer.status, json.loads(await answer.read())

    async def get(self, path: str) -> Any:
        status, body = await self.ask("GET", path)
        assert status == 200, (path, status, body)
        return body

    async def make(self, path: str, body: Any, **more: str) -> Any:
        status, made = await self.ask("POST", path, body, **more)
        assert status in (200, 201, 202), (path, status, made)
        return made

    async def stock(self, *skus: str) -> None:
        """Have these for sale, at 29.00 EUR each."""
        for sku in skus:
            price = {"amount": 2900, "currency": "EUR"}
            variant = {"sku": sku, "prices": [price], "on_hand": 100_000}
            body = {"title": sku, "status": "active", "variants": [variant]}
            status, made = await self.ask("POST", "/v1/products", body)
            assert status == 201 or made["code"] == "sku_taken", made

    async def orders(
        self, email: str, *skus: str, method: str = "intent", calls: int = 1
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Order two of each through a cart; give the order and its payment.

        Args:
            calls: The same call so often, at most, until its answer says how to pay.
        """
        lines = [{"variant": sku, "qty": 2} for sku in skus or ("tee",)]
        cart = await self.make("/v1/carts", {"currency": "EUR", "email": email, "lines": lines})
        wish = {"connector": "stripe", "method": method}
        if method == "checkout":
            wish["return_url"] = "https://shop.example.com/thanks"
        agreed = {"expected_total": cart["totals"]["total"], "payment": wish}
        key = secrets.token_hex(16)
        for _ in range(calls):
            made = await self.make(f"/v1/carts/{cart['id']}/complete", agreed, key=key)
            if made["payment"].keys() & HOW_TO_PAY:
                break
        return made["order"], made["payment"]

    async def buys(self, email: str, *skus: str, **more: str) -> dict[str, Any]:
        """Order, pay, and wait until everyone was told; give the order."""
        order, payment = await self.orders(email, *skus, **more)
        await self.pays(payment)
        await self.over(order["id"])
        return dict(await self.get(f"/v1/orders/{order['id']}"))

    async def jobs(self, order: str, **fits: str) -> list[dict[str, Any]]:
        """Give an order's jobs that have these values."""
        items = (await self.get(f"/v1/orders/{order}/timeline"))["items"]
        jobs = [item for item in items if item["kind"] == "job"]
        return [job for job in jobs if all(job[name] == text for name, text in fits.items())]

    async def events(self, order: str) -> list[str]:
        """Give the types of an order's events, oldest first."""
        items = (await self.get(f"/v1/orders/{order}/timeline"))["items"]
        return [item["type"] for item in items if item["kind"] == "event"]

    async def job(self, order: str, action: str) -> dict[str, Any]:
        """Give the one job of an order that does this."""
        [found] = await self.jobs(order, action=action)
        return found

    async def job_is(
        self, order: str, action: str, state: str, *, within: float = 30.0
    ) -> dict[str, Any]:
        """Wait until the one job of an order that does this is in this state."""

        async def met() -> dict[str, Any] | None:
            found = await self.jobs(order, action=action)
            assert len(found) < 2, found
            return found[0] if found and found[0]["state"] == state else None

        return await until(met, f"{action} of {order} is {state}", within=within)

    async def over(self, order: str, *, within: float = 30.0) -> list[dict[str, Any]]:
        """Wait until an order is paid and its jobs have ended; give them."""

        async def ended() -> list[dict[str, Any]]:
            found = await self.get(f"/v1/orders/{order}")
            jobs = await self.jobs(order)
            live = [job for job in jobs if job["state"] in ("waiting", "ready", "leased")]
            return [] if live or found["payment_status"] not in PAID else jobs

        return await until(ended, f"{order} is paid and all its jobs have ended", within=within)

    # -- the doubles -----------------------------------------------------------------------------
    async def double(self, kind: str) -> dict[str, Any]:
        """Give what a double saw: ledger, calls, deliveries, faults."""
        async with self.session.get(f"{self.base}/_control/{kind}") as answer:
            return dict(await answer.json())

    async def ledger(self, kind: str) -> list[dict[str, Any]]:
        return list((await self.double(kind))["ledger"])

    async def counts(self, kind: str) -> dict[str, int]:
        async with self.session.get(f"{self.base}/_control/{kind}/counts") as answer:
            return dict(await answer.json())

    async def fault(self, kind: str, fault: str, **more: Any) -> None:
        url = f"{self.base}/_control/{kind}/faults"
        async with self.session.post(url, json={"fault": fault, **more}) as answer:
            assert answer.status == 201, await answer.text()

    async def release(self, kind: str) -> None:
        """Send the webhooks that `reorder` holds back."""
        async with self.session.post(f"{self.base}/_control/{kind}/release") as answer:
            assert answer.status == 200

    async def forget_faults(self) -> None:
        async with self.session.post(f"{self.base}/_control/reset") as answer:
            assert answer.status == 200

    async def stripe(self, path: str, form: dict[str, Any] | None = None, **more: str) -> Any:
        """Ask Stripe's double: with a form a POST, else a GET."""
        headers = {"Authorization": "Bearer sk_test_a_tester", **more}
        method = "GET" if form is None else "POST"
        url = f"{self.base}/stripe{path}"
        async with self.session.request(method, url, data=form, headers=headers) as answer:
            assert answer.status == 200, (path, await answer.text())
            return await answer.json()

    async def pays(self, payment: dict[str, Any], method: str = "pm_card_visa") -> None:
        """Let the customer pay, on the shop's page or on Stripe's."""
        if "redirect_url" in payment:
            session = payment["redirect_url"].rpartition("/")[2]
            path = f"/_customer/checkout/{session}/pay"
        else:
            intent = payment["client_secret"].partition("_secret_")[0]
            path = f"/_customer/payment_intents/{intent}/pay"
        await self.stripe(path, {"payment_method": method})
