"""Traces by OpenTelemetry, the extra `traces`: set up by its own OTEL_ variables, or not at all.

Source: opentelemetry-sdk 1.45, "Environment Variable Specification".
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub import trace
from hub.errors import ConfigError, Fault

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

    from hub.spans import Otel

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
    spans, processor = _set_up()
    trace.use(spans)
    try:
        yield
    finally:
        trace.use(None)
        processor.force_flush(FLUSH_WITHIN_MS)
        processor.shutdown()


def _set_up() -> "tuple[Otel, SpanProcessor]":
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        from hub.otlp import Exporter  # noqa: PLC0415
        from hub.spans import Otel  # noqa: PLC0415
    except ImportError as error:
        text = "traces are asked for by OTEL_EXPORTER_OTLP_ENDPOINT, and cannot be told"
        fix = "pip install 'shop-hub[traces]', or unset it"
        raise ConfigError(Fault(code="install.extra", text=text, fix=fix)) from error
    named = os.environ.get("OTEL_SERVICE_NAME") or SERVICE
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: named}), shutdown_on_exit=False
    )
    processor = BatchSpanProcessor(Exporter())
    return Otel(provider, processor), processor
