"""The demo's ground: random secrets that only their owner may read, and a config.yaml on them."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hub.doubles import double
from hub.secrets import Secret
from hub.shipped import SHIPPED
from store.crypto import new_key

CONFIG = """\
# Written by `hub demo`, anew each time: everything below runs on this machine alone.
version: 1
include: ["{routes}"]
service: {{ listen: {listen}, public_url: "http://{listen}" }}
store:
  url: "sqlite:///{store}/hub.db"
  encryption_keys: ["${{file:{secrets}/encryption_key}}"]
secrets: {{ file_roots: ["{secrets}"] }}
shop: {{ time_zone: Europe/Berlin, locale: de-DE, currencies: [EUR] }}
connectors:
  stripe:
    type: stripe
    settings: {{ mode: test, api_key: "${{file:{secrets}/stripe_api_key}}",
      base_url: "{base}/stripe" }}
    webhooks: {{ secrets: ["${{file:{secrets}/stripe_webhook_secret}}"] }}
    egress: &loopback {{ allow_private: [127.0.0.0/8] }}
  hubspot:
    type: hubspot
    settings: {{ access_token: "${{file:{secrets}/hubspot_token}}", base_url: "{base}/hubspot" }}
    webhooks: {{ secrets: ["${{file:{secrets}/hubspot_webhook_secret}}"] }}
    egress: *loopback
  sendgrid:
    type: sendgrid
    settings: {{ api_key: "${{file:{secrets}/sendgrid_api_key}}", from: shop@example.com,
      base_url: "{base}/sendgrid" }}
    webhooks: {{ secrets: ["${{file:{secrets}/sendgrid_webhook_secret}}"] }}
    egress: *loopback
  segment:
    type: segment
    settings: {{ write_key: "${{file:{secrets}/segment_write_key}}", base_url: "{base}/segment" }}
    egress: *loopback
"""
SIGNING = ("stripe", "hubspot", "sendgrid")
MAKE: Mapping[str, Callable[[], str]] = {
    "encryption_key": new_key,
    "stripe_api_key": lambda: "sk_test_" + secrets.token_hex(24),
    "hubspot_token": lambda: "pat-demo-" + secrets.token_hex(16),
    "sendgrid_api_key": lambda: "SG." + secrets.token_urlsafe(32),
    "segment_write_key": lambda: secrets.token_urlsafe(24),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What was prepared.

    Args:
        listen: The hub's host:port.
        signing: By connector, what its double signs webhooks with.
    """

    config: Path
    listen: str
    signing: Mapping[str, Secret]

    def webhook_url(self, kind: str) -> str:
        """Give the address a double sends its webhooks to."""
        return f"http://{self.listen}/webhooks/{kind}"


def prepare(home: Path, *, listen: str, base: str) -> Ground:
    """Write the secrets that are missing, and the configuration.

    Args:
        base: Where the doubles are served.
    """
    home = home.resolve()
    kept = home / "secrets"
    kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, make in MAKE.items():
        _keep(kept / name, make)
    signing = {kind: _webhook_keys(kept, kind) for kind in SIGNING}
    config = home / "config.yaml"
    routes = SHIPPED / "config" / "routes.yaml"
    config.write_text(
        CONFIG.format(listen=listen, store=quote(str(home)), secrets=kept, base=base, routes=routes)
    )
    return Ground(config=config, listen=listen, signing=signing)


def _keep(path: Path, make: Callable[[], str]) -> None:
    """Write a secret once, readable by its owner alone."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())


def _webhook_keys(kept: Path, kind: str) -> Secret:
    """Keep what the hub verifies a provider's webhooks with; give what its double signs with."""
    path = kept / f"{kind}_signing_key"
    if not path.exists():
        private, public = double(kind).new_keys()
        _keep(path, private.text)
        _keep(kept / f"{kind}_webhook_secret", public.text)
    return Secret(path.read_text(), kind)
