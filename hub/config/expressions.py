"""Expressions in a connector's settings: compiled wherever the class's field is an Expr."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel

from hub.config.references import unset
from hub.config.report import Report, dotted
from hub.expr import Expr
from hub.model import Json
from hub.nodes import Node, Path, Scalar, Table
from mappings import compile as compiler


def compiled(node: Node, model: type[BaseModel], path: Path, report: Report) -> Node:
    """Give settings with a compiled Expr wherever a field of the model is one."""
    if not isinstance(node, Table):
        return node
    kinds = {
        name: kind
        for field_name, field in model.model_fields.items()
        for name in (field.alias or field_name,)
        for kind in _kinds(field.annotation)
    }
    pairs = tuple(
        (key, _expression(value, kinds[key.text], (*path, key.text), report))
        if key.text in kinds and isinstance(value, Scalar)
        else (key, value)
        for key, value in node.pairs
    )
    return replace(node, pairs=pairs)


def _expression(scalar: Scalar, kind: type[Expr], path: Path, report: Report) -> Scalar:
    if scalar.value is None or unset(scalar.value):
        return scalar
    if isinstance(scalar.value, str) and scalar.value != scalar.text:
        text = f"{dotted(path)} takes no references"
        report.at(path, "ref.place", text, "put it in a setting of its own")
        return replace(scalar, value=kind(_nothing, scalar.text))
    made, faults = compiler.expression(scalar, file=scalar.source.file, names=kind.names)
    report.add(*faults)
    # Where it has faults they are told; the settings are looked at all the same.
    return replace(scalar, value=kind(made or _nothing, scalar.text))


def _nothing(_: Mapping[str, Json]) -> Json:
    return None


def _kinds(hint: Any) -> Iterator[type[Expr]]:
    if isinstance(hint, type) and issubclass(hint, Expr):
        yield hint
    for arm in get_args(hint):
        yield from _kinds(arm)
