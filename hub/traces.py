"""Traces by OpenTelemetry, the extra `traces`: set up by its own OTEL_ variables, or not at all.

Source: opentelemetry-sdk 1.45, "Environment Variable Specification".
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub import trace
from hub.errors import ConfigError, Fault
from hub.trace import Field, Kind

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as Told
    from opentelemetry.trace import Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
DISABLED = "OTEL_SDK_DISABLED"
SERVICE = "shop-hub"
FLUSH_WITHIN_MS = 5000


@contextmanager
def telling() -> Iterator[None]:
    """Tell a collector of spans meanwhile, where the environment names one.

    Raises:
        ConfigError: It names one, and the extra is not installed.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get(DISABLED) == "true":
        yield
        return
    provider = _provider()
    trace.use(Otel(provider))
    try:
        yield
    finally:
        trace.use(None)
        provider.force_flush(FLUSH_WITHIN_MS)
        provider.shutdown()


def _provider() -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        text = "traces are asked for by OTEL_EXPORTER_OTLP_ENDPOINT, and cannot be told"
        fix = "pip install 'shop-hub[traces]', or unset it"
        raise ConfigError(Fault(code="install.extra", text=text, fix=fix)) from error
    named = os.environ.get("OTEL_SERVICE_NAME") or SERVICE
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: named}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Otel:
    """Spans of OpenTelemetry; a parent that is no traceparent begins a trace of its own."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace as api  # noqa: PLC0415 -- an extra: only where it is used
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

        self._tracer: Tracer = provider.get_tracer("shop-hub")
        self._format = tracecontext.TraceContextTextMapPropagator()
        self._kinds = {
            "server": api.SpanKind.SERVER,
            "internal": api.SpanKind.INTERNAL,
            "client": api.SpanKind.CLIENT,
        }

    @contextmanager
    def begin(
        self, name: str, kind: Kind, parent: str | None, fields: Mapping[str, Field]
    ) -> Iterator["_Begun"]:
        """Begin a span, and end it afterwards."""
        from opentelemetry.context import Context  # noqa: PLC0415

        context = self._format.extract({"traceparent": parent} if parent else {}, Context())
        told = self._tracer.start_span(
            name, context, self._kinds[kind], attributes={_dotted(n): v for n, v in fields.items()}
        )
        its = told.get_span_context()
        traceparent = f"00-{its.trace_id:032x}-{its.span_id:016x}-{its.trace_flags:02x}"
        begun = _Begun(told, traceparent)
        try:
            yield begun
        finally:
            told.end()


class _Begun:
    """A span that has begun."""

    def __init__(self, told: "Told", traceparent: str) -> None:
        self._told, self.traceparent = told, traceparent

    def note(self, name: str, value: Field) -> None:
        """Say more of it."""
        self._told.set_attribute(name, value)

    def fail(self, why: str) -> None:
        """Say that it came to nothing."""
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

        self._told.set_attribute("error.type", why)
        self._told.set_status(Status(StatusCode.ERROR))


def _dotted(name: str) -> str:
    return name.replace("__", ".")
