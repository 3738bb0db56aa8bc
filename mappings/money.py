"""Filters on Money, `{amount, currency}` in minor units; exponents by ISO 4217.

Source: ISO 4217 list one, minor units (2026-01): all currencies not named here have two.
"""

from decimal import Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from hub.model import Json
from mappings.values import MAX_DIGITS, Stop, a_text, an_object, bounded, kind

if TYPE_CHECKING:
    from babel import Locale

_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXACT = Context(prec=MAX_DIGITS)
EXPONENTS = {code: places for places, codes in _BY_EXPONENT.items() for code in codes.split()}
_USUAL = 10**15
_places: dict[str, int] = {}  # of the codes that were met: three capital letters, so not many


def is_money(value: Json) -> bool:
    """Say whether a value is Money and nothing else."""
    return (
        type(value) is dict
        and type(value.get("amount")) is int
        and type(value.get("currency")) is str
    )


def _parts(value: Json) -> tuple[int, str]:
    found = an_object(value)
    if not is_money(found):
        has = ", ".join(
            f"{key}: {kind(found[key])}" for key in ("amount", "currency") if key in found
        )
        raise Stop("mapping.kind", f"{{path}} wants Money {{{{amount: int, currency: string}}}}, "
                   f"found an object with {has or 'neither'}")  # fmt: skip
    code = found["currency"]
    if not (len(code) == 3 and code.isascii() and code.isupper()):
        raise Stop("mapping.text", "{path}: a currency is three capital letters")
    return bounded(found["amount"]), code


def _read(value: Json) -> tuple[int, int]:
    """Give the amount and how many digits of it are behind the point."""
    amount, currency = _parts(value)
    return amount, _places.setdefault(currency, EXPONENTS.get(currency, 2))


def major(value: Json) -> Decimal:
    """`major`: the amount in whole units, exact.

    >>> major({"amount": 128450, "currency": "EUR"}), major({"amount": 500, "currency": "JPY"})
    (Decimal('1284.50'), Decimal('500'))
    """
    amount, places = _read(value)
    return Decimal(amount).scaleb(-places, _EXACT)


def money(value: Json) -> str:
    """`money`: the amount in whole units as text, by the currency's exponent."""
    if type(value) is dict:  # what nearly all Money is like, at once
        try:
            amount, places = value["amount"], _places[value["currency"]]
        except (KeyError, TypeError):
            return format(major(value), "f")
        if places == 2 and type(amount) is int and 100 <= amount < _USUAL:
            digits = str(amount)
            return f"{digits[:-2]}.{digits[-2:]}"
    return format(major(value), "f")


def minor(value: Json) -> int:
    """`minor`: the amount in minor units, as stored."""
    return _parts(value)[0]


def currency_of(value: Json) -> str:
    """`currency`: the ISO code."""
    return _parts(value)[1]


def locale_name(locale: Json) -> str:
    """Give a locale as babel writes it; "" would mean the machine's own."""
    if not a_text(locale):
        raise Stop("mapping.text", "{path}: a locale is wanted, found an empty text")
    return a_text(locale).replace("-", "_")


def format_money(value: Json, locale: Json) -> str:
    """`format_money`: as people of a locale write it."""
    amount, code = _parts(value)
    return _formatted(amount, code, locale_name(locale))


@lru_cache(maxsize=4096)  # a shop has few prices, and says each many times
def _formatted(amount: int, code: str, locale: str) -> str:
    from babel import UnknownLocaleError  # noqa: PLC0415 -- only some mappings need 30 MB of locales
    from babel.numbers import format_currency  # noqa: PLC0415

    whole = major({"amount": amount, "currency": code})
    try:
        return str(format_currency(whole, code, locale=_locale(locale)))
    except (UnknownLocaleError, ValueError) as error:
        raise Stop("mapping.text", "{path}: 'format_money' knows no such locale") from error


@lru_cache(maxsize=64)
def _locale(name: str) -> "Locale":
    from babel import Locale  # noqa: PLC0415

    return Locale.parse(name)
