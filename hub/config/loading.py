"""config.yaml → one frozen Config, or all that is wrong with it.

The passes, one file each, each on what the one before left whole: read and compose (document) →
references → secrets (sealing) → shape (parts) → connectors (instances) → own events (declared) →
mappings (mapped), routes (wiring), syncs, alerts (alerted) → rules across keys (rules). Every pass
runs whatever the others found, so that one run shows every fault.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from hub.alerting import Alerting
from hub.config import declared, events, filters, install
from hub.config.alerted import Alerted
from hub.config.document import Document, read, resolve
from hub.config.events import Events
from hub.config.forms import Form
from hub.config.instances import ConnectorConfig, classes, inputs, instances, subscribers
from hub.config.mapped import Mappings
from hub.config.parts import Parts, sealed, shape
from hub.config.report import Report
from hub.config.rules import across, reach
from hub.config.settings import Service, Store
from hub.config.shop import Shop
from hub.config.syncs import Syncs
from hub.config.vocabulary import Vocabulary
from hub.config.wiring import Wiring
from hub.config.words import Words
from hub.errors import ConfigError, Fault
from hub.nodes import Items, Node, Scalar, Table
from hub.routing import Route
from hub.syncs import Sync
from mappings import plugged

Model = TypeVar("Model", bound=BaseModel)
Outbound = Literal["live", "sandbox", "hold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that config.yaml says, checked and compiled; never changed while the hub runs.

    Args:
        shop: None where another system holds the orders.
        forms: Public forms, by name.
        webhook: Our own webhooks out; there without being listed.
        events: The shop's own event types, each with its JSON Schema.
        known: Every event that may be named, and what is known of its data.
        folders: Where the admin's own connectors lie.
        production: The file says so, or a connector's credentials are live.
        outbound: What is called: the providers, their doubles, or nobody.
        hash: SHA-256 of the files as written, without secrets.
        files: Every file it was read from.
        written: What they hold, references by name; for places only.
    """

    service: Service
    store: Store
    shop: Shop | None
    connectors: Mapping[str, ConnectorConfig]
    webhook: ConnectorConfig
    routes: tuple[Route, ...]
    syncs: tuple[Sync, ...] = ()
    alerts: Alerting = field(default_factory=Alerting)
    forms: Mapping[str, Form] = field(default_factory=dict)
    events: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    known: Events = field(default_factory=Events, repr=False, compare=False)
    folders: tuple[Path, ...] = ()
    production: bool = False
    outbound: Outbound = "live"
    hash: str = ""
    files: tuple[str, ...] = ()
    written: Table | None = field(default=None, repr=False, compare=False)

    def working(self) -> dict[str, ConnectorConfig]:
        """Give every connector that has an account: those listed, and our webhooks out."""
        return {**self.connectors, self.webhook.name: self.webhook}


def load(
    path: Path | str,
    *,
    env: Mapping[str, str],
    secrets: bool = True,
    shop: Vocabulary | None = None,
) -> Config:
    """Read a configuration.

    Args:
        env: What `${env:}` reads; HUB_LISTEN and HUB_STORE_URL win over the file.
        secrets: False lets missing secrets pass, for looking only: nothing can be called.
        shop: The built-in shop's events and sources, which routes and syncs may name.

    Raises:
        ConfigError: With every fault, warnings included, of every file.
    """
    config, faults = _run(Path(path), _Terms(env, shop or Vocabulary(), secrets=secrets))
    if config is None:
        raise ConfigError(*faults)
    return config


def check(
    path: Path | str,
    env: Mapping[str, str],
    *,
    secrets: bool = True,
    shop: Vocabulary | None = None,
    strict: bool = False,
) -> list[Fault]:
    """Give every fault and warning of a configuration; run the tests in its mapping files too.

    Args:
        strict: Warn of mappings too whose source nobody declared.
    """
    terms = _Terms(env, shop or Vocabulary(), secrets=secrets, tests=True, strict=strict)
    return _run(Path(path), terms)[1]


@dataclass(frozen=True, slots=True)
class _Terms:
    """On what terms a configuration is read."""

    env: Mapping[str, str]
    shop: Vocabulary
    secrets: bool = True
    tests: bool = False
    strict: bool = False


