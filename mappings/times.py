"""Filters on times: ISO 8601 texts with an offset. There is no clock here."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.model import Json, rfc3339
from mappings.money import locale_name
from mappings.values import Stop, a_text

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
STYLES = ("short", "medium", "long", "full")


def _read(value: Json) -> datetime:
    text = a_text(value)
    try:
        at = datetime.fromisoformat(text) if len(text) <= 40 and "T" in text.upper() else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Stop("mapping.text", "{path} wants a time like 2026-03-01T09:30:00Z, with an offset")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise Stop("mapping.number", "{path}: a time out of range") from error


def _zone(name: Json) -> ZoneInfo:
    try:
        return ZoneInfo(a_text(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Stop("mapping.text", "{path} knows no such time zone") from error


def iso(value: Json) -> str:
    """`iso`: in UTC, ending in Z.

    >>> iso("2026-03-01T10:30:00+01:00")
    '2026-03-01T09:30:00Z'
    """
    return rfc3339(_read(value))


def epoch(value: Json) -> int:
    """`epoch`: whole seconds since 1970, rounded down."""
    return epoch_us(value) // 1_000_000


def epoch_ms(value: Json) -> int:
    """`epoch_ms`: whole milliseconds since 1970, rounded down."""
    return epoch_us(value) // 1000


def epoch_us(value: Json) -> int:
    """`epoch_us`: microseconds since 1970."""
    return (_read(value) - _START) // _MICROSECOND


def date(value: Json, tz: Json = "UTC") -> str:
    """`date`: the day there, as YYYY-MM-DD."""
    return _there(value, tz).date().isoformat()


def format_date(value: Json, locale: Json, style: Json = "medium", tz: Json = "UTC") -> str:
    """`format_date`: the day there, as people of a locale write it."""
    from babel import UnknownLocaleError  # noqa: PLC0415 -- only some mappings need 30 MB of locales
    from babel.dates import format_date as formatted  # noqa: PLC0415

    if style not in STYLES:
        raise Stop("mapping.text", f"{{path}}: 'format_date' knows the styles {', '.join(STYLES)}")
    try:
        day = _there(value, tz).date()
        return str(formatted(day, format=style, locale=locale_name(locale)))
    except (UnknownLocaleError, ValueError) as error:
        raise Stop("mapping.text", "{path}: 'format_date' knows no such locale") from error


def _there(value: Json, tz: Json) -> datetime:
    try:
        return _read(value).astimezone(_zone(tz))
    except OverflowError as error:
        raise Stop("mapping.number", "{path}: a time out of range") from error
