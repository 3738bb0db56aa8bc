"""Forms to Python: one function `run(scope, budget)` for a whole mapping or a lone expression."""

import ast
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

from hub.model import Json
from hub.nodes import plain
from mappings import filters, grammar, guards, numbers, plugged, shortcuts
from mappings.expressions import Writer, arguments, name_of
from mappings.forms import (
    Concat,
    For,
    Form,
    If,
    List,
    Literal,
    Lone,
    Object,
    Switch,
    Text,
    below,
    may_omit,
    room_of,
)
from mappings.values import OMIT, written

GLOBALS: Mapping[str, Json] = {
    "__builtins__": {},
    "enumerate": enumerate,
    "int": int,
    "len": len,
    "str": str,
    "type": type,
    "omit": OMIT,
    "written": written,
    **{name: getattr(guards, name) for name in (
        "apply", "chain", "concat", "contains", "default", "defined", "equal", "get", "kept",
        "lacks", "let", "required", "root", "rounds", "switch", "text", "truth", "unequal",
    )},
    **{name: getattr(shortcuts, name) for name in (
        "brief", "chosen", "find", "find_or", "find_two", "leaf", "without",
    )},
    **{name: getattr(numbers, name) for name in (
        "add", "subtract", "multiply", "divide", "floor_divide", "modulo", "negate", "less",
        "less_or_equal", "greater", "greater_or_equal",
    )},
    **{f"filter_{name}": change for name, change in filters.FILTERS.items()},
    **{f"test_{name}": test for name, test in filters.TESTS.items()},
}  # fmt: skip


def program(
    writer: Writer, roots: Sequence[str], lets: Sequence[tuple[str, Form]], result: Form
) -> ast.Module:
    """Write the function: roots first, then each `let`, then the result."""
    names = [_assigned(name, _root(writer, name, result)) for name in roots]
    names += [_assigned(name, _let(writer, form)) for name, form in lets]
    body: list[ast.stmt] = [*names, ast.Return(value=write(writer, result))]
    function = ast.FunctionDef(
        name="run", args=arguments("scope", "budget"), body=body, decorator_list=[]
    )
    return ast.fix_missing_locations(ast.Module(body=[function], type_ignores=[]))


def load(code: CodeType, constants: Mapping[str, Json]) -> Callable[..., Json]:
    """Make the function of a compiled program; it sees our guards and nothing of Python."""
    own = {f"filter_{name}": one.run for name, one in plugged.here().items()}
    scope: dict[str, Any] = {**GLOBALS, **own, **constants}
    exec(code, scope)  # noqa: S102 -- a tree of guard calls that we wrote, never an admin's text
    made: Callable[..., Json] = scope["run"]
    return made


def _root(writer: Writer, name: str, result: Form) -> ast.expr:
    if writer.quick:
        scope = name_of("scope")
        return ast.Subscript(value=scope, slice=ast.Constant(value=name), ctx=ast.Load())
    line = writer.site(result.node, None, name)
    return writer.call(line, "root", name_of("scope"), ast.Constant(value=name))


def _let(writer: Writer, form: Form) -> ast.expr:
    return writer.lone(form.formula) if isinstance(form, Lone) else write(writer, form)


