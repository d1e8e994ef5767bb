"""An HTTP server for APIs, on aiohttp: requests are read completely and answered by one handler, with limits on
everything.

The ingest room uses `http1` for its hot path; this server has TLS and streams.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import PayloadEncodingError

from smackbox.net.http import Answer, Handler, HttpRequest, HttpResponse, HttpStream
from smackbox.net.listener import bind

BODY_LIMIT = 16 * 1024 * 1024
BODY_TIMEOUT_S = 30.0
CONNECTIONS_LIMIT = 20_000
KEEP_ALIVE_S = 75.0
STOP_TIMEOUT_S = 2.0
TURNS_TO_CLOSE = 3
"""How many loop iterations it takes until an aborted connection is closed."""


log = logging.getLogger(__name__)


class HttpServer:
    """One listening address. `name` is its name in errors."""

    def __init__(
        self,
        name: str,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        insecure: bool = False,
        authenticated: bool = False,
        tls: ssl.SSLContext | None = None,
        body_limit: int = BODY_LIMIT,
        connections_limit: int = CONNECTIONS_LIMIT,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self._handler = handler
        self._insecure = insecure
        self._authenticated = authenticated
        self._tls = tls
        self._body_limit = body_limit
        self._connections_limit = connections_limit
        self._streams: set[HttpStream] = set()
        self._running: set[asyncio.Task[Answer]] = set()
        self._runner: web.ServerRunner | None = None
        self._connections: Callable[[], list[web.RequestHandler]] = list

    @property
    def url(self) -> str:
        """Where it listens. Valid after `start`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def start(self) -> None:
        """Bind and listen. Raises `StartError`."""
        sock = bind(self.host, self.port, name=self.name, insecure=self._insecure, authenticated=self._authenticated)
        try:
            self.port = sock.getsockname()[1]
            server = web.Server(
                self._answer,
                request_factory=self._make_request,
                handler_cancellation=True,
                access_log=None,
                keepalive_timeout=KEEP_ALIVE_S,
            )
            self._connections = lambda: server.connections
            self._runner = web.ServerRunner(server, shutdown_timeout=STOP_TIMEOUT_S)
            await self._runner.setup()
            await web.SockSite(self._runner, sock, ssl_context=self._tls).start()
        except BaseException:
            sock.close()
            raise

    async def stop(self) -> None:
        """Accept no new connections, end the streams, give running requests a moment to finish."""
        for stream in list(self._streams):
            stream.close()
        transports = [connection.transport for connection in self._connections()]
        if self._runner is not None:
            await self._runner.cleanup()
        if self._tls is not None:  # it would wait for the peers' TLS shutdown, perhaps until the loop is closed
            for transport in transports:
                if transport is not None:
                    transport.abort()
            for _ in range(TURNS_TO_CLOSE):
                await asyncio.sleep(0)

    def _make_request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._body_limit)

    async def _answer(self, incoming: web.BaseRequest) -> web.StreamResponse:
        if len(self._connections()) > self._connections_limit:
            return _refused(503, f"more than {self._connections_limit} connections")
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await incoming.read() if incoming.can_read_body else b""
        except web.HTTPRequestEntityTooLarge:
            return _refused(413, f"the body is larger than {self._body_limit} bytes")
        except TimeoutError:
            return _refused(408, f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s")
        except (ConnectionError, PayloadEncodingError, ClientPayloadError):
            return _refused(400, "the body ended early")
        try:
            answer = self._handler(_request(incoming, body))
            if inspect.isawaitable(answer):
                answer = await self._unbroken(answer)  # type: ignore[arg-type]
        except Exception:
            log.exception("%s: %s %s failed", self.name, incoming.method, incoming.raw_path)
            answer = HttpResponse.text("internal error, see the server's log\n", 500)
        if isinstance(answer, HttpStream):
            return await self._pump(incoming, answer)
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers={"Content-Type": answer.content_type, **answer.headers},
        )

    async def _unbroken(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Finish the work even if the client disconnects."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _pump(self, incoming: web.BaseRequest, stream: HttpStream) -> web.StreamResponse:
        waiting = asyncio.Event()

        def wake() -> None:
            waiting.set()
            if stream.cut_off and incoming.transport is not None:
                log.warning("%s: %s does not read its stream: cut off", self.name, incoming.remote)
                incoming.transport.abort()

        response = web.StreamResponse(
            status=stream.status, headers={"Content-Type": stream.content_type, **stream.headers}
        )
        stream.wake = wake
        self._streams.add(stream)
        try:
            response.enable_chunked_encoding()
            await response.prepare(incoming)
            while True:
                if data := stream.take():
                    await response.write(data)
                elif stream.closed:
                    break
                else:
                    await waiting.wait()
                    waiting.clear()
            await response.write_eof()
        except ConnectionError:
            pass  # the client disconnected; `on_closed` notifies the stream's owner
        finally:
            stream.wake = None
            self._streams.discard(stream)
            stream.close()
        return response


def _refused(status: int, why: str) -> web.Response:
    """The answer to a request that is not read to its end: the connection cannot be reused."""
    response = web.Response(status=status, text=why + "\n")
    response.force_close()
    return response


def _request(incoming: web.BaseRequest, body: bytes) -> HttpRequest:
    query: dict[str, list[str]] = {}
    for name, value in incoming.query.items():
        query.setdefault(name, []).append(value)
    peer = incoming.transport.get_extra_info("peername") if incoming.transport is not None else None
    return HttpRequest(
        method=incoming.method,
        path=incoming.path,
        query=query,
        headers={name.lower(): value for name, value in incoming.headers.items()},
        body=body,
        peer=f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "",
        target=incoming.raw_path,
    )
