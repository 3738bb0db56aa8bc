"""The configured connectors: class found, settings checked, no webhooks without a secret."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.metadata import entry_points
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from hub.circuit import Breaker
from hub.config import caps
from hub.config.expressions import compiled
from hub.config.parts import Parts
from hub.config.refusals import hollow, refused
from hub.config.report import Report, dotted, suggest
from hub.config.sealing import seal
from hub.config.settings import ConnectorPart, Defaults, Manage, Reconcile, Silence, policy
from hub.config.vocabulary import json_schema
from hub.discovery import available, discover
from hub.effects import Limit
from hub.nodes import Node, Scalar, Table, nearest, plain
from hub.nodes import Path as Keys
from hub.plugin import Connector
from hub.retry import Policy
from hub.secrets import Secret
from hub.subscriptions import Subscribes

CONTRACT = 1
OUT = "webhook"
KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
SHORTEST_SECRET = 16
CONNECT, TOTAL = timedelta(seconds=5), timedelta(seconds=30)
Network = IPv4Network | IPv6Network
Class = type[Connector]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecret:
    """A secret, or public key, and the last day (UTC) on which it is accepted."""

    value: Secret
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorConfig:
    """One connector as configured; times in seconds.

    Args:
        account: Whose budget, breaker and hold this is; a connector is one account.
        secrets: None configured means: this connector takes no webhooks (404).
        events: Wanted webhook types, without the connector's name; empty means all.
        tolerance: Seconds by which a signed time may be off; None: the scheme's window.
    """

    name: str
    type: str
    cls: Class
    settings: Any
    account: str
    secrets: tuple[WebhookSecret, ...] = ()
    events: frozenset[str] = frozenset()
    tolerance: float | None = None
    silence: Silence = field(default_factory=Silence)
    manage: Manage = "off"
    limits: tuple[Limit, ...] = ()
    reserve: float = caps.RESERVE
    breaker: Breaker = field(default_factory=Breaker)
    concurrency: int = 8
    connect: float = 5.0
    total: float = 30.0
    retry: Policy = field(default_factory=Policy)
    allow_private: tuple[Network, ...] = ()
    paused: bool = False
    reconcile: Reconcile = field(default_factory=Reconcile)


def classes(tree: Table, folders: list[Path], report: Report) -> dict[str, Class | None]:
    """Find the class of every configured connector; None where there is none, which is a fault."""
    part = tree.get("connectors")
    owners = _owners()
    found: dict[str, Class | None] = {}
    for key, value in part.pairs if isinstance(part, Table) else ():
        node = value.get("type") if isinstance(value, Table) else None
        kind = str(node.value) if isinstance(node, Scalar) else ""
        where: Keys = ("connectors", key.text, "type")
        _clash(owners.get(kind, []), kind, where, report)
        named = KIND.fullmatch(kind)  # the shape pass refuses any other
        cls = _class(kind, where, folders, report) if named else None
        found[key.text] = cls and _configured(cls, key.text, value, where, report)
        if found[key.text] is None:
            report.hide(("connectors", key.text, "settings"))
    return found


def _owners() -> dict[str, list[str]]:
    """Name the distributions that bring each connector type."""
    owners: dict[str, list[str]] = {}
    for entry in entry_points(group="hub.connectors"):
        owners.setdefault(entry.name, []).append(entry.dist.name if entry.dist else entry.value)
    return owners


def _clash(owners: list[str], kind: str, where: Keys, report: Report) -> None:
    if len(owners) > 1:
        text = f"type '{kind}' comes from {' and '.join(sorted(owners))}"
        report.at(where, "connector.clash", text, "uninstall one")


def _class(kind: str, where: Keys, folders: list[Path], report: Report) -> Class | None:
    try:
        cls = discover(kind, folders)
    except LookupError as error:
        fix = suggest(kind, available(folders))
        report.at(where, "connector.type", str(error), fix if fix.startswith("did") else "")
        return None
    except Exception as error:  # noqa: BLE001 -- a plugin's own module may raise anything
        what = f"{type(error).__name__}: {error}"
        report.at(where, "connector.type", f"connector type '{kind}' cannot be imported: {what}")
        return None
    if cls.contract != CONTRACT:
        text = f"type '{kind}' is written for contract {cls.contract}, this hub has {CONTRACT}"
        report.at(where, "connector.contract", text)
    return cls


def _configured(cls: Class, name: str, node: Node, where: Keys, report: Report) -> Class | None:
    """Let the class look at its settings, which may shape what it can do."""
    settings = node.get("settings") if isinstance(node, Table) else None
    try:
        return cls.configured(name, plain(settings) if isinstance(settings, Table) else {})
    except Exception as error:  # noqa: BLE001 -- a plugin's own code may raise anything
        what = f"{type(error).__name__}: {error}"
        report.at(where, "connector.type", f"type '{cls.type}' cannot be configured: {what}")
        return None


def inputs(found: Mapping[str, Class | None]) -> Callable[[str], dict[str, Any] | None]:
    """Tell the JSON Schema of an action's input, by what mappings call it (`segment.track`)."""
    models = {
        f"{cls.maps_as or cls.type}.{spec.name}": spec.model
        for cls in found.values()
        if cls is not None
        for spec in cls.actions().values()
    }
    return lambda name: json_schema(models[name]) if name in models else None


