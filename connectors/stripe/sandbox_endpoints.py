"""The webhook endpoints of Stripe's double: made, changed and deleted.

An endpoint's secret is told in the answer that makes it, and never again.
Source: https://docs.stripe.com/api/webhook_endpoints, version 2026-10-28.endive (read 2026-11).
"""

import secrets
from collections.abc import Callable
from typing import Any

from connectors.stripe import inbound
from connectors.stripe.sandbox_forms import TEXTS, Refusal, Shape, need
from hub import Json, Secret
from hub.sandbox import Endpoint, State

Params = dict[str, Any]
PATH = "/v1/webhook_endpoints"
MOST = 16
CREATE: Shape = {
    "url": str, "enabled_events": [str], "api_version": str, "description": str,
    "connect": bool, "expand": [str], "metadata": TEXTS,
}  # fmt: skip
UPDATE: Shape = {
    "url": str, "enabled_events": [str], "description": str, "disabled": bool, "expand": [str],
    "metadata": TEXTS,
}  # fmt: skip


class Endpoints:
    """What the account has, by id; those enabled are where the double sends.

    Args:
        now: Unix seconds.
    """

    def __init__(self, state: State, now: Callable[[], int], salt: str) -> None:
        self.state, self.now, self.salt = state, now, salt
        self.things: dict[str, Params] = {}
        self._secrets: dict[str, Secret] = {}

    def create(self, params: Params, *, secret: Secret | None = None) -> Json:
        """Make one; the answer alone holds its secret."""
        need(params, "url", "enabled_events")
        if len(self.things) >= MOST:
            raise Refusal(f"You have reached the maximum of {MOST} test webhook endpoints.")
        _known(params["enabled_events"])
        ident = f"we_{self.salt}{len(self._secrets) + 1:06d}"
        self._secrets[ident] = secret or Secret("whsec_" + secrets.token_urlsafe(24), "webhook")
        self.things[ident] = {
            "id": ident,
            "object": "webhook_endpoint",
            "api_version": params.get("api_version"),
            "application": None,
            "created": self.now(),
            "description": params.get("description"),
            "enabled_events": params["enabled_events"],
            "livemode": False,
            "metadata": params.get("metadata", {}),
            "status": "enabled",
            "url": params["url"],
        }
        self._send()
        return {**self.things[ident], "secret": self._secrets[ident].text()}

    def update(self, ident: str, params: Params) -> Json:
        """Change one."""
        thing = self.get(ident)
        _known(params.get("enabled_events", ["*"]))
        if "disabled" in params:
            thing["status"] = "disabled" if params["disabled"] else "enabled"
        thing |= {name: params[name] for name in UPDATE if name in params and name in thing}
        self._send()
        return thing

    def delete(self, ident: str) -> Json:
        """Delete one."""
        self.get(ident)
        del self.things[ident]
        self._send()
        return {"id": ident, "object": "webhook_endpoint", "deleted": True}

    def get(self, ident: str) -> Params:
        """Give one."""
        if ident not in self.things:
            text = f"No such webhook endpoint: '{ident}'"
            raise Refusal(text, status=404, code="resource_missing", param="webhook_endpoint")
        return self.things[ident]

    def replace(self, url: str, secret: Secret, version: str) -> None:
        """Have one, made by hand, that hears all, in place of those for the same URL."""
        for ident in [i for i, thing in self.things.items() if thing["url"] == url]:
            del self.things[ident]
        asked = {"url": url, "enabled_events": ["*"], "api_version": version}
        self.create(asked, secret=secret)

    def _send(self) -> None:
        """Send to those that are enabled."""
        others = [one for one in self.state.endpoints if not one.ref]
        self.state.endpoints[:] = others + [
            Endpoint(
                url=thing["url"],
                secret=self._secrets[ident],
                types=None if "*" in (on := thing["enabled_events"]) else frozenset(on),
                ref=ident,
            )
            for ident, thing in self.things.items()
            if thing["status"] == "enabled"
        ]


def _known(events: list[str]) -> None:
    for n, name in enumerate(events):
        if name != "*" and name not in inbound.TYPES:
            text = f"Invalid enabled_events[{n}]: must be one of the known event types"
            raise Refusal(text, param=f"enabled_events[{n}]")
