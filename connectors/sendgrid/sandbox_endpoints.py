"""The Event Webhooks of SendGrid's double, with a pair of keys for each.

Source: https://www.twilio.com/docs/sendgrid/api-reference/webhooks (v3; read 2026-11).
"""

import base64
import uuid
from collections.abc import Callable
from typing import Any

from connectors.sendgrid import EVENTS
from connectors.sendgrid.endpoints import THEIRS
from hub import Json, Secret, schemes
from hub.sandbox import Endpoint, State

MOST = 5
SWITCHES = {THEIRS.get(name, name): name for name in EVENTS}
FIELDS = {"enabled", "url", "friendly_name", "oauth_client_id", "oauth_client_secret",
          "oauth_token_url", *SWITCHES}  # fmt: skip


class Refused(Exception):
    """An answer that is an error: its status and text."""


class EventWebhooks:
    """What the account has, by id; those enabled are where the double sends."""

    def __init__(self, state: State, new_keys: Callable[[], tuple[Secret, Secret]]) -> None:
        self.state, self.new_keys = state, new_keys
        self.things: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, Secret] = {}

    def all(self) -> Json:
        """List them, each with its public key while it is signed."""
        return {"max_allowed": MOST, "webhooks": [self._shown(i) for i in self.things]}

    def create(self, asked: dict[str, Any], *, key: Secret | None = None) -> Json:
        """Make one, which is not signed yet."""
        self._check(asked, "")
        if len(self.things) >= MOST:
            raise Refused(400, f"You may have at most {MOST} webhooks.")
        ident = str(uuid.uuid4())
        self._keys[ident] = key or self.new_keys()[0]
        off: dict[str, Any] = dict.fromkeys(SWITCHES, False)
        self.things[ident] = {
            "enabled": False,
            **off,
            "friendly_name": "",
            **asked,
            "signed": False,
        }
        self._send()
        return self._shown(ident)

    def update(self, ident: str, asked: dict[str, Any]) -> Json:
        """Change one."""
        thing = self._get(ident)
        self._check({"url": thing["url"], **asked}, ident)
        thing |= asked
        self._send()
        return self._shown(ident)

    def sign(self, ident: str, enabled: Any) -> Json:
        """Switch its signature on or off."""
        if not isinstance(enabled, bool):
            raise Refused(400, "enabled must be a boolean")
        self._get(ident)["signed"] = enabled
        self._send()
        return {"id": ident, "public_key": self._public(ident) if enabled else ""}

    def delete(self, ident: str) -> None:
        """Delete one."""
        self._get(ident)
        del self.things[ident]
        self._send()

    def shown(self, ident: str) -> Json:
        """Give one."""
        self._get(ident)
        return self._shown(ident)

    def replace(self, url: str, key: Secret) -> None:
        """Have a signed one, made by hand, that hears all, in place of those for the same URL."""
        for ident in [i for i, thing in self.things.items() if thing["url"] == url]:
            del self.things[ident]
        made = self.create({"enabled": True, "url": url, **dict.fromkeys(SWITCHES, True)}, key=key)
        self.sign(made["id"], True)

    # -- inside ----------------------------------------------------------------------------------
    def _get(self, ident: str) -> dict[str, Any]:
        if ident not in self.things:
            raise Refused(404, "Invalid id provided.")
        return self.things[ident]

    def _check(self, asked: dict[str, Any], ident: str) -> None:
        if unknown := asked.keys() - FIELDS:
            raise Refused(400, f"unknown field {min(unknown)}")
        flags = [name for name in ("enabled", *SWITCHES) if name in asked]
        if any(not isinstance(asked[name], bool) for name in flags):
            raise Refused(400, "event settings must be booleans")
        url = asked.get("url")
        if not isinstance(url, str) or not url.startswith("http"):
            raise Refused(400, "invalid url")
        if any(one["url"] == url and known != ident for known, one in self.things.items()):
            raise Refused(400, "a webhook is already configured for this url")

    def _shown(self, ident: str) -> dict[str, Json]:
        thing = self.things[ident]
        key = {"public_key": self._public(ident)} if thing["signed"] else {}
        return {"id": ident, **{k: v for k, v in thing.items() if k != "signed"}, **key}

    def _public(self, ident: str) -> str:
        private = base64.b64decode(self._keys[ident].reveal())
        return base64.b64encode(schemes.p256_public(private)).decode()

    def _send(self) -> None:
        others = [one for one in self.state.endpoints if not one.ref]
        self.state.endpoints[:] = others + [
            Endpoint(
                url=thing["url"],
                secret=self._keys[ident],
                types=frozenset(name for switch, name in SWITCHES.items() if thing[switch]),
                ref=ident,
                signed=thing["signed"],
            )
            for ident, thing in self.things.items()
            if thing["enabled"]
        ]
