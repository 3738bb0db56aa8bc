"""What compiled code calls at run time: every access, text and loop, each within its bound.

Guards raise `Stop` without a place; the place is the line of compiled code that called them.
"""

from collections.abc import Callable, Mapping

from hub.model import Json
from mappings.budget import MAX_ROUNDS, Budget, spent
from mappings.values import (
    MAX_TEXT,
    OMIT,
    Absent,
    Stop,
    a_list,
    a_text,
    clipped,
    kind,
    same,
    weight,
    written,
)

SHORT = 64  # a text up to here is counted before it is there
ABSENT = (Absent, LookupError, TypeError)  # the quick program's plain subscripts raise the others


def root(scope: Mapping[str, Json], name: str) -> Json:
    """Give a root name's value."""
    if name in scope:
        return scope[name]
    raise Stop("mapping.missing", f"the event carries no '{name}'")


def get(box: Json, key: Json) -> Json:
    """Look up a key or index in JSON data; never an attribute of a Python object."""
    if type(box) is dict and type(key) is str:
        if key in box:
            return box[key]
        raise Absent("mapping.missing", f"{{path}} has no field '{clipped(key)}'", box)
    if type(box) is list and type(key) is int:
        if -len(box) <= key < len(box):
            return box[key]
        raise Absent("mapping.missing", f"{{path}} has no item {key} (length {len(box)})")
    if box is None:
        raise Absent("mapping.null", f"{{path}} is null, so it has no {_asked(key)}")
    raise Absent("mapping.kind", f"{{path}} is {kind(box)}, it has no {_asked(key)}")


def _asked(key: Json) -> str:
    return f"field '{clipped(key)}'" if type(key) is str else f"item by {kind(key)}"


def let(value: Json) -> Json:
    """Give a `let` that may have been left out: then it is missing."""
    if value is OMIT:
        raise Absent("mapping.missing", "{path} was omitted")
    return value


def default(value: Callable[[], Json], x: Callable[[], Json], null: bool = False) -> Json:
    """Give a value, or another where any part of its path is missing (or, if asked, null)."""
    try:
        found = value()
    except ABSENT:
        return x()
    return x() if null and found is None else found


def required(value: Callable[[], Json], message: str) -> Json:
    """Give a value that is there and not null, or stop with the mapping's own words."""
    try:
        found = value()
    except ABSENT as error:
        raise Stop("mapping.missing", _plain(message)) from error
    if found is None:
        raise Stop("mapping.missing", _plain(message))
    return found


def _plain(message: Json) -> str:
    return a_text(message).replace("{path}", "path")


def defined(value: Callable[[], Json]) -> bool:
    """Say whether every part of a path is there."""
    try:
        value()
    except ABSENT:
        return False
    return True


def truth(value: Json) -> bool:
    """Give true or false, or stop: nothing else decides a `when` or an `$if`."""
    if value is True or value is False:
        return value
    raise Stop("mapping.kind", f"{{path}} must give true or false, found {kind(value)}")


def text(budget: Budget, *parts: Json) -> str:
    """Join text, counting before anything is built."""
    texts = [part if type(part) is str else written(part) for part in parts]
    length = sum(map(len, texts))
    if length > SHORT:
        if length > MAX_TEXT:
            raise Stop("mapping.large", f"{{path}} gives a text of more than {MAX_TEXT} characters")
        budget.spend(length >> 3)
    return "".join(texts)


def apply(
    budget: Budget, cost: str, change: Callable[..., Json], value: Json, *given: Json, **named: Json
) -> Json:
    """Run a filter, paying by its cost for what it reads, and for the text it makes."""
    budget.spend(_COSTS[cost](value, budget.work))
    made = change(value, *given, **named)
    if type(made) is str:
        if len(made) > MAX_TEXT:
            raise Stop("mapping.large", f"{{path}} gives a text of more than {MAX_TEXT} characters")
        budget.spend(len(made) >> 3)
    return made


def _by_length(value: Json, _: int) -> int:
    if type(value) is str:
        return 1 + (len(value) >> 3)
    return 1 + len(value) if type(value) in (list, dict) else 1


_COSTS: dict[str, Callable[[Json, int], int]] = {
    "one": lambda _value, _limit: 1,
    "length": _by_length,
    "all": weight,
    "babel": lambda _value, _limit: 100,
}


def equal(budget: Budget, one: Json, other: Json) -> bool:
    """Compare, paying for what is inside."""
    if type(one) in (list, dict) and type(other) in (list, dict):
        budget.spend(weight(one, budget.work))
    return same(one, other)


def unequal(budget: Budget, one: Json, other: Json) -> bool:
    """Compare the other way."""
    return not equal(budget, one, other)


def contains(budget: Budget, item: Json, box: Json) -> bool:
    """Find an item in a list, a text in a text, a key in an object."""
    if type(box) is list:
        budget.spend(weight(box, budget.work))
        return any(same(item, other) for other in box)
    if type(box) is dict:
        return a_text(item) in box
    if type(box) is str:
        budget.spend(len(box) >> 3)
        return a_text(item) in box
    raise Stop(
        "mapping.kind", f"{{path}}: 'in' wants a list, a text or an object, found {kind(box)}"
    )


def lacks(budget: Budget, item: Json, box: Json) -> bool:
    """Do not find it."""
    return not contains(budget, item, box)


def chain(one: Json, *steps: tuple[Callable[[Json, Json], bool], Callable[[], Json]]) -> bool:
    """Compare `a < b < c`, each operand computed once and only as far as needed."""
    for holds, next_value in steps:
        other = next_value()
        if not holds(one, other):
            return False
        one = other
    return True


def rounds(budget: Budget, cost: int, size: int, value: Json) -> list[Json]:
    """Give what `$for` goes over, if that many rounds and that much room are left."""
    items = a_list(value)
    count = len(items)
    budget.rounds -= count
    budget.work -= cost * count
    budget.room -= size * count
    if budget.rounds < 0:
        raise Stop("mapping.large", f"{{path}}: more than {MAX_ROUNDS} rounds of $for in one run")
    if budget.work < 0 or budget.room < 0:
        spent(budget)
    return items


def switch(
    value: Json, cases: Mapping[str, Callable[[], Json]], other: Callable[[], Json] | None
) -> Json:
    """Take the case of a value's text."""
    chosen = cases.get(written(value), other)
    if chosen is None:
        raise Stop("mapping.kind", "{path} has no case for this value and there is no $else")
    return chosen()


def kept(made: Json) -> Json:
    """Drop what was omitted from a new list or object."""
    if type(made) is dict:
        return {key: value for key, value in made.items() if value is not OMIT}
    return [value for value in made if value is not OMIT]


def concat(budget: Budget, *lists: Json) -> list[Json]:
    """Join lists to one."""
    for one in lists:
        budget.spend(len(a_list(one)))
    return [item for one in lists for item in one]
