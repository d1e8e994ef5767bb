"""The server side: `await Http(system).new_server_at(host, port).bind(route)` on the HTTP/1.1 core of the house.

The core reads requests, whole, with its limits (408, 413, 431, 503); routes answer them side by side, and each
connection's answers are written in the order of its requests. A route that does not answer in time is cancelled and
answered with 503. The body of a streamed answer is pulled as fast as its client reads.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import msgspec

from smackbox.akka.actor.eager_task import Raised, Stepper
from smackbox.akka.actor.shutdown import SERVICE_UNBIND
from smackbox.akka.http.directives import INTERNAL_ERROR, sealed
from smackbox.akka.http.route import BAD_IN_HEADER, TEXT, RequestContext, Response, Route, StreamedResponse, chunks_of
from smackbox.net.http import HttpRequest, HttpResponse
from smackbox.net.http1 import Exchange, HttpLimits, HttpServer
from smackbox.net.listener import bind

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem
    from smackbox.akka.http.client import ClientSettings, HttpClient

NOT_IN_TIME = "The server was not able to produce a timely response to your request."
SHUTDOWN_DEADLINE_S = 4.0
"""What requests get to end in a coordinated shutdown, less than its phase has."""
PARAMETERS_LIMIT = 1000

_NO_BODY = frozenset({204, 304})
_STATUSES = frozenset(status.value for status in HTTPStatus if status >= 200)

log = logging.getLogger("smackbox.akka")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Limits of one server, in bytes, counts and seconds. `body_buffer_limit` is for all connections together."""

    head_limit: int = 32 * 1024
    body_limit: int = 8 * 1024 * 1024
    body_buffer_limit: int = 64 * 1024 * 1024
    connections_limit: int = 1024
    pipeline_limit: int = 16
    request_timeout_s: int = 20
    """For a request to arrive, and for a client to read on."""
    answer_timeout_s: float = 20.0
    """For a route to answer."""
    keep_alive_timeout_s: int = 60
    retry_after_s: int = 1


