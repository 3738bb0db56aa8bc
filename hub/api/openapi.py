"""OpenAPI 3.1, written from the table of endpoints and the models they take.

Source: https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hub.api.endpoint import PUBLIC, Endpoint
from hub.api.problems import MEDIA_TYPE, PROBLEMS

REF = "#/components/schemas/{model}"
ALWAYS = (
    "unauthenticated", "forbidden", "unknown_parameter", "validation_error", "quota_exceeded",
    "internal", "not_stored",
)  # fmt: skip
CHANGING = (
    "too_large", "unsupported_media_type", "request_timeout", "overloaded",
    "idempotency_key_reused", "idempotency_key_in_progress", "answer_erased",
)  # fmt: skip
TAKEN: Literal["validation"] = "validation"
GIVEN: Literal["serialization"] = "serialization"
Refs = Mapping[Any, Any]
_REFUSAL = {"content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}}}
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
    refs, schemas = _models(table)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        entry = paths.setdefault(f"/v1{endpoint.path}", {})
        entry[endpoint.method.lower()] = _operation(endpoint, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop Hub", "version": version},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM, **schemas},
        },
    }


def _models(table: Iterable[Endpoint]) -> tuple[Refs, Mapping[str, Any]]:
    """Give a reference for every model taken or given, and what they refer to."""
    taken = {(e.takes, TAKEN): None for e in table if e.takes is not None}
    given = {(m, GIVEN): None for e in table for m in e.gives.values() if not isinstance(m, str)}
    refs, made = models_json_schema([*taken, *given], ref_template=REF)
    return refs, made.get("$defs", {})


def _operation(endpoint: Endpoint, refs: Refs) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": endpoint.do.__name__,
        "summary": (endpoint.do.__doc__ or "").partition("\n")[0],
        "description": f"Roles: {', '.join(endpoint.may)}.",
        "parameters": [*_path(endpoint.path), *_query(endpoint.query), *_headers(endpoint)],
        "responses": _responses(endpoint, refs),
    }
    if endpoint.may == PUBLIC:
        made["security"] = []
    if endpoint.takes is not None:
        content = {"application/json": {"schema": refs[endpoint.takes, TAKEN]}}
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
        {"name": name, "in": "query", "explode": False, "schema": schema}
        for name, schema in shape.get("properties", {}).items()
    ]


def _headers(endpoint: Endpoint) -> list[dict[str, Any]]:
    made = []
    if endpoint.key is not None:
        made.append(_header("Idempotency-Key", required=endpoint.key == "required"))
    if endpoint.matches:
        made.append(_header("If-Match", required=True))
    return made


def _header(name: str, *, required: bool) -> dict[str, Any]:
    shape = {"type": "string", "maxLength": 257}
    return {"name": name, "in": "header", "required": required, "schema": shape}


def _responses(endpoint: Endpoint, refs: Refs) -> dict[str, Any]:
    """List the good answers, and under each status the problem types it may carry."""
    codes = [*ALWAYS, *endpoint.refuses]
    codes += ["not_found"] if "{" in endpoint.path else []
    codes += CHANGING if endpoint.takes else []
    codes += ["precondition_required", "version_conflict"] if endpoint.matches else []
    codes += ["idempotency_key_missing"] if endpoint.key == "required" else []
    made = {
        str(status): _good(body, refs, endpoint.kind) for status, body in endpoint.gives.items()
    }
    if endpoint.conditional:
        made["304"] = {"description": "The caller has it already"}
    for code in codes:
        refusal = made.setdefault(str(PROBLEMS[code].status), {"description": "", **_REFUSAL})
        refusal["description"] = ", ".join(filter(None, [refusal["description"], code]))
    return made


def _good(body: type[BaseModel] | str, refs: Refs, kind: str) -> dict[str, Any]:
    if isinstance(body, str):
        shape = "object" if kind == "application/json" else "string"
        name, schema = body, {"type": shape}
    else:
        name, schema = body.__name__, refs[body, GIVEN]
    return {"description": name, "content": {kind: {"schema": schema}}}
