"""The schemas of events and of actions' inputs, as parts of the OpenAPI document.

An event of the feed stands under `webhooks` too: that is what a subscriber is sent.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hub.config import Config
from hub.config.events import Events
from hub.model import Json

Schema = dict[str, Any]
REF = "#/components/schemas/"
ENVELOPE = "EventEnvelope"
NAMED = ("$defs", "properties", "patternProperties", "dependentSchemas")
NOT_SCHEMAS = ("const", "default", "enum", "example", "examples")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
_TEXT: Schema = {"type": "string"}
_OR_NULL: Schema = {"type": ["string", "null"]}
_ENVELOPE: Schema = {
    "type": "object",
    "required": ["id", "type", "occurred_at", "origin", "data"],
    "properties": {
        "id": _TEXT,
        "type": _TEXT,
        "schema": _OR_NULL,
        "occurred_at": _TEXT | {"format": "date-time"},
        "recorded_at": _OR_NULL | {"format": "date-time"},
        "aggregate": {
            "type": ["object", "null"],
            "properties": {"type": _TEXT, "id": _TEXT, "version": {"type": ["integer", "null"]}},
        },
        "sequence": {"type": ["integer", "null"]},
        "causation": _OR_NULL,
        "origin": {"enum": ["live", "import", "backfill", "replay"]},
        "data": {},
    },
}


def events(known: Events) -> dict[str, tuple[str, Schema]]:
    """Give every schema of events' data, by its name: the component's name, and the schema."""
    found = {name: known.schema(name) for name in dict.fromkeys(known.data.values())}
    return {name: (_key("event", name), schema) for name, schema in found.items() if schema}


def actions(config: Config) -> dict[str, tuple[str, Schema]]:
    """Give the schema of every action's input, by what mappings call the action."""
    return {
        name: (_key("action", name), spec.model.model_json_schema())
        for connector in config.working().values()
        for spec in connector.cls.actions().values()
        for name in [f"{connector.cls.maps_as or connector.cls.type}.{spec.name}"]
    }


def public(config: Config) -> Config:
    """Give what of a configuration anyone may read: the shop's events, and nothing it adds."""
    ours = {event: data for event, data in config.known.data.items() if event.startswith("shop.")}
    return replace(config, connectors={}, known=replace(config.known, data=ours))


def into(document: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Give the document with all that a configuration's events carry and its actions take."""
    told = events(config.known)
    made = [*told.values(), *actions(config).values()]
    schemas = {key: _moved(schema, REF + key) for key, schema in made}
    components = document["components"]
    schemas = components["schemas"] | {ENVELOPE: _ENVELOPE} | schemas
    feed = {
        name: _delivery(name, data, told[data][0])
        for name, data in config.known.data.items()
        if data in told and (name.startswith(("shop.", "form.")) or name in config.events)
    }
    return {**document, "components": components | {"schemas": schemas}, "webhooks": feed}


def _key(sort: str, name: str) -> str:
    """Name a component; none may hold an `@`.

    >>> _key("event", "shop.order@1")
    'event.shop.order.1'
    """
    return f"{sort}.{_UNFIT.sub('.', name)}"


def _moved(schema: Json, to: str) -> Json:
    """Let a schema's references lead where they did, now that it stands inside a document.

    >>> _moved({"$defs": {"a": {}}, "items": {"$ref": "#/$defs/a"}}, "#/x")["items"]
    {'$ref': '#/x/$defs/a'}
    """
    if isinstance(schema, list):
        return [_moved(one, to) for one in schema]
    if not isinstance(schema, dict) or "$id" in schema:  # with an $id it is its own base
        return schema
    return dict(_entries(schema, to))


def _entries(schema: Mapping[str, Json], to: str) -> Iterator[tuple[str, Json]]:
    for name, held in schema.items():
        if name == "$ref" and isinstance(held, str):
            yield name, to + held[1:] if held == "#" or held.startswith("#/") else held
        elif name in NOT_SCHEMAS:
            yield name, held
        elif name in NAMED and isinstance(held, dict):
            yield name, {key: _moved(one, to) for key, one in held.items()}
        else:
            yield name, _moved(held, to)


def _delivery(name: str, data: str, key: str) -> dict[str, Any]:
    """Describe how a subscriber is sent events of a type."""
    held: Schema = {"$ref": REF + key}
    if data != name:  # the shop's stand under their schema's last word
        word = data.partition("@")[0].rpartition(".")[2]
        held = {"type": "object", "required": [word], "properties": {word: held}}
    of_type = {"properties": {"type": {"const": name}, "data": held}}
    schema = {"allOf": [{"$ref": REF + ENVELOPE}, of_type]}
    return {
        "post": {
            "summary": f"An event {name} is told",
            "security": [],
            "requestBody": {"content": {"application/json": {"schema": schema}}},
            "responses": {"2XX": {"description": "It was taken"}},
        }
    }
