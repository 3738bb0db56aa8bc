"""The shape pass: each part of config.yaml by its own model, so that one fault hides no other."""

from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from hub.config.alerts import AlertsPart
from hub.config.forms import Form
from hub.config.refusals import EXAMPLES, PATTERNS, refused
from hub.config.report import Report, dotted, suggest
from hub.config.sealing import seal
from hub.config.settings import (
    ConnectorPart,
    Defaults,
    Head,
    OwnEvent,
    RoutePart,
    Service,
    Store,
    SyncPart,
    Whole,
)
from hub.config.shop import Shop
from hub.config.units import EventType, Name
from hub.nodes import Items, Node, Path, Table, plain

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What has a good shape; a part that has none is None, or left out of its mapping."""

    service: Service
    store: Store | None
    shop: Shop | None
    defaults: Defaults
    forms: dict[str, Form]
    events: dict[str, OwnEvent]
    connectors: dict[str, ConnectorPart]
    routes: dict[int, RoutePart]
    syncs: dict[int, SyncPart]
    alerts: AlertsPart


def sealed(tree: Table, report: Report, *, production: bool) -> Table:
    """Make Secrets of the texts that our own keys hold; a connector's settings follow later."""
    found = seal(tree, Whole, (), report, production=production)
    return found if isinstance(found, Table) else tree


def shape(tree: Table, report: Report) -> Parts:
    """Check every part; note all that is wrong."""
    _top(tree, report)
    return Parts(
        service=_single(tree, "service", Service, report) or Service(),
        store=_single(tree, "store", Store, report),
        shop=_single(tree, "shop", Shop, report),
        defaults=_single(tree, "defaults", Defaults, report) or Defaults(),
        forms=_named(tree, "forms", Form, Name, report),
        events=_named(tree, "events", OwnEvent, EventType, report),
        connectors=_named(tree, "connectors", ConnectorPart, Name, report),
        routes=_listed(tree, "routes", RoutePart, report),
        syncs=_listed(tree, "syncs", SyncPart, report),
        alerts=_single(tree, "alerts", AlertsPart, report) or AlertsPart(),
    )


def _top(tree: Table, report: Report) -> None:
    head = tuple(pair for pair in tree.pairs if pair[0].text in Head.model_fields)
    _made(replace(tree, pairs=head), Head, (), report)
    if tree.get("store") is None:
        report.at((), "key.missing", "config.yaml needs 'store'", EXAMPLES["store"])
    for key, _ in tree.pairs:
        if key.text not in Whole.model_fields:
            fix = suggest(key.text, Whole.model_fields)
            report.hide((key.text,))
            text = f"config.yaml has no key '{key.text}'"
            report.at((key.text,), "key.unknown", text, fix, key=True)


def _single(tree: Table, name: str, model: type[Model], report: Report) -> Model | None:
    node = tree.get(name)
    return None if node is None else _made(node, model, (name,), report)


def _made(node: Node, model: type[Model], path: Path, report: Report) -> Model | None:
    """Validate one part; a part that is there but empty has its defaults."""
    data = plain(node)
    try:
        return model.model_validate({} if data is None else data)
    except ValidationError as error:
        refused(report, error, model, path)
        return None


def _named(
    tree: Table, name: str, model: type[Model], keys: Any, report: Report
) -> dict[str, Model]:
    node = tree.get(name)
    if node is None or plain(node) is None:
        return {}
    if not isinstance(node, Table):
        report.at((name,), "value.type", f"{name} wants keys and values")
        return {}
    made = {}
    for key, value in node.pairs:
        path = (name, key.text)
        _key(path, keys, report)
        if (part := _made(value, model, path, report)) is not None:
            made[key.text] = part
    return made


def _key(path: Path, keys: Any, report: Report) -> None:
    try:
        TypeAdapter(keys).validate_python(path[-1])
    except ValidationError as error:
        pattern = error.errors()[0].get("ctx", {}).get("pattern", "")
        report.at(path, "value.type", f"{dotted(path)} {PATTERNS.get(pattern, '')}", key=True)


def _listed(tree: Table, name: str, model: type[Model], report: Report) -> dict[int, Model]:
    node = tree.get(name)
    if node is None or plain(node) is None:
        return {}
    if not isinstance(node, Items):
        report.at((name,), "value.type", f"{name} wants a list")
        return {}
    made = {n: _made(item, model, (name, n), report) for n, item in enumerate(node.items)}
    return {n: part for n, part in made.items() if part is not None}
