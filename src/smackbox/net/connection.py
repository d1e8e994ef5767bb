"""One connection of a frame-based protocol: it turns bytes into whole frames, and controls when to stop reading.

All the connections of a server read into one shared buffer, so an idle one needs no buffer. An incomplete frame moves
to its own buffer, of the frame's size, and the rest of it is read directly into that. All frames of one read are
handled in one pass, so that a server can commit their writes and send their answers together.

Whatever prevents a connection from being served is a reason to stop: the peer does not read its answers, too many
requests are in flight, answers wait for the disk, or there is no room for more. While any reason applies, nothing is
read and no frame is handled; the rest of the pass waits, and continues when the last reason is gone. So the bytes kept
for a connection are bounded by one read, one frame, and what its protocol adds.
"""

from __future__ import annotations

import asyncio
import logging
from typing import ClassVar, Protocol, cast

from smackbox.base.errors import ProtocolError, StorageError
from smackbox.net.read_buffer import ReadBuffer

SMALL_FRAME_BYTES = 64 * 1024
"""Frames up to this size are read at once, whether or not there is room for them."""
UNREAD_PUSH_BYTES = 1024 * 1024

UNREAD = 1
"""Reason to stop: the peer does not read its answers."""
TURN = 2
"""Reason to stop: other connections get their turn first."""
CLOSED = 4
"""Reason to stop: this side has closed the connection. It is permanent."""
FREE = 8
"""The first reason that a protocol may define; further ones are 16, 32 and so on."""

NOTHING = memoryview(b"")

log = logging.getLogger(__name__)


class Decoder(Protocol):
    """An outer framing, which decodes bytes before they are split into frames. A few bytes may decode to many."""

    is_behind: bool
    """Whether more output is available without further input: `feed` with nothing returns it."""

    def feed(self, data: bytes | memoryview, limit: int = ..., /) -> bytes:
        """Decode input; returns about `limit` bytes at a time. Raises `ProtocolError`."""
        ...


