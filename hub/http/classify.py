"""What an answer means: one table from status to error, and the provider's own words, cleaned.

Everything that may end in an error text passes `clean`: no secret, no e-mail address, no
telephone number, one short line.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from hub.errors import Ambiguous, AuthFailed, CallError, RateLimited, Reject, Retry
from hub.model import Json, read_json
from hub.plugin import Connector

DAY = 86_400.0
LONGEST_TEXT = 300

# What decides by its status alone; the rest follows in `default`.
TABLE: Mapping[int, type[CallError]] = {
    401: AuthFailed,
    403: AuthFailed,
    408: Ambiguous,
    425: Retry,
    429: RateLimited,
}


class Unreadable(Ambiguous):
    """An answer whose body is not the JSON that was asked for."""


class Received:
    """A provider's answer, read whole within the size cap."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Json:
        """Decode the body; raises Ambiguous where it cannot be read."""
        try:
            return read_json(self.body)
        except ValueError:
            raise Unreadable(f"answer {self.status} is not JSON") from None

    @property
    def html(self) -> bool:
        """Say whether a page came, where an API should have spoken."""
        return self.headers.get("Content-Type", "").lower().startswith("text/html")


def verdict(
    answer: Received, connector: Connector, *, now: datetime, secrets: Iterable[str] = ()
) -> CallError:
    """Turn an answer that is no 2xx into the error that tells the hub what to do.

    The connector's `classify` speaks first, then its `statuses`, then the table here.
    """
    error = _own(connector, answer) or _tabled(connector, answer, now)
    return _cleaned(error, tuple(secrets))


def default(status: int, *, after: float | None = None, html: bool = False) -> type[CallError]:
    """Give the table's row for a status.

    A page from something in front of the provider's API does not say what the API did.

    >>> default(422).__name__, default(503).__name__, default(503, after=7).__name__
    ('Reject', 'Ambiguous', 'RateLimited')
    """
    if status in TABLE:
        return TABLE[status]
    if status == 503 and after is not None:
        return RateLimited
    if 300 <= status < 400:
        return Reject
    return Ambiguous if status >= 500 or html else Reject


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date, as seconds from now, at most a day."""
    if not value:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{0,6})?\s*", value):
        return min(float(value), DAY)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), DAY)


def said(answer: Received) -> tuple[str, dict[str, str]]:
    """Read the provider's message and its field errors out of the usual JSON shapes.

    >>> body = b'{"errors": [{"message": "is taken", "field": "email"}]}'
    >>> said(Received(400, {}, body))
    ('is taken', {'email': 'is taken'})
    """
    try:
        body = read_json(answer.body)
    except ValueError:
        plain = answer.headers.get("Content-Type", "").lower().startswith("text/plain")
        return (answer.body[:LONGEST_TEXT].decode(errors="replace") if plain else ""), {}
    found = list(islice(_problems(body), 20))
    errors: dict[str, str] = {}
    for name, text in found:
        errors.setdefault(name, text)
    return (found[0][1] if found else ""), errors


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Make a text fit for errors and logs: no secret, no address, one short line.

    >>> clean("no such user a.b@example.com")
    'no such user ‹email›'
    """
    text = text[:2000]
    for secret in secrets:
        text = text.replace(secret, "‹secret›")
    text = _TELEPHONE.sub("‹phone›", _EMAIL.sub("‹email›", text))
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:LONGEST_TEXT]


_EMAIL = re.compile(r"[^\s@<>\"'(),:;]{1,64}(?:@|%40)[^\s@<>\"'(),:;]{1,255}")
_TELEPHONE = re.compile(r"\+[0-9][0-9 ()./-]{5,20}[0-9]")
_TEXTS = ("message", "detail", "error_description", "description", "title", "error", "code")
_FIELDS = ("field", "param", "in", "property", "path", "loc", "pointer")
_NESTS = ("error", "errors", "violations", "fields")


def _own(connector: Connector, answer: Received) -> CallError | None:
    """Ask the connector; a body it could not read leaves the answer to the tables."""
    try:
        return connector.classify(answer)
    except Unreadable:
        return None
    except CallError as error:
        return error


def _tabled(connector: Connector, answer: Received, now: datetime) -> CallError:
    after = retry_after(answer.headers.get("Retry-After"), now)
    row = connector.statuses.get(answer.status)
    kind = row or default(answer.status, after=after, html=answer.html)
    text, errors = said(answer)
    if 300 <= answer.status < 400:
        text = "redirects are not followed"
    line = f"{connector.name} answered {answer.status}" + (f": {text}" if text else "")
    if issubclass(kind, Reject):
        return kind(line, errors=errors)
    if issubclass(kind, Retry | RateLimited | Ambiguous):
        return kind(line, after=after)
    if issubclass(kind, AuthFailed):
        return kind(line, status=answer.status)
    return kind(line)


def _cleaned(error: CallError, secrets: tuple[str, ...]) -> CallError:
    error.args = (clean(str(error), secrets),)
    if isinstance(error, Reject):
        error.errors = {clean(k, secrets): clean(v, secrets) for k, v in error.errors.items()}
    return error


def _problems(body: Json) -> Iterator[tuple[str, str]]:
    """Yield (field, text), the outermost first."""
    if isinstance(body, str):
        yield "", body
    elif isinstance(body, list):
        for item in body:
            yield from _problems(item)
    elif isinstance(body, dict):
        if text := next((body[k] for k in _TEXTS if body.get(k) and isinstance(body[k], str)), ""):
            yield _field(body), text
        for key in _NESTS:
            yield from _nested(body.get(key))


def _nested(inner: Json) -> Iterator[tuple[str, str]]:
    """Yield from an error object, a list of them, or messages by field name."""
    named = isinstance(inner, dict) and not any(isinstance(inner.get(k), str) for k in _TEXTS)
    if not named:
        yield from () if isinstance(inner, str) else _problems(inner)
        return
    for name, value in inner.items():
        for _, text in _problems(value):
            yield name, text


def _field(problem: Mapping[str, Any]) -> str:
    source = problem.get("source")  # JSON:API: {"source": {"pointer": "/data/attributes/time"}}
    places = source if isinstance(source, dict) else problem
    value = next((places[k] for k in _FIELDS if places.get(k)), "")
    return ".".join(map(str, value)) if isinstance(value, list) else str(value)
