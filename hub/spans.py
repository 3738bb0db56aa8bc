"""Spans as OpenTelemetry's exporters take them; imported only where the extra `traces` is.

Whether a trace is told is asked of the SDK's sampler once, where it begins or reaches the hub; all
that follows goes by that answer. The SDK's own spans are not used: they cost several times as much.
Source: opentelemetry-sdk 1.45; W3C Trace Context, level 2 (flags).
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from time import time_ns

from opentelemetry.context import Context
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

from hub.trace import Field, Kind, Silent, Span

KINDS = {"server": SpanKind.SERVER, "internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
SCOPE = InstrumentationScope("shop-hub")
SAMPLED, RANDOM = TraceFlags.SAMPLED, TraceFlags.RANDOM_TRACE_ID
FLAGS = tuple(TraceFlags(bits) for bits in range((SAMPLED | RANDOM) + 1))
UNSET, ERROR = Status(StatusCode.UNSET), Status(StatusCode.ERROR)
FORMAT = TraceContextTextMapPropagator()
KEPT = 1024  # traceparents of jobs that were read


class Otel:
    """Spans of OpenTelemetry; a parent that is no traceparent begins a trace of its own.

    Args:
        provider: Its sampler, ids and resource are used.
        processor: Is told of every span that ends.
    """

    def __init__(self, provider: TracerProvider, processor: SpanProcessor) -> None:
        self._sampler, self._ids = provider.sampler, provider.id_generator
        self._resource, self._processor = provider.resource, processor
        self._known = lru_cache(KEPT)(_read)

    def begin(
        self, name: str, kind: Kind, parent: str | Span | None, fields: Mapping[str, Field]
    ) -> Span:
        """Begin a span; give the parent where nothing of its trace is told."""
        if isinstance(parent, Untold):
            return parent
        if isinstance(parent, Told):
            return self._follow(parent.context, name, kind, fields)
        traceparent = parent if isinstance(parent, str) else None
        if traceparent is None or kind == "server":
            return self._enter(_read(traceparent), name, kind, fields)
        if (above := self._known(traceparent)) is None:
            return self._enter(None, name, kind, fields)
        if above.trace_flags.sampled:
            return self._follow(above, name, kind, fields)
        return Untold(_written(above))

    def _enter(
        self, above: SpanContext | None, name: str, kind: Kind, fields: Mapping[str, Field]
    ) -> Span:
        """Ask whether to tell of what begins here, or comes from a caller."""
        around, said = Context(), _dotted(fields)
        if above is None:
            trace_id, random = self._ids.generate_trace_id(), self._ids.is_trace_id_random()
        else:
            trace_id, random = above.trace_id, above.trace_flags.random_trace_id
            around = set_span_in_context(NonRecordingSpan(above), around)
        asked = self._sampler.should_sample(around, trace_id, name, KINDS[kind], said)
        sampled = asked.decision is Decision.RECORD_AND_SAMPLE
        flags = (SAMPLED if sampled else 0) | (RANDOM if random else 0)
        its = SpanContext(
            trace_id, self._ids.generate_span_id(), False, FLAGS[flags], asked.trace_state
        )
        if not sampled:
            return Untold(_written(its))
        return Told(self._finish, its, above, name, kind, said)

    def _follow(
        self, above: SpanContext, name: str, kind: Kind, fields: Mapping[str, Field]
    ) -> "Told":
        its = SpanContext(
            above.trace_id,
            self._ids.generate_span_id(),
            False,
            FLAGS[above.trace_flags & (SAMPLED | RANDOM)],
            above.trace_state,
        )
        return Told(self._finish, its, above, name, kind, _dotted(fields))

    def _finish(self, span: "Told") -> None:
        self._processor.on_end(
            ReadableSpan(
                span.name,
                context=span.context,
                parent=span.parent,
                resource=self._resource,
                attributes=span.fields,
                kind=KINDS[span.kind],
                status=span.status,
                start_time=span.began,
                end_time=time_ns(),
                instrumentation_scope=SCOPE,
            )
        )


class Told:
    """A span that is told of when it ends."""

    __slots__ = (
        "_finish", "began", "context", "fields", "kind", "name", "parent", "status", "traceparent",
    )  # fmt: skip

    def __init__(
        self, finish: Callable[["Told"], None], context: SpanContext, parent: SpanContext | None,
        name: str, kind: Kind, fields: dict[str, Field],
    ) -> None:  # fmt: skip
        self._finish, self.context, self.parent = finish, context, parent
        self.name, self.kind, self.fields, self.status = name, kind, fields, UNSET
        self.traceparent, self.began = _written(context), time_ns()

    def note(self, name: str, value: Field) -> None:
        """Say more of it."""
        self.fields[name] = value

    def fail(self, why: str) -> None:
        """Say that it came to nothing."""
        self.fields["error.type"], self.status = why, ERROR

    def end(self) -> None:
        """Say that it is over."""
        self._finish(self)


class Untold(Silent):
    """What goes on in a trace that is not told: its name is handed on, and no more."""


def _read(traceparent: str | None) -> SpanContext | None:
    if not traceparent:
        return None
    found = get_current_span(FORMAT.extract({"traceparent": traceparent}, Context()))
    its = found.get_span_context()
    return its if its.is_valid else None


def _written(its: SpanContext) -> str:
    return f"00-{its.trace_id:032x}-{its.span_id:016x}-{its.trace_flags:02x}"


def _dotted(fields: Mapping[str, Field]) -> dict[str, Field]:
    return {_name(one): value for one, value in fields.items()}


@cache
def _name(keyword: str) -> str:
    return keyword.replace("__", ".")
