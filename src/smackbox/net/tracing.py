"""Traces by OpenTelemetry: from the POST of an event to its row. Off unless `smackbox[otel]` is installed and the
environment names a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`, or `OTEL_TRACES_EXPORTER=otlp`).

A POST continues the caller's `traceparent` and writes its own into the records' headers (W3C Trace Context). A
micro-batch is a span whose parent is the first record's; the others' are links.
Source: https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Any

TRACEPARENT = "traceparent"
LINKS_LIMIT = 128
"""Links of a batch's span: OpenTelemetry's own default."""

SCANNED_LIMIT = 1_000
"""Records of a batch whose headers are looked at."""

CLOSE_TIMEOUT_S = 3.0
SERVER_ERROR = 500
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
log = logging.getLogger(__name__)


def open_tracing(service: str, environ: Mapping[str, str] | None = None) -> Tracing | None:
    """The tracing of a process; None where it is off. `service` is its name where `OTEL_SERVICE_NAME` gives none."""
    environ = os.environ if environ is None else environ
    exporter = environ.get("OTEL_TRACES_EXPORTER", "")
    wanted = exporter == "otlp" or (not exporter and any(environ.get(name) for name in _ENDPOINTS))
    if not wanted or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        found = find_spec("opentelemetry.sdk.trace") and find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        found = None
    if found is None:
        log.warning("the environment asks for traces, which need: pip install 'smackbox[otel]'")
        return None
    return Tracing(environ.get("OTEL_SERVICE_NAME") or service)


class Tracing:
    """Spans of one process, exported in batches by a thread; what a collector does not take in time is dropped."""

    def __init__(self, service: str) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace = trace
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("smackbox")
        self._propagator = TraceContextTextMapPropagator()

    def post(self, path: str, traceparent: bytes | None, topic: str) -> Any:
        """The span of a request, which continues the caller's; `end_post` ends it."""
        attributes = {"http.request.method": "POST", "http.route": path, "messaging.destination.name": topic}
        return self._tracer.start_span(
            f"POST {path}", self._context(traceparent), kind=self._trace.SpanKind.SERVER, attributes=attributes
        )

    def end_post(self, span: Any, status: int) -> None:
        """The request is answered."""
        span.set_attribute("http.response.status_code", status)
        if status >= SERVER_ERROR:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()

    def header(self, span: Any) -> tuple[str, bytes]:
        """The header of a record that belongs to a span."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, self._trace.set_span_in_context(span))
        return TRACEPARENT, carrier[TRACEPARENT].encode()

    @contextmanager
    def batch(self, stream: str, records: Iterable[Any], count: int) -> Iterator[None]:
        """The span of a micro-batch while the block runs."""
        contexts = self._contexts(records)
        parent = self._context(contexts[0]) if contexts else None
        links = [self._trace.Link(self._span_context(one)) for one in contexts[1:]]
        attributes = {"messaging.system": "kafka", "messaging.batch.message_count": count, "smackbox.stream": stream}
        with self._tracer.start_as_current_span(
            f"batch {stream}", parent, kind=self._trace.SpanKind.CONSUMER, links=links, attributes=attributes
        ):
            yield

    def step(self, name: str) -> AbstractContextManager[Any]:
        """A child of the span that is current."""
        span: AbstractContextManager[Any] = self._tracer.start_as_current_span(name)
        return span

    def close(self) -> None:
        """Export what is left, for at most `CLOSE_TIMEOUT_S`: a collector that is away must not hold up a stop."""
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(CLOSE_TIMEOUT_S)

    def _contexts(self, records: Iterable[Any]) -> list[bytes]:
        """The distinct contexts of the first records, in their order."""
        found: dict[bytes, None] = {}
        for _, record in zip(range(SCANNED_LIMIT), records, strict=False):
            headers = getattr(record, "headers", None)
            for name, value in (headers() if headers is not None else None) or ():
                if name == TRACEPARENT and value and self._span_context(value).is_valid:
                    found[value] = None
            if len(found) > LINKS_LIMIT:
                break
        return list(found)

    def _context(self, traceparent: bytes | None) -> Any:
        carrier = {TRACEPARENT: traceparent.decode("latin-1")} if traceparent else {}
        return self._propagator.extract(carrier)

    def _span_context(self, traceparent: bytes) -> Any:
        return self._trace.get_current_span(self._context(traceparent)).get_span_context()
