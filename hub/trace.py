"""What is under way, as traces tell it: spans, where somebody listens; nothing at all elsewhere.

A span knows names of the configuration, our own ids and words, a method and a status. Never a
query, a path with values, a header, a payload or a person.
Source: W3C Trace Context (traceparent); OpenTelemetry semantic conventions for HTTP, stable.
"""

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from typing import Literal, Protocol, Self

Kind = Literal["server", "internal", "client"]
Field = str | int


class Span(Protocol):
    """Something under way."""

    @property
    def traceparent(self) -> str:
        """Give what names it to whoever goes on with it."""

    def note(self, name: str, value: Field) -> None:
        """Say more of it."""

    def fail(self, why: str) -> None:
        """Say that it came to nothing; a word of ours, never a message."""

    def __enter__(self) -> Self:
        """Have it be what is under way."""

    def __exit__(self, *_: object) -> None:
        """Say that it is over."""


class Spans(Protocol):
    """Begins spans and tells of them when they end."""

    def begin(
        self, name: str, kind: Kind, parent: str | Span | None, fields: dict[str, Field]
    ) -> Span:
        """Begin one.

        Args:
            parent: A span of its own, or a traceparent, which may be hostile.
            fields: What is said of it; they are its own from here on.

        Returns:
            The parent itself, where neither is told of.
        """


class Meanwhile:
    """Is what is under way while it is entered, once."""

    _before: Token[Span | None]

    def __enter__(self) -> Self:
        self._before = _under_way.set(self)  # type: ignore[arg-type] # whoever inherits is a Span
        return self

    def __exit__(self, *_: object) -> None:
        _under_way.reset(self._before)


class Silent(Meanwhile):
    """A span that nobody is told of."""

    def __init__(self, traceparent: str = "") -> None:
        self.traceparent = traceparent

    def note(self, name: str, value: Field) -> None:
        """Forget it."""

    def fail(self, why: str) -> None:
        """Forget it."""


_under_way: ContextVar[Span | None] = ContextVar("span", default=None)
_NOBODY: AbstractContextManager[Span] = nullcontext(Silent())
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
    span = _under_way.get()
    return None if span is None else span.traceparent


def span(
    name: str, kind: Kind = "internal", *, parent: str | None = None, **fields: Field
) -> AbstractContextManager[Span]:
    """Tell of what goes on meanwhile; it follows from `parent`, else from what is under way."""
    if _spans is None:
        return _NOBODY
    above = _under_way.get()
    begun = _spans.begin(name, kind, parent or above, fields)
    return nullcontext(begun) if begun is above else begun
