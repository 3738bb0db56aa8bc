"""Filters of the admin's own, or of other distributions: annotated functions, held to our rules.

A function says by its annotations which kinds it takes and gives; mappings are checked by them
before anything runs, and every value is held to them when it does. What it is given it cannot
alter, and whatever it raises becomes a mapping error that names no value.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from inspect import Parameter, iscoroutinefunction, isgeneratorfunction, signature
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hub.model import Json
from mappings.kinds import Kinds, worded
from mappings.results import MAX_OUTPUT, settled
from mappings.values import Stop, kind

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_KINDS: Mapping[Any, Kinds] = {
    str: frozenset({"string"}),
    bool: frozenset({"bool"}),
    int: frozenset({"int"}),
    Decimal: frozenset({"int", "decimal"}),
    list: frozenset({"list"}),
    dict: frozenset({"object"}),
    NoneType: frozenset({"null"}),
}
_ANY: Kinds = frozenset().union(*_KINDS.values())
_PLACES = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Unfit(ValueError):
    """A function cannot be a filter; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugged:
    """One filter that is not ours.

    Args:
        origin: Where it comes from, for people.
        digest: Of the code it stands in: another digest is another filter.
        run: What compiled code calls.
        takes: The kinds of each argument by name; the first is what it is applied to.
    """

    name: str
    origin: str
    digest: str
    takes: Mapping[str, Kinds]
    gives: Kinds
    function: Callable[..., Json] = field(repr=False)
    run: Callable[..., Json] = field(repr=False, compare=False)

    @property
    def told(self) -> str:
        """Give its first line of documentation."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]


def plugged(name: str, function: Any, *, origin: str, digest: str) -> Plugged:
    """Make a filter of a function.

    Raises:
        Unfit: Its name or its annotations do not do.
    """
    if not NAME.fullmatch(name):
        raise Unfit(f"'{name}' is no name of a filter: small letters, digits and _")
    if not callable(function) or isinstance(function, type):
        raise Unfit(f"'{name}' is no function")
    if iscoroutinefunction(function) or isgeneratorfunction(function):
        raise Unfit(f"'{name}' must be a plain function: it can wait for nothing")
    parameters = signature(function).parameters.values()
    if not parameters or any(one.kind not in _PLACES for one in parameters):
        raise Unfit(f"'{name}' wants a first argument, and no *args, **kwargs or keyword-only ones")
    hints = _hints(name, function)
    takes = {one.name: _kinds_of(name, one.name, hints) for one in parameters}
    gives = _kinds_of(name, "return", hints)
    return Plugged(
        name=name, origin=origin, digest=digest, takes=takes, gives=gives, function=function,
        run=_guarded(name, function, takes, gives),
    )  # fmt: skip


def _hints(name: str, function: Callable[..., Json]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception as error:
        raise Unfit(f"the annotations of '{name}' cannot be read: {error}") from error


def _kinds_of(name: str, what: str, hints: Mapping[str, Any]) -> Kinds:
    where = "its result" if what == "return" else f"'{what}'"
    if what not in hints:
        raise Unfit(f"'{name}' has no annotation for {where}")
    return frozenset().union(*_each(name, where, hints[what]))


def _each(name: str, where: str, hint: Any) -> Iterator[Kinds]:
    if hint is Any or hint is object:
        yield _ANY
    elif get_origin(hint) in (Union, UnionType):
        for arm in get_args(hint):
            yield from _each(name, where, arm)
    elif (found := _KINDS.get(get_origin(hint) or hint)) is not None:
        yield found
    else:
        word = getattr(hint, "__name__", str(hint))
        more = ": a number with a point is a Decimal" if hint is float else ""
        raise Unfit(f"'{name}': {where} is of no kind that mappings know, {word}{more}")


# -- at run time -----------------------------------------------------------------------------------
def _guarded(
    name: str, function: Callable[..., Json], takes: Mapping[str, Kinds], gives: Kinds
) -> Callable[..., Json]:
    order = tuple(takes)
    whole = {one for one, kinds in takes.items() if "decimal" in kinds and kinds != _ANY}

    def fit(argument: str, value: Json) -> Json:
        if kind(value) not in takes[argument]:
            code = "mapping.null" if value is None else "mapping.kind"
            what = f"'{name}' wants {worded(takes[argument])}"
            raise Stop(code, f"{{path}}: {what}, found {kind(value)}")
        return Decimal(value) if argument in whole and type(value) is int else _own(value)

    @wraps(function)
    def run(*given: Json, **named: Json) -> Json:
        values = [fit(argument, value) for argument, value in zip(order, given, strict=False)]
        more = {argument: fit(argument, value) for argument, value in named.items()}
        try:
            made = function(*values, **more)
        except Exception as error:
            what = f"'{name}' cannot use it ({type(error).__name__})"
            raise Stop("mapping.filter", f"{{path}}: {what}") from error
        if kind(made) not in gives:
            what = f"'{name}' must give {worded(gives)}, it gave {kind(made)}"
            raise Stop("mapping.filter", f"{{path}}: {what}")
        return settled(made, MAX_OUTPUT)[0]

    return run


def _own(value: Json) -> Json:
    """Copy what could be altered: the event is not the filter's."""
    if type(value) is dict:
        return {key: _own(item) for key, item in value.items()}
    return [_own(item) for item in value] if type(value) is list else value


# -- which are there -------------------------------------------------------------------------------
_here: ContextVar[Mapping[str, Plugged]] = ContextVar("filters", default={})  # noqa: B039 -- never altered


@contextmanager
def in_force(found: Mapping[str, Plugged]) -> Iterator[None]:
    """Let what is compiled inside know these filters beside ours."""
    token = _here.set(found)
    try:
        yield
    finally:
        _here.reset(token)


def here() -> Mapping[str, Plugged]:
    """Give the filters that are not ours, by name."""
    return _here.get()


def digests(text: str) -> tuple[str, ...]:
    """Give the digests of those that a text may name: with them what it does may change."""
    found = here()
    names = {*re.findall(r"\|(?:\s|\\n)*([a-z][a-z0-9_]*)", text)} if found else set()
    return tuple(f"{name}:{found[name].digest}" for name in sorted(names & found.keys()))
