"""A full hub says so to whoever would write, answers who reads, and nothing of it is lost."""

from pathlib import Path
from typing import Any

from hub.clock import ManualClock
from hub.metrics import REGISTRY
from tests.e2e.inside import House, inside
from tests.e2e.shop import until

PLAIN = 'public_url: "http'
FULL = f"limits: {{ disk_free: 900000GiB }}, {PLAIN}"


def turned_away() -> float:
    return REGISTRY.get_sample_value("hub_turned_away_total", {"reason": "disk"}) or 0.0


async def reload(house: House, old: str, new: str) -> None:
    house.config.write_text(house.config.read_text().replace(old, new, 1))
    await house.hub.reloads.reload("test")


async def refused(house: House, path: str, **sent: Any) -> bytes:
    url, key = house.shop.hub.url + path, {"Authorization": f"Bearer {house.shop.hub.key}"}
    async with house.shop.session.post(url, headers=key, **sent) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
        return await answer.read()


async def test_what_a_full_hub_turned_away_is_settled_when_it_comes_again(tmp_path: Path) -> None:
    async with inside(tmp_path, clock=ManualClock()) as house:
        order, payment = await house.shop.orders("a@example.com")
        await reload(house, PLAIN, FULL)
        assert b'"code":"overloaded"' in await refused(house, "/v1/carts", json={})
        assert await refused(house, "/webhooks/stripe", data=b"{}") == b"503: Service Unavailable"
        assert (await house.shop.get(f"/v1/orders/{order['id']}"))["payment_status"] == "none"

        before, bank = turned_away(), house.doubles["stripe"].bank
        bank.pay(bank.things[payment["client_secret"].partition("_secret_")[0]], "pm_card_visa")

        async def told() -> bool:
            return turned_away() > before

        await until(told, "the provider's webhook was turned away")
        await reload(house, FULL, PLAIN)
        await house.quiet()
        assert (await house.shop.get(f"/v1/orders/{order['id']}"))["payment_status"] == "paid"
