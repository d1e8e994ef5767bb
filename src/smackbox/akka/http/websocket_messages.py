"""WebSocket messages in parts: `TextMessage` and `BinaryMessage`, whole or as a stream, as Pekko HTTP has them.

    async def save(message: TextMessage | BinaryMessage) -> TextMessage:
        size = await message.source.run_fold(system, 0, lambda total, part: total + len(part))
        return TextMessage(f"{size} received")

    handle_websocket(Flow.of().map_async(1, save), settings=WebSocketSettings(in_parts=True))

A flow may emit them at any time: the parts of a stream are sent as fragments, as fast as the peer reads. A flow
receives them with `WebSocketSettings.in_parts`. A message that came in one piece is whole; of any other the parts are
read while they arrive, once, and the next message comes after its end. What is left of a stream that is cancelled is
dropped. A message that nobody begins to read within 5 s ends the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.http.route import chunks_of
from smackbox.akka.stream.errors import StreamError
from smackbox.base.errors import RequestError
from smackbox.net.websocket import INTERNAL_ERROR, NORMAL, TOO_BIG, Message, WebSocket, WebSocketError

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem
    from smackbox.akka.stream.source import Source

STRICT_LIMIT = 1024 * 1024
"""Bytes or characters of a message that `to_strict` puts together, unless it is given another limit."""
POLICY = 1008
"""The close code for a peer that is too slow."""

T = TypeVar("T", str, bytes)


class PeerClosedConnectionError(WebSocketError, StreamError):
    """What a flow's input fails with: the connection did not end in order."""


