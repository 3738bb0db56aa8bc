"""Rules across keys, when every key for itself is right."""

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta

from hub.config import standin
from hub.config.instances import ConnectorConfig
from hub.config.parts import Parts
from hub.config.references import Unset
from hub.config.report import Report, dotted
from hub.config.settings import Retention
from hub.nodes import Path, nearest
from hub.secrets import Secret

KEY_BYTES = 32


def across(parts: Parts, connectors: Mapping[str, ConnectorConfig], report: Report) -> None:
    """Note what does not go together."""
    _leases(parts, connectors, report)
    if parts.store is not None:
        _keys(parts.store.encryption_keys, report)
        _retention(parts.store.retention, connectors, report)


def reach(
    outbound: str, connectors: Mapping[str, ConnectorConfig], report: Report, *, production: bool
) -> None:
    """Warn where less is called than one would expect."""
    where: Path = ("service", "outbound")
    if production and outbound != "live":
        text = f"this is production, and outbound is {outbound}: no provider is called"
        report.at(where, "outbound.production", text, "outbound: live", warning=True)
    for name, config in connectors.items() if outbound == "sandbox" else ():
        if not standin.has(config):
            text = f"{config.type} has no double: the jobs of {name} wait while outbound is sandbox"
            fix = "a base_url on loopback, or outbound: live"
            report.at(("connectors", name), "outbound.double", text, fix, key=True, warning=True)


def _leases(parts: Parts, connectors: Mapping[str, ConnectorConfig], report: Report) -> None:
    """A job's lease must outlast any one attempt."""
    lease = parts.service.lease.total_seconds()
    for name, config in connectors.items():
        if config.total >= lease:
            text = f"service.lease {lease:g}s must exceed the timeout of {name}, {config.total:g}s"
            report.at(_timeout(name, report), "lease.short", text, "a longer lease")
        for spec in config.cls.actions().values():
            if spec.timeout is not None and spec.timeout >= lease:
                what = f"{name}.{spec.name}"
                text = f"service.lease {lease:g}s must exceed the {spec.timeout:g}s of {what}"
                report.at(("service", "lease"), "lease.short", text, "a longer lease")


def _timeout(name: str, report: Report) -> Path:
    """Say which key gives a connector its timeout."""
    for path in (("connectors", name, "timeout", "total"), ("defaults", "timeout", "total")):
        if nearest(report.tree, path)[1] == path:
            return path
    return ("service", "lease")


def _retention(terms: Retention, connectors: Mapping[str, ConnectorConfig], report: Report) -> None:
    """What was taken in must be known for as long as a provider may tell it again."""
    for name, config in connectors.items():
        signing = config.cls.signature
        if signing is not None and config.secrets and terms.dedupe < signing.again:
            days = signing.again // timedelta(days=1)
            text = f"store.retention.dedupe must be {days}d or more: so long {name} repeats events"
            fix = f"dedupe: {days + 5}d"
            report.at(("store", "retention", "dedupe"), "store.retention", text, fix)


def _keys(keys: tuple[Secret, ...], report: Report) -> None:
    where: Path = ("store", "encryption_keys")
    if not keys:
        text = "store.encryption_keys has no key; stored bodies could not be encrypted"
        report.at(where, "secret.weak", text, 'encryption_keys: ["${env:HUB_KEY}"]', key=True)
    for n, key in enumerate(keys):
        if not isinstance(key, Unset) and not _strong(key):
            path = (*where, n)
            text = f"{dotted(path)} must be {KEY_BYTES} bytes in base64"
            report.at(path, "secret.weak", text, "hub secrets new")


def _strong(key: Secret) -> bool:
    try:
        return len(base64.b64decode(key.reveal(), validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
