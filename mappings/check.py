"""Compare a compiled mapping with its two schemas: what it reads must exist, so must what it sets.

Kinds, cases and what may be absent are compared in `fits`.
"""

from collections import abc
from collections.abc import Iterable, Iterator
from dataclasses import replace

from jinja2 import nodes

from hub.errors import Fault
from hub.model import Json
from hub.nodes import Node, fault
from mappings import grammar
from mappings.compile import Compiled, Mapping
from mappings.expressions import path_of
from mappings.fits import Fits
from mappings.forms import Concat, For, Form, If, List, Lone, Object, Switch, Text, below, may_omit
from mappings.kinds import UNKNOWN, Known
from mappings.parser import Formula
from mappings.schemas import Schema

_ABOUT: dict[str, Json] = {"properties": {name: {} for name in ("type", "id", "version")}}
_WORDS = (
    "id", "type", "schema", "occurred_at", "recorded_at", "sequence", "causation", "trace",
    "origin", "data",
)  # fmt: skip
_ENVELOPE: dict[str, Json] = {
    "properties": {**{name: {} for name in _WORDS}, "aggregate": _ABOUT},
    "required": [*_WORDS, "aggregate"],
}
_UNKNOWN = Schema(None)
_SAME_LIST = frozenset({"unique", "compact", "where", "sort"})


def check(
    mapping: Mapping, source_schema: dict[str, Json] | None, target_schema: dict[str, Json] | None
) -> list[Fault]:
    """Find unknown source fields, unknown target fields, and required ones that are not set.

    Args:
        source_schema: JSON Schema of the event's data; None skips what it would tell.
        target_schema: JSON Schema of one item of the action's input; None likewise.
    """
    scope = {
        **dict.fromkeys(mapping.roots, Schema.of(source_schema)),
        "event": Schema.of(_ENVELOPE),
    }
    reads = _Reads(mapping.file, mapping.from_schema)
    for name, form in mapping.lets:
        scope[name] = reads.form(form, scope)
    reads.form(mapping.form, scope)
    sets = _Sets(mapping.file, mapping.to)
    target = Schema.of(target_schema) if target_schema is not None else None
    if target is not None:
        sets.whole(mapping.form, target)
    fits = _fitted(mapping, source_schema, target)
    found = {(f.line, f.col, f.code): f for f in (*reads.faults, *sets.faults, *fits)}
    return [found[place] for place in sorted(found)]


def _fitted(
    mapping: Mapping, source_schema: dict[str, Json] | None, target: Schema | None
) -> list[Fault]:
    """Compare kinds, cases and what may be absent."""
    fits = Fits(mapping.file, mapping.to)
    scope = _known(mapping.roots, source_schema)
    for name, form in mapping.lets:
        scope[name] = fits.value(form, scope)
    fits.result(mapping.form, scope, target)
    return fits.faults


def _known(roots: Iterable[str], source_schema: dict[str, Json] | None) -> dict[str, Known]:
    data = Known.of(Schema.of(source_schema)) if source_schema is not None else UNKNOWN
    return {**dict.fromkeys(roots, data), "event": Known(schema=Schema.of(_ENVELOPE))}


def expression(
    compiled: Compiled, source_schema: dict[str, Json] | None, *, file: str, root: str
) -> list[Fault]:
    """Find unknown source fields in a lone expression over `event` and one root."""
    reads = _Reads(file, "")
    reads.form(compiled.form, {"event": Schema.of(_ENVELOPE), root: Schema.of(source_schema)})
    fits, scope = Fits(file), _known((root,), source_schema)
    if compiled.gives == "bool" and isinstance(compiled.form, Lone):
        fits.condition(compiled.form, scope)
    else:
        fits.value(compiled.form, scope)
    return reads.faults + fits.faults


