"""OpenAPI 3.1, written from the table of endpoints and the models they take.

Source: https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hub.api.endpoint import Endpoint
from hub.api.problems import MEDIA_TYPE, PROBLEMS

REF = "#/components/schemas/{model}"
ALWAYS = ("unauthenticated", "forbidden", "unknown_parameter", "validation_error", "internal")
CHANGING = (
    "too_large", "unsupported_media_type", "request_timeout", "not_stored",
    "idempotency_key_reused", "idempotency_key_in_progress",
)  # fmt: skip
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "request_id", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"enum": sorted(PROBLEMS)},
        "errors": {"type": "array", "items": {"type": "object"}},
        "request_id": {"type": "string"},
        "retryable": {"type": "boolean"},
    },
}


def document(endpoints: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """Write the document."""
    table = list(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        entry = paths.setdefault(f"/v1{endpoint.path}", {})
        entry[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop Hub", "version": version},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM, **_schemas(table)},
        },
    }


def _schemas(table: Iterable[Endpoint]) -> Mapping[str, Any]:
    models = {e.takes: None for e in table if e.takes is not None}
    _, made = models_json_schema([(m, "validation") for m in models], ref_template=REF)
    return made.get("$defs", {})


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": endpoint.do.__name__,
        "summary": (endpoint.do.__doc__ or "").partition("\n")[0],
        "description": f"Roles: {', '.join(endpoint.may)}.",
        "parameters": [*_path(endpoint.path), *_query(endpoint.query), *_key(endpoint)],
        "responses": _responses(endpoint),
    }
    if endpoint.takes is not None:
        ref = {"$ref": REF.format(model=endpoint.takes.__name__)}
        content = {"application/json": {"schema": ref}}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _path(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", path)
    return [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names
    ]


def _query(model: type[BaseModel]) -> list[dict[str, Any]]:
    shape = model.model_json_schema(by_alias=True)
    return [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in shape.get("properties", {}).items()
    ]


def _key(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.key is None:
        return []
    shape = {"type": "string", "maxLength": 257}
    required = endpoint.key == "required"
    return [{"name": "Idempotency-Key", "in": "header", "required": required, "schema": shape}]


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    """List the good answers, and under each status the problem types it may carry."""
    codes = [*ALWAYS, *endpoint.refuses]
    codes += ["not_found"] if "{" in endpoint.path else []
    codes += CHANGING if endpoint.takes else []
    codes += ["idempotency_key_missing"] if endpoint.key == "required" else []
    made: dict[str, Any] = {}
    for status, told in endpoint.gives.items():
        made[str(status)] = {"description": told, "content": {"application/json": {}}}
    for code in codes:
        status = str(PROBLEMS[code].status)
        schema = {"$ref": REF.format(model="Problem")}
        entry = made.setdefault(
            status, {"description": "", "content": {MEDIA_TYPE: {"schema": schema}}}
        )
        entry["description"] = ", ".join(filter(None, [entry["description"], code]))
    return made
