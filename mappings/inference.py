"""Follow an expression's kinds: what filters and operators take, what may be absent, dead cases."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import nodes

from mappings import grammar, kinds, plugged
from mappings.expressions import path_of
from mappings.kinds import NUMBER, UNKNOWN, WRITABLE, Known, either, made
from mappings.parser import Formula

Scope = Mapping[str, Known]
Say = Callable[..., None]
_TEXT, _LIST, _OBJECT = (frozenset({one}) for one in ("string", "list", "object"))
_SIZED = _TEXT | _LIST | _OBJECT
TAKES = {
    **dict.fromkeys(
        ("lower", "upper", "trim", "replace", "truncate", "split", "slug", "sha256", "iso", "epoch",
         "epoch_ms", "epoch_us", "date", "format_date"), _TEXT),
    **dict.fromkeys(
        ("join", "first", "last", "unique", "compact", "map", "where", "sum", "sort"), _LIST),
    **dict.fromkeys(
        ("pick", "drop", "money", "major", "minor", "currency", "format_money"), _OBJECT),
    **dict.fromkeys(("abs", "round"), NUMBER),
    **dict.fromkeys(("int", "decimal"), NUMBER | _TEXT),
    **dict.fromkeys(("string", "urlencode"), WRITABLE),
    "length": _SIZED,
}  # fmt: skip
GIVES = {
    **dict.fromkeys(
        ("lower", "upper", "trim", "replace", "truncate", "slug", "sha256", "iso", "date",
         "format_date", "join", "money", "currency", "format_money", "string", "urlencode",
         "json"), ("string",)),
    **dict.fromkeys(("epoch", "epoch_ms", "epoch_us", "length", "minor", "int"), ("int",)),
    **dict.fromkeys(("decimal", "major"), ("decimal",)),
    **dict.fromkeys(("abs", "round"), ("int", "decimal")),
    **dict.fromkeys(("pick", "drop"), ("object",)),
    **dict.fromkeys(("split", "map", "unique", "compact", "where", "sort"), ("list",)),
}  # fmt: skip
_SAME = frozenset({"unique", "compact", "where", "sort"})


class Inference:
    """Infers one formula; says what is wrong through `say(node, code, text, fix, warning)`.

    Args:
        defined: Paths that a condition around has asked for.
    """

    def __init__(self, formula: Formula, scope: Scope, defined: frozenset[str], say: Say) -> None:
        self._formula, self._scope, self._defined, self._say = formula, scope, defined, say
        self._caught = 0  # how many `default`, `required`, `is defined` are around

    def whole(self) -> Known:
        """Infer a lone expression, or text."""
        found = [self.value(node) for node in self._formula.expressions]
        if self._formula.lone is not None:
            return found[0]
        for node, one in zip(self._formula.expressions, found, strict=True):
            self._wants(node, one, WRITABLE, "text")
        return made("string", of=found)

    def value(self, node: nodes.Node) -> Known:
        """Infer one node and all below it."""
        infer = self._own(node)
        return infer(node) if infer is not None else self._computed(node)

    def _own(self, node: nodes.Node) -> Callable[[Any], Known] | None:
        ways: dict[type[nodes.Node], Callable[[Any], Known]] = {
            nodes.Const: lambda const: kinds.constant(const.value),
            nodes.Name: self._name,
            nodes.Getattr: lambda path: self._field(path, path.attr),
            nodes.Getitem: self._item,
            nodes.Filter: self._filter,
            nodes.CondExpr: self._condition,
            nodes.Test: self._test,
            nodes.Compare: self._compare,
        }
        return ways.get(type(node))

    def _name(self, node: nodes.Name) -> Known:
        return made("null") if node.name == "null" else self._scope.get(node.name, UNKNOWN)

    def _test(self, node: nodes.Test) -> Known:
        if node.name == "defined":
            self._calm(node.node)
        else:
            self._sure(node.node, self.value(node.node))
        return made("bool")

    def _compare(self, node: nodes.Compare) -> Known:
        first = self.value(node.expr)
        self._sure(node.expr, first)
        for operand in node.ops:
            self._sure(operand.expr, self.value(operand.expr))
        self._never(node, first)
        return made("bool")

    def _calm(self, node: nodes.Node | None) -> Known:
        """Infer what may be absent here, since something catches it."""
        self._caught += 1
        found = self.value(node) if node is not None else UNKNOWN
        self._caught -= 1
        return found

    def _field(self, node: Any, name: str) -> Known:
        path = path_of(node)
        found = self.value(node.node).field(name, path)
        return found.sure() if path in self._defined else found

    def _item(self, node: nodes.Getitem) -> Known:
        key = node.arg.value if isinstance(node.arg, nodes.Const) else None
        if isinstance(key, str):
            return self._field(node, key)
        self.value(node.arg)
        return Known.of(self.value(node.node).schema.items())

    def _condition(self, node: nodes.CondExpr) -> Known:
        self.value(node.test)
        outside, self._defined = self._defined, self._defined | set(asked(node.test))
        found = either(self.value(node.expr1), self.value(node.expr2 or nodes.Const(None)))
        self._defined = outside
        return found

    def _filter(self, node: nodes.Filter) -> Known:
        if node.name in ("default", "required"):
            return self._caught_by(node)
        operand = self.value(node.node) if node.node is not None else UNKNOWN
        given = [self.value(one) for one in (*node.args, *grammar.keywords(node).values())]
        if (own := plugged.here().get(node.name)) is not None:
            return self._plugged(node, own, operand, given)
        self._wants(node.node or node, operand, TAKES.get(node.name), f"'{node.name}'")
        if node.name in ("first", "last"):
            return Known.of(operand.schema.items())
        if node.name in _SAME:
            return Known(kinds=_LIST, schema=operand.schema)
        if node.name not in GIVES:
            return UNKNOWN
        return made(*GIVES[node.name], of=() if node.name == "sha256" else (operand, *given))

    def _plugged(
        self, node: nodes.Filter, own: plugged.Plugged, operand: Known, given: list[Known]
    ) -> Known:
        """Hold each argument to what the function's annotations say."""
        first, *rest = own.takes
        named = grammar.keywords(node)
        places = [*zip(rest, node.args, strict=False), *named.items()]
        self._wants(node.node or node, operand, own.takes[first], f"'{node.name}'")
        for (argument, place), known in zip(places, given, strict=True):
            self._wants(place, known, own.takes[argument], f"'{argument}' of '{node.name}'")
        return made(*own.gives, of=(operand, *given))

    def _caught_by(self, node: nodes.Filter) -> Known:
        operand = self._calm(node.node).sure()
        if node.name == "required":
            return operand
        other = grammar.default_of(node)[0]
        omits = isinstance(other, nodes.Name) and other.name == "omit"
        return operand if omits else either(operand, self.value(other))

    def _computed(self, node: nodes.Node) -> Known:
        below = [(child, self.value(child)) for child in _operands(node)]
        found = [known for _, known in below]
        if isinstance(node, nodes.And | nodes.Or):
            return either(*found)
        if isinstance(node, nodes.Not):
            self._sure(*below[0])
            return made("bool")
        if isinstance(node, nodes.Concat):
            self._all(below, WRITABLE, "'~'")
            return made("string", of=found)
        if isinstance(node, nodes.BinExpr | nodes.Neg):
            self._all(below, NUMBER, f"'{node.operator}'")
            return _number(node, found)
        return made("list" if isinstance(node, nodes.List) else "object", of=found)

    def _never(self, node: nodes.Compare, known: Known) -> None:
        """Find comparisons with a text that the value never is."""
        for operand in node.ops:
            other = operand.expr.value if isinstance(operand.expr, nodes.Const) else None
            if known.cases is None or type(other) is not str or operand.op not in ("eq", "ne"):
                continue
            if other not in known.cases and isinstance(node.expr, nodes.Getattr):
                text = f"{path_of(node.expr)} is never '{other}'"
                self._say(operand.expr, "mapping.enum", text, grammar.closest(other, known.cases))

    def _all(self, below: list[tuple[nodes.Node, Known]], taken: kinds.Kinds, by: str) -> None:
        for child, known in below:
            self._wants(child, known, taken, by)

    def _wants(self, node: nodes.Node, known: Known, taken: kinds.Kinds | None, by: str) -> None:
        self._sure(node, known)
        if taken is not None and known.kinds is not None and not (known.kinds & taken):
            what = f"{path_of(node)} is {kinds.worded(known.kinds)}"
            self._say(node, "mapping.type", f"{by} wants {kinds.worded(taken)}, {what}", "")

    def _sure(self, node: nodes.Node, known: Known) -> None:
        if known.absent and known.absent not in self._defined and not self._caught:
            text = f"{known.absent} may be absent; this fails where it is"
            self._say(node, "mapping.optional", text, "| default(…)", warning=True)


def asked(node: nodes.Node) -> Iterator[str]:
    """Yield every path that a condition asks for by `is defined`, and what lies above it."""
    for test in [*node.find_all(nodes.Test), *([node] if isinstance(node, nodes.Test) else [])]:
        if test.name == "defined":
            path: nodes.Node = test.node
            while isinstance(path, nodes.Getattr | nodes.Getitem):
                yield path_of(path)
                path = path.node


def _number(node: nodes.Node, operands: list[Known]) -> Known:
    whole = all(one.kinds == frozenset({"int"}) for one in operands)
    if isinstance(node, nodes.Div):
        return made("decimal")
    return made("int") if whole else made("int", "decimal")


def _operands(node: nodes.Node) -> Iterator[nodes.Node]:
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Operand):
            yield child.expr
        elif isinstance(child, nodes.Pair):
            yield child.value
        else:
            yield child
