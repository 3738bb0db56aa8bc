"""The typed scalars of config.yaml: durations, sizes, whole numbers, addresses, as pydantic types.

No bare number stands for a time or a size. A refusal is a PydanticCustomError whose type is the
fault's code, and whose context may carry a `fix`; none of them repeats the value, which may have
come out of a reference.
"""

import re
from datetime import date, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, NamedTuple, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
LONGEST = Decimal(3650 * 86400)
_AMOUNT = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([A-Za-z]+)")
_WHOLE = re.compile(r"-?\d{1,15}")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,3})?) ?%")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int


def refuse(code: str, text: str, fix: str = "") -> NoReturn:
    """Refuse a value under a code of the error catalogue; `text` follows the key's name."""
    raise PydanticCustomError(code, "{text}", {"text": text, "fix": fix})


def duration(value: Any) -> Any:
    """Read `500ms`, `30s`, `15m`, `4h`, `8d`.

    >>> duration("1.5h")
    datetime.timedelta(seconds=5400)
    """
    if isinstance(value, timedelta):
        return value
    number = _amount(value, SECONDS, "a duration with a unit (ms, s, m, h, d)", "30s")
    if not number:
        refuse("value.range", "must be longer than nothing")
    if number > LONGEST:
        refuse("value.range", "must be at most 3650d")
    return timedelta(seconds=float(number))


def size(value: Any) -> Any:
    """Read `512B`, `64KiB`, `1MiB`, `2GiB` as bytes.

    >>> size("64KiB")
    65536
    """
    return int(_amount(value, BYTES, "a size with a unit (B, KiB, MiB, GiB)", "512B"))


def _amount(value: Any, units: dict[str, Any], wanted: str, example: str) -> Decimal:
    found = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[2] not in units:
        bare = isinstance(value, int | Decimal) and not isinstance(value, bool)
        refuse("value.unit", f"wants {wanted}", _with_unit(value, example) if bare else example)
    return Decimal(found[1]) * Decimal(units[found[2]])


def _with_unit(value: Any, example: str) -> str:
    return f"{value}{example.lstrip('0123456789')}"


def whole(value: Any) -> Any:
    """Take an int, or its digits out of a reference; never a bool."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        refuse("value.type", "wants a whole number")
    return value


def number(value: Any) -> Any:
    """Take an int or a number with a point; never a bool."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        refuse("value.type", "wants a number")
    return float(value)


def percent(value: Any) -> Any:
    """Read `20%` as a part of one.

    >>> percent("20%")
    0.2
    """
    if isinstance(value, float):
        return value
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is None or float(found[1]) > 100:
        refuse("value.unit", "wants a percentage, 0% to 100%", "20%")
    return float(Decimal(found[1]) / 100)


def address(value: Any) -> Any:
    """Read `host:port`; an IPv6 host stands in brackets.

    >>> address("[::1]:8080")
    Address(host='::1', port=8080)
    """
    if isinstance(value, Address):
        return value
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535:
        refuse("value.type", "wants host:port", "127.0.0.1:8080")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def time_zone(value: Any) -> Any:
    """Take the name of an IANA time zone."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        refuse("value.choice", "wants the name of a time zone", "Europe/Berlin")
    return value


def network(value: Any) -> Any:
    """Read a network as CIDR.

    >>> network("10.0.0.0/8")
    IPv4Network('10.0.0.0/8')
    """
    try:
        return ip_network(value) if isinstance(value, str) else value
    except ValueError:
        refuse("value.type", "wants a network, its host bits zero", "10.0.0.0/8")


def day(value: Any) -> Any:
    """Read `2026-03-31`."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        refuse("value.type", "wants a date", "2026-03-31")


def listed(value: Any) -> Any:
    """Take one thing for a list of one."""
    return value if isinstance(value, list | tuple) else [value]


Duration = Annotated[timedelta, BeforeValidator(duration)]
Size = Annotated[int, BeforeValidator(size), Field(ge=1)]
Count = Annotated[int, BeforeValidator(whole), Field(ge=1)]
Number = Annotated[float, BeforeValidator(number)]
Share = Annotated[float, BeforeValidator(percent)]
Listen = Annotated[Address, BeforeValidator(address)]
TimeZone = Annotated[str, BeforeValidator(time_zone)]
Cidr = Annotated[IPv4Network | IPv6Network, BeforeValidator(network)]
Day = Annotated[date, BeforeValidator(day), Field(strict=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
EventType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Minor = Annotated[int, BeforeValidator(whole), Field(ge=0)]
