"""Say of each field that a mapping sets what it was read from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from hub.model import Json
from mappings import compile as compiler
from mappings.expressions import path_of
from mappings.forms import Concat, For, Form, If, List, Lone, Object, Switch, Text, below

Names = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One field of the target.

    Args:
        field: Its path; "" is the whole.
        sources: The paths that its expression reads; `[]` stands for each item of a loop.
    """

    field: str
    sources: tuple[str, ...]
    value: Json


def explained(mapping: compiler.Mapping, scope: Mapping[str, Json]) -> list[Explained]:
    """Run a mapping and say of each field where it comes from.

    Raises:
        MappingError: The data cannot be used.
    """
    made = mapping(scope)
    names: dict[str, tuple[str, ...]] = {name: (name,) for name in ("event", *mapping.roots)}
    for name, form in mapping.lets:
        names[name] = sources(form, names)
    if made is compiler.OMIT:
        return [Explained(field="", sources=sources(mapping.form, names), value="(omitted)")]
    return list(_walked(mapping.form, made, "", names))


def sources(form: Form, names: Names) -> tuple[str, ...]:
    """Give every path that a form reads, in its order."""
    if isinstance(form, For):
        inner = _inside(form, names)
        parts = [sources(form.over, names), *(sources(f, inner) for f in below(form)[1:])]
    elif isinstance(form, Lone | Text):
        parts = [tuple(_read(node, names)) for node in form.formula.expressions]
    else:
        parts = [sources(inner, names) for inner in below(form)]
    return tuple(dict.fromkeys(path for part in parts for path in part))


def _inside(form: For, names: Names) -> Names:
    each = tuple(f"{path}[]" for path in sources(form.over, names))
    return {**names, form.name: each, **({form.index: ()} if form.index else {})}


def _read(node: nodes.Node, names: Names) -> Iterator[str]:
    """Yield the longest paths below a node, the names of loops and `let` seen through."""
    root = _root(node)
    if root is not None:
        rest = path_of(node).removeprefix(root)
        yield from (f"{path}{rest}" for path in names.get(root, ()))
        return
    for child in node.iter_child_nodes():
        yield from _read(child, names)


def _root(node: nodes.Node) -> str | None:
    """Give the name that a plain path begins with."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
            return None
        node = node.node
    return node.name if isinstance(node, nodes.Name) else None


def _walked(form: Form, made: Json, path: str, names: Names) -> Iterator[Explained]:
    """Follow a form and what it made side by side."""
    taken = _taken(form, made)
    if isinstance(taken, Object) and isinstance(made, dict) and made:
        for name, _, value in taken.fields:
            if name in made:
                yield from _walked(value, made[name], f"{path}.{name}" if path else name, names)
    elif isinstance(taken, For) and isinstance(made, list) and made:
        inner = _inside(taken, names)
        for index, item in enumerate(made):
            yield from _walked(taken.value, item, f"{path}[{index}]", inner)
    elif isinstance(taken, List) and isinstance(made, list) and len(made) == len(taken.items):
        for index, (one, item) in enumerate(zip(taken.items, made, strict=True)):
            yield from _walked(one, item, f"{path}[{index}]", names)
    elif isinstance(taken, Concat) and isinstance(made, list):
        for index, item in enumerate(made):
            yield Explained(field=f"{path}[{index}]", sources=sources(taken, names), value=item)
    else:
        yield Explained(field=path, sources=sources(form, names), value=made)


def _taken(form: Form, made: Json) -> Form:
    """Give the branch that made it, as far as its shape tells."""
    if not isinstance(form, If | Switch):
        return form
    for branch in below(form)[1:]:
        inner = _taken(branch, made)
        if isinstance(inner, Object) and isinstance(made, dict):
            if made.keys() <= {name for name, _, _ in inner.fields}:
                return inner
        elif isinstance(inner, For | List | Concat) and isinstance(made, list):
            return inner
    return form
