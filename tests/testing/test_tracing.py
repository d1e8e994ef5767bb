"""One trace from POST to row, as a collector gets it over OTLP/HTTP; and a topic in Avro on the way."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import smackbox as sb
from smackbox.net.tracing import LINKS_LIMIT, Tracing, open_tracing
from smackbox.testing.fixtures import Smack

TRACE = bytes(range(16))
CALLER = f"00-{TRACE.hex()}-00000000000000ff-01"


class Collector:
    """A collector of traces: every span that was sent, by its name."""

    def __init__(self) -> None:
        spans: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.spans = spans
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    yield collector
    collector.server.shutdown()
    thread.join()
    collector.server.server_close()


class Event(msgspec.Struct, frozen=True):
    id: int
    name: str = ""


def application(kind: Any) -> sb.App:
    app = sb.App("traced")
    raw = app.topic("raw", Event, format=kind)
    app.post("/events", to=raw)
    app.stream(raw, to=app.table("event", Event, primary_key="id"), every=timedelta(0))
    return app


@pytest.mark.parametrize("kind", ["json", "avro"])
def test_one_trace_from_post_to_row(smack: Smack, collector: Collector, kind: str) -> None:
    with smack.run(application(kind)) as running:
        request = urllib.request.Request(
            f"{running.url}/events", b'[{"id": 1, "name": "a"}, {"id": 2}]', {"traceparent": CALLER}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.status == 202
        assert running.post("/events", {"id": 3})[0] == 202
        assert running.post("/events", {"id": "x"})[0] == 400
        running.settle()
        session = smack.cassandra.connect("traced")
        assert sorted(tuple(row) for row in session.execute("SELECT id, name FROM event")) == [
            (1, "a"),
            (2, ""),
            (3, ""),
        ]
    posts = collector.named("POST /events")
    assert len(posts) == 3
    first = next(span for span in posts if span.trace_id == TRACE)
    assert first.parent_span_id.hex() == "00000000000000ff"
    ours = [span for span in collector.spans if span.trace_id == TRACE]  # of one batch, or of one for each event
    by_name = {name: {span.span_id: span for span in ours if span.name == name} for name in {one.name for one in ours}}
    batches, computed = by_name["batch raw_to_event"], by_name["compute"]
    assert {span.parent_span_id for span in batches.values()} == {first.span_id}
    assert {span.parent_span_id for span in computed.values()} == batches.keys()
    assert {span.parent_span_id for span in by_name["commit"].values()} == batches.keys()
    assert {span.parent_span_id for span in by_name["write"].values()} == computed.keys()
    others = {span.trace_id for span in posts} - {TRACE}
    assert {link.trace_id for span in batches.values() for link in span.links} <= others


def test_links_are_bounded(collector: Collector) -> None:
    class Record(msgspec.Struct):
        number: int

        def headers(self) -> Any:
            return [("traceparent", f"00-{self.number + 1:032x}-{1:016x}-01".encode()), ("x", None)]

    tracing = Tracing("test")
    with tracing.batch("s", [Record(number) for number in range(LINKS_LIMIT * 3)], 1):
        pass
    with tracing.batch("s", [object(), msgspec.structs.replace(Record(-1))], 1):  # no headers, and an invalid context
        pass
    tracing.close()
    assert [len(span.links) for span in collector.named("batch s")] == [LINKS_LIMIT, 0]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
    ],
)
def test_it_is_off_unless_the_environment_asks(environ: dict[str, str]) -> None:
    assert open_tracing("x", environ) is None
