"""Stripe's request bodies: form fields in nested brackets, checked against a shape. Pure.

A shape is a type (`int`, `bool`, `str`), a tuple of allowed words, a list of one shape, a dict of
shapes, or `TEXTS` for free text by free name. Source: https://docs.stripe.com/api (2026-11).
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from hub import Json

TEXTS = object()
Shape = Any
_NAME = re.compile(r"[^\[\]]+")


@dataclass(eq=False)
class Refusal(Exception):
    """An answer in Stripe's error envelope."""

    message: str
    status: int = 400
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    more: dict[str, Json] = field(default_factory=dict)

    def body(self) -> Json:
        """Give the envelope."""
        known = {"code": self.code, "message": self.message, "param": self.param, "type": self.type}
        return {"error": {name: text for name, text in known.items() if text} | self.more}


def decode(text: str) -> dict[str, Json]:
    """Read `a[b][0]=x&c=y` as nested dicts, whose numbered ones `check` makes lists.

    >>> decode("metadata[hub_job]=j1&expand[]=a&expand[]=b")
    {'metadata': {'hub_job': 'j1'}, 'expand': {'0': 'a', '1': 'b'}}
    """
    found: dict[str, Json] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        path = _NAME.findall(name) + ([""] if name.endswith("[]") else [])
        node = found
        for step in path[:-1]:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise Refusal(f"Invalid parameter: {name}", param=name)
        if path:
            node[path[-1] or str(len(node))] = value
    return found


def check(given: Json, shape: Shape, name: str = "") -> Json:
    """Give the parameters with their types, or refuse what Stripe would not know.

    Raises:
        Refusal: An unknown parameter, or a value that does not fit.
    """
    if shape is TEXTS:
        return _texts(given, name)
    if isinstance(shape, dict):
        return _object(given, shape, name)
    if isinstance(shape, list):
        items = given.values() if isinstance(given, dict) else [given]
        return [check(item, shape[0], f"{name}[{n}]") for n, item in enumerate(items)]
    if not isinstance(given, str):
        raise Refusal(f"Invalid {name}", param=name)
    return _leaf(given, shape, name)


def _object(given: Json, shape: dict[str, Shape], name: str) -> Json:
    if not isinstance(given, dict):
        raise Refusal(f"Invalid object: {name}", code="parameter_invalid_object", param=name)
    checked = {}
    for key, value in given.items():
        full = f"{name}[{key}]" if name else key
        if key not in shape:
            text = f"Received unknown parameter: {full}"
            raise Refusal(text, code="parameter_unknown", param=full)
        checked[key] = check(value, shape[key], full)
    return checked


def _leaf(given: str, shape: Shape, name: str) -> Json:
    if isinstance(shape, tuple) and given not in shape:
        raise Refusal(f"Invalid {name}: must be one of {', '.join(shape)}", param=name)
    if shape is int:
        if not re.fullmatch(r"-?[0-9]{1,18}", given):
            text = f"Invalid integer: {given}"
            raise Refusal(text, code="parameter_invalid_integer", param=name)
        return int(given)
    if shape is bool:
        if given not in {"true", "false"}:
            raise Refusal(f"Invalid boolean: {given}", param=name)
        return given == "true"
    return given


def _texts(given: Json, name: str) -> dict[str, str]:
    """Check metadata: at most 50 names of 40 characters, with 500 of text each."""
    if not isinstance(given, dict) or len(given) > 50:
        raise Refusal("Metadata takes at most 50 keys", param=name)
    for key, value in given.items():
        if len(key) > 40 or not isinstance(value, str) or len(value) > 500:
            raise Refusal("Metadata keys take 40 characters, values 500", param=f"{name}[{key}]")
    return {key: value for key, value in given.items() if value}


def need(params: dict[str, Json], *names: str) -> None:
    """Refuse parameters without these."""
    for name in names:
        if name not in params:
            text = f"Missing required param: {name}."
            raise Refusal(text, code="parameter_missing", param=name)