class _Reads:
    """Follows every path an expression reads."""

    def __init__(self, file: str, schema: str) -> None:
        self.faults: list[Fault] = []
        self._file, self._schema = file, schema

    def form(self, form: Form, scope: abc.Mapping[str, Schema]) -> Schema:
        """Check one form; give what is known of its value."""
        if isinstance(form, Lone | Text):
            found = [self._value(form.formula, e, scope) for e in form.formula.expressions]
            return found[0] if isinstance(form, Lone) else _UNKNOWN
        if isinstance(form, For):
            each = {form.name: self.form(form.over, scope).items(), form.index or "": _UNKNOWN}
            for inner in (form.keep, form.value):
                if inner is not None:
                    self.form(inner, {**scope, **each})
            return _UNKNOWN
        for inner in below(form):
            self.form(inner, scope)
        return _UNKNOWN

    def _value(self, formula: Formula, node: nodes.Node, scope: abc.Mapping[str, Schema]) -> Schema:
        """Check one node and all below it; give what is known of its value."""
        if isinstance(node, nodes.Name):
            return scope.get(node.name, _UNKNOWN)
        if isinstance(node, nodes.Getattr):
            return self._field(formula, node, node.attr, self._value(formula, node.node, scope))
        found = [self._value(formula, child, scope) for child in node.iter_child_nodes()]
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            key = node.arg.value
            return (
                self._field(formula, node, key, found[0]) if type(key) is str else found[0].items()
            )
        if isinstance(node, nodes.Filter):
            return self._filtered(formula, node, found[0])
        return _UNKNOWN

    def _filtered(self, formula: Formula, node: nodes.Filter, operand: Schema) -> Schema:
        if node.name in ("first", "last"):
            return operand.items()
        given = [*node.args, *grammar.keywords(node).values()]
        if (
            node.name in ("map", "where", "sum", "sort")
            and given
            and isinstance(given[0], nodes.Const)
        ):
            field = self._field(formula, given[0], str(given[0].value), operand.items())
            if node.name == "map":
                return Schema(field.document, {"items": field.node})
        return operand if node.name in _SAME_LIST or node.name == "required" else _UNKNOWN

    def _field(self, formula: Formula, node: nodes.Node, name: str, box: Schema) -> Schema:
        found = box.field(name)
        if found != "absent":
            return found
        place = fault(
            formula.scalar, "mapping.field", self._lacks(node, name),
            offset=formula.source(node), fix=grammar.closest(name, box.fields() or ()),
        )  # fmt: skip
        self.faults.append(replace(place, file=self._file))
        return _UNKNOWN

    def _lacks(self, node: nodes.Node, name: str) -> str:
        box = node.node if isinstance(node, nodes.Getattr | nodes.Getitem) else None
        if box is None:
            return f"an item has no field '{name}'"
        schema = f" ({self._schema})" if self._schema and isinstance(box, nodes.Name) else ""
        return f"'{path_of(box)}'{schema} has no field '{name}'"


class _Sets:
    """Compares what a mapping makes with its target."""

    def __init__(self, file: str, target: str) -> None:
        self.faults: list[Fault] = []
        self._file, self._target = file, target

    def whole(self, form: Form, schema: Schema) -> None:
        """Check the result; a root list gives one item of the target each."""
        for one in _results(form):
            for item in _items(one):
                self._made(item, schema, "")

    def _made(self, form: Form, schema: Schema, path: str) -> None:
        for one in _results(form):
            if isinstance(one, Object):
                self._object(one, schema, path)
            else:
                for item in _items(one) if isinstance(one, For | List | Concat) else ():
                    self._made(item, schema.items(), path)

    def _object(self, form: Object, schema: Schema, path: str) -> None:
        for name, key, value in form.fields:
            field = schema.field(name)
            if field == "absent":
                self._fault(key, "mapping.target", f"{self._target} has no field '{path}{name}'",
                            grammar.closest(name, schema.fields() or ()))  # fmt: skip
            else:
                self._made(value, field, f"{path}{name}.")
        given = {name: value for name, _, value in form.fields}
        for name in schema.required():
            if name not in given or may_omit(given[name]):
                what = "may leave it out" if name in given else "never sets it"
                node = given[name].node if name in given else form.node
                self._fault(node, "mapping.required",
                            f"{self._target} needs '{path}{name}'; this mapping {what}",
                            f"{name}: …")  # fmt: skip

    def _fault(self, node: Node, code: str, text: str, fix: str) -> None:
        self.faults.append(replace(fault(node, code, text, fix=fix), file=self._file))


def _results(form: Form) -> Iterator[Form]:
    """Yield every form that may become the value."""
    if isinstance(form, If | Switch):
        for inner in below(form)[1:]:
            yield from _results(inner)
    else:
        yield form


def _items(form: Form) -> tuple[Form, ...]:
    """Give the forms of a list's items; a form that is no list is its own only item."""
    if isinstance(form, For):
        return (form.value,)
    if isinstance(form, Concat):
        return tuple(item for one in form.lists for item in _items(one))
    return form.items if isinstance(form, List) else (form,)
