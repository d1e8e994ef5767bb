"""HTTP/1.1 on a socket: parsing by httptools, answers in the order of the requests, and a limit on everything.

A connection holds requests whose answers are outstanding (`Exchange`), in order. A handler answers an exchange whenever
it can; the answers at the front of the line are written together. A request is refused early (before its body is
read) where its head already says that it cannot be served; what the client still sends is then read and thrown away
for a moment, for closing at once would destroy the answer on its way (RFC 9112, 9.6).

A target in absolute form (RFC 9112, 3.2.2) is served by its path.

With `HttpServer.streams`, a request whose body is not there with its head goes to the handler at once, and the body is
read as it arrives (`Exchange.stream`). With `HttpServer.upgrades`, the handler may take the connection over for
WebSocket (`Exchange.upgrade`).

Simplified: no trailers; an `Upgrade` header for anything else, which Java's client sends with each first request, is
ignored, as RFC 9110 7.8 allows.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, cast

import httptools

from smackbox.net.http_exchange import Exchange, Successor
from smackbox.net.http_limits import HttpLimits
from smackbox.net.request_body import RequestBody, RequestBodyError

SWEEP_S = 1.0
LINGER_TICKS = 3
"""Sweeps for which a refused client's remaining bytes are read before the connection is closed."""

