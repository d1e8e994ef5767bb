"""The server side: `await Http(system).new_server_at(host, port).bind(route)` on the HTTP/1.1 core of the house.

The core reads requests with its limits (408, 413, 431, 503). One whose body came with its head is whole; the body of
any other is read when a directive wants it, whole or as a stream. Routes answer side by side, and each connection's
answers are written in the order of its requests. A route that does not answer in time is cancelled and answered with
503; the time begins again while a body is being read. The body of a streamed answer is pulled as fast as its client
reads.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import msgspec

from smackbox.akka.actor.eager_task import Raised, Stepper
from smackbox.akka.actor.shutdown import SERVICE_UNBIND
from smackbox.akka.http.control import RequestControl, UnreadRequest, with_body
from smackbox.akka.http.directives import INTERNAL_ERROR, sealed
from smackbox.akka.http.route import (
    BAD_IN_HEADER,
    TEXT,
    RequestContext,
    Response,
    Route,
    StreamedResponse,
    UpgradeResponse,
    chunks_of,
)
from smackbox.net.http import HttpRequest, HttpResponse
from smackbox.net.http1 import HttpServer
from smackbox.net.http_exchange import Exchange, Framing
from smackbox.net.http_limits import HttpLimits
from smackbox.net.listener import bind

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem
    from smackbox.akka.http.client import ClientSettings, HttpClient
    from smackbox.akka.http.websocket_messages import Sendable
    from smackbox.akka.http.websockets import WebSocketRequest, WebSocketUpgrade
    from smackbox.akka.stream.flow import Flow
    from smackbox.net.websocket import WebSocketSettings

NOT_IN_TIME = "The server was not able to produce a timely response to your request."
SHUTDOWN_DEADLINE_S = 4.0
"""What requests get to end in a coordinated shutdown, less than its phase has."""
PARAMETERS_LIMIT = 1000
CLOCK_S = 0.001
"""How exact the loop's clock is."""

