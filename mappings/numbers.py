"""Exact arithmetic: whole numbers stay whole, all else is Decimal with 34 digits."""

import operator
from collections.abc import Callable
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)

from hub.model import Json
from mappings.values import (
    MAX_DIGITS,
    Number,
    Stop,
    a_number,
    an_int,
    bounded,
    kind,
)

_EXACT = Context(
    prec=MAX_DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)
_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN}
MAX_PLACES = 12


def _both(
    whole: Callable[[int, int], int] | None, exact: Callable[[Decimal, Decimal], Decimal]
) -> Callable[[Json, Json], Number]:
    """Make an operator: int with int by `whole`, everything else by `exact`."""

    def operate(one: Json, other: Json) -> Number:
        if whole and type(one) is int and type(other) is int:
            return bounded(whole(one, other))
        try:
            return bounded(exact(Decimal(a_number(one)), Decimal(a_number(other))))
        except DecimalException as error:
            raise _broken(error) from error

    return operate


def _broken(error: DecimalException) -> Stop:
    why = "division by zero" if isinstance(error, DivisionByZero) else "no such number"
    return Stop("mapping.number", f"{{path}}: {why}")


add = _both(operator.add, _EXACT.add)
subtract = _both(operator.sub, _EXACT.subtract)
multiply = _both(operator.mul, _EXACT.multiply)
_quotient = _both(None, _EXACT.divide)


def divide(one: Json, other: Json) -> Number:
    """Divide to 34 digits, half to even."""
    if a_number(other) == 0:
        raise Stop("mapping.number", "{path}: division by zero")
    return _quotient(one, other)


def floor_divide(one: Json, other: Json) -> int:
    """Divide whole numbers, rounding down."""
    a, b = an_int(one), an_int(other)
    if b == 0:
        raise Stop("mapping.number", "{path}: division by zero")
    return a // b


def modulo(one: Json, other: Json) -> int:
    """Give the rest of a whole division, with the divisor's sign."""
    a, b = an_int(one), an_int(other)
    if b == 0:
        raise Stop("mapping.number", "{path}: division by zero")
    return a % b


def negate(value: Json) -> Number:
    """Give the number below zero."""
    return -a_number(value)


def _ordered(holds: Callable[[Json, Json], bool]) -> Callable[[Json, Json], bool]:
    """Make a comparison of two numbers or two texts."""

    def compare(one: Json, other: Json) -> bool:
        if type(one) is str and type(other) is str:
            return holds(one, other)
        if kind(one) in ("int", "decimal") and kind(other) in ("int", "decimal"):
            return holds(one, other)
        raise Stop("mapping.kind", "{path} compares two numbers or two texts, found "
                   f"{kind(one)} and {kind(other)}")  # fmt: skip

    return compare


less = _ordered(operator.lt)
less_or_equal = _ordered(operator.le)
greater = _ordered(operator.gt)
greater_or_equal = _ordered(operator.ge)


# -- filters -----------------------------------------------------------------------------------
def to_int(value: Json) -> int:
    """`int`: a text of digits, or a number without a fraction."""
    number = to_decimal(value)
    if number != number.to_integral_value():
        raise Stop("mapping.number", "{path}: 'int' wants no fraction; use round first")
    return int(number)


def to_decimal(value: Json) -> Decimal:
    """`decimal`: a number, or a text that is one."""
    if type(value) is str:
        value = _read(value)
    return Decimal(a_number(value))


def _read(text: str) -> Decimal:
    digits = text.strip().removeprefix("-")
    if len(text) > 100 or not digits.isascii() or not digits.replace(".", "", 1).isdecimal():
        raise Stop("mapping.number", "{path} wants a text that is a number")
    return Decimal(text.strip())


def absolute(value: Json) -> Number:
    """`abs`: without the sign."""
    number = a_number(value)
    return -number if number < 0 else number


def rounded(value: Json, digits: Json = 0, mode: Json = "half_up") -> Number:
    """`round`: to so many places; a whole number where there are none."""
    places, number = an_int(digits), a_number(value)
    if mode not in _MODES:
        raise Stop("mapping.text", f"{{path}}: 'round' knows the modes {', '.join(_MODES)}")
    if not 0 <= places <= MAX_PLACES:
        raise Stop("mapping.number", f"{{path}}: 'round' takes 0 to {MAX_PLACES} digits")
    try:
        near = Decimal(number).quantize(
            Decimal(1).scaleb(-places), rounding=_MODES[mode], context=Context(prec=60)
        )
    except DecimalException as error:
        raise _broken(error) from error
    return near if places else int(near)
