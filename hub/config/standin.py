"""Doubles in the providers' place while `service.outbound` is `sandbox`: what is called then.

A connector whose `base_url` is on loopback already calls a double, or something of this machine;
it is left as it is. One that has no double calls nothing: its jobs wait.
"""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from hub.config.instances import ConnectorConfig, WebhookSecret
from hub.discovery import has_double
from hub.secrets import Secret

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
SUBSCRIBERS = "webhook"
NOWHERE = "http://127.0.0.1:1"


def local(config: ConnectorConfig) -> bool:
    """Say whether a connector calls this machine alone."""
    host = urlsplit(getattr(config.settings, "base_url", "") or "").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def calls(config: ConnectorConfig) -> bool:
    """Say whether a connector has a provider to call; subscribers are the shop's own."""
    cls = config.cls
    return config.type != SUBSCRIBERS and bool(cls.actions() or cls.sources() or cls.fetches)


def has(config: ConnectorConfig) -> bool:
    """Say whether nothing of a connector would wait in the sandbox."""
    return not calls(config) or local(config) or has_double(config.cls)


def wanted(connectors: Mapping[str, ConnectorConfig]) -> dict[str, type]:
    """Name the connectors that a double stands in for, with the class it doubles."""
    return {
        name: config.cls
        for name, config in connectors.items()
        if calls(config) and not local(config) and has_double(config.cls)
    }


def stood_in(config: ConnectorConfig, base: str | None, secret: Secret | None) -> ConnectorConfig:
    """Let a connector call its double.

    Args:
        base: Where its double is; None: there is none, so that nothing is called.
        secret: What the double's webhooks are verified with.
    """
    settings = config.settings.model_copy(update={"base_url": base or NOWHERE})
    secrets = (*config.secrets, WebhookSecret(value=secret)) if secret else config.secrets
    return replace(
        config,
        settings=settings,
        secrets=secrets,
        allow_private=(*config.allow_private, *LOOPBACK),
        paused=config.paused or base is None,
    )
