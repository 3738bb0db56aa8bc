"""Requests read into models: content type, size, depth, bounds; every fault at its JSON pointer.

Nothing that was sent is repeated in an answer.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hub.errors import Refused
from hub.model import Json, read_json

LARGEST = 1 << 20
READ_WITHIN = 10.0
MOST_NODES = 100_000
MOST_ERRORS = 20
_INT = 1 << 63
Model = TypeVar("Model", bound=BaseModel)


async def read_body(request: web.Request) -> bytes:
    """Read a JSON body as bytes.

    Raises:
        Refused: It is too large, too slow, or not plain `application/json`.
    """
    coded = request.headers.get("Content-Encoding", "identity").lower() != "identity"
    if coded or request.content_type != "application/json":
        raise Refused("unsupported_media_type", "send application/json without Content-Encoding")
    if (request.content_length or 0) > LARGEST:
        raise Refused("too_large", f"a body has at most {LARGEST} bytes")
    try:
        async with asyncio.timeout(READ_WITHIN):
            raw = await request.read()
    except TimeoutError as error:
        raise Refused("request_timeout", "the body did not come in time") from error
    except web.RequestPayloadError as error:
        raise Refused("validation_error", "the body was cut or is malformed") from error
    if len(raw) > LARGEST:
        raise Refused("too_large", f"a body has at most {LARGEST} bytes")
    return raw


def decode(raw: bytes) -> Json:
    """Decode a body within the bounds of depth, nodes and numbers.

    Raises:
        Refused: It is no JSON, or past a bound.
    """
    try:
        value = read_json(raw)
    except ValueError as error:
        raise invalid("", "json", f"the body is {error}") from error
    for count, (pointer, node) in enumerate(_nodes(value)):
        if count >= MOST_NODES:
            raise invalid("", "too_many", f"the body has more than {MOST_NODES} values")
        if fault := _fault(node):
            raise invalid(pointer, "out_of_bounds", fault)
    return value


def parse(model: type[Model], raw: bytes, value: Json) -> Model:
    """Make the model of a decoded body; unknown fields are errors, and so are numbers as text.

    Raises:
        Refused: It is not what the model wants; names each field.
    """
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        faults = [
            {
                "pointer": _pointer(fault["loc"], value),
                "code": fault["type"],
                "detail": fault["msg"],
            }
            for fault in _own(
                error.errors(include_url=False, include_context=False, include_input=False)
            )
        ]
        raise Refused(
            "validation_error", _sentence(len(faults)), errors=faults[:MOST_ERRORS]
        ) from None


def read_query(model: type[Model], request: web.Request) -> Model:
    """Make the model of a URL's parameters; each at most once, and none that it does not know.

    Raises:
        Refused: A parameter is unknown, repeated or wrong; names each.
    """
    known = {field.alias or name for name, field in model.model_fields.items()}
    given = [name for name, _ in request.query.items()]
    if strange := sorted(set(given) - known):
        faults = [
            {"parameter": n, "code": "unknown", "detail": "no such parameter"} for n in strange
        ]
        raise Refused("unknown_parameter", f"have: {', '.join(sorted(known))}", errors=faults)
    if len(given) != len(set(given)):
        raise Refused("validation_error", "a parameter stands in the URL more than once")
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        faults = [
            {"parameter": str(fault["loc"][0]), "code": fault["type"], "detail": fault["msg"]}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise Refused("validation_error", _sentence(len(faults)), errors=faults) from None


def invalid(pointer: str, code: str, detail: str) -> Refused:
    """Make the refusal of one field."""
    fault = {"pointer": pointer, "code": code, "detail": detail}
    return Refused("validation_error", detail, errors=[fault])


def invalid_parameter(name: str, code: str, detail: str) -> Refused:
    """Make the refusal of one parameter of a URL."""
    fault = {"parameter": name, "code": code, "detail": detail}
    return Refused("validation_error", detail, errors=[fault])


def join(*parts: str | int) -> str:
    """Write a JSON pointer.

    >>> join("lines", 0, "a/b")
    '/lines/0/a~1b'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _own(faults: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short where only its wrong items make it so."""
    within = [fault["loc"][:n] for fault in faults for n in range(1, len(fault["loc"]))]
    return [f for f in faults if f["type"] != "too_short" or f["loc"] not in within]


def _sentence(count: int) -> str:
    return "one field is wrong" if count == 1 else f"{count} fields are wrong"


def _pointer(loc: Sequence[str | int], value: Json) -> str:
    """Keep of a pydantic location what leads through the body; it also names union members."""
    kept: list[str | int] = []
    node: Any = value
    for place, part in enumerate(loc):
        inside = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if inside or (isinstance(node, Mapping) and part in node):
            kept, node = [*kept, part], node[part]
        elif place == len(loc) - 1 and isinstance(node, Mapping):
            kept.append(part)
    return join(*kept)


def _nodes(value: Json) -> Iterator[tuple[str, Json]]:
    """Walk a decoded body, object keys included."""
    todo: list[tuple[str, Json]] = [("", value)]
    while todo:
        pointer, node = todo.pop()
        yield pointer, node
        if isinstance(node, dict):
            todo += [(pointer + join(key), child) for key, child in node.items()]
            yield from ((pointer, key) for key in node)
        elif isinstance(node, list):
            todo += [(pointer + join(place), child) for place, child in enumerate(node)]


def _fault(node: Json) -> str | None:
    """Say what makes a value unfit for every store and reader, if anything."""
    if isinstance(node, str) and "\x00" in node:
        return "text must not hold the character U+0000"
    if isinstance(node, int) and not -_INT <= node < _INT:
        return "a whole number must fit into 64 bits"
    if isinstance(node, Decimal) and node and abs(node.adjusted()) > 300:
        return "a number must fit into a double"
    return None
