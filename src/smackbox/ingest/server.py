"""The HTTP endpoint: it checks events against their type and writes them to Kafka; it answers 202 once the broker has
acknowledged all of them.

    202 {"accepted": n}   every event of the body is in the log
    400 {"accepted": n, "errors": [{"index": i, "path": "$.type", "reason": "…"}]}
                          some are invalid; n others are in the log (by the policy for the body's shape); the invalid
                          originals are in the dead-letter topic
    401 404 405 408 413 415 431   {"error": "…"}: the request itself cannot be served
    503 and Retry-After   the bounded queue is full, or the broker did not answer in time: send all of it again

After a 503 some events of the body may be in the log: senders must repeat the whole body, and readers drop duplicates
by the event's identity. A 202 or a 400 is final.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any

import msgspec

from smackbox.base.errors import LimitError, StartError
from smackbox.ingest.access import HEADERS, Access
from smackbox.ingest.events import Body, EventDecoder, Refusal
from smackbox.ingest.metrics import IngestCollector, RouteCounts
from smackbox.ingest.route import Route, check_routes
from smackbox.ingest.settings import IngestSettings, Policy
from smackbox.ingest.sink import Failure, Record, Sink
from smackbox.net import content_encoding
from smackbox.net.content_encoding import unpack
from smackbox.net.http1 import HttpServer
from smackbox.net.http_exchange import Exchange
from smackbox.net.http_limits import HttpLimits
from smackbox.net.listener import bind
from smackbox.net.metrics_endpoint import MetricsEndpoint
from smackbox.net.tls import server_context, unverified
from smackbox.net.tracing import Tracing, open_tracing

NDJSON_TYPES = frozenset(
    {b"application/x-ndjson", b"application/ndjson", b"application/jsonl", b"application/x-jsonlines"}
)
GZIP = frozenset({b"gzip", b"x-gzip"})
ENCODINGS = GZIP | {b"", b"identity"}
DEAD_LETTER_PARTITIONS = 1
PROBE_ANSWER_LIMIT = 16 * 1024

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class _Refusals(msgspec.Struct, frozen=True):
    accepted: int
    errors: list[Refusal]


class _Endpoint:
    """A route in operation."""

    __slots__ = ("counts", "decoder", "route")

    def __init__(self, route: Route, settings: IngestSettings) -> None:
        self.route = route
        self.decoder = EventDecoder(
            route.event_type,
            route.key,
            settings.events_per_request_limit,
            replace_surrogates=settings.lone_surrogates == "replace",
            encode=route.avro.encode if route.avro is not None else None,
        )
        self.counts = RouteCounts()


class IngestServer:
    """A `Service`. `sink` defaults to Kafka."""

    name = "ingest"

    def __init__(self, settings: IngestSettings, routes: Sequence[Route], sink: Sink | None = None) -> None:
        settings.check()
        self._settings = settings
        self._endpoints = {path: _Endpoint(route, settings) for path, route in check_routes(routes).items()}
        self._sink = sink if sink is not None else _kafka_sink(settings)
        self._access = Access(settings.auth_tokens, settings.auth_users, settings.cors_origins)
        self._tls = (
            server_context(self.name, settings.ssl_certfile, settings.ssl_keyfile, None, ssl.CERT_NONE)
            if settings.ssl_certfile is not None
            else None
        )
        self._retry_after = b"Retry-After: %d\r\n" % settings.retry_after_s
        self._http = HttpServer(
            HttpLimits.of(settings),
            self._handle,
            self._early,
            _problem,
            HEADERS | {b"traceparent"},
        )
        self._collector = IngestCollector(
            {path: endpoint.counts for path, endpoint in self._endpoints.items()},
            self._http.refused,
            {
                "queued_events": ("Events that the broker has not acknowledged yet", lambda: self._sink.queued_events),
                "queued_bytes": ("Their bytes", lambda: self._sink.queued_bytes),
                "body_buffer_bytes": ("Bytes of bodies being received", lambda: self._http.buffered),
                "connections": ("Open connections", lambda: len(self._http.connections)),
            },
        )
        self._tracing: Tracing | None = None
        self._spans: dict[Exchange, Any] = {}
        self._registry: Any = None
        self._metrics: MetricsEndpoint | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The address of the listener. Valid after `start`."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    async def start(self) -> None:
        """Bind, connect the sink, accept requests. Raises `StartError`."""
        settings = self._settings
        for endpoint in self._endpoints.values():
            if endpoint.route.avro is not None:
                await asyncio.to_thread(endpoint.route.avro.register)
        sock = bind(
            settings.host,
            settings.port,
            name=self.name,
            insecure=settings.insecure,
            authenticated=self._access.authenticates,
            reuse_port=settings.reuse_port,
        )
        self._port = sock.getsockname()[1]
        topics: dict[str, int] = {}
        for endpoint in self._endpoints.values():
            route = endpoint.route
            topics[route.topic] = max(route.partitions, topics.get(route.topic, 1))
            if route.dead_letter:
                topics.setdefault(route.dead_letter, DEAD_LETTER_PARTITIONS)
        self._tracing = open_tracing(self.name)
        await self._sink.start(topics)
        await self._http.start(sock, self._tls)
        if settings.metrics_port is not None:
            self._metrics = await MetricsEndpoint.open(
                self._the_registry(), settings.host, settings.metrics_port, insecure=settings.insecure
            )

    async def probe(self) -> None:
        """Request the endpoint's health over a separate connection."""
        reader, writer = await asyncio.open_connection(
            self._settings.host, self._port, ssl=unverified() if self._tls is not None else None
        )
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
            answer = await reader.read(PROBE_ANSWER_LIMIT)
        finally:
            writer.close()
            await writer.wait_closed()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise StartError(f"{self.url} does not answer /healthz: {answer[:80]!r}")

    async def stop(self) -> None:
        """Accept no new requests, answer pending ones, and deliver the accepted events, within `drain_timeout_s`."""
        drain_s = self._settings.drain_timeout_s
        await self._http.stop(drain_s)
        await self._sink.stop(drain_s / 4)
        if self._metrics is not None:
            await self._metrics.close()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)

    # -- requests

    def _early(self, exchange: Exchange) -> tuple[int, str, bytes] | None:
        refusal = self._access.check(exchange)
        if refusal is not None:
            return refusal
        if exchange.encoding in ENCODINGS:
            return None
        return 415, f"the content encoding {exchange.encoding.decode('latin-1')} is not known: gzip or none", b""

    def _handle(self, exchange: Exchange) -> None:
        if self._access.is_preflight(exchange):
            self._access.answer_preflight(exchange)
            return
        endpoint = self._endpoints.get(exchange.path)
        if endpoint is None:
            self._handle_other(exchange)
        elif exchange.method != b"POST":
            self._refuse(exchange, 405, "events are sent with POST", b"Allow: POST\r\n")
        else:
            self._post(exchange, endpoint, perf_counter())

    def _handle_other(self, exchange: Exchange) -> None:
        if exchange.path not in {"/healthz", "/metrics"}:
            known = ", ".join(self._endpoints)
            self._refuse(exchange, 404, f"no events are taken at {exchange.path}; at: {known}")
        elif exchange.method not in {b"GET", b"HEAD"}:
            self._refuse(exchange, 405, "only GET", b"Allow: GET, HEAD\r\n")
        elif exchange.path == "/healthz":
            away = self._sink.away
            exchange.reply(200, _encode({"status": "ok" if away is None else "degraded", "broker": away or "ok"}))
        else:
            from prometheus_client import generate_latest
            from prometheus_client.exposition import CONTENT_TYPE_LATEST

            exchange.reply(200, generate_latest(self._the_registry()), CONTENT_TYPE_LATEST.encode())

    def _refuse(self, exchange: Exchange, status: int, reason: str, extra: bytes = b"") -> None:
        self._http.count_refused(status)
        exchange.reply(status, _problem(status, reason), extra=extra)

    def _post(self, exchange: Exchange, endpoint: _Endpoint, began: float) -> None:
        payload = exchange.body
        if self._tracing is not None:
            parent = exchange.headers.get(b"traceparent")
            self._spans[exchange] = self._tracing.post(endpoint.route.path, parent, endpoint.route.topic)
        if exchange.encoding in GZIP:
            try:
                payload = unpack(payload, self._settings.body_limit, content_encoding.GZIP)
            except zlib.error as error:
                self._answer(exchange, endpoint, began, 400, _problem(400, f"the body is not gzip: {error}"))
                return
            except OverflowError as error:
                self._answer(exchange, endpoint, began, 413, _problem(413, str(error)))
                return
        try:
            body = endpoint.decoder.decode(payload, ndjson=exchange.content_type in NDJSON_TYPES)
        except LimitError as error:
            self._answer(exchange, endpoint, began, 413, _problem(413, str(error)))
            return
        records = self._records(endpoint.route, body)
        if self._tracing is not None:
            context = self._tracing.header(self._spans[exchange])
            records = [(topic, value, key, [*(headers or ()), context]) for topic, value, key, headers in records]
        if not records:
            self._acknowledged(exchange, endpoint, body, began, None)
            return
        failure = self._sink.offer(records, partial(self._acknowledged, exchange, endpoint, body, began))
        if failure is not None:
            self._acknowledged(exchange, endpoint, body, began, failure)

    def _records(self, route: Route, body: Body) -> list[Record]:
        topic = route.topic
        if not body.refused:
            return [(topic, value, key, None) for value, key in body.accepted]
        policy: Policy = "per_event"
        if body.shape == "array":
            policy = self._settings.array_policy
        elif body.shape in {"ndjson", "stream"}:
            policy = self._settings.ndjson_policy
        if policy == "all_or_nothing":
            body.accepted = []
        records: list[Record] = [(topic, value, key, None) for value, key in body.accepted]
        if route.dead_letter is not None:
            for refusal, original in body.refused:
                headers = [
                    ("error.reason", refusal.reason.encode()),
                    ("error.path", refusal.path.encode()),
                    ("error.index", b"%d" % refusal.index),
                    ("source.path", route.path.encode()),
                    ("source.topic", topic.encode()),
                ]
                records.append((route.dead_letter, original, None, headers))
        return records

    def _acknowledged(
        self, exchange: Exchange, endpoint: _Endpoint, body: Body, began: float, failure: Failure | None
    ) -> None:
        if failure is Failure.TOO_LARGE:
            self._answer(exchange, endpoint, began, 413, _problem(413, failure.value))
            return
        if failure is not None:
            self._answer(exchange, endpoint, began, 503, _problem(503, failure.value), extra=self._retry_after)
            return
        counts = endpoint.counts
        accepted = len(body.accepted)
        counts.accepted += accepted
        if not body.refused:
            self._answer(exchange, endpoint, began, 202, b'{"accepted":%d}' % accepted)
            return
        counts.refused += len(body.refused)
        if endpoint.route.dead_letter is not None:
            counts.dead_lettered += len(body.refused)
        errors = [refusal for refusal, _ in body.refused]
        self._answer(exchange, endpoint, began, 400, _encode(_Refusals(accepted, errors)))

    def _answer(
        self, exchange: Exchange, endpoint: _Endpoint, began: float, status: int, body: bytes, *, extra: bytes = b""
    ) -> None:
        endpoint.counts.answered(status, perf_counter() - began)
        if self._tracing is not None:
            self._tracing.end_post(self._spans.pop(exchange), status)
        exchange.reply(status, body, extra=extra)

    def _the_registry(self) -> Any:
        if self._registry is None:
            self._registry = self._collector.registry()
        return self._registry


def _problem(_status: int, reason: str) -> bytes:
    return _encode({"error": reason})


def _kafka_sink(settings: IngestSettings) -> Sink:
    from smackbox.ingest.kafka_sink import KafkaSink

    return KafkaSink(
        settings.kafka,
        queue_events_limit=settings.queue_events_limit,
        queue_bytes_limit=settings.queue_bytes_limit,
        record_limit=settings.body_limit,
        delivery_timeout_s=settings.delivery_timeout_s,
        topics_timeout_s=settings.topics_timeout_s,
        linger_ms=settings.linger_ms,
        options=settings.kafka_options,
    )