class MessageError(RequestError, StreamError):
    """A message in parts was not read as it should be. A flow that fails with it closes the connection with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Message(Generic[T]):
    """`content` is the whole message, or a stream of its parts: a `Source`, or an async iterable."""

    __slots__ = ("_content",)
    kind: type[T]

    def __init__(self, content: T | Source[T, Any] | AsyncIterable[T]) -> None:
        self._content: Any = content

    @property
    def is_strict(self) -> bool:
        """Whether the message is whole."""
        return isinstance(self._content, self.kind)

    @property
    def source(self) -> Source[T, Any]:
        """The parts as a `Source`; of a received message, to be run once."""
        from smackbox.akka.stream.source import Source

        content = self._content
        if self.is_strict:
            return Source.single(content)
        return content if isinstance(content, Source) else Source.from_async_iterator(lambda: aiter(content))

    async def _whole(self, system: ActorSystem | None, timeout_s: float, limit: int) -> T:
        parts: list[T] = []
        size = 0
        try:
            async with asyncio.timeout(timeout_s), aclosing(_parts_of(self, system)) as arriving:
                async for part in arriving:
                    size += len(part)
                    if size > limit:
                        raise MessageError(TOO_BIG, f"the message is longer than {limit} bytes or characters")
                    parts.append(part)
        except TimeoutError as error:
            raise MessageError(POLICY, f"the message did not end within {timeout_s:g} s") from error
        return self.kind().join(parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._content!r})"


class TextMessage(_Message[str]):
    """A text. Its parts are pieces of text, cut between characters."""

    __slots__ = ()
    kind = str

    @property
    def text(self) -> str:
        """The whole text. Raises `ValueError` for a stream."""
        if not isinstance(self._content, str):
            raise ValueError("the message comes in parts: read its source, or await to_strict(…)")
        return self._content

    async def to_strict(
        self, timeout_s: float, limit: int = STRICT_LIMIT, system: ActorSystem | None = None
    ) -> TextMessage:
        """The message with its text whole. Raises `MessageError` where it is longer than `limit`, or too late.

        `system` is needed for a message that was made of a `Source`.
        """
        return TextMessage(await self._whole(system, timeout_s, limit))


class BinaryMessage(_Message[bytes]):
    """Bytes."""

    __slots__ = ()
    kind = bytes

    @property
    def data(self) -> bytes:
        """All bytes. Raises `ValueError` for a stream."""
        if not isinstance(self._content, bytes):
            raise ValueError("the message comes in parts: read its source, or await to_strict(…)")
        return self._content

    async def to_strict(
        self, timeout_s: float, limit: int = STRICT_LIMIT, system: ActorSystem | None = None
    ) -> BinaryMessage:
        """The message with its bytes whole. Raises `MessageError` where it is longer than `limit`, or too late.

        `system` is needed for a message that was made of a `Source`.
        """
        return BinaryMessage(await self._whole(system, timeout_s, limit))


Sendable = Message | TextMessage | BinaryMessage
"""What a flow may emit."""


class ArrivingParts:
    """The parts of a message that is being received, read once. `ended` is for who goes on with the next message."""

    def __init__(self, socket: WebSocket, first: Message) -> None:
        self._socket = socket
        self._first: Message | None = first
        self._is_complete = False
        self._is_begun = asyncio.Event()
        self._is_left = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._is_begun.is_set():
            raise MessageError(INTERNAL_ERROR, "the parts of a message can be read once")
        self._is_begun.set()
        return _Reading(self)

    async def pull(self) -> Message | None:
        """The next part that is not empty; None at the end. Raises `PeerClosedConnectionError`."""
        first, self._first = self._first, None
        if first is not None:
            return first
        while not self._is_complete:
            part = await self._next()
            if part:
                return part
        self.leave()
        return None

    def leave(self) -> None:
        """Nobody reads on."""
        self._is_left.set()

    async def ended(self, begin_timeout_s: float) -> None:
        """Wait until the message is read or given up, and read over what is left of it.

        Raises `MessageError` where nobody begins to read it, and `WebSocketError` as the socket does.
        """
        while not self._is_begun.is_set():
            try:
                async with asyncio.timeout(begin_timeout_s):
                    await self._is_begun.wait()
            except TimeoutError as error:
                if not self._socket.is_stalled:  # else the message waits behind others to be sent
                    reason = f"nobody began to read a message in parts within {begin_timeout_s:g} s: run its source"
                    raise MessageError(INTERNAL_ERROR, reason) from error
        await self._is_left.wait()
        while not self._is_complete:
            await self._next()

    async def _next(self) -> Message:
        try:
            part = await self._socket.receive_part()
        except WebSocketError as error:
            raise PeerClosedConnectionError(error.code, error.reason) from error
        if part is None:
            raise PeerClosedConnectionError(NORMAL, "the peer closed the connection within a message")
        self._is_complete = part[1]
        return part[0]


class _Reading(AsyncIterator[Any]):
    """Who reads the parts. It is no generator, for one that is closed before its first part runs nothing."""

    def __init__(self, parts: ArrivingParts) -> None:
        self._parts = parts

    async def __anext__(self) -> Any:
        part = await self._parts.pull()
        if part is None:
            raise StopAsyncIteration
        return part

    async def aclose(self) -> None:
        self._parts.leave()


async def send_message(socket: WebSocket, message: Sendable, system: ActorSystem) -> None:
    """Send a message, in parts where it is a stream. Raises `TypeError` for parts of another kind, and as `send`."""
    if not isinstance(message, _Message):
        await socket.send(message)
        return
    if message.is_strict:
        await socket.send(message._content)
        return
    async with aclosing(_parts_of(message, system)) as parts:
        async for part in parts:
            if not isinstance(part, message.kind):
                raise TypeError(f"a part of a {type(message).__name__} is {message.kind.__name__}, not {part!r}")
            if part:
                await socket.send(part, is_last=False)
    await socket.send(message.kind())


async def _parts_of(message: _Message[Any], system: ActorSystem | None) -> AsyncGenerator[Any, None]:
    content = message._content
    if message.is_strict:
        yield content
        return
    if system is None and not isinstance(content, AsyncIterable):
        raise ValueError("a message that was made of a Source needs its system to be read")
    parts: Any = chunks_of(content, system)  # type: ignore[arg-type]
    try:
        async for part in parts:
            yield part
    finally:
        close = getattr(parts, "aclose", None)
        if close is not None:
            await close()
