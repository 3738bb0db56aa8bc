"""Spans as OpenTelemetry's exporters take them; imported only where the extra `traces` is.

Whether a trace is told is asked of the SDK's sampler once, where it begins or reaches the hub; all
that follows goes by that answer. The SDK's own spans are not used: they cost several times as much.
What is costly waits until a span is read, by whom it is sent.
Source: opentelemetry-sdk 1.45; W3C Trace Context, level 2 (flags).
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from time import time_ns
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hub.trace import Field, Kind, Meanwhile, Silent, Span

KINDS = {"server": SpanKind.SERVER, "internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
SCOPE = InstrumentationScope("shop-hub")
SAMPLED, RANDOM = TraceFlags.SAMPLED, TraceFlags.RANDOM_TRACE_ID
FLAGS = tuple(TraceFlags(bits) for bits in range((SAMPLED | RANDOM) + 1))
WRITTEN = tuple(f"-{bits:02x}" for bits in FLAGS)
TRACE = len("00--") + 32  # characters of a traceparent before the id of the span
UNSET, ERROR = Status(StatusCode.UNSET), Status(StatusCode.ERROR)
FORMAT = TraceContextTextMapPropagator()
KEPT = 1024  # traceparents of jobs that were read


class Above(NamedTuple):
    """What a span follows from."""

    context: SpanContext
    traceparent: str


class Otel:
    """Spans of OpenTelemetry; a parent that is no traceparent begins a trace of its own.

    Args:
        provider: Its sampler, ids and resource are used.
        processor: Is told of every span that ends.
    """

    def __init__(self, provider: TracerProvider, processor: SpanProcessor) -> None:
        self.resource, self.processor = provider.resource, processor
        self._sampler, self._ids = provider.sampler, provider.id_generator
        self._known = lru_cache(KEPT)(_read)

    def begin(
        self, name: str, kind: Kind, parent: str | Span | None, fields: dict[str, Field]
    ) -> Span:
        """Begin a span; give the parent where nothing of its trace is told."""
        if isinstance(parent, Told):
            return self._follow(parent, name, kind, fields)
        if isinstance(parent, Untold):
            return parent
        traceparent = parent if isinstance(parent, str) else None
        if traceparent is None or kind == "server":
            return self._enter(_read(traceparent), name, kind, fields)
        if (above := self._known(traceparent)) is None:
            return self._enter(None, name, kind, fields)
        if above.context.trace_flags.sampled:
            return self._follow(above, name, kind, fields)
        return Untold(above.traceparent)

    def _enter(self, above: Above | None, name: str, kind: Kind, fields: dict[str, Field]) -> Span:
        """Ask whether to tell of what begins here, or comes from a caller."""
        around, parent = Context(), None
        if above is None:
            trace_id, random = self._ids.generate_trace_id(), self._ids.is_trace_id_random()
        else:
            parent = above.context
            trace_id, random = parent.trace_id, parent.trace_flags.random_trace_id
            around = set_span_in_context(NonRecordingSpan(parent), around)
        asked = self._sampler.should_sample(around, trace_id, name, KINDS[kind], _dotted(fields))
        sampled = asked.decision is Decision.RECORD_AND_SAMPLE
        flags = FLAGS[(SAMPLED if sampled else 0) | (RANDOM if random else 0)]
        span_id = self._ids.generate_span_id()
        its = SpanContext(trace_id, span_id, False, flags, asked.trace_state)
        if not sampled:
            return Untold(_written(its))
        return Told(self, its, _written(its), parent, name, kind, fields)

    def _follow(
        self, above: "Above | Told", name: str, kind: Kind, fields: dict[str, Field]
    ) -> "Told":
        parent, span_id = above.context, self._ids.generate_span_id()
        flags = FLAGS[parent.trace_flags & (SAMPLED | RANDOM)]
        its = SpanContext(parent.trace_id, span_id, False, flags, parent.trace_state)
        traceparent = f"{above.traceparent[:TRACE]}{span_id:016x}{WRITTEN[flags]}"
        return Told(self, its, traceparent, parent, name, kind, fields)


class Told(Meanwhile, ReadableSpan):
    """A span that is told of when it ends."""

    __slots__ = (
        "_before", "_home", "_kind_of", "context", "end_time", "fields", "name", "parent",
        "start_time", "status", "traceparent",
    )  # fmt: skip
    context: SpanContext
    parent: SpanContext | None
    name: str
    status: Status
    start_time: int
    end_time: int | None
    instrumentation_scope, events, links = SCOPE, (), ()
    dropped_attributes = dropped_events = dropped_links = 0

    def __init__(
        self, home: Otel, context: SpanContext, traceparent: str, parent: SpanContext | None,
        name: str, kind: Kind, fields: dict[str, Field],
    ) -> None:  # fmt: skip
        self._home, self.context, self.parent, self.name = home, context, parent, name
        self.traceparent, self._kind_of, self.fields = traceparent, kind, fields
        self.status, self.start_time, self.end_time = UNSET, time_ns(), None

    def note(self, name: str, value: Field) -> None:
        """Say more of it."""
        self.fields[name] = value

    def fail(self, why: str) -> None:
        """Say that it came to nothing."""
        self.fields["error.type"], self.status = why, ERROR

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.end_time = time_ns()
        self._home.processor.on_end(self)

    def get_span_context(self) -> SpanContext:
        """Give what names it."""
        return self.context

    @property
    def kind(self) -> SpanKind:
        """Give the library's word for its kind."""
        return KINDS[self._kind_of]

    @property
    def resource(self) -> Resource:
        """Give what tells of this hub."""
        return self._home.resource

    @property
    def attributes(self) -> Mapping[str, Field]:
        """Give what was said of it, by the names of the conventions."""
        return _dotted(self.fields)


class Untold(Silent):
    """What goes on in a trace that is not told: its name is handed on, and no more."""


def _read(traceparent: str | None) -> Above | None:
    if not traceparent:
        return None
    found = get_current_span(FORMAT.extract({"traceparent": traceparent}, Context()))
    its = found.get_span_context()
    return Above(its, _written(its)) if its.is_valid else None


def _written(its: SpanContext) -> str:
    return f"00-{its.trace_id:032x}-{its.span_id:016x}-{its.trace_flags:02x}"


def _dotted(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Name fields as the conventions do: a keyword has no dots, so it has `__` for them."""
    return {_name(one): value for one, value in fields.items()}


@cache
def _name(keyword: str) -> str:
    return keyword.replace("__", ".")
