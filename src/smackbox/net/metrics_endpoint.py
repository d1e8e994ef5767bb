"""`/metrics` for Prometheus and `/healthz` on a separate port: minimal HTTP/1.1 on the server's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from smackbox.net.listener import bind

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

REQUEST_HEAD_LIMIT = 8 * 1024
REQUEST_TIMEOUT_S = 5.0


def process_registry(metrics: Callable[[], Iterable[Metric]]) -> CollectorRegistry:
    """A registry with the metrics of the process, and what `metrics` returns when it is scraped."""
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
    from prometheus_client.registry import Collector

    class MetricsCollector(Collector):
        def collect(self) -> Iterable[Metric]:
            return metrics()

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(MetricsCollector())
    return registry


class MetricsEndpoint:
    """Serves one registry from `open` to `close`. Scrapes are rare, so the text is built on each request."""

    def __init__(self, registry: CollectorRegistry, url: str) -> None:
        self.url = url
        self._registry = registry
        self._server: asyncio.Server

    @classmethod
    async def open(cls, registry: CollectorRegistry, host: str, port: int, *, insecure: bool) -> MetricsEndpoint:
        """Raises `StartError` if the port is taken, or the address is not loopback without `insecure`."""
        listener = bind(host, port, name="metrics", insecure=insecure)
        endpoint = cls(registry, f"http://{host}:{listener.getsockname()[1]}/metrics")
        endpoint._server = await asyncio.start_server(endpoint._serve, sock=listener, limit=REQUEST_HEAD_LIMIT)
        return endpoint

    async def close(self) -> None:
        """Stop listening."""
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            status, kind, body = self._answer(head.split(b" ", 2))
            writer.write(
                b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                % (status, kind, len(body))
                + body
            )
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # a scraper with an incomplete request gets no answer
        finally:
            writer.close()

    def _answer(self, request: list[bytes]) -> tuple[bytes, bytes, bytes]:
        from prometheus_client import generate_latest
        from prometheus_client.exposition import CONTENT_TYPE_LATEST

        path = request[1].partition(b"?")[0] if len(request) > 1 else b""
        if request[0] not in {b"GET", b"HEAD"}:
            return b"405 Method Not Allowed", b"text/plain", b"only GET\n"
        if path == b"/healthz":
            return b"200 OK", b"text/plain", b"ok\n"
        if path == b"/metrics":
            return b"200 OK", CONTENT_TYPE_LATEST.encode(), generate_latest(self._registry)
        return b"404 Not Found", b"text/plain", b"only /metrics and /healthz live here\n"
