"""Stripe's webhook endpoints: which there are, a new one in our API version, one mended.

Stripe tells an endpoint's secret once, in the answer that makes it, and never changes the API
version in which an endpoint's events are written.
Source: https://docs.stripe.com/api/webhook_endpoints, version 2026-10-28.endive (read 2026-11).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connectors.stripe import sdk
from hub import Json, Made, Secret, Subscription, Wanted, permitted

if TYPE_CHECKING:
    from stripe._v1_services import V1Services

ABOUT = "Made by Shop Hub"
PERMISSION = "the key may not manage webhook endpoints: give it Webhook Endpoints, write"


async def listed(v1: "V1Services") -> list[Subscription]:
    """Read all endpoints of the account and mode."""
    listing: Any = v1.webhook_endpoints.list_async
    async with permitted(PERMISSION):
        return [_subscription(thing) async for thing in sdk.pages(listing, {})]


async def made(v1: "V1Services", wanted: Wanted, key: str) -> Made:
    """Make an endpoint whose events are written in our API version."""
    body = {
        "url": wanted.url,
        "enabled_events": sorted(wanted.events),
        "api_version": sdk.API_VERSION,
        "description": ABOUT,
    }
    making: Any = v1.webhook_endpoints.create_async
    async with permitted(PERMISSION):
        thing = await sdk.read(making(body, {"idempotency_key": key}))
    return Made(ref=thing["id"], secret=Secret(thing["secret"], "endpoint"))


async def mended(v1: "V1Services", have: Subscription, wanted: Wanted) -> None:
    """Enable an endpoint, and have it hear what is needed beside what it hears."""
    events = sorted(have.events | wanted.events) if have.lacks(wanted.events) else None
    body: dict[str, Json] = {"disabled": False} | ({"enabled_events": events} if events else {})
    mending: Any = v1.webhook_endpoints.update_async
    async with permitted(PERMISSION):
        await sdk.read(mending(have.ref, body))


def _subscription(thing: Mapping[str, Json]) -> Subscription:
    version = thing.get("api_version")
    stuck = None
    if version != sdk.API_VERSION:
        stuck = (
            f"its events are written in API version {version or 'of the account'}, the hub reads "
            f"{sdk.API_VERSION}, and Stripe cannot change that: delete it there, then apply again"
        )
    return Subscription(
        ref=thing["id"],
        url=thing["url"],
        events=frozenset(thing["enabled_events"]),
        enabled=thing["status"] == "enabled",
        stuck=stuck,
    )