def instances(
    tree: Table,
    parts: Parts,
    found: Mapping[str, Class | None],
    report: Report,
    *,
    production: bool,
) -> dict[str, ConnectorConfig]:
    """Check every connector whose class is known; those that can be used come back."""
    made = {}
    for name, part in parts.connectors.items():
        cls = found.get(name)
        if cls is None:
            continue
        path = ("connectors", name)
        if OUT in (name, part.type) and name != part.type:
            text = f"the name '{OUT}' and the type '{OUT}' belong together: it is our webhooks out"
            report.at((*path, "type"), "connector.type", text)
        settings = _settings(tree, cls, path, report, production=production)
        _webhooks(part, cls, path, report, public_url=parts.service.public_url)
        _plain_urls(settings, part, path, report)
        if part.reconcile.every is not None and "events" not in cls.sources():
            text = f"{part.type} has no source of events to pull"
            report.at((*path, "reconcile"), "key.unknown", text, "remove reconcile:", key=True)
        made[name] = _config(name, part, cls, settings, parts.defaults)
    return made


def subscribers(made: Mapping[str, ConnectorConfig], defaults: Defaults) -> ConnectorConfig:
    """Give connector `webhook`, which every hub has, listed or not."""
    if (listed := made.get(OUT)) is not None:
        return listed
    cls = discover(OUT)
    return _config(OUT, ConnectorPart(type=OUT), cls, cls.Settings(), defaults)


def _settings(tree: Table, cls: Class, path: Keys, report: Report, *, production: bool) -> Any:
    where = (*path, "settings")
    spot, reached = nearest(tree, where)
    if reached == where and not isinstance(spot.node, Table):
        return None  # the shape pass refused it
    node = compiled(spot.node, cls.Settings, where, report)
    node = seal(node, cls.Settings, where, report, production=production)
    data = plain(node) if reached == where else {}
    try:
        return cls.Settings.model_validate(data)
    except ValidationError as error:
        refused(report, error, cls.Settings, where)
        return cls.Settings.model_construct(**data) if hollow(report, where) else None


