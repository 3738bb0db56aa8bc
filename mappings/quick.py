"""The quick rendering of a mapping: what can be looked up, compared and counted at once, is.

A mapping is compiled twice. The careful program calls a guard at every step, which knows where it
stands, and looks at the whole result afterwards. This one looks fields up by plain subscripts and
counts short texts before they are there; whatever stops it, the careful program runs again from the
start and tells what is wrong, and where. A run changes nothing, so the second sees what the first
saw. Both give the same values; a test holds them together.
"""

import ast
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from jinja2 import nodes

from hub.model import Json
from mappings import filters, grammar
from mappings.expressions import WRITERS, Writer, later, name_of
from mappings.guards import SHORT
from mappings.parser import Formula
from mappings.values import LIMIT

_ALWAYS_SHORT = frozenset({"money", "currency", "iso", "date", "epoch", "length", "major", "minor"})


class Quick(Writer):
    """Writes expressions without sites."""

    quick = True

    def __init__(self, optional: Any = ()) -> None:
        super().__init__(optional)
        self._temporary, self._at_once = 0, True
        self._branched: list[ast.IfExp] = []

    def site(self, node: Any, offset: int | None, path: str) -> int:
        """Open none: who needs a place asks the careful program."""
        return 1

    def at(self, node: nodes.Node, path: str | None = None) -> int:
        """Open none."""
        return 1

    def write(self, node: nodes.Node) -> ast.expr:
        """Write one node and all below it."""
        return _QUICK.get(type(node), WRITERS[type(node)])(self, node)

    def in_text(self, node: nodes.Expr) -> ast.expr:
        """Write a node that is put into text; `text` writes what is none."""
        return self.write(node)

    def lone_over(self, formula: Formula) -> ast.expr:
        """Write what a loop goes over, where Python allows no assignments."""
        self._at_once = False
        try:
            return self.lone(formula)
        finally:
            self._at_once = True

    def leaf(self, made: ast.expr, formula: Formula) -> ast.expr:
        """Let a short text be part of the result at once; all else is looked at."""
        lone = formula.lone
        if isinstance(made, ast.Compare) or (
            isinstance(lone, nodes.Filter) and lone.name in _ALWAYS_SHORT
        ):
            return made
        if made in self._branched:  # the quick branch is short
            made.orelse = self.leaf(made.orelse, formula)
            return made
        test, again = self.short(made)
        return ast.IfExp(
            test=test, body=again, orelse=self.call(1, "leaf", name_of("budget"), again)
        )

    def text(self, formula: Formula) -> ast.expr:
        """Write a text with one short text in it at once."""
        if len(formula.expressions) > 1 or not self.may_assign:
            return super().text(formula)
        self._formula = formula
        test, again = self.short(self.write(formula.expressions[0]))
        parts = [ast.Constant(value=p) if isinstance(p, str) else again for p in formula.parts]
        shown = ast.FormattedValue(value=again, conversion=-1)
        quick = ast.JoinedStr(values=[shown if part is again else part for part in parts])
        slow = self.call(1, "text", name_of("budget"), *parts)
        return self.branch(test, quick, slow)

    def branch(self, test: ast.expr, quick: ast.expr, slow: ast.expr) -> ast.IfExp:
        """Write a choice of which the quick side is known to be short."""
        self._branched.append(ast.IfExp(test=test, body=quick, orelse=slow))
        return self._branched[-1]

    def short(self, made: ast.expr) -> tuple[ast.expr, ast.Name]:
        """Ask whether a value is a short text; keep it under a name."""
        held, again = self.held(made)
        fits = ast.Compare(
            left=self.call(1, "len", again), ops=[ast.Lt()], comparators=[ast.Constant(value=SHORT)]
        )
        return ast.BoolOp(op=ast.And(), values=[self.is_a("str", held), fits]), again

    def held(self, made: ast.expr) -> tuple[ast.expr, ast.Name]:
        """Keep a value under a name of its own, to look at it twice."""
        self._temporary += 1
        name = f"t_{self._temporary}"
        target = ast.Name(id=name, ctx=ast.Store())
        return ast.NamedExpr(target=target, value=made), name_of(name)

    def is_a(self, kind: str, value: ast.expr) -> ast.expr:
        """Ask for a value's very type."""
        made = self.call(1, "type", value)
        return ast.Compare(left=made, ops=[ast.Is()], comparators=[name_of(kind)])

    def literal(self, value: Json) -> ast.expr:
        """Write a literal; a number that needs a second look gets it."""
        made = self.constant(value)
        number = type(value) in (int, Decimal)
        if number and (abs(value) > LIMIT or "E" in str(value)):
            return self.call(1, "leaf", name_of("budget"), made)
        return made

    @property
    def may_assign(self) -> bool:
        """Say whether Python allows an assignment here."""
        return self._at_once


