"""Expressions to Python: each white-listed node becomes a syntax tree of calls to the guards.

Built as trees, never as text, so nothing that an admin writes is ever parsed as Python. The line
number of every call is the number of its site: that is how an error finds its way back.
"""

import ast
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from hub.model import Json
from hub.nodes import Node
from mappings import filters, grammar
from mappings.parser import Formula

_OPERATORS: dict[type[nodes.Node], str] = {
    nodes.Add: "add",
    nodes.Sub: "subtract",
    nodes.Mul: "multiply",
    nodes.Div: "divide",
    nodes.FloorDiv: "floor_divide",
    nodes.Mod: "modulo",
}
_COMPARISONS = {
    "eq": "equal", "ne": "unequal", "in": "contains", "notin": "lacks",
    "lt": "less", "lteq": "less_or_equal", "gt": "greater", "gteq": "greater_or_equal",
}  # fmt: skip
_PAID = ("equal", "unequal", "contains", "lacks")
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Site:
    """What a line of compiled code stands for: a place, and the path an error speaks of."""

    node: Node
    offset: int | None
    path: str


class Writer:
    """Writes the Python of one mapping or expression, and its table of sites."""

    sites: list[Site]
    quick = False

    def __init__(self, optional: Collection[str] = ()) -> None:
        self.sites, self.constants = [], dict[str, Json]()
        self.optional = optional
        self._formula: Formula

    def site(self, node: Node, offset: int | None, path: str) -> int:
        """Open a new site; its number is a line."""
        self.sites.append(Site(node, offset, path if len(path) <= SHOWN else f"{path[:59]}…"))
        return len(self.sites)

    def call(self, line: int, function: str, *given: ast.expr, **named: ast.expr) -> ast.Call:
        """Write a call at a site."""
        words = [ast.keyword(arg=name, value=value) for name, value in named.items()]
        return ast.Call(
            func=name_of(function), args=list(given), keywords=words,
            lineno=line, end_lineno=line, col_offset=0, end_col_offset=0,
        )  # fmt: skip

    def constant(self, value: Json) -> ast.expr:
        """Write a value that Python can write; any other becomes a global."""
        if value is None or type(value) in (str, int, bool):
            return ast.Constant(value=value)
        name = f"constant_{len(self.constants)}"
        self.constants[name] = value
        return name_of(name)

    def literal(self, value: Json) -> ast.expr:
        """Write a literal of the mapping's."""
        return self.constant(value)

    def leaf(self, made: ast.expr, formula: Formula) -> ast.expr:
        """Make a value part of the result, of which `settled` takes the size afterwards."""
        return made

    def lone_over(self, formula: Formula) -> ast.expr:
        """Write what a loop goes over."""
        return self.lone(formula)

    def lone(self, formula: Formula) -> ast.expr:
        """Write a formula that is one expression."""
        self._formula = formula
        return self.write(formula.expressions[0])

    def text(self, formula: Formula) -> ast.expr:
        """Write a formula that is text with expressions."""
        self._formula = formula
        parts = [
            ast.Constant(value=part) if isinstance(part, str) else self.in_text(part)
            for part in formula.parts
        ]
        line = self.site(formula.scalar, None, "the text")
        return self.call(line, "text", name_of("budget"), *parts)

    def write(self, node: nodes.Node) -> ast.expr:
        """Write one node and all below it."""
        return WRITERS[type(node)](self, node)

    def in_text(self, node: nodes.Expr) -> ast.expr:
        """Write a node whose value is put into text."""
        return self.call(self.at(node), "written", self.write(node))

    def at(self, node: nodes.Node, path: str | None = None) -> int:
        """Open a site at a node."""
        shown = path_of(node) if path is None else path
        return self.site(self._formula.scalar, self._formula.source(node), shown)


def _const(w: Writer, node: nodes.Const) -> ast.expr:
    return w.constant(node.value)


def _name(w: Writer, node: nodes.Name) -> ast.expr:
    if node.name == "null":
        return ast.Constant(value=None)
    if node.name == "omit":
        return name_of("omit")
    found = name_of(f"v_{node.name}")
    return w.call(w.at(node), "let", found) if node.name in w.optional else found


def _getattr(w: Writer, node: nodes.Getattr) -> ast.expr:
    box, key = w.write(node.node), ast.Constant(value=node.attr)
    return w.call(w.at(node, path_of(node.node)), "get", box, key)


def _getitem(w: Writer, node: nodes.Getitem) -> ast.expr:
    box, key = w.write(node.node), w.write(node.arg)
    return w.call(w.at(node, path_of(node.node)), "get", box, key)


def _list(w: Writer, node: nodes.List) -> ast.expr:
    return ast.List(elts=[w.write(item) for item in node.items], ctx=ast.Load())


def _dict(w: Writer, node: nodes.Dict) -> ast.expr:
    keys = [w.write(pair.key) for pair in node.items]
    return ast.Dict(keys=list(keys), values=[w.write(pair.value) for pair in node.items])


