"""Traces by OpenTelemetry: a span for each request, and one for each attempt as its child.

Exporter, sampling and resource are configured by the standard variables `OTEL_*`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hookwright_server.telemetry.traces import Fields, Span

_CLOSE_S = 5.0
_PROPAGATOR = TraceContextTextMapPropagator()


class OtelTracer:
    """See `Tracer`."""

    def __init__(self, processor: SpanProcessor, version: str) -> None:
        ours = {"service.name": "hookwright", "service.version": version}
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        # atexit would wait for a collector that is gone longer than `close` does.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("hookwright", version)

    def request(self, operation: str, given: str | None) -> Span:
        span = self._tracer.start_span(operation, context=_context(given), kind=SpanKind.SERVER)
        return _Recorded(span)

    def attempt(self, parent: str, fields: Fields) -> Span:
        span = self._tracer.start_span(
            "attempt",
            context=_context(parent),
            kind=SpanKind.CLIENT,
            attributes=_named(fields),
        )
        return _Recorded(span)

    def close(self) -> None:
        # A collector that does not answer must not hold up the end of the process.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_S)


def otlp_tracer(version: str) -> OtelTracer:
    """Exports by OTLP over HTTP, in the background."""
    return OtelTracer(BatchSpanProcessor(OTLPSpanExporter()), version)


class _Recorded:
    """A span of the SDK as ours."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: OtelSpan) -> None:
        context = span.get_span_context()
        flags = int(context.trace_flags)
        self._span = span
        self.traceparent: str | None = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"
        )

    def end(self, fields: Fields, error: str | None = None) -> None:
        self._span.set_attributes(_named(fields))
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


# Only these have names of OpenTelemetry's own; the rest are ours.
_STANDARD = {"status": "http.response.status_code", "method": "http.request.method"}


def _named(fields: Fields) -> Mapping[str, str | int]:
    return {_STANDARD.get(name, f"hookwright.{name}"): value for name, value in fields.items()}


def _context(traceparent: str | None) -> Context:
    carrier = {} if traceparent is None else {"traceparent": traceparent}
    return _PROPAGATOR.extract(carrier, Context())
