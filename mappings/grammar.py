"""Which of Jinja's expressions are ours: a white list of its nodes, names, filters and tests."""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal
from inspect import Parameter, signature
from typing import Any, TypeAlias

from jinja2 import nodes

from mappings import filters, plugged
from mappings.parser import Formula, Refusal
from mappings.values import LIMIT, MAX_DIGITS

MAX_NODES = 500
MAX_NESTING = 50
RESERVED = frozenset({"omit", "null", "true", "false", "none", "True", "False", "None"})

_ALLOWED = (
    nodes.Const, nodes.Name, nodes.List, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Not,
    nodes.And, nodes.Or, nodes.Compare, nodes.Operand, nodes.CondExpr, nodes.Concat, nodes.Filter,
    nodes.Test, nodes.Keyword,
)  # fmt: skip
_NOT_OURS: dict[type[nodes.Node], tuple[str, str]] = {
    nodes.Call: ("calls are not part of the language", "use a filter: | join(',')"),
    nodes.Slice: ("slices are not part of the language", "use | first, | last or | truncate(n)"),
    nodes.Tuple: ("tuples are not part of the language", "write a list: [a, b]"),
    nodes.Pow: ("** is not part of the language", "multiply"),
    nodes.Pos: ("a leading + is not part of the language", "leave it out"),
}

_Found: TypeAlias = tuple[str, str, str] | None  # code, text, fix


def closest(word: str, known: Iterable[str]) -> str:
    """Say which known word was meant, or which there are."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"there is: {', '.join(words) or 'none'}"


def refusals(formula: Formula, names: Collection[str], *, omit: bool) -> Iterator[Refusal]:
    """Yield everything in a formula that is not of the language.

    Args:
        names: What may be named here: roots, `let`, names of `$for`.
        omit: The value may be left out, so `omit` may be its result.
    """
    for expression in formula.expressions:
        tails = set(map(id, _tails(expression))) if omit and formula.lone else set()
        yield from _walk(formula, expression, names, tails)


def size(formula: Formula) -> int:
    """Count the nodes of a formula: what one round of it costs."""
    return len(formula.parts) + sum(1 for e in formula.expressions for _ in _nodes(e))


def named(formula: Formula) -> set[str]:
    """Give every name a formula uses."""
    return {n.name for e in formula.expressions for n, _ in _nodes(e) if isinstance(n, nodes.Name)}


def may_omit(formula: Formula) -> bool:
    """Say whether a formula can give `omit`."""
    return "omit" in named(formula)


def keywords(node: nodes.Filter) -> dict[str, nodes.Expr]:
    """Give a filter's arguments that are written by name."""
    return {str(pair.key): pair.value for pair in node.kwargs}


def default_of(node: nodes.Filter) -> tuple[nodes.Expr, bool]:
    """Read the arguments of `default(x, null=false)`."""
    words = keywords(node)
    replace_null = words.get("null", node.args[1] if len(node.args) > 1 else nodes.Const(False))
    value = node.args[0] if node.args else words["x"]
    return value, bool(isinstance(replace_null, nodes.Const) and replace_null.value)


def _nodes(expression: nodes.Expr) -> Iterator[tuple[nodes.Node, int]]:
    """Yield every node with its nesting, without recursion."""
    left: list[tuple[nodes.Node, int]] = [(expression, 1)]
    while left:
        node, level = left.pop()
        yield node, level
        below = list(node.iter_child_nodes())
        left.extend((child, level + 1) for child in reversed(below))


