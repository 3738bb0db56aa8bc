"""The structure of a mapping: literals, texts, objects, lists and the `$` forms."""

from dataclasses import dataclass
from typing import TypeAlias

from hub.nodes import Items, Scalar, Table
from mappings import grammar
from mappings.guards import SHORT
from mappings.parser import Formula

_PER_VALUE = SHORT + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A value as written."""

    node: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Lone:
    """Exactly one `{{ e }}`: the value of e with its own type."""

    node: Scalar
    formula: Formula


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text with expressions in it."""

    node: Scalar
    formula: Formula


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A list written out."""

    node: Items
    items: tuple["Form", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object written out; `$$name` has become `$name`."""

    node: Table
    fields: tuple[tuple[str, Scalar, "Form"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class For:
    """`$for`: a list, one value for each item of another."""

    node: Table
    name: str
    index: str | None
    over: Lone
    keep: Lone | None
    value: "Form"


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """`$if`: one value, or another, or none."""

    node: Table
    test: Lone
    value: "Form"
    other: "Form | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """`$switch`: the case that is the text of an expression."""

    node: Table
    on: Lone
    cases: tuple[tuple[str, Scalar, "Form"], ...]
    other: "Form | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat:
    """`$concat`: lists, one after the other, as one."""

    node: Table
    lists: tuple["Form", ...]


Form: TypeAlias = Literal | Lone | Text | List | Object | For | If | Switch | Concat


def below(form: Form) -> tuple[Form, ...]:
    """Give the forms inside a form, in the order written."""
    inner: tuple[Form | None, ...] = ()
    if isinstance(form, List):
        inner = form.items
    elif isinstance(form, Concat):
        inner = form.lists
    elif isinstance(form, Object):
        inner = tuple(value for _, _, value in form.fields)
    elif isinstance(form, For):
        inner = form.over, form.keep, form.value
    elif isinstance(form, If):
        inner = form.test, form.value, form.other
    elif isinstance(form, Switch):
        inner = (form.on, *(value for _, _, value in form.cases), form.other)
    return tuple(one for one in inner if one is not None)


def may_omit(form: Form) -> bool:
    """Say whether a form can give `omit`."""
    if isinstance(form, Lone):
        return grammar.may_omit(form.formula)
    if isinstance(form, If):
        return form.other is None or may_omit(form.value) or may_omit(form.other)
    if isinstance(form, Switch):
        values = [value for _, _, value in form.cases]
        return any(map(may_omit, [*values, *((form.other,) if form.other else ())]))
    return False


def room_of(form: Form) -> int:
    """Count how much of the result a form takes before any text is longer than SHORT.

    What a loop makes is counted once for each round, when the loop begins.
    """
    if isinstance(form, Literal):
        return len(form.node.text) + 4
    own = _PER_VALUE if isinstance(form, Lone | Text) else 4
    own += len(form.node.text) if isinstance(form, Text) else 0
    if isinstance(form, Object):
        own += sum(len(name) + 4 for name, _, _ in form.fields)
    return own + sum(map(room_of, below(form)))


def depth(form: Form) -> int:
    """Count the levels below a form, before anything is known of its values."""
    if isinstance(form, Concat):
        return max(map(depth, form.lists), default=1)
    inner = below(form)[1:] if isinstance(form, For | If | Switch) else below(form)
    own = isinstance(form, Object | List | For)
    return own + max(map(depth, inner), default=0)
