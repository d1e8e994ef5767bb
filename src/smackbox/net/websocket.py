"""WebSocket (RFC 6455) on a socket: whole messages both ways, on wsproto's core without IO, for servers and clients.

A message is `str` or `bytes`, put together from its fragments up to `message_limit` (beyond it the connection is closed
with 1009). Back-pressure both ways: the socket is not read while `BUFFER_MESSAGES` messages or `BUFFER_BYTES` of them
wait to be received, and `send` waits while the peer does not read. A peer that is silent is pinged, and one that does
not answer, or does not read, is cut off.

Simplified: no extensions (permessage-deflate: a small frame may unpack to gigabytes), and no message in parts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from wsproto import WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from smackbox.base.errors import RequestError

BUFFER_BYTES = 64 * 1024
BUFFER_MESSAGES = 16

NORMAL = 1000
GOING_AWAY = 1001
ABNORMAL = 1006
TOO_BIG = 1009
INTERNAL_ERROR = 1011
IN_ORDER = frozenset({NORMAL, GOING_AWAY, 1005})
"""Close codes that are no errors; 1005 stands for a close without one."""

Message = str | bytes


@dataclass(frozen=True, slots=True)
class WebSocketSettings:
    """Limits of one connection: bytes of a binary message or characters of a text one, and seconds."""

    message_limit: int = 1024 * 1024
    ping_s: float = 20.0
    """Silence after which the peer is pinged; after as much again it is cut off."""
    close_timeout_s: float = 3.0
    """How long the peer may take to answer a close."""


class WebSocketError(RequestError):
    """The connection did not end in order: the close code, 1006 for a connection that was lost."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"WebSocket closed with {code}{': ' if reason else ''}{reason}")
        self.code = code
        self.reason = reason


