"""JSON Schemas of config.yaml and of mapping files, for editors: completion, hover, first faults.

They are wider than the loader: what it refuses beyond them, `hub check` tells.
Source: JSON Schema 2020-12.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from hub.config import filters
from hub.config.report import Report
from hub.config.settings import Whole
from hub.discovery import available, discover
from hub.plugin import Connector
from mappings.filters import FILTERS
from mappings.grammar import written_as

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = {"type": "string", "pattern": r"\$\{", "description": "a reference: ${env:NAME}"}
DURATION = {"type": "string", "pattern": r"^\d+(\.\d+)? ?(ms|s|m|h|d)$", "examples": ["30s", "4h"]}
SIZE = {"type": "string", "pattern": r"^\d+(\.\d+)? ?(B|KiB|MiB|GiB)$", "examples": ["1MiB"]}
SHARE = {"type": "string", "pattern": r"^\d+(\.\d+)? ?%$", "examples": ["20%"]}
ADDRESS = {"type": "string", "pattern": r":\d+$", "examples": ["127.0.0.1:8080"]}
LISTED = frozenset({"on", "secrets", "when", "to"})
Schema = dict[str, Any]


class _Quiet(GenerateJsonSchema):
    """Defaults that are no JSON are left out without a word."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {  # noqa: RUF012 -- as its base has it
        "non-serializable-default",
        "skipped-choice",
    }


def mapping(folders: Iterable[Path] = ()) -> Schema:
    """Give the schema of mapping files; values are completed by every filter there is."""
    own = filters.found(folders, Report())
    told = [f"{name}{written_as(one)}" for name, one in FILTERS.items()]
    told += [f"{name}{written_as(one.function)}" for name, one in own.items()]
    value = {"$ref": "#/$defs/value"}
    return {
        "$schema": DIALECT,
        "title": "a mapping file of Shop Hub",
        "type": "object",
        "required": ["mapping", "from", "to", "map"],
        "additionalProperties": False,
        "properties": {
            "mapping": {"type": "string", "description": "the mapping's name, as routes say it"},
            "from": {
                "type": "string",
                "description": "the data it reads: shop.order@1, or an event",
            },
            "to": {"type": "string", "description": "the action it makes the input of"},
            "let": {
                "type": "object",
                "description": "names computed once, before map",
                "additionalProperties": value,
            },
            "map": {"description": "the action's input, with {{ expressions }}", **value},
            "tests": {
                "type": "array",
                "items": {"type": "object", "required": ["name", "given"]},
                "description": "run by hub check: given, and what to expect",
            },
        },
        "$defs": {
            "value": {
                "anyOf": [
                    {"$ref": "#/$defs/text"},
                    {"type": "object", "additionalProperties": value},
                    {"type": "array", "items": value},
                    {"type": ["number", "boolean", "null"]},
                ]
            },
            "text": {
                "type": "string",
                "description": f"text, with {{{{ value | filter }}}}; filters: {', '.join(told)}",
                "examples": [f"{{{{ value | {one} }}}}" for one in told],
            },
        },
    }


def config(folders: Iterable[Path] = ()) -> Schema:
    """Give the schema of config.yaml, with the settings of every installed connector type."""
    schema = _schema(Whole)
    schema |= {"$schema": DIALECT, "title": "config.yaml of Shop Hub"}
    part = schema["$defs"]["ConnectorPart"]
    kinds = _kinds(list(folders))
    part["properties"]["type"]["examples"] = sorted(kinds)
    part["allOf"] = [
        {
            "if": {"properties": {"type": {"const": kind}}},
            "then": {"properties": {"settings": _inlined(_schema(cls.Settings))}},
        }
        for kind, cls in sorted(kinds.items())
        if kind not in ("http", "inbound")  # their settings depend on what they say
    ]
    return schema


def _kinds(folders: list[Path]) -> Mapping[str, type[Connector]]:
    found = {}
    for kind in available(folders):
        try:
            found[kind] = discover(kind, folders)
        except Exception:  # noqa: BLE001, S112 -- hub check tells of a type that cannot be imported
            continue
    return found


def _schema(model: type[BaseModel]) -> Schema:
    made = model.model_json_schema(schema_generator=_Quiet, by_alias=True)
    found: Schema = _loose(made)
    return found


def _loose(node: Any, name: str = "") -> Any:
    """Write our own scalars as the file does, and let a reference stand for any value."""
    if isinstance(node, list):
        return [_loose(item) for item in node]
    if not isinstance(node, dict):
        return node
    if name == "properties":
        return {key: _loose(value, key) for key, value in node.items()}
    node = {key: _loose(value, key) for key, value in node.items() if key != "default"}
    wanted = _wanted(node, name)
    return _either(node, *wanted) if wanted else node


def _wanted(node: Schema, name: str) -> list[Schema]:
    """Give what a value may be beside a reference; none where the node stays as it is."""
    kind = node.get("type")
    if node.get("format") == "duration":
        return [DURATION]
    if kind == "array" and "prefixItems" in node:
        return [ADDRESS]
    if kind == "array" and name in LISTED:
        items = {"anyOf": [node["items"], REFERENCE]} if name == "secrets" else node["items"]
        return [node | {"items": items}, items]
    if kind == "integer":
        return [node, SIZE]
    if kind == "number":
        return [node, SHARE]
    said = kind == "string" and "pattern" in node
    plain = kind == "boolean" or ("enum" in node and "properties" not in node)
    return [node] if said or plain else []


def _either(node: Schema, *wanted: Schema) -> Schema:
    told = {"description": node["description"]} if "description" in node else {}
    return {"anyOf": [*wanted, REFERENCE], **told}


def _inlined(schema: Schema) -> Schema:
    """Put what `$defs` holds in its place, so that the schema can stand inside another."""
    defs = schema.pop("$defs", {})

    def put(node: Any) -> Any:
        if isinstance(node, list):
            return [put(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return put(defs[node["$ref"].rpartition("/")[2]])
        return {key: put(value) for key, value in node.items()}

    found: Schema = put(schema)
    return found