class FrameConnection(asyncio.BufferedProtocol):
    """The protocol object of one socket; a protocol defines the methods under "to be overridden"."""

    HEAD_BYTES: ClassVar[int] = 4
    WRITE_HIGH_WATER_BYTES: ClassVar[int] = 1024 * 1024

    transport: asyncio.Transport

    def __init__(self, read_buffer: ReadBuffer) -> None:
        self.in_pass = False
        self._read_buffer = read_buffer
        self._decoder: Decoder | None = None
        self._partial: memoryview | None = None
        self._filled = 0
        self._rest = bytearray()
        self._skipped = 0
        self._stops = 0
        self._is_drained = True
        self._is_put_back = False
        self._in_hand = 0
        self._pushed_bytes = 0

    # --- to be overridden

    def opened(self) -> None:
        """The connection is open: admit it, or abort its transport."""
        raise NotImplementedError

    def frame_bytes(self, data: memoryview, position: int) -> int:
        """The size of the frame, including its header, whose header of `HEAD_BYTES` is at `position`.

        Raises `ProtocolError`.
        """
        raise NotImplementedError

    def handle(self, frame: memoryview) -> None:
        """A whole frame, valid during this call. After `ProtocolError` or `StorageError`, `broken` is called."""
        raise NotImplementedError

    def begin_pass(self) -> None:
        """Frames may be handled; it may `stop`."""

    def end_pass(self) -> None:
        """No more frames for now: commit and answer."""

    def announced(self, begun: memoryview, size: int) -> None:
        """A frame larger than `SMALL_FRAME_BYTES` has begun to arrive: `stop` until there is room, or `skip` it."""

    def broken(self, error: ProtocolError | StorageError) -> None:
        """The peer broke the protocol, or the disk failed; the pass has ended. Send the error and close."""
        raise NotImplementedError

    def closed(self) -> None:
        """The connection is closed."""

    # --- for subclasses

    @property
    def kept_bytes(self) -> int:
        """The bytes that have been read but not handled, or are being read into an allocated buffer."""
        return len(self._rest) + self._in_hand + (0 if self._partial is None else len(self._partial))

    @property
    def stops(self) -> int:
        """The reasons that apply."""
        return self._stops

    def stop(self, reason: int) -> None:
        """Stop reading and handling frames while this reason applies."""
        if not self._stops and not self.transport.is_closing():
            self.transport.pause_reading()
        self._stops |= reason

    def go(self, reason: int) -> None:
        """That reason no longer applies. The next pass starts in the loop's next iteration."""
        if not self._stops & reason:
            return
        self._stops &= ~reason
        if not self._stops:
            asyncio.get_running_loop().call_soon(self._go_on)

    def yield_turn(self) -> None:
        """Continue after other connections had their turn."""
        if not self._stops & TURN:
            self.stop(TURN)
            asyncio.get_running_loop().call_soon(self.go, TURN)

    def put_back(self) -> None:
        """From `handle`, with `stop`: this frame cannot be handled yet, and is handled again when the connection
        continues.
        """
        self._is_put_back = True

    def skip(self) -> None:
        """From `announced`: discard that frame."""
        self._skipped = -1

    def decode_with(self, decoder: Decoder) -> None:
        """From `handle`: pass everything after this frame through that decoder first."""
        self._decoder = decoder

    def close(self) -> None:
        """Close the connection after the peer has received all output."""
        self._stops |= CLOSED
        self.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._stops |= CLOSED
        self.transport.abort()

    def push(self, frame: bytes) -> None:
        """Send a frame that answers no request. A peer that leaves too many of these unread is disconnected."""
        if self.transport.is_closing():
            return
        if not self.transport.get_write_buffer_size():
            self._pushed_bytes = 0
        self._pushed_bytes += len(frame)
        self.transport.write(frame)
        if self._pushed_bytes > UNREAD_PUSH_BYTES:
            peer = self.transport.get_extra_info("peername")
            log.warning("closing the connection from %s: it does not read its events", peer)
            self.abort()

    # --- the asyncio side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transport matches only by its methods
        self.transport.set_write_buffer_limits(high=self.WRITE_HIGH_WATER_BYTES)
        self.opened()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.closed()
        self._rest = bytearray()
        self._partial = None

    def pause_writing(self) -> None:
        self.stop(UNREAD)

    def resume_writing(self) -> None:
        self.go(UNREAD)

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._partial is None or self._decoder is not None:
            return self._read_buffer.shared
        return self._partial[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        partial = self._partial
        if partial is None or self._decoder is not None:
            self._arrived(self._read_buffer.shared[:nbytes])
            return
        self._filled += nbytes
        if self._filled == len(partial):
            self._partial = None
            self._run(partial)
            self._read_buffer.give_back(partial)

    # --- frames

    def _go_on(self) -> None:
        if self._stops or self.transport.is_closing():
            return
        if not self._is_drained:
            rest, self._rest = memoryview(self._rest), bytearray()
            self._run(rest)
        elif self._decoder is not None and self._decoder.is_behind:
            self._arrived(NOTHING)
        if not self._stops and not self.transport.is_closing():
            self.transport.resume_reading()

    def _arrived(self, data: memoryview) -> None:
        if self._decoder is not None:
            try:
                data = memoryview(self._feed(self._decoder, data))
            except ProtocolError as error:
                self.broken(error)
                return
        if self._skipped:
            skipped = min(self._skipped, len(data))
            self._skipped -= skipped
            data = data[skipped:]
        if self._partial is not None:
            data = self._complete(self._partial, data)
        if self._rest:
            self._rest += data
            data, self._rest = memoryview(self._rest), bytearray()
        self._run(data)

    def _feed(self, decoder: Decoder, data: memoryview) -> bytes:
        """While the connection is stopped, input is kept as small as it arrived."""
        return decoder.feed(data, 0) if self._stops else decoder.feed(data)

    def _complete(self, partial: memoryview, data: memoryview) -> memoryview:
        """Decoded bytes complete the frame that has begun; at its end, it and the rest are to be handled."""
        taken = min(len(partial) - self._filled, len(data))
        partial[self._filled : self._filled + taken] = data[:taken]
        self._filled += taken
        if self._filled < len(partial):
            return NOTHING
        self._partial = None
        return memoryview(bytes(partial) + data[taken:])

    def _run(self, data: memoryview) -> None:
        """One pass; `_rest` is what it leaves."""
        if self._stops:
            self._rest += data
            self._is_drained = False
            return
        failure: ProtocolError | StorageError | None = None
        self.in_pass = True
        self._in_hand = len(data)
        try:
            try:
                rest = self._handle_frames(data)
                self._rest += rest
            finally:
                self._in_hand = 0
                self._is_drained = not self._stops
                self.end_pass()
        except (ProtocolError, StorageError) as error:
            failure = error
        finally:
            self.in_pass = False
        if failure is not None:
            self.broken(failure)
        elif self._decoder is not None and self._decoder.is_behind:
            self.yield_turn()

    def _handle_frames(self, data: memoryview) -> memoryview:
        """Handle frames; returns what is left for later."""
        position = 0
        end = len(data)
        head = self.HEAD_BYTES
        decoder = self._decoder
        self.begin_pass()
        while end - position >= head and not self._stops:
            size = self.frame_bytes(data, position)
            behind = position + size
            if behind > end:
                return self._begin_partial(data[position:], size)
            self.handle(data[position:behind])
            if self._is_put_back:
                self._is_put_back = False
                break
            position = behind
            if self._decoder is not decoder:
                return self._decode_rest(self._decoder, data[position:])
        return data[position:]

    def _begin_partial(self, begun: memoryview, size: int) -> memoryview:
        if size > SMALL_FRAME_BYTES:
            self.announced(begun, size)
            if self._skipped:
                self._skipped = size - len(begun)
                return NOTHING
            if self._stops:
                return begun
        self._partial = self._read_buffer.take(size)
        self._filled = len(begun)
        self._partial[: self._filled] = begun
        return NOTHING

    def _decode_rest(self, decoder: Decoder | None, rest: memoryview) -> memoryview:
        """The decoder is new: pass the bytes read before through it, and handle them after other connections."""
        decoded = memoryview(decoder.feed(rest)) if decoder is not None else rest
        if decoded:
            self.yield_turn()
        return decoded
