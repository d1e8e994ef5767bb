"""One HTTP request and the position of its answer in the connection's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Protocol

from smackbox.net.request_body import RequestBody

JSON = b"application/json"

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Framing(Enum):
    """How the end of a streamed body is marked."""

    CHUNKED = auto()
    NONE = auto()
    """By the `Content-Length` header; or there is no body."""
    CLOSE = auto()
    """By the end of the connection: for HTTP/1.0 clients."""


class ServerState(Protocol):
    """The part of the server that an answer needs."""

    closing: bool
    date: bytes


class ExchangeOwner(Protocol):
    """The connection of an exchange."""

    @property
    def server(self) -> ServerState:
        """The connection's server."""
        ...

    @property
    def peer(self) -> str:
        """The client's address, without its port."""
        ...

    @property
    def target(self) -> bytes:
        """Path and query of the current request, as sent."""
        ...

    @property
    def http_version(self) -> str:
        """`1.1` or `1.0`."""
        ...

    def answered(self) -> None:
        """Write all available answers at the front of the queue."""

    def leave_body(self) -> None:
        """The handler answered without reading the rest of the body: the connection ends after the answer."""

    async def wait_for_turn(self, exchange: Exchange) -> None:
        """Wait until `exchange` is at the front of the queue and the client reads."""

    def abort(self) -> None:
        """Close at once."""


class Successor(Protocol):
    """The handler of another protocol on an upgraded connection."""

    def begin(self, transport: asyncio.Transport, rest: bytes, closed: Callable[[], None], *, paused: bool) -> None:
        """Take over the transport. `rest` has arrived already; `closed` is called when the connection is lost.

        With `paused`, the client is not reading at the moment.
        """
        ...

    def close(self) -> None:
        """Close the connection according to the protocol."""
        ...


class Exchange:
    """One request and the position of its answer in the queue."""

    __slots__ = (
        "_connection", "answer", "body", "content_type", "encoding", "extra", "headers", "is_open", "keep_alive",
        "method", "on_lost", "path", "stream", "successor", "upgradable",
    )  # fmt: skip

    def __init__(self, connection: ExchangeOwner) -> None:
        self._connection = connection
        self.method = b""
        self.path = ""
        self.content_type = b""
        self.encoding = b""
        self.headers: dict[bytes, bytes] = {}
        self.extra = b""
        self.body = b""
        self.keep_alive = True
        self.answer: bytes | None = None
        self.is_open = False
        self.on_lost: Callable[[], Any] | None = None
        """Called when the client disconnects before its answer is complete."""
        self.stream: RequestBody | None = None
        """The body, if it is read as it arrives; then `body` is empty."""
        self.upgradable = False
        """Whether the client asked for WebSocket, and `upgrade` may answer it."""
        self.successor: Successor | None = None

    @property
    def peer(self) -> str:
        """The client's address, without its port."""
        return self._connection.peer

    @property
    def target(self) -> bytes:
        """Path and query as sent. Only valid during `HttpServer.handle` and `early`."""
        return self._connection.target

    @property
    def http_version(self) -> str:
        """`1.1` or `1.0`. Only valid during `HttpServer.handle` and `early`."""
        return self._connection.http_version

    def reply(self, status: int, body: bytes, kind: bytes = JSON, extra: bytes = b"") -> None:
        """Answer. `extra` are complete header lines, as is `self.extra`. HEAD, 204 and 304 get the head only."""
        assert self.answer is None, "answered twice"
        connection = self._connection
        self._leave_body()
        self.keep_alive = self.keep_alive and not connection.server.closing
        content = b"" if status in {204, 304} else b"Content-Type: %s\r\nContent-Length: %d\r\n" % (kind, len(body))
        self.answer = b"%sDate: %s\r\n%s%s%s%s\r\n%s" % (
            _STATUS_LINES[status],
            connection.server.date,
            content,
            self.extra,
            extra,
            b"" if self.keep_alive else b"Connection: close\r\n",
            b"" if self.method == b"HEAD" else body,
        )
        connection.answered()

    def reply_head(self, status: int, kind: bytes, extra: bytes, length: int | None) -> None:
        """Answer HEAD for a body of `length` bytes, None if that is unknown."""
        sized = extra if length is None else extra + b"Content-Length: %d\r\n" % length
        self.begin(status, kind, sized, framing=Framing.NONE)
        self._leave_body()
        self.is_open = False
        self._connection.answered()

    def begin(self, status: int, kind: bytes, extra: bytes, *, framing: Framing) -> None:
        """Send the head of an answer whose body follows by `send` and ends with `finish`."""
        assert self.answer is None, "answered twice"
        connection = self._connection
        ends_itself = framing is not Framing.CLOSE
        self.keep_alive = self.keep_alive and ends_itself and not connection.server.closing
        self.answer = b"%sDate: %s\r\nContent-Type: %s\r\n%s%s%s%s\r\n" % (
            _STATUS_LINES[status],
            connection.server.date,
            kind,
            b"Transfer-Encoding: chunked\r\n" if framing is Framing.CHUNKED else b"",
            self.extra,
            extra,
            b"" if self.keep_alive else b"Connection: close\r\n",
        )
        self.is_open = True
        connection.answered()

    async def send(self, data: bytes) -> None:
        """Send bytes of the body, framed by the caller. Waits for the answers before it, and while the client is slow.

        Raises `ConnectionResetError` when the client is gone.
        """
        await self._connection.wait_for_turn(self)
        self.answer = data
        self._connection.answered()

    async def finish(self, data: bytes = b"") -> None:
        """End the body with `data`. Raises like `send`."""
        await self._connection.wait_for_turn(self)
        self._leave_body()
        self.answer = data
        self.is_open = False
        self._connection.answered()

    def upgrade(self, head: bytes, successor: Successor) -> None:
        """Answer with `head`, a complete 101 response, and pass the connection to `successor` once the previous answers
        are sent.
        """
        assert self.answer is None and self.upgradable, "there is nothing to upgrade"
        self.successor = successor
        self.answer = head
        self._connection.answered()

    def _leave_body(self) -> None:
        if self.stream is None:
            return
        if not self.stream.complete:
            self.keep_alive = False
            self._connection.leave_body()
        self.stream.discard_unread()

    def cut_off(self) -> None:
        """Close the connection in the middle of the answer, so that the client sees that it is incomplete."""
        self._connection.abort()