class Http:
    """HTTP of one actor system."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system

    def new_server_at(
        self,
        host: str,
        port: int,
        *,
        settings: ServerSettings | None = None,
        tls: ssl.SSLContext | None = None,
        insecure: bool = False,
    ) -> ServerBuilder:
        """`insecure` allows an address other than loopback; who may ask what is up to the routes."""
        return ServerBuilder(self._system, host, port, settings or ServerSettings(), tls, insecure)

    def client(self, settings: ClientSettings | None = None, *, tls: ssl.SSLContext | None = None) -> HttpClient:
        """A client with connections of its own; `tls` says whom to trust, and who one is."""
        from smackbox.akka.http.client import ClientSettings, HttpClient

        return HttpClient(self._system, settings or ClientSettings(), tls)


@dataclass(frozen=True, slots=True)
class ServerBuilder:
    system: ActorSystem
    host: str
    port: int
    settings: ServerSettings
    tls: ssl.SSLContext | None
    insecure: bool

    async def bind(self, route: Route) -> ServerBinding:
        """Listen. Raises `StartError` where the port is taken, or the address is not loopback without `insecure`."""
        if not isinstance(route, Route):
            raise TypeError(f"{route!r} is no route: complete(…) makes one of a value")
        sock = bind(self.host, self.port, name="http", insecure=self.insecure)
        host, port = sock.getsockname()[:2]
        binding = ServerBinding(self.system, route, self.settings, (host, port))
        await binding._start(sock, self.tls)
        return binding


class ServerBinding:
    """A server that listens at `local_address`, until `terminate` or the system's coordinated shutdown."""

    def __init__(
        self, system: ActorSystem, route: Route, settings: ServerSettings, local_address: tuple[str, int]
    ) -> None:
        self.local_address = local_address
        self._system = system
        self._route = route
        self._answer_timeout_s = settings.answer_timeout_s
        self._loop = asyncio.get_running_loop()
        self._stepper = Stepper(self._loop)
        self._running: set[asyncio.Future[Any]] = set()
        self._terminated: asyncio.Task[None] | None = None
        self._http = HttpServer(
            HttpLimits.of(settings),
            self._handle,
            lambda _: None,
            lambda _, reason: msgspec.json.encode({"error": reason}),
            None,
        )
        self._forget = system.shutdown.add_task(
            SERVICE_UNBIND, f"http-{local_address[1]}", partial(self.terminate, SHUTDOWN_DEADLINE_S)
        )

    async def terminate(self, deadline_s: float) -> None:
        """Take no new connection, answer what was asked within `deadline_s`, cut off the rest. Once."""
        if self._terminated is None:
            self._terminated = asyncio.ensure_future(self._terminate(deadline_s))
        await asyncio.shield(self._terminated)

    async def __aenter__(self) -> ServerBinding:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.terminate(SHUTDOWN_DEADLINE_S)

    async def _start(self, sock: Any, tls: ssl.SSLContext | None) -> None:
        await self._http.start(sock, tls)

    async def _terminate(self, deadline_s: float) -> None:
        await self._http.stop(deadline_s)
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._forget()

    # -- requests

    def _handle(self, exchange: Exchange) -> None:
        request, unmatched = _request(exchange)
        chunked = exchange.http_version != "1.0"
        context = RequestContext(request, unmatched, self._system)
        done, result = self._stepper.start(sealed(self._route, context))
        if done:
            if isinstance(result, Raised):
                raise result.error
            self._answer(exchange, result, chunked)
            return
        self._keep(result)
        timer = self._loop.call_later(self._answer_timeout_s, self._too_late, exchange, result)
        result.add_done_callback(partial(self._answered, exchange, timer, chunked))

    def _too_late(self, exchange: Exchange, task: asyncio.Future[Any]) -> None:
        log.warning("no answer to %s %s in %.0f s", exchange.method.decode(), exchange.path, self._answer_timeout_s)
        self._http.count_refused(503)
        exchange.reply(503, NOT_IN_TIME.encode(), TEXT.encode())
        task.cancel()

    def _answered(
        self, exchange: Exchange, timer: asyncio.TimerHandle, chunked: bool, task: asyncio.Future[Any]
    ) -> None:
        timer.cancel()
        if exchange.answer is not None:
            return
        if task.cancelled() or task.exception() is not None:
            exchange.reply(503, b"the server stops", TEXT.encode())
        else:
            self._answer(exchange, task.result(), chunked)

    def _answer(self, exchange: Exchange, response: Response, chunked: bool) -> None:
        try:
            kind, extra = _head(response)
        except ValueError:
            log.exception("the answer to %s %s cannot be sent", exchange.method.decode(), exchange.path)
            response = HttpResponse(500, INTERNAL_ERROR.encode(), TEXT)
            kind, extra = TEXT.encode(), b""
        if isinstance(response, HttpResponse):
            exchange.reply(response.status, b"" if response.status in _NO_BODY else response.body, kind, extra)
        elif exchange.method == b"HEAD" or response.status in _NO_BODY:
            exchange.reply(response.status, b"", kind, extra)
        else:
            exchange.begin(response.status, kind, extra, chunked=chunked)
            task = asyncio.ensure_future(self._stream(exchange, response, chunked))
            exchange.on_lost = task.cancel
            self._keep(task)

    async def _stream(self, exchange: Exchange, response: StreamedResponse, chunked: bool) -> None:
        try:
            chunks = chunks_of(response.source, self._system)
            try:
                async for chunk in chunks:
                    if chunk:
                        await exchange.send(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else bytes(chunk))
            finally:
                close = getattr(chunks, "aclose", None)
                if close is not None:
                    await close()
            await exchange.finish(b"0\r\n\r\n" if chunked else b"")
        except ConnectionResetError:
            return
        except Exception:
            log.exception("the streamed answer to %s %s failed", exchange.method.decode(), exchange.path)
            exchange.cut_off()

    def _keep(self, task: asyncio.Future[Any]) -> None:
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _request(exchange: Exchange) -> tuple[HttpRequest, str]:
    """The request, and its path as sent."""
    target = exchange.target.decode("latin-1")
    query = target.partition("?")[2]
    request = HttpRequest(
        method=exchange.method.decode("latin-1"),
        path=unquote(exchange.path),
        query=_query(query) if query else {},
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in exchange.headers.items()},
        body=exchange.body,
        target=target,
    )
    return request, exchange.path


def _query(query: str) -> dict[str, list[str]]:
    """Parameters by name; those beyond the limit are dropped."""
    pairs = query.split("&", PARAMETERS_LIMIT)[:PARAMETERS_LIMIT]
    return parse_qs("&".join(pairs), keep_blank_values=True)


def _head(response: Response) -> tuple[bytes, bytes]:
    """Content type and whole header lines. Raises `ValueError` for what would break the head."""
    if response.status not in _STATUSES:
        raise ValueError(f"{response.status} is no status of HTTP")
    kind = _content_type(response.content_type)
    if not response.headers:
        return kind, b""
    lines: list[str] = []
    for name, value in response.headers.items():
        if BAD_IN_HEADER.search(name + value) or ":" in name or not name:
            raise ValueError(f"the header {name!r}: {value!r} has a line break, or no name")
        lines.append(f"{name}: {value}\r\n")
    return kind, "".join(lines).encode("latin-1")


@lru_cache(256)
def _content_type(kind: str) -> bytes:
    if BAD_IN_HEADER.search(kind):
        raise ValueError(f"the content type {kind!r} has a line break")
    return kind.encode("latin-1")
