"""What HubSpot's refusals mean: one body shape, of which every field may be missing.

Source: https://developers.hubspot.com/docs/api-reference/error-handling (2026-03).
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub import (
    Answer,
    AuthFailed,
    CallError,
    Json,
    RateLimited,
    Reject,
    Retry,
    read_json,
)

_ADDRESS = re.compile(r"[^\s\"'<>(),:]+@[^\s\"'<>(),:]+")
_LONGEST = 500
_PAUSES = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}  # a 429 need not say Retry-After
_ONE_HOUR = 3600.0


class Conflict(Reject):
    """Another record has this unique value already; HubSpot's words name its id."""


def zone(name: str) -> tzinfo:
    """Give a time zone by name; UTC needs no table on the machine."""
    return UTC if name == "UTC" else ZoneInfo(name)


def known_zone(name: str) -> str:
    """Give the name back where this machine knows the zone; else raise ValueError."""
    try:
        zone(name)
    except LookupError as error:
        raise ValueError(f"no time zone '{name}'") from error
    return name


def classify(answer: Answer, local: tzinfo) -> CallError | None:
    """Read an answer that is no 2xx; None leaves it to the hub's table.

    Args:
        answer: As it came; 5xx and bodies that are no JSON are the table's.
        local: The account's time zone, at whose midnight the daily limit starts anew.
    """
    status, body = answer.status, _body(answer)
    if status == 429:
        return _limited(answer, body, local)
    if status in (423, 477):  # Source: error-handling page, "locked" and "migration in progress"
        return Retry(_text(status, body), after=_seconds(answer))
    if status >= 500 or status in (408, 425) or not body:
        return None
    if status in (401, 403):
        return AuthFailed(_text(status, body))
    return refusal(body, status)


def refusal(body: dict[str, Any], status: int | str = "") -> Reject:
    """Turn an error body, or one entry of a 207's `errors`, into a Reject with field errors."""
    taken = body.get("category") == "CONFLICT" or status == 409
    return (Conflict if taken else Reject)(_text(status, body), errors=field_errors(body))


def field_errors(body: dict[str, Any]) -> dict[str, str]:
    """Name each refused property with HubSpot's own words; "" where it names none."""
    message = str(body.get("message", ""))
    parts = [e for e in _list(body.get("errors")) if isinstance(e, dict)] or _embedded(message)
    named = {_field(part): _scrub(part.get("message")) for part in parts}
    return named or {"": _scrub(message)}


def _field(part: dict[str, Any]) -> str:
    context = part.get("context")
    names = _list(context.get("propertyName")) if isinstance(context, dict) else []
    return str((names or [part.get("name") or part.get("in") or ""])[0])


def _embedded(message: str) -> list[dict[str, Any]]:
    """Give the list that "Property values were not valid: [{…}]" carries inside its text."""
    _, bracket, rest = message.partition("[")
    try:
        found = read_json(bracket + rest)
    except ValueError:
        return []
    return [part for part in _list(found) if isinstance(part, dict)]


def _limited(answer: Answer, body: dict[str, Any], local: tzinfo) -> RateLimited:
    policy = str(body.get("policyName", ""))
    if "DAILY" in policy:
        return RateLimited(_text(429, body), after=_until_midnight(answer, local))
    after = _seconds(answer)
    return RateLimited(_text(429, body), after=_PAUSES.get(policy) if after is None else after)


def _until_midnight(answer: Answer, local: tzinfo) -> float:
    """Count the seconds to midnight in `local`, by the provider's own clock."""
    try:
        now = parsedate_to_datetime(_header(answer, "Date")).astimezone(local)
    except (TypeError, ValueError, OverflowError):
        return _ONE_HOUR
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), local)
    return max((midnight.astimezone(UTC) - now.astimezone(UTC)).total_seconds(), 1.0)


def _seconds(answer: Answer) -> float | None:
    stated = _header(answer, "Retry-After")
    return float(stated) if stated.isascii() and stated.isdigit() else None


def _header(answer: Answer, name: str) -> str:
    values = (value for key, value in answer.headers.items() if key.lower() == name.lower())
    return next(values, "").strip()


def _body(answer: Answer) -> dict[str, Any]:
    try:
        body = read_json(answer.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _text(status: int | str, body: dict[str, Any]) -> str:
    words = [
        "HubSpot answered",
        status,
        body.get("category"),
        body.get("policyName"),
        body.get("message"),
    ]
    return _scrub(" ".join(str(word) for word in words if word))


def _scrub(text: Json) -> str:
    """Take e-mail addresses out of HubSpot's words, and cut them short."""
    return _ADDRESS.sub("‹email›", str(text or ""))[:_LONGEST]


def _list(value: Json) -> list[Any]:
    return value if isinstance(value, list) else []
