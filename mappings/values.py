"""The language's values: their kinds, their text, their equality, and how a run stops."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias, TypeVar

from hub.model import Json
from hub.routing import OMIT, Omit

__all__ = ["OMIT"]

LIMIT = 10**30
MAX_DIGITS = 34
MAX_TEXT = 256 * 1024
SHOWN, SHOWN_NAMES = 60, 12
SMALLEST = -100  # exponent of the first digit; below it a number only costs characters

Number: TypeAlias = int | Decimal
N = TypeVar("N", bound=Number)


_KINDS: dict[type, str] = {
    type(None): "null", bool: "bool", int: "int", Decimal: "decimal", str: "string",
    list: "list", dict: "object", Omit: "omit",
}  # fmt: skip
_CONTAINERS = (dict, list)


class Stop(Exception):
    """A run cannot go on. The text holds names and kinds, never values.

    Args:
        code: One of mapping.missing, .null, .kind, .text, .number, .large.
        text: May hold `{path}`: the written path of what was looked at.
    """

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(code, text)

    def told(self) -> str:
        """Tell in full what stopped the run."""
        return self.text


class Absent(Stop):
    """Something on the path is missing; `default` and `is defined` catch this one alone.

    Args:
        box: The object that was looked into; its names are told only if nobody catches.
    """

    def __init__(self, code: str, text: str, box: Mapping[str, Json] | None = None) -> None:
        super().__init__(code, text)
        self.box = box

    def told(self) -> str:
        """Tell what is missing, and what is there instead."""
        return self.text if self.box is None else self.text + _has(self.box)


def clipped(name: str) -> str:
    """Shorten a name that the data brought along."""
    return name if len(name) <= SHOWN else f"{name[: SHOWN - 1]}…"


def _has(box: Mapping[str, Json]) -> str:
    names = [clipped(name) for name in sorted(box)[:SHOWN_NAMES]]
    more = [f"and {len(box) - SHOWN_NAMES} more"] if len(box) > SHOWN_NAMES else []
    return f" (has: {', '.join(names + more)})" if names else " (it is empty)"


def kind(value: Json) -> str:
    """Name a value's kind in the language's words.

    >>> [kind(v) for v in (None, True, 1, "a", [], {})]
    ['null', 'bool', 'int', 'string', 'list', 'object']
    """
    return _KINDS.get(type(value), type(value).__name__)


def a_text(value: Json) -> str:
    """Give a string, or stop."""
    if type(value) is str:
        return value
    raise _wrong("string", value)


def a_list(value: Json) -> list[Json]:
    """Give a list, or stop."""
    if type(value) is list:
        return value
    raise _wrong("list", value)


def an_object(value: Json) -> dict[str, Json]:
    """Give an object, or stop."""
    if type(value) is dict:
        return value
    raise _wrong("object", value)


def an_int(value: Json) -> int:
    """Give a whole number within the limit, or stop; bool is no number."""
    if type(value) is int:
        return bounded(value)
    raise _wrong("int", value)


def a_number(value: Json) -> Number:
    """Give an int or Decimal within the limit, or stop; bool is no number."""
    if type(value) is int or type(value) is Decimal:
        return bounded(value)
    raise _wrong("number", value)


def _wrong(wanted: str, value: Json) -> Stop:
    code = "mapping.null" if value is None else "mapping.kind"
    return Stop(code, f"{{path}} wants {wanted}, found {kind(value)}")


def bounded(number: N) -> N:
    """Give the number back, unless it is beyond ±10³⁰ or no number at all."""
    if -LIMIT <= number <= LIMIT:
        return number
    raise Stop("mapping.number", "{path} gives a number beyond ±10^30")


def written(value: Json) -> str:
    """Write a value as it stands inside text: string, int, Decimal or bool only.

    >>> written(True), written(Decimal("1E+3")), written(-7)
    ('true', '1000', '-7')
    """
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(bounded(value))
    if type(value) is Decimal:
        return str(unfolded(value))
    code = "mapping.null" if value is None else "mapping.text"
    raise Stop(code, f"{{path}} gives {kind(value)}, which cannot stand in text")


def unfolded(value: Decimal) -> Decimal:
    """Give the same number without an exponent, so that `str` and JSON write plain digits."""
    if not value.is_finite() or (value and value.adjusted() < SMALLEST):
        raise Stop("mapping.number", "{path} gives a number that cannot be written")
    if "E" not in str(bounded(value)):
        return value
    return Decimal(format(value, "f")) if value else Decimal(0)


def same(one: Json, other: Json) -> bool:
    """Compare by value; 1 equals 1.0, true equals no number.

    >>> same(1, Decimal("1.0")), same(True, 1), same([True], [1])
    (True, False, False)
    """
    if type(one) not in _CONTAINERS and type(other) not in _CONTAINERS:
        return one == other and (type(one) is bool) == (type(other) is bool)
    left = [(one, other)]
    while left:
        a, b = left.pop()
        if type(a) is dict and type(b) is dict and a.keys() == b.keys():
            left.extend((a[key], b[key]) for key in a)
        elif type(a) is list and type(b) is list and len(a) == len(b):
            left.extend(zip(a, b, strict=True))
        elif type(a) in _CONTAINERS or type(b) in _CONTAINERS or not same(a, b):
            return False
    return True


def weight(value: Json, limit: int) -> int:
    """Say what looking at all of a value costs, in nodes of an expression; stop past the limit.

    >>> weight("x" * 800, 999), weight([1, 2, {"a": "b"}], 999)
    (101, 6)
    """
    total, left = 0, [value]
    while left and total <= limit:
        item = left.pop()
        total += 1
        if type(item) is str:
            total += len(item) >> 3
        elif type(item) is dict:
            left.extend(item.values())
            total += len(item)
        elif type(item) is list:
            left.extend(item)
    return total