def _tails(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield the nodes whose value may become the value of the whole."""
    yield node
    if isinstance(node, nodes.CondExpr):
        yield from _tails(node.expr1)
        if node.expr2 is not None:
            yield from _tails(node.expr2)
    elif isinstance(node, nodes.Filter) and node.name == "default":
        for given in (*node.args[:1], *map(keywords(node).get, ("x",))):
            if given is not None:
                yield from _tails(given)


def _walk(
    formula: Formula, expression: nodes.Expr, names: Collection[str], tails: set[int]
) -> Iterator[Refusal]:
    for count, (node, level) in enumerate(_nodes(expression), 1):
        at = formula.source(node)
        if count > MAX_NODES:
            yield Refusal("mapping.cap", f"more than {MAX_NODES} nodes in one expression", at)
            return
        if level > MAX_NESTING:
            yield Refusal("mapping.cap", f"nested more than {MAX_NESTING} deep", at)
            return
        found = _fault(node, names, id(node) in tails)
        if found:
            yield Refusal(found[0], found[1], at, found[2])


def _fault(node: nodes.Node, names: Collection[str], at_tail: bool) -> _Found:
    if isinstance(node, nodes.Name):
        return _name(node.name, names, at_tail)
    if type(node) in _JUDGES:
        return _JUDGES[type(node)](node)
    if type(node) in _ALLOWED:
        return None
    default = f"{type(node).__name__} is not part of the language", ""
    return "mapping.node", *_NOT_OURS.get(type(node), default)


def _name(name: str, names: Collection[str], at_tail: bool) -> _Found:
    if name == "null" or (name == "omit" and at_tail) or (name in names and name != "omit"):
        return None
    if name == "omit":
        return "mapping.node", "omit can only be the whole value", "{{ x | default(omit) }}"
    return "mapping.name", f"unknown name '{name}'", closest(name, names)


def _const(node: nodes.Const) -> _Found:
    value: Any = node.value
    if type(value) not in (int, Decimal):
        return None
    if abs(value) > LIMIT or len(str(value)) > MAX_DIGITS + 2:
        return "mapping.cap", f"a number has at most {MAX_DIGITS} digits and lies within ±10^30", ""
    return None


def _condition(node: nodes.CondExpr) -> _Found:
    return None if node.expr2 else ("mapping.node", "if needs an else here", "a if c else b")


def _object(node: nodes.Dict) -> _Found:
    if all(isinstance(p.key, nodes.Const) and isinstance(p.key.value, str) for p in node.items):
        return None
    return "mapping.node", "the keys of an object are texts in quotes", "{'a': x}"


def _filter(node: nodes.Filter) -> _Found:
    known = filters.FILTERS | {name: one.run for name, one in plugged.here().items()}
    if node.name not in known:
        return "mapping.filter", f"unknown filter '{node.name}'", closest(node.name, known)
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "mapping.node", "*args are not part of the language", "write each argument"
    wanted = signature(known[node.name])
    try:
        wanted.bind(None, *node.args, **keywords(node))
    except TypeError:
        return "mapping.filter", f"'{node.name}' takes {_shown(wanted.parameters.values())}", ""
    if node.name == "default" and not _constant_null(node):
        return "mapping.filter", "the second argument of 'default' is true or false", ""
    return None


def _constant_null(node: nodes.Filter) -> bool:
    given = node.args[1] if len(node.args) > 1 else keywords(node).get("null", nodes.Const(False))
    return isinstance(given, nodes.Const) and type(given.value) is bool


def written_as(function: Callable[..., Any]) -> str:
    """Give a filter's arguments as an admin writes them; "" where it takes none.

    >>> written_as(filters.truncate)
    "(n, end='…')"
    """
    own = list(signature(function).parameters.values())
    return _shown(own) if len(own) > 1 else ""


def _shown(parameters: Iterable[Parameter]) -> str:
    """Name a filter's arguments as an admin writes them; the first is what it is applied to."""
    own = [
        f"*{p.name}"
        if p.kind is Parameter.VAR_POSITIONAL
        else p.name
        if p.default is Parameter.empty
        else f"{p.name}={_worded(p.default)}"
        for p in list(parameters)[1:]
    ]
    return f"({', '.join(own)})" if own else "no arguments"


def _worded(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value).lower()


def _test(node: nodes.Test) -> _Found:
    if node.name not in filters.TESTS:
        return "mapping.test", f"unknown test '{node.name}'", closest(node.name, filters.TESTS)
    if node.args or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        return "mapping.test", f"the test '{node.name}' takes no arguments", ""
    return None


_JUDGES: dict[type[nodes.Node], Callable[[Any], _Found]] = {
    nodes.Const: _const,
    nodes.CondExpr: _condition,
    nodes.Dict: _object,
    nodes.Filter: _filter,
    nodes.Test: _test,
}