_NOT_REPEATED = frozenset(
    {
        b"connection", b"content-encoding", b"content-length", b"content-type", b"expect", b"http2-settings",
        b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
"""What the head of a request that asked for an upgrade does not repeat, or writes by itself."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


log = logging.getLogger(__name__)


Handler = Callable[[Exchange], None]
Problem = Callable[[int, str], bytes]
Early = Callable[[Exchange], tuple[int, str, bytes] | None]


class HttpServer:
    """The connections of one endpoint. `handle` gets whole requests; `early` may refuse one by its head alone.

    `early` returns (status, reason, extra header lines) or None. `problem` makes the body of such an answer.
    `headers` names, in lower case, the header fields that `Exchange.headers` keeps; None keeps all, and joins the
    values of fields of one name with a comma (RFC 9110, 5.3). `streams`: bodies may be read as they arrive;
    `upgrades`: clients may ask for WebSocket.
    """

    def __init__(
        self,
        limits: HttpLimits,
        handle: Handler,
        early: Early,
        problem: Problem,
        headers: frozenset[bytes] | None = frozenset(),
        *,
        streams: bool = False,
        upgrades: bool = False,
    ) -> None:
        self.streams = streams
        self.upgrades = upgrades
        self.limits = limits
        self.handle = handle
        self.early = early
        self.problem = problem
        self.keeps_all = headers is None
        self.kept_headers = headers or frozenset()
        self.kept_sizes = frozenset(map(len, self.kept_headers))
        self.connections: set[HttpConnection] = set()
        self.buffered = 0
        self.tick = 0
        self.closing = False
        self.refused: dict[int, int] = {}
        self.date = formatdate(usegmt=True).encode()
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Event | None = None

    async def start(self, sock: Any, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a bound socket."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: HttpConnection(self), sock=sock, ssl=tls)
        self._timer = loop.call_later(SWEEP_S, self._sweep)

    async def stop(self, timeout_s: float) -> None:
        """Take no new connection, answer what was asked, close. What is not answered in time is cut off."""
        self.closing = True
        self._drained = asyncio.Event()
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.close_when_answered()
        if self.connections:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._drained.wait()
            except TimeoutError:
                log.warning("%d connections are cut off", len(self.connections))
        for connection in list(self.connections):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()

    def count_refused(self, status: int) -> None:
        """Count a request that was answered here with that status, before any handler."""
        self.refused[status] = self.refused.get(status, 0) + 1

    def left(self, connection: HttpConnection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if self._drained is not None and not self.connections:
            self._drained.set()

    def _sweep(self) -> None:
        self.tick += 1
        self.date = formatdate(usegmt=True).encode()
        for connection in list(self.connections):
            connection.check_time()
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)


class HttpConnection(asyncio.Protocol):
    """One client. Methods named `on_…` are httptools' callbacks."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self._transport = cast("asyncio.Transport", None)
        self._parser = httptools.HttpRequestParser(self)
        self._line: deque[Exchange] = deque()
        self._exchange = Exchange(self)
        self._in_request = False  # `_exchange` is between its first byte and its last
        self._url = b""
        self._framing = b""
        self._chunks: list[bytes] = []
        self._size = 0
        self._head_size = 0
        self._in_head = False
        self._advanced = False
        """What is being parsed ended a head, brought something of a body, or ended a request."""
        self._since = server.tick
        self._stalled_since: int | None = None
        self._feeding = False
        self._closing = False
        self._half_closed = False
        self._unread = False
        self._given_up = False  # the request being read is answered already
        self._expects_continue = False
        self._content_length = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._body: RequestBody | None = None
        """Of the request that is being read, where its handler has it already."""
        self._held: bytes | None = None
        """What came after a request for an upgrade that is not answered yet."""
        self._successor: Successor | None = None

    @property
    def target(self) -> bytes:
        """Path and query of the request that is handed over, as sent."""
        return self._url

    @property
    def http_version(self) -> str:
        """`1.1` or `1.0`, of the request that is handed over."""
        return cast("str", self._parser.get_http_version())

    @property
    def peer(self) -> str:
        """The client's address, without its port."""
        name = self._transport.get_extra_info("peername")
        return name[0] if isinstance(name, tuple) else ""

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        server = self.server
        server.connections.add(self)
        if len(server.connections) > server.limits.connections:
            self._refuse(503, f"more than {server.limits.connections} connections", self._retry_after())

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._parse(data)
        self.answered()
        full = len(self._line) >= self.server.limits.pipeline or self._held is not None
        if (full or (self._body is not None and self._body.is_full)) and not self._transport.is_closing():
            self._transport.pause_reading()

    def _parse(self, data: bytes) -> None:
        self._feeding = True
        try:
            while data and not self._closing:
                data = self._feed(data)
            if self._in_request and self.server.streams and self._body is None and not self._in_head:
                self._hand_over_stream()
        finally:
            self._feeding = False

    def _feed(self, data: bytes) -> bytes:
        """Parse. Returns what is left to parse: something only after a request that asked for an upgrade."""
        if self._held is not None:
            self._held += data
            return b""
        self._advanced = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.server.upgrades and self._asks_for_websocket():
                self._hand_over_upgrade(data[upgrade.args[0] :])
                return b""
            head = self._head_without_upgrade()
            self._parser = httptools.HttpRequestParser(self)
            return head + data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, _Refused):
                log.error("a bug in reading a request", exc_info=error)
                self._refuse(500, "an error of the server's own")
        except httptools.HttpParserError as error:
            if not self._closing:
                self._refuse(400, f"not HTTP/1.1: {error}")
        if self._in_request and not self._advanced and not self._closing:
            # of a head; or of a trailer or a chunk's extension, which are read over
            self._head_size += len(data)
            if self._head_size > self.server.limits.head:
                self._refuse(431, f"the head is larger than {self.server.limits.head} bytes")
        return b""

    def eof_received(self) -> bool:
        """A client that has closed its sending side still gets the answers that it is owed."""
        self._unread = False
        if self._body is not None:
            self._fail_body(RequestBodyError(400, "the body ended before its end"))
        if not self._line or not self._transport.can_write_eof():  # TLS has no half-closed connection
            return False
        self._closing = self._half_closed = True
        self._line[-1].keep_alive = False
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        self._closing = True
        body, self._body = self._body, None
        if body is not None:
            body.fail(ConnectionResetError("the client is gone"))
        self._drop_body()
        self.server.left(self)
        self._wake()
        for exchange in self._line:
            if exchange.on_lost is not None:
                exchange.on_lost()
            if exchange.stream is not None:
                exchange.stream.discard_unread()

    def pause_writing(self) -> None:
        self._stalled_since = self.server.tick
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._stalled_since = None
        self._resume()
        self._wake()

    # -- the parser's side

    def on_message_begin(self) -> None:
        """From the parser: a request begins."""
        self._exchange = Exchange(self)
        self._in_request = True
        self._url = b""
        self._head_size = 0
        self._in_head = True
        self._framing = b""
        self._content_length = 0
        self._expects_continue = False
        self._since = self.server.tick

    def on_url(self, url: bytes) -> None:
        """From the parser: a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """From the parser: one header field."""
        if not self._in_head:
            return  # a trailer must not pass for a field of the head (RFC 9110, 6.5.1)
        exchange = self._exchange
        size = len(name)
        if size == 12 and name.lower() == b"content-type":
            exchange.content_type = (value or b"").partition(b";")[0].strip().lower()
        elif size == 14 and name.lower() == b"content-length":
            self._content_length = int(value or b"0")
            self._framing = b"Content-Length: %d\r\n" % self._content_length
        elif size == 17 and name.lower() == b"transfer-encoding":
            self._framing = b"Transfer-Encoding: %s\r\n" % (value or b"")
        elif size == 16 and name.lower() == b"content-encoding":
            exchange.encoding = (value or b"").strip().lower()
        elif size == 6 and name.lower() == b"expect":
            self._expects_continue = (value or b"").strip().lower() == b"100-continue"
        if size in self.server.kept_sizes and (lower := name.lower()) in self.server.kept_headers:
            exchange.headers[lower] = (value or b"").strip()
        elif self.server.keeps_all:
            lower = name.lower()
            before = exchange.headers.get(lower)
            content = (value or b"").strip()
            joint = b"; " if lower == b"cookie" else b", "
            exchange.headers[lower] = content if before is None else before + joint + content

    def on_headers_complete(self) -> None:
        """From the parser: the head is whole; what it says may already refuse the request."""
        exchange = self._exchange
        self._in_head = False
        self._advance()
        exchange.method = self._parser.get_method()
        if exchange.method == b"CONNECT":
            self._refuse_and_stop(405, "this is not a proxy", b"")
        if self._parser.should_upgrade():
            return
        exchange.keep_alive = self._parser.should_keep_alive()
        exchange.path = _path(self._url)
        refusal = self.server.early(exchange)
        if refusal is not None:
            self._refuse_and_stop(*refusal)
        if self._content_length > self.server.limits.body:
            if self.server.streams:
                self._hand_over_stream()
            else:
                self._refuse_body()
        if self._expects_continue and not self.server.streams:
            self._continue(len(self._line))

    def on_body(self, chunk: bytes) -> None:
        """From the parser: a part of the body."""
        self._advance()
        if self._given_up:
            raise _Refused
        self.server.buffered += len(chunk)
        if self._body is None:
            self._size += len(chunk)
            self._chunks.append(chunk)
            if self._size > self.server.limits.body:
                if self.server.streams:
                    self._hand_over_stream()
                else:
                    self._refuse_body()
        else:
            if not self._body.is_collected:
                self._since = self.server.tick
            try:
                self._body.feed(chunk)
            except RequestBodyError as error:
                self.server.buffered -= len(chunk)  # the body has not taken it
                self._fail_body(error)
                raise _Refused from error
        if self.server.buffered > self.server.limits.body_buffer:
            self._refuse_and_stop(503, "too many bodies at once", self._retry_after())

    def on_message_complete(self) -> None:
        """From the parser: the request is whole, and goes to the handler."""
        self._advance()
        if self._parser.should_upgrade():
            return
        if self._given_up:
            raise _Refused
        exchange = self._exchange
        if self._body is not None:
            self._end_stream(self._body)
            return
        chunks = self._chunks
        exchange.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._drop_body()
        self._in_request = False
        if not exchange.keep_alive:
            self._closing = True
        self._hand_over(exchange)

    def _advance(self) -> None:
        self._advanced = True
        self._head_size = 0

    def _hand_over(self, exchange: Exchange) -> None:
        self._line.append(exchange)
        self._since = self.server.tick
        try:
            self.server.handle(exchange)
        except Exception:
            log.exception("a bug in answering %s %s", exchange.method.decode("latin-1"), exchange.path)
            if exchange.answer is None:
                exchange.reply(500, self.server.problem(500, "an error of the server's own"))

    # -- bodies that are read as they arrive

    def _hand_over_stream(self) -> None:
        """Give the request to its handler while its body is still to come."""
        exchange = self._exchange
        announced = self._content_length if self._framing.startswith(b"C") else None
        body = exchange.stream = self._body = RequestBody(self, self.server.limits.body, announced)
        chunks, self._chunks = self._chunks, []
        self._size = 0
        body.limit = None  # what has arrived is judged when it is read, by the limit that holds then
        for chunk in chunks:
            body.feed(chunk)
        body.limit = self.server.limits.body
        self._hand_over(exchange)

    def _end_stream(self, body: RequestBody) -> None:
        self._body = None
        self._in_request = False
        self._since = self.server.tick
        if not self._exchange.keep_alive:
            self._closing = True
        body.end()

    def body_wanted(self) -> None:
        """From the body: a handler reads it. A client that asked whether it may send gets its 100."""
        body = self._body
        if body is None:
            return
        self._since = self.server.tick
        if self._expects_continue and not body.progress:
            self._continue(self._line.index(self._exchange))
        self._resume()

    def body_taken(self, size: int) -> None:
        """From the body: so many bytes were read."""
        self.server.buffered -= size
        if self._body is not None:
            self._since = self.server.tick
            self._resume()

    def leave_body(self) -> None:
        """The handler has answered without the rest of the body: the connection ends after the answer."""
        body, self._body = self._body, None
        self._given_up = True
        self._in_request = False
        self._closing = self._unread = True
        if body is not None:
            body.fail(ConnectionResetError("the request is answered already"))

    def _fail_body(self, error: RequestBodyError, extra: bytes = b"") -> None:
        """The rest of the body will not be read: its reader is told, and so is the client where it is not answered."""
        exchange = self._exchange
        body, self._body = self._body, None
        assert body is not None
        self._given_up = True
        self._in_request = False
        self._closing = self._unread = True
        body.fail(error)
        if exchange.answer is not None:
            self.abort()
            return
        exchange.keep_alive = False
        self.server.count_refused(error.status)
        exchange.reply(error.status, self.server.problem(error.status, str(error)), extra=extra)

    def _continue(self, place: int) -> None:
        """Ask for the body (RFC 9110, 10.1.1), in the turn of the request at that place of the line."""
        self._expects_continue = False
        if place:
            interim = Exchange(self)
            interim.answer = CONTINUE
            self._line.insert(place, interim)
        else:
            self._transport.write(CONTINUE)

    # -- another protocol

    def _asks_for_websocket(self) -> bool:
        exchange = self._exchange
        protocols = exchange.headers.get(b"upgrade", b"").lower()
        is_plain = exchange.method == b"GET" and not self._framing and self.http_version == "1.1"
        return is_plain and protocols == b"websocket"

    def _hand_over_upgrade(self, rest: bytes) -> None:
        """Give a request for WebSocket to its handler; what follows it waits for the answer."""
        exchange = self._exchange
        exchange.path = _path(self._url)
        exchange.keep_alive = b"close" not in exchange.headers.get(b"connection", b"").lower()
        exchange.upgradable = True
        self._in_request = False
        refusal = self.server.early(exchange)
        if refusal is not None:
            self._in_request = True
            self._refuse(*refusal)
            return
        self._held = rest
        self._hand_over(exchange)

    def _not_upgraded(self) -> None:
        """The request for an upgrade was answered like any other: go on with HTTP."""
        held, self._held = self._held or b"", None
        self._parser = httptools.HttpRequestParser(self)
        if held and not self._closing:
            self._parse(held)
        self._resume()

    def _switch(self, successor: Successor) -> None:
        held, self._held = self._held or b"", None
        self._successor = successor
        successor.begin(
            self._transport, held, lambda: self.connection_lost(None), paused=self._stalled_since is not None
        )

    # -- answering

    def answered(self) -> None:
        """Write the answers at the front of the line, as many as there are."""
        if self._feeding:
            return
        while self._write_answers():
            self._not_upgraded()  # what was held back may have its answers already

    def _write_answers(self) -> bool:
        """Write once. Whether the last answer left a request for an upgrade with HTTP."""
        line = self._line
        if not line or line[0].answer is None:
            return False
        out: list[bytes] = []
        is_left = False
        last: Exchange | None = None
        while line and line[0].answer is not None:
            out.append(line[0].answer)
            if line[0].is_open:
                line[0].answer = b""
                break
            last = line.popleft()
        if not self._transport.is_closing():
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        self._since = self.server.tick
        if last is not None and last.successor is not None:
            self._switch(last.successor)
        elif not line and last and (not last.keep_alive or (self.server.closing and not self._in_request)):
            self._end()
        elif last is not None and last.upgradable:
            is_left = True
        else:
            self._resume()
        if self._waiters:
            self._wake()
        return is_left

    async def wait_for_turn(self, exchange: Exchange) -> None:
        """Wait until `exchange` is at the front of the line and the client reads."""
        while not self._transport.is_closing():
            if not self._feeding and self._line[0] is exchange and self._stalled_since is None:
                return
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        raise ConnectionResetError("the client is gone")

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def close_when_answered(self) -> None:
        """Answer what is under way, then close."""
        if self._successor is not None:
            self._successor.close()
        elif self._line:
            self._line[-1].keep_alive = False
        elif not self._in_request:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def check_time(self) -> None:
        """Called at each sweep: a slow client gets 408, a silent one is closed."""
        limits = self.server.limits
        waited = self.server.tick - self._since
        if self._successor is not None:
            return
        if self._stalled_since is not None:
            if self.server.tick - self._stalled_since > limits.request_timeout_s:
                self._transport.abort()
        elif self._closing:
            if not self._line and waited > LINGER_TICKS:
                self._transport.abort()
            elif self._half_closed and self._line and self._line[0].is_open and waited > limits.request_timeout_s:
                self._transport.abort()  # only a write would tell whether somebody still reads a silent stream
        elif self._in_request:
            if waited > limits.request_timeout_s and not (self._body is not None and self._body.is_full):
                self._refuse(408, f"the request was not complete after {limits.request_timeout_s} s")
        elif not self._line and (self.server.closing or waited > limits.keep_alive_timeout_s):
            self._transport.close()

    def _head_without_upgrade(self) -> bytes:
        """The head once more, less its wish for another protocol: with it the parser would not read the body."""
        exchange = self._exchange
        kept = b"".join(b"%s: %s\r\n" % header for header in exchange.headers.items() if header[0] not in _NOT_REPEATED)
        return b"%s %s HTTP/%s\r\n%s%sContent-Type: %s\r\nContent-Encoding: %s\r\n%s\r\n" % (
            exchange.method,
            self._url,
            self._parser.get_http_version().encode(),
            self._framing,
            kept,
            exchange.headers.get(b"content-type", exchange.content_type),
            exchange.encoding,
            b"Expect: 100-continue\r\n" if self._expects_continue else b"",
        )

    def _refuse_body(self) -> None:
        self._refuse_and_stop(413, f"the body is larger than {self.server.limits.body} bytes", b"")

    def _refuse_and_stop(self, status: int, reason: str, extra: bytes) -> None:
        """Refuse the request being parsed, and leave the parser."""
        self._refuse(status, reason, extra)
        raise _Refused

    def _refuse(self, status: int, reason: str, extra: bytes = b"") -> None:
        """Answer (after the answers before it) and close: the rest of what the client sends cannot be made sense of."""
        if self._body is not None:
            self._fail_body(RequestBodyError(status, reason), extra)
            return
        exchange = self._exchange if self._in_request else Exchange(self)
        self._in_request = False
        self._drop_body()
        self._closing = self._unread = True
        exchange.keep_alive = False
        self._line.append(exchange)
        self.server.count_refused(status)
        exchange.reply(status, self.server.problem(status, reason), extra=extra)

    def _end(self) -> None:
        """The last answer is written. A client that may still be sending is let finish, so that it can read it."""
        self._closing = True
        transport = self._transport
        if transport.is_closing():
            return
        if self._unread and transport.can_write_eof():
            transport.write_eof()
            transport.resume_reading()
        else:
            transport.close()

    def _resume(self) -> None:
        if self._stalled_since is not None or self._closing or self._transport.is_closing():
            return
        if self._held is not None or (self._body is not None and self._body.is_full):
            return
        if len(self._line) < self.server.limits.pipeline:
            self._transport.resume_reading()

    def _retry_after(self) -> bytes:
        return b"Retry-After: %d\r\n" % self.server.limits.retry_after_s

    def _drop_body(self) -> None:
        self.server.buffered -= self._size
        self._size = 0
        self._chunks = []


def _path(target: bytes) -> str:
    """The path of a request's target, which is in origin form (`/path?query`) or absolute (`http://host/path`)."""
    if not target.startswith(b"/") and b"://" in target:
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return target.partition(b"?")[0].decode("latin-1")


class _Refused(Exception):  # noqa: N818 - not an error: the way out of the parser
    """The request being parsed has been refused."""
