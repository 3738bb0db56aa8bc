"""What a configuration declares beside connectors and routes: plugin folders, event types."""

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

from hub.config.parts import Parts
from hub.config.report import Report
from hub.nodes import Items, Node, Scalar, Table, nearest

TAKEN = ("shop", "form", "hub")


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
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- few declare types of their own
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    where = ("events", name, "schema")
    spot, _ = nearest(report.tree, where)
    path = Path(spot.node.source.file).parent / file
    try:
        schema = json.loads(path.read_bytes())
        Draft202012Validator.check_schema(schema)
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except ValueError:
        why = "is no JSON"
    except SchemaError as error:
        why = f"is no JSON Schema: {error.json_path}: {error.validator}"
    else:
        if isinstance(schema, dict):
            return schema
        why = "is no object"
    report.at(where, "event.schema", f"{file} {why}")
    return None
