"""The seam to Stripe's SDK: its client on our way out. The SDK is loaded by the first call.

The SDK neither retries, nor waits, nor holds a credential: hub.http stands in for its session.
Source: stripe 16.1.0, `AIOHTTPClient`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from hub import Ambiguous, Call, Http, Json

if TYPE_CHECKING:
    from stripe._v1_services import V1Services

API_VERSION = "2026-10-28.endive"
PAGE = 100
MAX_PAGES = 50


def client(http: Http, base_url: str) -> "V1Services":
    """Make a client for one call (10 µs); hub.http overwrites the placeholder key."""
    import stripe  # noqa: PLC0415 -- 150 ms, which a hub without Stripe never pays

    stripe.enable_telemetry = False  # module-wide: there is no switch per client
    return stripe.StripeClient(
        "sk_placeholder",
        base_addresses={"api": base_url},
        stripe_version=API_VERSION,
        max_network_retries=0,
        http_client=stripe.AIOHTTPClient(timeout=None, session=http),
    ).v1


def key(call: Call) -> Json:
    """Give the options of a write: without our key the SDK would make one up."""
    return {"idempotency_key": call.key}


async def read(answer: Awaitable[Any]) -> Json:
    """Give what an SDK call brings as JSON.

    Raises:
        Ambiguous: A success that cannot be read; refusals come classified by hub.http.
    """
    import stripe  # noqa: PLC0415

    try:
        found = await answer
    except stripe.StripeError:
        # Not chained: the SDK's text quotes the whole body.
        raise Ambiguous("stripe: the answer cannot be read") from None
    thing = found.to_dict() if isinstance(found, stripe.StripeObject) else {}
    if "id" not in thing and thing.get("object") not in {"list", "balance"}:
        raise Ambiguous("stripe: the answer is no object")
    return thing


async def pages(listing: Callable[[Json], Awaitable[Any]], params: Json) -> AsyncIterator[Json]:
    """Give the objects of a list, newest first, page after page, at most 5000."""
    params = {**params, "limit": PAGE}
    for _ in range(MAX_PAGES):
        page = await read(listing(params))
        for thing in page.get("data") or ():
            yield thing
        if not page.get("has_more") or not page.get("data"):
            return
        params = {**params, "starting_after": page["data"][-1]["id"]}