class UpgradeRejectedError(RequestError):
    """The server answered the handshake with another status than 101."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server does not speak WebSocket there: it answered {status}")
        self.status = status


class WebSocket(asyncio.Protocol):
    """One connection, whose handshake is done by whoever made `core` (a server), or by `request` (a client)."""

    def __init__(self, core: WSConnection, settings: WebSocketSettings, request: Request | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._core = core
        self._settings = settings
        self._request = request
        self._transport = cast("asyncio.Transport", None)
        self._on_closed: Callable[[], None] | None = None
        self.on_begun: Callable[[], object] | None = None
        """A server's: called when the connection is its own, after the answers to the requests before."""
        self.opened: asyncio.Future[str | None] = loop.create_future()
        """A client's: the subprotocol that the server chose. Fails with `UpgradeRejectedError`."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """The connection is gone."""
        self._messages: deque[Message] = deque()
        self._waiting_size = 0
        self._parts: list[str] | list[bytes] = []
        self._part_size = 0
        self._receiver: asyncio.Future[None] | None = None
        self._senders: list[asyncio.Future[None]] = []
        self._paused = False
        self._stalled_turns = 0
        self._heard = True
        self._pinged = False
        self._failure: WebSocketError | None = None
        self._closed = False  # no message comes any more
        self._sent_close = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_closed(self) -> bool:
        """Whether no message comes any more."""
        return self._closed

    # -- for its user

    async def receive(self) -> Message | None:
        """The next message; None after a close in order. Raises `WebSocketError` after any other end."""
        while not self._messages:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                return None
            self._receiver = self._loop.create_future()
            await self._receiver
        message = self._messages.popleft()
        self._waiting_size -= len(message)
        self._resume()
        return message

    async def send(self, message: Message) -> None:
        """Send a message once the peer reads. Raises `WebSocketError` where the connection has ended."""
        while self._paused and not self._closed:
            waiter = self._loop.create_future()
            self._senders.append(waiter)
            await waiter
        if self._closed or self._sent_close:
            raise self._failure or WebSocketError(NORMAL, "the connection is closed")
        event = TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=bytes(message))
        self._transport.write(self._core.send(event))

    def close(self, code: int = GOING_AWAY, reason: str = "") -> None:
        """Send a close, and drop what the peer still sends; it has `close_timeout_s` to answer."""
        if self._sent_close or self._transport.is_closing():
            return
        self._sent_close = True
        self._messages.clear()
        self._waiting_size = 0
        self._send_event(CloseConnection(code=code, reason=reason))
        self._transport.resume_reading()
        self._cut_off_later()

    # -- the transport's side

    def begin(self, transport: asyncio.Transport, rest: bytes, closed: Callable[[], None], *, paused: bool) -> None:
        """Take over a connection whose handshake is done."""
        self._transport = transport
        self._on_closed = closed
        self._paused = paused
        transport.set_protocol(self)
        self._start_pings()
        transport.resume_reading()
        if self.on_begun is not None:
            self.on_begun()
        if rest:
            self.data_received(rest)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        assert self._request is not None, "a server's connection begins with its upgrade"
        self._transport.write(self._core.send(self._request))

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._closed:
            return
        try:
            self._core.receive_data(data)
            for event in self._core.events():
                self._take(event)
                if self.is_closed:
                    return
        except RemoteProtocolError as error:  # of the handshake
            hint = error.event_hint
            status = hint.status_code if isinstance(hint, RejectConnection) else 400
            self._rejected(status)
        if self._is_full and not self._sent_close:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed:
            self._end(WebSocketError(ABNORMAL, "the connection was lost"))
        if self._timer is not None:
            self._timer.cancel()
        if self._request is not None and not self.opened.done():
            self.opened.set_exception(ConnectionResetError("the server closed the connection in the handshake"))
        if not self.ended.done():
            self.ended.set_result(None)
        if self._on_closed is not None:
            self._on_closed()

    def pause_writing(self) -> None:
        self._paused = True
        self._stalled_turns = 0
        self._transport.pause_reading()  # pongs must not pile up

    def resume_writing(self) -> None:
        self._paused = False
        self._resume()
        self._wake_senders()

    # -- what has arrived

    def _take(self, event: Event) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._take_part(event)
        elif isinstance(event, Ping):
            if not self._sent_close:
                self._send_event(event.response())
        elif isinstance(event, CloseConnection):
            self._take_close(event)
        elif isinstance(event, AcceptConnection):
            self._start_pings()
            self.opened.set_result(event.subprotocol)
        elif isinstance(event, RejectConnection):
            self._rejected(event.status_code)

    def _take_part(self, event: TextMessage | BytesMessage) -> None:
        if self._sent_close:
            return
        if event.data:
            self._part_size += len(event.data)
            self._parts.append(event.data)  # type: ignore[arg-type]
        limit = self._settings.message_limit
        if self._part_size > limit:
            self._fail(TOO_BIG, f"messages have at most {limit} bytes or characters")
            return
        if not event.message_finished:
            return
        empty: Message = "" if isinstance(event, TextMessage) else b""
        message: Message = empty.join(self._parts)  # type: ignore[arg-type]
        self._parts, self._part_size = [], 0
        self._messages.append(message)
        self._waiting_size += len(message)
        self._wake_receiver()

    def _take_close(self, event: CloseConnection) -> None:
        code, reason = int(event.code), event.reason or ""
        if self._core.state not in {ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED}:
            self._fail(code, reason)  # the peer sent what is no WebSocket
            return
        if not self._sent_close:
            self._sent_close = True
            self._send_event(event.response())
        self._end(None if code in IN_ORDER else WebSocketError(code, reason))
        if self._core.client:
            self._cut_off_later()  # the server closes the connection
        else:
            self._transport.close()

    def _fail(self, code: int, reason: str) -> None:
        """The peer broke the protocol or a limit: say so, read no more of it, and end the connection."""
        if not self._sent_close:
            self._sent_close = True
            self._send_event(CloseConnection(code=code, reason=reason))
        self._end(WebSocketError(code, reason))
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._cut_off_later()
        else:
            self._transport.close()

    def _rejected(self, status: int) -> None:
        if not self.opened.done():
            self.opened.set_exception(UpgradeRejectedError(status))
        self._end(WebSocketError(ABNORMAL, f"the handshake was answered with {status}"))
        self._transport.close()

    def _end(self, failure: WebSocketError | None) -> None:
        self._closed = True
        self._failure = failure
        self._parts = []
        self._wake_receiver()
        self._wake_senders()

    # -- helpers

    @property
    def _is_full(self) -> bool:
        return len(self._messages) >= BUFFER_MESSAGES or self._waiting_size >= BUFFER_BYTES

    def _resume(self) -> None:
        if not (self._is_full or self._paused or self._closed or self._transport.is_closing()):
            self._transport.resume_reading()

    def _send_event(self, event: Event) -> None:
        if self._transport.is_closing():
            return
        try:
            self._transport.write(self._core.send(event))
        except LocalProtocolError:
            return  # closed from both sides at once

    def _wake_receiver(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None and not receiver.done():
            receiver.set_result(None)

    def _wake_senders(self) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            if not sender.done():
                sender.set_result(None)

    def _start_pings(self) -> None:
        self._timer = self._loop.call_later(self._settings.ping_s, self._look)

    def _look(self) -> None:
        """Whether the peer is there: it sends, answers pings, and reads."""
        if self._paused:
            self._stalled_turns += 1
            gone = self._stalled_turns > 1
        elif self._heard or self._is_full:
            self._heard = self._pinged = gone = False
        else:
            gone = self._pinged
            self._pinged = True
            if not gone:
                self._send_event(Ping())
        if gone:
            self._end(WebSocketError(ABNORMAL, f"the peer was silent for {2 * self._settings.ping_s:g} s"))
            self._transport.abort()
        else:
            self._start_pings()

    def _cut_off_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._settings.close_timeout_s, self._transport.abort)
