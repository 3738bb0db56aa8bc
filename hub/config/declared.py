"""What a configuration declares beside connectors and routes: plugin folders, event types."""

import json
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from hub.config.parts import Parts
from hub.config.report import Report
from hub.nodes import Items, Node, Scalar, Table, nearest

TAKEN = ("shop", "form", "hub")
DEEPEST = 64
TOO_DEEP = f"is nested more than {DEEPEST} deep"


def folders(tree: Node, home: Path, report: Report) -> list[Path]:
    """Give the folders of `plugins:`, which begin beside the file."""
    node = tree.get("plugins") if isinstance(tree, Table) else None
    found = []
    for n, item in enumerate(node.items if isinstance(node, Items) else ()):
        if not isinstance(item, Scalar) or not isinstance(item.value, str):
            continue  # the shape pass refuses it
        folder = home / item.value
        if folder.is_dir():
            found.append(folder)
        else:
            report.at(("plugins", n), "file.missing", f"there is no folder {item.value}")
    return found


def events(parts: Parts, connectors: Container[str], report: Report) -> dict[str, dict[str, Any]]:
    """Read the JSON Schema of every event type of the shop's own."""
    schemas = {}
    for name, part in parts.events.items():
        first = name.partition(".")[0]
        if first in TAKEN or first in connectors:
            what = "is ours" if first in TAKEN else "is a connector"
            text, fix = f"events.{name}: '{first}' {what}", "choose another first word"
            report.at(("events", name), "event.name", text, fix, key=True)
        schema = _schema(name, part.schema_file, report)
        if schema is not None:
            schemas[name] = schema
    return schemas


def _schema(name: str, file: str, report: Report) -> dict[str, Any] | None:
    """Read a JSON Schema 2020-12; its path begins beside the file that names it."""
    where = ("events", name, "schema")
    spot, _ = nearest(report.tree, where)
    path = Path(spot.node.source.file).parent / file
    try:
        schema = json.loads(path.read_bytes())
        why = _unfit(schema)
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except ValueError:
        why = "is no JSON"
    except RecursionError:
        why = TOO_DEEP
    if not why:
        found: dict[str, Any] = schema
        return found
    report.at(where, "event.schema", f"{file} {why}")
    return None


def _unfit(schema: Any) -> str:
    """Say why no event could be checked against a schema; "" where it could."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- few declare types of their own
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    if not isinstance(schema, dict):
        return "is no object"
    if _deeper(schema, DEEPEST):
        return TOO_DEEP
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is no JSON Schema: {error.json_path}: {error.validator}"
    lost = next((ref for ref in _references(schema) if _leads_nowhere(schema, ref)), None)
    return f"refers to {lost}, which is not in it" if lost is not None else ""


def _deeper(value: Any, most: int) -> bool:
    """Say whether objects and lists stand in each other more than so many deep."""
    if not isinstance(value, dict | list):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_deeper(one, most - 1) for one in inside)


def _references(schema: Any) -> Iterator[str]:
    """Yield what a schema refers to; not what it only shows."""
    if isinstance(schema, list):
        for one in schema:
            yield from _references(one)
    for name, held in schema.items() if isinstance(schema, dict) else ():
        if name == "$ref" and isinstance(held, str):
            yield held
        elif name not in ("const", "default", "enum", "examples"):
            yield from _references(held)


def _leads_nowhere(schema: dict[str, Any], ref: str) -> bool:
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415

    whole: Registry[Any] = Registry()
    try:
        whole.resolver_with_root(DRAFT202012.create_resource(schema)).lookup(ref)
    except Unresolvable:
        return True
    return False
