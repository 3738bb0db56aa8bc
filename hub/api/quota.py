"""How often a key may call, said on every answer.

Source: draft-ietf-httpapi-ratelimit-headers-10.
"""

from math import ceil

from aiohttp import web

from hub.api.endpoint import Api
from hub.api.problems import QUOTA
from hub.errors import Refused
from hub.gcra import Allowance, Quota
from store.keys import ApiKey

POLICY = "default"


def spend(api: Api, who: ApiKey, request: web.Request) -> None:
    """Count one call of a key.

    Raises:
        Refused: quota_exceeded, where it has none left.
    """
    quota = api.meter.quota
    found = api.meter.spend(who.id, api.clock.now().timestamp())
    request[QUOTA] = _headers(quota, found, api.clock.now().timestamp())
    if not found.allowed:
        text = f"a key has {quota.units} calls in {quota.window:g} seconds"
        wait = {"violated-policies": [POLICY], "retry_after": ceil(found.wait)}
        raise Refused("quota_exceeded", text, **wait)


def _headers(quota: Quota, found: Allowance, now: float) -> dict[str, str]:
    reset = ceil(max(0.0, found.whole_at - now))
    return {
        "RateLimit-Policy": f'"{POLICY}";q={quota.units};w={ceil(quota.window)}',
        "RateLimit": f'"{POLICY}";r={found.left};t={reset}',
    }