def _operator(w: Writer, node: Any) -> ast.expr:
    left, right = w.write(node.left), w.write(node.right)
    return w.call(w.at(node, f"'{node.operator}'"), _OPERATORS[type(node)], left, right)


def _negative(w: Writer, node: nodes.Neg) -> ast.expr:
    return w.call(w.at(node, "'-'"), "negate", w.write(node.node))


def _not(w: Writer, node: nodes.Not) -> ast.expr:
    return ast.UnaryOp(op=ast.Not(), operand=w.write(node.node))


def _and(w: Writer, node: nodes.And) -> ast.expr:
    return ast.BoolOp(op=ast.And(), values=[w.write(node.left), w.write(node.right)])


def _or(w: Writer, node: nodes.Or) -> ast.expr:
    return ast.BoolOp(op=ast.Or(), values=[w.write(node.left), w.write(node.right)])


def _condition(w: Writer, node: nodes.CondExpr) -> ast.expr:
    return ast.IfExp(
        test=w.write(node.test),
        body=w.write(node.expr1),
        orelse=w.write(node.expr2 or nodes.Const(None)),
    )


def _concat(w: Writer, node: nodes.Concat) -> ast.expr:
    parts = [w.in_text(part) for part in node.nodes]
    return w.call(w.at(node, "'~'"), "text", name_of("budget"), *parts)


def _compare(w: Writer, node: nodes.Compare) -> ast.expr:
    first = w.write(node.expr)
    if len(node.ops) == 1:
        return _compared(w, node.ops[0].op, node, first, w.write(node.ops[0].expr))
    steps: list[ast.expr] = []
    for operand in node.ops:
        pair = [name_of("one"), name_of("other")]
        holds = later(_compared(w, operand.op, node, *pair), "one", "other")
        operand_of = later(w.write(operand.expr))
        steps.append(ast.Tuple(elts=[holds, operand_of], ctx=ast.Load()))
    return w.call(w.at(node, ""), "chain", first, *steps)


def _compared(w: Writer, sign: str, node: nodes.Node, one: ast.expr, other: ast.expr) -> ast.expr:
    function = _COMPARISONS[sign]
    paid = [name_of("budget")] if function in _PAID else []
    return w.call(w.at(node, "this"), function, *paid, one, other)


def _filter(w: Writer, node: nodes.Filter) -> ast.expr:
    operand = node.node or nodes.Const(None)
    if node.name == "default":
        other, null = grammar.default_of(node)
        return w.call(w.at(node), "default", later(w.write(operand)),
                         later(w.write(other)), ast.Constant(value=null))  # fmt: skip
    given = [w.write(argument) for argument in node.args]
    named = {key: w.write(value) for key, value in grammar.keywords(node).items()}
    if node.name == "required":
        return w.call(w.at(node), "required", later(w.write(operand)),
                         *given, **named)  # fmt: skip
    cost = ast.Constant(value=filters.COSTS.get(node.name, "length"))
    return w.call(w.at(node, path_of(operand)), "apply", name_of("budget"), cost,
                     name_of(f"filter_{node.name}"), w.write(operand),
                     *given, **named)  # fmt: skip


def _test(w: Writer, node: nodes.Test) -> ast.expr:
    operand = w.write(node.node)
    if node.name == "defined":
        return w.call(w.at(node), "defined", later(operand))
    return w.call(w.at(node), f"test_{node.name}", operand)


WRITERS: dict[type[nodes.Node], Callable[[Writer, Any], ast.expr]] = {
    nodes.Const: _const,
    nodes.Name: _name,
    nodes.Getattr: _getattr,
    nodes.Getitem: _getitem,
    nodes.List: _list,
    nodes.Dict: _dict,
    **dict.fromkeys(_OPERATORS, _operator),
    nodes.Neg: _negative,
    nodes.Not: _not,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.CondExpr: _condition,
    nodes.Concat: _concat,
    nodes.Compare: _compare,
    nodes.Filter: _filter,
    nodes.Test: _test,
}


def name_of(name: str) -> ast.Name:
    """Write a name that is read."""
    return ast.Name(id=name, ctx=ast.Load())


def later(body: ast.expr, *names: str) -> ast.Lambda:
    """Write a function that computes something only when it is asked for."""
    return ast.Lambda(args=arguments(*names), body=body)


def arguments(*names: str) -> ast.arguments:
    """Write positional parameters."""
    return ast.arguments(
        posonlyargs=[], args=[ast.arg(arg=name) for name in names],
        kwonlyargs=[], kw_defaults=[], defaults=[],
    )  # fmt: skip


def path_of(node: nodes.Node) -> str:
    """Write the path an expression looks at, as an admin wrote it."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{path_of(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem):
        key = node.arg.value if isinstance(node.arg, nodes.Const) else "…"
        return f"{path_of(node.node)}[{key!r}]" if key != "…" else f"{path_of(node.node)}[…]"
    if isinstance(node, nodes.Filter) and node.node is not None:
        return f"{path_of(node.node)} | {node.name}"
    return "this"
