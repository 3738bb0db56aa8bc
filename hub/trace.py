"""What is under way, as traces tell it: spans, where somebody listens; nothing at all elsewhere.

A span knows names of the configuration, our own ids and words, a method and a status. Never a
query, a path with values, a header, a payload or a person.
Source: W3C Trace Context (traceparent); OpenTelemetry semantic conventions for HTTP, stable.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

Kind = Literal["server", "internal", "client"]
Field = str | int
_under_way: ContextVar[str | None] = ContextVar("traceparent", default=None)


class Span(Protocol):
    """Something under way."""

    @property
    def traceparent(self) -> str:
        """Give what names it to whoever goes on with it."""

    def note(self, name: str, value: Field) -> None:
        """Say more of it."""

    def fail(self, why: str) -> None:
        """Say that it came to nothing; a word of ours, never a message."""


class Spans(Protocol):
    """Begins spans and tells of them when they end."""

    def begin(
        self, name: str, kind: Kind, parent: str | None, fields: Mapping[str, Field]
    ) -> AbstractContextManager[Span]:
        """Begin one; `parent` is a traceparent, and may be hostile."""


class _Silent:
    traceparent = ""

    def note(self, name: str, value: Field) -> None: ...

    def fail(self, why: str) -> None: ...


_SILENT = _Silent()
_spans: Spans | None = None


def use(spans: Spans | None) -> None:
    """Tell of spans from here on, in this process; None: of none."""
    global _spans  # noqa: PLW0603 -- like metrics: one process, one listener
    _spans = spans


def on() -> bool:
    """Say whether somebody listens."""
    return _spans is not None


def current() -> str | None:
    """Give the traceparent of what is under way; None where nothing is traced."""
    return _under_way.get()


@contextmanager
def span(
    name: str, kind: Kind = "internal", *, parent: str | None = None, **fields: Field
) -> Iterator[Span]:
    """Tell of what goes on meanwhile; it follows from `parent`, else from what is under way."""
    if _spans is None:
        yield _SILENT
        return
    with _spans.begin(name, kind, parent or current(), fields) as begun:
        token = _under_way.set(begun.traceparent)
        try:
            yield begun
        finally:
            _under_way.reset(token)