_NO_BODY = frozenset({204, 304})
_FRAMING = frozenset({"content-length", "transfer-encoding"})
"""What the server says by itself: a route that passes the fields of another answer on must not say it again."""
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
    """For a route to answer; `with_request_timeout` gives a part of it another time."""
    keep_alive_timeout_s: int = 60
    retry_after_s: int = 1
    transparent_head: bool = False
    """Routes see HEAD as GET (`transparent-head-requests` of Pekko HTTP)."""


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

    async def single_websocket_request(
        self,
        request: WebSocketRequest,
        flow: Flow[Any, Sendable, Any],
        *,
        settings: WebSocketSettings | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> WebSocketUpgrade:
        """Connect to a server by WebSocket, and let `flow` talk with it.

        Raises `UpgradeRejectedError` where the server answers otherwise, `ConnectionError` or `TimeoutError` where it
        does not, and `ValueError` for a URL of another kind.
        """
        from smackbox.akka.http.websockets import DEFAULTS, websocket_request

        return await websocket_request(self._system, request, flow, settings or DEFAULTS, tls)


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
        self._transparent_head = settings.transparent_head
        self._loop = asyncio.get_running_loop()
        self._stepper = Stepper(self._loop)
        self._running: set[asyncio.Future[Any]] = set()
        self._times = _AnswerTimes(self._loop, settings.answer_timeout_s, self._too_late)
        self._terminated: asyncio.Task[None] | None = None
        self._http = HttpServer(
            HttpLimits.of(settings),
            self._handle,
            lambda _: None,
            lambda _, reason: msgspec.json.encode({"error": reason}),
            None,
            streams=True,
            upgrades=True,
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
        self._times.close()
        self._forget()

    # -- requests

    def _handle(self, exchange: Exchange) -> None:
        request, unmatched = _request(exchange)
        if self._transparent_head and request.method == "HEAD":
            request = replace(request, method="GET")
        framing = Framing.CLOSE if exchange.http_version == "1.0" else Framing.CHUNKED
        control = RequestControl(self._answer_timeout_s, upgradable=exchange.upgradable)
        context = RequestContext(request, unmatched, self._system, control, exchange.stream)
        done, result = self._stepper.start(sealed(self._route, context))
        if done:
            if isinstance(result, Raised):
                raise result.error
            self._answer(exchange, result, framing)
            return
        self._running.add(result)
        watch = _AnswerWatch(exchange, request, control, result, self._times)
        result.on_end = partial(self._answered, exchange, watch, framing)

    def _too_late(self, watch: _AnswerWatch) -> None:
        exchange, control = watch.exchange, watch.control
        if exchange.answer is not None:  # its body was refused, and the route goes on
            watch.task.cancel()
            return
        log.warning("no answer to %s %s in %g s", exchange.method.decode(), exchange.path, control.timeout_s)
        answer = HttpResponse(503, NOT_IN_TIME.encode(), TEXT)
        if control.late_answer is not None:
            try:
                answer = control.late_answer(with_body(watch.request, b""))
            except Exception:
                log.exception("the answer that replaces a late one failed")
        self._http.count_refused(answer.status)
        self._answer(exchange, answer, Framing.CHUNKED)
        watch.task.cancel()

    def _answered(self, exchange: Exchange, watch: _AnswerWatch, framing: Framing, task: asyncio.Future[Any]) -> None:
        self._running.discard(task)
        watch.stop()
        if exchange.answer is not None:
            task.cancelled() or task.exception()
            return
        if task.cancelled() or task.exception() is not None:
            exchange.reply(503, b"the server stops", TEXT.encode())
        else:
            self._answer(exchange, task.result(), framing)

    def _answer(self, exchange: Exchange, response: Response, framing: Framing) -> None:
        try:
            kind, extra = _head(response)
        except ValueError:
            log.exception("the answer to %s %s cannot be sent", exchange.method.decode(), exchange.path)
            response = HttpResponse(500, INTERNAL_ERROR.encode(), TEXT)
            kind, extra = TEXT.encode(), b""
        if isinstance(response, HttpResponse):
            exchange.reply(response.status, b"" if response.status in _NO_BODY else response.body, kind, extra)
        elif isinstance(response, UpgradeResponse):
            exchange.upgrade(*response.accept(_pairs(response)))
        elif response.status in _NO_BODY:
            exchange.reply(response.status, b"", kind, extra)
        elif exchange.method == b"HEAD":
            exchange.reply_head(response.status, kind, extra, response.length)
        else:
            if response.length is not None:
                framing = Framing.NONE
                extra += b"Content-Length: %d\r\n" % response.length
            exchange.begin(response.status, kind, extra, framing=framing)
            task = asyncio.ensure_future(self._stream(exchange, response, chunked=framing is Framing.CHUNKED))
            exchange.on_lost = task.cancel
            self._keep(task)

    async def _stream(self, exchange: Exchange, response: StreamedResponse, *, chunked: bool) -> None:
        left = response.length
        try:
            chunks = chunks_of(response.source, self._system)
            try:
                async for chunk in chunks:
                    if left is not None:
                        left -= len(chunk)
                        if left < 0:
                            raise ValueError(f"the body is longer than the {response.length} bytes that were announced")
                    if chunk:
                        await exchange.send(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else bytes(chunk))
            finally:
                close = getattr(chunks, "aclose", None)
                if close is not None:
                    await close()
            if left:
                raise ValueError(f"the body is {left} bytes shorter than the {response.length} that were announced")
            await exchange.finish(b"0\r\n\r\n" if chunked else b"")
        except ConnectionResetError:
            exchange.cut_off()  # the client is gone, or where the body came from: then the client must not wait
        except Exception:
            log.exception("the streamed answer to %s %s failed", exchange.method.decode(), exchange.path)
            exchange.cut_off()

    def _keep(self, task: asyncio.Future[Any]) -> None:
        self._running.add(task)
        task.add_done_callback(self._running.discard)


class _AnswerTimes:
    """The times that routes have to answer. Most have the same, and share a timer: the oldest is due first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float, late: Callable[[_AnswerWatch], None]) -> None:
        self.loop = loop
        self.timeout_s = timeout_s
        self.late = late
        self._due_s: dict[_AnswerWatch, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: _AnswerWatch, began_s: float) -> None:
        """It has `timeout_s` from then."""
        due_s = self._due_s[watch] = began_s + self.timeout_s
        if self._timer is None:
            self._timer = self.loop.call_at(due_s, self._over)

    def discard(self, watch: _AnswerWatch) -> None:
        """It has answered, or has another time. The timer goes on for those after it."""
        self._due_s.pop(watch, None)

    def close(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _over(self) -> None:
        self._timer = None
        now_s = self.loop.time() + CLOCK_S
        due = []
        for watch, due_s in self._due_s.items():
            if due_s > now_s:
                self._timer = self.loop.call_at(due_s, self._over)
                break
            due.append(watch)
        for watch in due:
            self._due_s.pop(watch, None)
            watch.over()


class _AnswerWatch:
    """The time that a route has to answer, once it waits. Reading a body that still comes begins it again."""

    __slots__ = ("_began_s", "_progress", "_timer", "_times", "control", "exchange", "request", "task")

    def __init__(
        self,
        exchange: Exchange,
        request: HttpRequest,
        control: RequestControl,
        task: asyncio.Future[Any],
        times: _AnswerTimes,
    ) -> None:
        self.exchange = exchange
        self.request = request
        self.control = control
        self.task = task
        self._times = times
        self._progress = 0
        self._began_s = times.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        control.changed = self._start
        if control.timeout_s == times.timeout_s:
            times.add(self, self._began_s)
        else:
            self._start()

    def stop(self) -> None:
        self.control.changed = None
        self._end()

    def over(self) -> None:
        """The time is over: begin again where something of the body has come, or give up."""
        stream = self.exchange.stream
        if stream is not None and stream.progress != self._progress:
            self._progress = stream.progress
            self._began_s = self._times.loop.time()
            self._start()
        else:
            self.stop()
            self._times.late(self)

    def _start(self) -> None:
        self._end()
        timeout_s, times = self.control.timeout_s, self._times
        if timeout_s == times.timeout_s and self._began_s + CLOCK_S >= times.loop.time():
            times.add(self, self._began_s)
        elif timeout_s is not None:
            self._timer = times.loop.call_at(self._began_s + timeout_s, self.over)

    def _end(self) -> None:
        self._times.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _request(exchange: Exchange) -> tuple[HttpRequest, str]:
    """The request, and its path as sent."""
    target = exchange.target.decode("latin-1")
    query = target.partition("?")[2]
    request = (HttpRequest if exchange.stream is None else UnreadRequest)(
        exchange.method.decode("latin-1"),
        unquote(exchange.path),
        _query(query) if query else {},
        {name.decode("latin-1"): value.decode("latin-1") for name, value in exchange.headers.items()},
        exchange.body,
        exchange.peer,
        target,
    )
    return request, exchange.path


def _query(query: str) -> dict[str, list[str]]:
    """Parameters by name; those beyond the limit are dropped."""
    pairs = query.split("&", PARAMETERS_LIMIT)[:PARAMETERS_LIMIT]
    return parse_qs("&".join(pairs), keep_blank_values=True)


def _head(response: Response) -> tuple[bytes, bytes]:
    """Content type and whole header lines. Raises `ValueError` for what would break the head."""
    if response.status not in _STATUSES and not isinstance(response, UpgradeResponse):
        raise ValueError(f"{response.status} is no status of HTTP")
    kind = _content_type(response.content_type)
    if not response.headers and not response.cookies:
        return kind, b""
    return kind, b"".join(b"%s: %s\r\n" % pair for pair in _pairs(response))


def _pairs(response: Response) -> list[tuple[bytes, bytes]]:
    """Its header fields. Raises `ValueError` for one that would break the head."""
    pairs = [*response.headers.items(), *(("Set-Cookie", value) for value in response.cookies)]
    for name, value in pairs:
        if BAD_IN_HEADER.search(name + value) or ":" in name or not name:
            raise ValueError(f"the header {name!r}: {value!r} has a line break, or no name")
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs if name.lower() not in _FRAMING]


@lru_cache(256)
def _content_type(kind: str) -> bytes:
    if BAD_IN_HEADER.search(kind):
        raise ValueError(f"the content type {kind!r} has a line break")
    return kind.encode("latin-1")