def _run(path: Path, terms: _Terms) -> tuple[Config | None, list[Fault]]:
    report = Report()
    report.add(*install.check())
    document = read(path, report)
    if document is None:
        return None, report.faults([str(path)])
    before = report.copy()
    made, live = _passes(document, path.parent, terms, report, live=False)
    if live:  # whatever `environment` says: all is read anew as in production
        report = before
        made, _ = _passes(document, path.parent, terms, report, live=True)
    return made, report.faults(document.files)


def _passes(
    document: Document, home: Path, terms: _Terms, report: Report, *, live: bool
) -> tuple[Config | None, bool]:
    """Run every pass; say too whether a live key was found that nobody had expected."""
    tree = resolve(document.tree, terms.env, home, report, secrets=terms.secrets)
    report.tree = tree
    production = live or _production(tree)
    tree = sealed(tree, report, production=production)
    parts = shape(tree, report)
    folders = declared.folders(tree, home, report)
    found = classes(tree, folders, report)
    beside = filters.found(folders, report)
    with plugged.in_force(beside):
        connectors = instances(tree, parts, found, report, production=production)
    if not production and any(_live(one) for one in connectors.values()):
        return None, True
    own = declared.events(parts, found, report)
    told = {f"form.{name}": form.schema_of() for name, form in parts.forms.items()}
    known = events.gather(terms.shop, own | told, found)
    mappings = Mappings(
        document.mappings, report, sources=known.schema, targets=inputs(found), filters=beside
    )
    words = Words(tree, found, mappings, report)
    routes = Wiring(parts, connectors, known, words, report).routes()
    syncs = Syncs(parts, found, terms.shop, words, report).all()
    names = {*(r.name for r in parts.routes.values()), *(s.name for s in parts.syncs.values())}
    alerts = Alerted(parts.alerts, found, frozenset(names), report).all()
    if terms.tests:
        mappings.tested()
    if terms.strict:
        mappings.untyped()
    outbound = parts.service.outbound or ("live" if production else "sandbox")
    across(parts, connectors, report)
    reach(outbound, connectors, report, production=production)
    service, store = _environment(parts, terms.env, report)
    if report.broken or store is None:
        return None, False
    made = Config(
        service=service,
        store=store,
        shop=parts.shop,
        connectors=connectors,
        webhook=subscribers(connectors, parts.defaults),
        routes=routes,
        syncs=syncs,
        alerts=alerts,
        forms=parts.forms,
        events=own,
        known=known,
        folders=tuple(folders),
        production=production,
        outbound=outbound,
        hash=_hash(document, report),
        files=tuple(document.files),
        written=document.tree,
    )
    return made, False


def _live(connector: ConnectorConfig) -> bool:
    """Say whether a connector's credentials are live, where its settings are whole."""
    try:
        return connector.settings is not None and connector.cls.live(connector.settings)
    except AttributeError:  # a setting has a fault, which is told
        return False


def _production(tree: Node) -> bool:
    part = tree.get("service") if isinstance(tree, Table) else None
    node = part.get("environment") if isinstance(part, Table) else None
    return isinstance(node, Scalar) and node.value == "production"


def _environment(
    parts: Parts, env: Mapping[str, str], report: Report
) -> tuple[Service, Store | None]:
    """Let HUB_LISTEN and HUB_STORE_URL win over the file."""
    service, store = parts.service, parts.store
    if listen := env.get("HUB_LISTEN"):
        service = _changed(service, {"listen": listen}, "HUB_LISTEN", report)
    if store is not None and (url := env.get("HUB_STORE_URL")):
        store = _changed(store, {"url": url}, "HUB_STORE_URL", report)
    return service, store


def _changed(part: Model, change: dict[str, str], name: str, report: Report) -> Model:
    """Give a part with one value out of the environment, checked like the file's."""
    try:
        return type(part).model_validate(dict(part) | change)
    except ValidationError as error:
        text = str(error.errors()[0]["msg"])
        report.add(Fault(code="value.type", text=f"{name} {text}"))
        return part


def _hash(document: Document, report: Report) -> str:
    """Hash what was written: references by name, secrets in clear left out; mappings too."""
    trees = [_written(tree, report) for tree in (document.tree, *document.mappings)]
    text = json.dumps(trees, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _written(node: Node, report: Report) -> Any:
    if isinstance(node, Scalar):
        return None if report.hides(node) else [node.text, bool(node.style)]
    if isinstance(node, Items):
        return [_written(item, report) for item in node.items]
    return {key.text: _written(value, report) for key, value in node.pairs}
