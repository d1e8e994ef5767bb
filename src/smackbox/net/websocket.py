"""WebSocket (RFC 6455) on a socket: messages both ways, on wsproto's core without IO, for servers and clients.

A message is `str` or `bytes`, put together from its fragments up to `message_limit` (beyond it the connection is closed
with 1009); with `WebSocketSettings.in_parts`, it is received in parts as they arrive, and has any length. Back-pressure
both ways: the socket is not read while `BUFFER_MESSAGES` messages or `BUFFER_BYTES` of them wait to be received, and
`send` waits while the peer does not read. A peer that is silent is pinged, and one that does not answer, or does not
read, is cut off.

With `WebSocketSettings.deflate`, messages are compressed where the peer agrees (`websocket_deflate.py`). What has
arrived is then taken by `SLICE` bytes as long as there is room, for a byte may inflate to a thousand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from wsproto.extensions import Extension
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from smackbox.base.errors import RequestError
from smackbox.net.websocket_deflate import Deflate, PerMessageDeflate

BUFFER_BYTES = 64 * 1024
BUFFER_MESSAGES = 16
SLICE = 2 * 1024
"""Bytes that are inflated at once: to some 2 MiB at most."""

NORMAL = 1000
GOING_AWAY = 1001
ABNORMAL = 1006
TOO_BIG = 1009
INTERNAL_ERROR = 1011
IN_ORDER = frozenset({NORMAL, GOING_AWAY, 1005})
"""Close codes that are no errors; 1005 stands for a close without one."""

Message = str | bytes
Part = tuple[Message, bool]
"""A part of a message, and whether it is the last one."""


@dataclass(frozen=True, slots=True)
class WebSocketSettings:
    """Limits of one connection: bytes of a binary message or characters of a text one, and seconds."""

    message_limit: int = 1024 * 1024
    ping_s: float = 20.0
    """Silence after which the peer is pinged; after as much again it is cut off."""
    close_timeout_s: float = 3.0
    """How long the peer may take to answer a close."""
    deflate: Deflate | None = None
    """Compress messages where the peer agrees (permessage-deflate); None does not."""
    in_parts: bool = False
    """Messages are received in parts, of any length (`receive_part`)."""


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
        self._deflate = (
            None
            if settings.deflate is None
            else PerMessageDeflate(settings.deflate, None if settings.in_parts else settings.message_limit)
        )
        self._arrived = bytearray()
        """What is not parsed yet: there was no room for the messages in it."""
        self._messages: deque[Part] = deque()
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

    @property
    def receives_parts(self) -> bool:
        """Whether messages are received in parts."""
        return self._settings.in_parts

    @property
    def is_stalled(self) -> bool:
        """Whether the peer does not read what is sent."""
        return self._paused

    @property
    def extensions(self) -> list[Extension]:
        """What a handshake offers, or agrees to."""
        return [] if self._deflate is None else [self._deflate]

    # -- for its user

    async def receive(self) -> Message | None:
        """The next message; None after a close in order. Raises `WebSocketError` after any other end."""
        assert not self._settings.in_parts
        part = await self.receive_part()
        return None if part is None else part[0]

    async def receive_part(self) -> Part | None:
        """The next part of a message; without `in_parts` each is the whole of one. None and raises as `receive`."""
        while not self._messages:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                return None
            self._receiver = self._loop.create_future()
            await self._receiver
        part = self._messages.popleft()
        self._waiting_size -= len(part[0])
        self._resume()
        return part

    async def send(self, message: Message, *, is_last: bool = True) -> None:
        """Send a message, or a part of one, once the peer reads.

        Raises `WebSocketError` where the connection has ended, and `TypeError` for a part of another kind than the
        parts before it.
        """
        while self._paused and not self._closed:
            waiter = self._loop.create_future()
            self._senders.append(waiter)
            await waiter
        if self._closed or self._sent_close:
            raise self._failure or WebSocketError(NORMAL, "the connection is closed")
        event = (
            TextMessage(data=message, message_finished=is_last)
            if isinstance(message, str)
            else BytesMessage(data=bytes(message), message_finished=is_last)
        )
        self._transport.write(self._core.send(event))

    def close(self, code: int = GOING_AWAY, reason: str = "") -> None:
        """Send a close, and drop what the peer still sends; it has `close_timeout_s` to answer."""
        if self._sent_close or self._transport.is_closing():
            return
        self._sent_close = True
        self._messages.clear()
        self._waiting_size = 0
        self._send_event(CloseConnection(code=code, reason=reason))
        self._take_arrived()
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
        self._transport.write(self._core.send(replace(self._request, extensions=self.extensions)))

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._closed:
            return
        if self._deflate is None:
            self._parse(data)
        else:
            self._arrived += data
            self._take_arrived()
        if self._is_full and not self._sent_close and not self._closed:
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

    def _take_arrived(self) -> None:
        while self._arrived and not self._closed and (self._sent_close or not self._is_full):
            data = bytes(self._arrived[:SLICE])
            del self._arrived[:SLICE]
            self._parse(data)

    def _parse(self, data: bytes) -> None:
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
        if self._settings.in_parts:
            if event.data or event.message_finished:
                data = event.data if isinstance(event.data, str) else bytes(event.data)
                self._put(data, is_last=event.message_finished)
            return
        if event.data:
            self._part_size += len(event.data)
            self._parts.append(event.data)  # type: ignore[arg-type]
        if self._part_size > self._settings.message_limit:
            self._fail(TOO_BIG, self._limit_reason)
            return
        if not event.message_finished:
            return
        empty: Message = "" if isinstance(event, TextMessage) else b""
        message: Message = empty.join(self._parts)  # type: ignore[arg-type]
        self._parts, self._part_size = [], 0
        self._put(message, is_last=True)

    def _put(self, message: Message, *, is_last: bool) -> None:
        self._messages.append((message, is_last))
        self._waiting_size += len(message)
        self._wake_receiver()

    def _take_close(self, event: CloseConnection) -> None:
        code, reason = int(event.code), event.reason or ""
        if self._core.state not in {ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED}:
            if code == TOO_BIG:  # of an extension's, which has no words for it
                reason = self._limit_reason
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
        self._arrived.clear()
        self._wake_receiver()
        self._wake_senders()

    # -- helpers

    @property
    def _limit_reason(self) -> str:
        return f"messages have at most {self._settings.message_limit} bytes or characters"

    @property
    def _is_full(self) -> bool:
        return len(self._messages) >= BUFFER_MESSAGES or self._waiting_size >= BUFFER_BYTES

    def _resume(self) -> None:
        self._take_arrived()
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