def _assigned(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign(targets=[ast.Name(id=f"v_{name}", ctx=ast.Store())], value=value)


def write(writer: Writer, form: Form) -> ast.expr:
    """Write one form."""
    return _WRITERS[type(form)](writer, form)


def _literal(writer: Writer, form: Literal) -> ast.expr:
    return writer.literal(form.node.value)


def _lone(writer: Writer, form: Lone) -> ast.expr:
    return writer.leaf(writer.lone(form.formula), form.formula)


def _text(writer: Writer, form: Text) -> ast.expr:
    return writer.leaf(writer.text(form.formula), form.formula)


def _list(writer: Writer, form: List) -> ast.expr:
    made = ast.List(elts=[write(writer, item) for item in form.items], ctx=ast.Load())
    return _kept(writer, form, made, form.items)


def _object(writer: Writer, form: Object) -> ast.expr:
    values = [value for _, _, value in form.fields]
    made = ast.Dict(
        keys=[ast.Constant(value=key) for key, _, _ in form.fields],
        values=[write(writer, value) for value in values],
    )
    if not writer.quick:
        return _kept(writer, form, made, values)
    keys = [ast.Constant(value=key) for key, _, value in form.fields if may_omit(value)]
    return writer.call(1, "without", made, *keys) if keys else made


def _kept(writer: Writer, form: Form, made: ast.expr, values: Sequence[Form]) -> ast.expr:
    """Filter what was made, only where something in it can be omitted."""
    if not any(map(may_omit, values)):
        return made
    return writer.call(writer.site(form.node, None, ""), "kept", made)


def _for(writer: Writer, form: For) -> ast.expr:
    over, target = form.over.formula, ast.Name(id=f"v_{form.name}", ctx=ast.Store())
    line = writer.site(form.over.node, over.source(over.expressions[0]), "$for")
    cost = ast.Constant(value=_cost(form.value) + (_cost(form.keep) if form.keep else 0))
    size = ast.Constant(value=room_of(form.value))
    items = writer.call(line, "rounds", name_of("budget"), cost, size, writer.lone_over(over))
    each: ast.expr = target
    if form.index:
        index = ast.Name(id=f"v_{form.index}", ctx=ast.Store())
        each = ast.Tuple(elts=[index, target], ctx=ast.Store())
        items = writer.call(line, "enumerate", items)
    made = ast.ListComp(
        elt=write(writer, form.value),
        generators=[
            ast.comprehension(
                target=each, iter=items, is_async=0,
                ifs=[_truth(writer, form.keep)] if form.keep else [],
            )
        ],
    )  # fmt: skip
    return _kept(writer, form, made, (form.value,))


def _if(writer: Writer, form: If) -> ast.expr:
    return ast.IfExp(
        test=_truth(writer, form.test),
        body=write(writer, form.value),
        orelse=write(writer, form.other) if form.other else name_of("omit"),
    )


def _truth(writer: Writer, test: Lone) -> ast.expr:
    formula = test.formula
    line = writer.site(test.node, formula.source(formula.expressions[0]), "$if")
    made = writer.lone(formula)
    sure = isinstance(made, ast.UnaryOp | ast.Compare)  # `not` and comparisons give a bool
    return made if sure else writer.call(line, "truth", made)


def _switch(writer: Writer, form: Switch) -> ast.expr:
    formula = form.on.formula
    line = writer.site(form.on.node, formula.source(formula.expressions[0]), "$switch")
    if writer.quick and form.other and all(map(_is_fixed, below(form)[1:])):
        table = writer.constant({key: plain(value.node) for key, _, value in form.cases})
        return writer.call(1, "chosen", writer.lone(formula), table, write(writer, form.other))
    cases = ast.Dict(
        keys=[ast.Constant(value=case) for case, _, _ in form.cases],
        values=[_later(write(writer, value)) for _, _, value in form.cases],
    )
    other = _later(write(writer, form.other)) if form.other else ast.Constant(value=None)
    return writer.call(line, "switch", writer.lone(formula), cases, other)


def _is_fixed(form: Form) -> bool:
    return isinstance(form, Literal)


def _concat(writer: Writer, form: Concat) -> ast.expr:
    lists = [write(writer, part) for part in form.lists]
    line = writer.site(form.node, None, "$concat")
    return writer.call(line, "concat", name_of("budget"), *lists)


def _later(value: ast.expr) -> ast.expr:
    return ast.Lambda(args=arguments(), body=value)


def _cost(form: Form) -> int:
    own = grammar.size(form.formula) if isinstance(form, Lone | Text) else 1
    return own + sum(map(_cost, below(form)))


_WRITERS: dict[type[Form], Callable[[Writer, Any], ast.expr]] = {
    Literal: _literal,
    Lone: _lone,
    Text: _text,
    List: _list,
    Object: _object,
    For: _for,
    If: _if,
    Switch: _switch,
    Concat: _concat,
}
