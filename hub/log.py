"""Logs: structlog as JSON lines on standard error, and the one place where they are redacted.

Library records pass the same chain. A field named like a secret or a person is masked; a Secret
prints as its name anyway.
"""

import json
import logging
import re
import sqlite3
import sys
import traceback
from contextlib import suppress
from typing import Any, TextIO

from pydantic import ValidationError

from hub import trace
from hub.errors import HubError

MASKED = "‹masked›"
MOST_CAUSES = 10
LIBRARIES = "site-packages"
OURS = (HubError, OSError, sqlite3.OperationalError)
"""Errors whose messages hold no value of a row, a body or a call."""
PRIVATE = frozenset({
    "authorization", "api_key", "token", "secret", "password", "client_secret", "email", "phone",
    "first_name", "last_name", "address", "body", "payload", "headers",
})  # fmt: skip
_CREDENTIAL = re.compile(
    r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}|\b(sk|rk|pat|SG|whsec)[_.-][\w.-]{8,}"
)

_JSON = json.JSONEncoder(default=repr)  # made once: json.dumps makes one for every line
_QUOTED = re.compile(r"'.*'|\".*\"", re.DOTALL)


def setup(*, level: str = "INFO", text: bool = False) -> None:
    """Set up logging once per process.

    Args:
        text: Readable lines instead of JSON, for a person at a terminal.
    """
    import structlog  # noqa: PLC0415 -- see Logger

    shared: list[Any] = [
        traced,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(told),
    ]
    last: list[Any] = [redact, structlog.processors.EventRenamer("msg"), as_json]
    if text:
        last[-1] = structlog.dev.ConsoleRenderer(event_key="msg", colors=sys.stderr.isatty())
    # Our own lines do not go through the standard library's loggers: that takes four times as long.
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=structlog.WriteLoggerFactory(Quiet(sys.stderr)),  # type: ignore[arg-type]
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("aiohttp.access", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


class Quiet:
    """A stream that fails nobody who writes to it, full or gone: as logging's own handlers do."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Have it written, if it can be."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def as_json(_logger: Any, _method: str, record: dict[str, Any]) -> str:
    """Write a record as one line; what JSON has no word for, as it prints."""
    return _JSON.encode(record)


def told(exc_info: Any) -> str:
    """Write a traceback: where and what, and the message only of errors that are ours.

    A message of somebody else's may repeat the value it stumbled over. Of libraries only the
    place of the fault is shown.
    """
    chain: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(chain) < MOST_CAUSES:
        said = f": {error}" if isinstance(error, OURS) else ""
        chain.append(f"{_frames(error)}{type(error).__module__}.{type(error).__qualname__}{said}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\ncaused:\n".join(reversed(chain))


def _frames(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    kept = [f for n, f in enumerate(frames, 1) if n == len(frames) or LIBRARIES not in f.filename]
    return "".join(traceback.format_list(kept))


def why(error: Exception) -> str:
    """Say in a line why something failed, without a value: a refused one stands in quotes."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults)
    if isinstance(error, HubError):
        return str(error)
    if isinstance(error, ValueError):
        return _CREDENTIAL.sub(MASKED, _QUOTED.sub(MASKED, str(error)))
    return type(error).__name__


def redact(_logger: Any, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    """Mask private fields, and credentials wherever they stand in a text."""
    for name, value in record.items():
        if name in PRIVATE:
            record[name] = MASKED
        elif isinstance(value, str):
            record[name] = _CREDENTIAL.sub(MASKED, value)
    return record


class Logger:
    """A logger that is made when it first has something to say.

    structlog brings a tenth of a second of pretty tracebacks along, and most commands log nothing.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._made: Any = None

    def __getattr__(self, level: str) -> Any:
        if self._made is None:
            import structlog  # noqa: PLC0415

            self._made = structlog.get_logger(self._name)
        return getattr(self._made, level)


def traced(_logger: Any, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    """Name the trace that a line belongs to."""
    if (under_way := trace.current()) is not None:
        record.setdefault("trace_id", under_way.split("-")[1])
    return record


def get(name: str) -> Any:
    """Give a logger."""
    return Logger(name)
