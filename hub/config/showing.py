"""The configuration value by value, each with its origin; secrets by their names alone."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hub.config import declared
from hub.config.document import read, resolve
from hub.config.instances import Class, classes
from hub.config.parts import sealed
from hub.config.references import Referred, is_whole
from hub.config.refusals import models_in
from hub.config.report import Report, dotted, without_password
from hub.config.sealing import seal
from hub.config.settings import Whole
from hub.errors import ConfigError
from hub.model import Json
from hub.nodes import Items, Node, Scalar, Table, nearest
from hub.nodes import Path as Keys
from hub.secrets import Secret

OVERRIDES = {"service.listen": "HUB_LISTEN", "store.url": "HUB_STORE_URL"}
MASK = "‹masked›"


@dataclass(frozen=True, slots=True)
class Value:
    """One value, as it may be shown."""

    key: str
    value: str
    origin: str

    def as_json(self) -> dict[str, Json]:
        """Give it as JSON."""
        return asdict(self)


def values(path: Path, env: Mapping[str, str], *, resolved: bool) -> list[Value]:
    """Give every value of a configuration; where resolved, what nobody wrote too.

    Raises:
        ConfigError: The file cannot be read; faults of another sort do not matter here.
    """
    report = Report()
    document = read(path, report)
    if document is None:
        raise ConfigError(*report.faults())
    tree = document.tree
    if resolved:
        tree = resolve(tree, env, path.parent, report, secrets=False)
    quiet = Report(tree)
    found = classes(tree, declared.folders(tree, path.parent, quiet), quiet)
    tree = _masked(sealed(tree, quiet, production=False), found, quiet)
    rows = [_row(keys, node, resolved=resolved) for keys, node in _leaves(tree)]
    if resolved:
        written = {row.key for row in rows}
        rows += [row for row in _defaults(tree, found) if row.key not in written]
        rows = _overridden(rows, env)
    return rows


def _masked(tree: Table, found: Mapping[str, Class | None], report: Report) -> Table:
    """Make Secrets of what connectors' own settings hold; of all, where nobody knows its class."""
    part = tree.get("connectors")
    if not isinstance(part, Table):
        return tree
    pairs = tuple((key, _settings(value, found.get(key.text), report)) for key, value in part.pairs)
    return _with(tree, "connectors", Table(pairs=pairs, source=part.source, line=part.line))


def _settings(connector: Node, cls: Class | None, report: Report) -> Node:
    node = connector.get("settings") if isinstance(connector, Table) else None
    if not isinstance(connector, Table) or node is None:
        return connector
    made = _all(node)
    if cls is not None:
        made = seal(node, cls.Settings, ("settings",), report, production=False)
    return _with(connector, "settings", made)


def _all(node: Node) -> Node:
    return Scalar(value=Secret("", "?"), text=MASK, line=node.line, source=node.source)


def _with(table: Table, name: str, value: Node) -> Table:
    pairs = tuple((key, value if key.text == name else old) for key, old in table.pairs)
    return Table(pairs=pairs, line=table.line, col=table.col, source=table.source)


def _leaves(node: Node, path: Keys = ()) -> Iterator[tuple[Keys, Scalar]]:
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Items):
        for n, item in enumerate(node.items):
            yield from _leaves(item, (*path, n))
    else:
        for key, value in node.pairs:
            yield from _leaves(value, (*path, key.text))


def _row(path: Keys, node: Scalar, *, resolved: bool) -> Value:
    origin = f"{node.source.file}:{node.line}"
    value = node.value
    if isinstance(value, Secret):
        shown = node.text if not resolved and is_whole(node.text) else str(value)
        return Value(dotted(path), shown, origin)
    if isinstance(value, Referred):
        kind = "file" if value.name.startswith("/") else "env"
        origin += f", {kind} {value.name}"
        if value.missing:
            return Value(dotted(path), "‹not set›", origin)
    return Value(dotted(path), _text(value), origin)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, tuple) and hasattr(value, "port"):
        return f"{value[0]}:{value[1]}"
    if isinstance(value, tuple | frozenset | list):
        return f"[{', '.join(sorted(map(str, value)))}]"
    return without_password(str(value))


def _duration(value: timedelta) -> str:
    """Write a duration as the file would: in the largest unit that fits.

    >>> _duration(timedelta(days=8)), _duration(timedelta(seconds=90))
    ('8d', '90s')
    """
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60)):
        if not value % timedelta(seconds=seconds):
            return f"{value // timedelta(seconds=seconds)}{unit}"
    return f"{value.total_seconds():g}s"


def _defaults(tree: Table, found: Mapping[str, Class | None]) -> Iterator[Value]:
    """Yield what the parts that are there leave to their defaults."""
    yield from _unsaid(Whole, tree, ())
    for name, cls in found.items():
        where: Keys = ("connectors", name, "settings")
        if cls is not None:
            yield from _unsaid(cls.Settings, nearest(tree, where)[0].node, where)


def _unsaid(model: type[BaseModel], node: Node | None, path: Keys) -> Iterator[Value]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = node.get(key) if isinstance(node, Table) else None
        default = field.get_default(call_default_factory=False)
        part = next(models_in(field.annotation), None)
        if part is not None and (inner is not None or isinstance(default, BaseModel)):
            yield from _unsaid(part, inner, (*path, key))
        elif inner is None and not field.is_required() and default not in (None, ()):
            yield Value(dotted((*path, key)), _text(default), "default")


def _overridden(rows: list[Value], env: Mapping[str, str]) -> list[Value]:
    return [
        Value(row.key, without_password(env[name]), f"env {name}")
        if (name := OVERRIDES.get(row.key, "")) and env.get(name)
        else row
        for row in rows
    ]
