"""What the quick program calls beside the guards: the same values, sooner, for the usual data."""

from collections.abc import Callable, Mapping

from hub.model import Json
from mappings.budget import Budget
from mappings.guards import SHORT, apply
from mappings.results import settled
from mappings.values import OMIT, bounded, written


def find(other: Json, box: Json, *keys: str) -> Json:
    """Look up a path, or give the other value where any part of it is missing."""
    for key in keys:
        if type(box) is not dict or key not in box:
            return other
        box = box[key]
    return box


def find_two(other: Json, box: Json, one: str, two: str) -> Json:
    """Look up a path of two steps; most have so many."""
    if type(box) is not dict or one not in box:
        return other
    box = box[one]
    return box[two] if type(box) is dict and two in box else other


def find_or(other: Callable[[], Json], box: Json, *keys: str) -> Json:
    """Look up a path, or compute the other value where any part of it is missing."""
    for key in keys:
        if type(box) is not dict or key not in box:
            return other()
        box = box[key]
    return box


def brief(budget: Budget, change: Callable[[Json], Json], value: Json) -> Json:
    """Run a filter that reads its value once; for a short text its node has paid already."""
    if type(value) is not str or len(value) >= SHORT:
        return apply(budget, "length", change, value)
    made = change(value)
    if type(made) is str and len(made) >= SHORT:
        budget.spend(len(made) >> 3)
    return made


def leaf(budget: Budget, value: Json) -> Json:
    """Let a value be part of the result, if there is room for it and JSON can say it."""
    kind_of = type(value)
    if value is None or kind_of is bool or value is OMIT:
        return value
    if kind_of is int:
        return bounded(value)
    made, size = settled(value, budget.room, budget.levels)
    budget.take(size)
    return made


def chosen(value: Json, cases: Mapping[str, Json], other: Json) -> Json:
    """Take the case of a value's text, where every case is a fixed value."""
    return cases.get(value if type(value) is str else written(value), other)


def without(made: dict[str, Json], *names: str) -> dict[str, Json]:
    """Drop those of the named fields that were omitted from a new object."""
    for name in names:
        if made[name] is OMIT:
            del made[name]
    return made