def _steps(w: Quick, node: nodes.Node) -> tuple[str, list[str]] | None:
    """Give a path of fixed names as its root and its steps; None for anything else."""
    steps: list[str] = []
    while not isinstance(node, nodes.Name):
        key = _key(node)
        if key is None or not isinstance(node, nodes.Getattr | nodes.Getitem):
            return None
        steps.insert(0, key)
        node = node.node
    known = node.name not in w.optional and node.name not in grammar.RESERVED
    return (node.name, steps) if known else None


def _key(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return node.arg.value if type(node.arg.value) is str else None
    return None


def _looked_up(w: Quick, node: Any) -> ast.expr:
    """Subscript by a fixed name: of anything but an object that is an error, as it must be."""
    key, box = _key(node), w.write(node.node)
    if key is None or not isinstance(box, ast.Name | ast.Subscript | ast.Call):
        return WRITERS[type(node)](w, node)  # Python itself warns of `[1]['a']`
    return ast.Subscript(value=box, slice=ast.Constant(value=key), ctx=ast.Load())


def _filter(w: Quick, node: nodes.Filter) -> ast.expr:
    if node.name == "default" and node.node is not None:
        other, null = grammar.default_of(node)
        return WRITERS[nodes.Filter](w, node) if null else _or_else(w, node.node, w.write(other))
    if node.name == "string" and node.node is not None and w.may_assign:
        return _as_string(w, node)
    cost = filters.COSTS.get(node.name, "length")
    if node.node is not None and cost == "length" and not (node.args or node.kwargs):
        change = name_of(f"filter_{node.name}")
        return w.call(1, "brief", name_of("budget"), change, w.write(node.node))
    if node.node is None or cost != "one":
        return WRITERS[nodes.Filter](w, node)
    given = [w.write(argument) for argument in node.args]
    named = {key: w.write(value) for key, value in grammar.keywords(node).items()}
    return w.call(1, f"filter_{node.name}", w.write(node.node), *given, **named)


def _as_string(w: Quick, node: nodes.Filter) -> ast.expr:
    """Write a whole number as text at once; anything else by the filter."""
    held, again = w.held(w.write(node.node or nodes.Const(None)))
    bound = ast.Compare(
        left=ast.Constant(value=-LIMIT), ops=[ast.Lt(), ast.Lt()],
        comparators=[again, ast.Constant(value=LIMIT)],
    )  # fmt: skip
    test = ast.BoolOp(op=ast.And(), values=[w.is_a("int", held), bound])
    slow = w.call(
        1, "apply", name_of("budget"), ast.Constant(value="length"), name_of("filter_string"), again
    )
    return w.branch(test, w.call(1, "str", again), slow)


def _or_else(w: Quick, node: nodes.Node, other: ast.expr) -> ast.expr:
    """Write `node | default(other)`; one default after the other is tried from the left."""
    if isinstance(node, nodes.Filter) and node.name == "default" and node.node is not None:
        before, null = grammar.default_of(node)
        if not null:
            return _or_else(w, node.node, _or_else(w, before, other))
    path = _steps(w, node)
    if path is None or not path[1]:
        null_stays = ast.Constant(value=False)
        return w.call(1, "default", later(w.write(node)), later(other), null_stays)
    keys = [ast.Constant(value=key) for key in path[1]]
    at_once = isinstance(other, ast.Constant) or _is_omit(other)
    alternative = other if at_once else later(other)
    function = ("find_two" if len(keys) == 2 else "find") if at_once else "find_or"
    return w.call(1, function, alternative, name_of(f"v_{path[0]}"), *keys)


def _is_omit(written: ast.expr) -> bool:
    return isinstance(written, ast.Name) and written.id == "omit"


def _test(w: Quick, node: nodes.Test) -> ast.expr:
    path = _steps(w, node.node)
    if node.name != "defined" or path is None or not path[1]:
        return WRITERS[nodes.Test](w, node)
    keys = [ast.Constant(value=key) for key in path[1]]
    found = w.call(1, "find", name_of("omit"), name_of(f"v_{path[0]}"), *keys)
    return ast.Compare(left=found, ops=[ast.IsNot()], comparators=[name_of("omit")])


def _compare(w: Quick, node: nodes.Compare) -> ast.expr:
    """Compare with a fixed text at once: nothing but that text equals it."""
    only = node.ops[0] if len(node.ops) == 1 else None
    fixed = only is not None and isinstance(only.expr, nodes.Const) and type(only.expr.value) is str
    if only is None or not fixed or only.op not in ("eq", "ne"):
        return WRITERS[nodes.Compare](w, node)
    sign = ast.Eq() if only.op == "eq" else ast.NotEq()
    return ast.Compare(left=w.write(node.expr), ops=[sign], comparators=[w.write(only.expr)])


_QUICK: dict[type[nodes.Node], Callable[[Quick, Any], ast.expr]] = {
    nodes.Getattr: _looked_up,
    nodes.Getitem: _looked_up,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Compare: _compare,
}