def _webhooks(
    part: ConnectorPart, cls: Class, path: Keys, report: Report, *, public_url: str | None
) -> None:
    where = (*path, "webhooks")
    if part.webhooks is None:
        return
    if not cls.takes_webhooks():
        text = f"{part.type} sends no webhooks"
        report.at(where, "key.unknown", text, "remove webhooks:", key=True)
        return
    if not part.webhooks.secrets:
        text = f"{dotted(where)} has no secrets; anyone could post to it"
        report.at(where, "webhook.secret", text, "add the signing secret", key=True)
    if cls.signs_url and public_url is None:
        text = f"{part.type} signs its URL, so service.public_url is needed"
        report.at(where, "webhook.public_url", text, "public_url: https://…", key=True)
    if part.webhooks.manage != "off":
        _manage(cls, (*where, "manage"), report, public_url=public_url)
    _tolerance(part.webhooks.tolerance, cls, (*where, "tolerance"), report)
    for n, secret in enumerate(part.webhooks.secrets):
        weak = len(secret.value.reveal()) < SHORTEST_SECRET
        if weak and not hollow(report, (*where, "secrets", n)):
            text = (
                f"{dotted((*where, 'secrets', n))} must have {SHORTEST_SECRET} characters or more"
            )
            report.at((*where, "secrets", n), "secret.weak", text)
    for n, name in enumerate(part.webhooks.events):
        if cls.emits and name not in cls.emits:
            text = f"'{name}' is not an event of {part.type}"
            fix = suggest(name, cls.emits)
            report.at((*where, "events", n), "webhook.event", text, fix)


def _manage(cls: Class, where: Keys, report: Report, *, public_url: str | None) -> None:
    """Refuse to manage the webhooks of who cannot be asked, or without an address to tell."""
    if not issubclass(cls, Subscribes):
        text = f"the webhooks of {cls.type} are set up at the provider: the hub cannot manage them"
        report.at(where, "webhook.manage", text, "manage: off")
    elif public_url is None:
        text = f"{dotted(where)} tells the provider our address, so service.public_url is needed"
        report.at(where, "webhook.public_url", text, "public_url: https://…")


def _tolerance(given: timedelta | None, cls: Class, where: Keys, report: Report) -> None:
    """Refuse a tolerance wider than the scheme's window, or where no time is signed."""
    if given is None:
        return
    if cls.signature is None or cls.signature.window is None:
        text = f"{dotted(where)} is of no use: {cls.type} signs no time"
        report.at(where, "webhook.tolerance", text, "remove it", key=True)
    elif given.total_seconds() > (widest := max(cls.signature.window)):
        text = f"{dotted(where)} may only narrow the scheme's window of {widest:g} s"
        report.at(where, "webhook.tolerance", text)


def _plain_urls(settings: Any, part: ConnectorPart, path: Keys, report: Report) -> None:
    """Refuse http:// outside the private networks that the connector may reach."""
    values = vars(settings).items() if settings is not None else ()
    for name, value in values:
        if not isinstance(value, str) or not value.lower().startswith("http://"):
            continue
        if not _private(urlsplit(value).hostname or "", part.egress.allow_private):
            text = "http:// is allowed only to networks of egress.allow_private"
            report.at((*path, "settings", name), "url.plain", text, "https://…")


def _private(host: str, networks: tuple[Network, ...]) -> bool:
    """Say whether a host may be in these networks; a name is judged when it is resolved."""
    try:
        found = ip_address(host)
    except ValueError:
        return bool(networks)
    return any(found in network for network in networks if network.version == found.version)


def _config(
    name: str, part: ConnectorPart, cls: Class, settings: Any, defaults: Defaults
) -> ConnectorConfig:
    hooks, timeout, inherited = part.webhooks, part.timeout, defaults.timeout
    return ConnectorConfig(
        name=name,
        type=part.type,
        cls=cls,
        settings=settings,
        account=name,
        secrets=tuple(WebhookSecret(value=s.value, until=s.until) for s in hooks.secrets)
        if hooks
        else (),
        events=frozenset(hooks.events) if hooks else frozenset(),
        tolerance=hooks.tolerance.total_seconds() if hooks and hooks.tolerance else None,
        silence=hooks.silence if hooks else Silence(),
        manage=hooks.manage if hooks else "off",
        limits=caps.limits(cls.limits, part.budget),
        reserve=part.budget.reserve,
        breaker=caps.breaker(defaults.breaker, part.breaker),
        concurrency=part.concurrency or defaults.concurrency,
        connect=(timeout.connect or inherited.connect or CONNECT).total_seconds(),
        total=(timeout.total or inherited.total or TOTAL).total_seconds(),
        retry=policy(defaults.retry, part.retry),
        allow_private=part.egress.allow_private,
        paused=part.paused,
        reconcile=part.reconcile,
    )
