"""From bytes in pieces to whole frames: lines and other delimiters, length fields, JSON objects; and gzip, deflate.

The cutters are plain machines: `feed(data)` gives the frames that are complete, `end()` what is left, or raises.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Literal, Protocol

from smackbox.akka.stream.errors import CompressionError, FramingError
from smackbox.akka.stream.stage import Emitter, Stage

INFLATED_PIECE = 64 * 1024
"""Bytes of one element after decompression, at most."""


class Cutter(Protocol):
    """Cuts bytes into frames, however they come."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole with `data`. Raises `FramingError`."""
        ...

    def end(self) -> list[bytes]:
        """What is left at the end. Raises `FramingError` in the middle of a frame."""
        ...


class DelimiterCutter:
    """Frames end with `delimiter`, which is not given on."""

    def __init__(self, delimiter: bytes, limit: int, allow_truncation: bool) -> None:
        self._delimiter = delimiter
        self._limit = limit
        self._allow_truncation = allow_truncation
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        buffer, delimiter = self._buffer, self._delimiter
        buffer += data
        frames: list[bytes] = []
        begin = 0
        while True:
            found = buffer.find(delimiter, max(begin, self._searched))
            if found < 0:
                break
            if found - begin > self._limit:
                raise FramingError(f"a frame has {found - begin} bytes, and the limit is {self._limit}")
            frames.append(bytes(buffer[begin:found]))
            begin = found + len(delimiter)
            self._searched = begin
        del buffer[:begin]
        self._searched = max(0, len(buffer) - len(delimiter) + 1)
        if len(buffer) - len(delimiter) + 1 > self._limit:
            raise FramingError(f"{len(buffer)} bytes came without a delimiter, and the limit is {self._limit}")
        return frames

    def end(self) -> list[bytes]:
        if not self._buffer:
            return []
        if not self._allow_truncation:
            raise FramingError("the stream ended in the middle of a frame")
        return [bytes(self._buffer)]


class LengthCutter:
    """Frames have their length in a field of `field_length` bytes at `field_offset`; they are given on whole.

    `size(header, length)` gives the size of the whole frame; by default the field counts what follows it.
    """

    def __init__(
        self,
        field_length: int,
        field_offset: int,
        limit: int,
        byte_order: Literal["big", "little"],
        size: Callable[[bytes, int], int] | None,
    ) -> None:
        if not 1 <= field_length <= 8:
            raise ValueError("a length field has 1 to 8 bytes")
        self._end_of_field = field_offset + field_length
        self._offset = field_offset
        self._limit = limit
        self._order: Literal["big", "little"] = byte_order
        self._size = size
        self._buffer = bytearray()
        self._whole: int | None = None

    def feed(self, data: bytes) -> list[bytes]:
        self._buffer += data
        frames = []
        begin = 0
        while True:
            if self._whole is None:
                if len(self._buffer) - begin < self._end_of_field:
                    break
                header = bytes(self._buffer[begin : begin + self._end_of_field])
                length = int.from_bytes(header[self._offset :], self._order)
                self._whole = self._end_of_field + length if self._size is None else self._size(header, length)
                if self._whole < self._end_of_field:
                    raise FramingError(f"a frame of {self._whole} bytes is shorter than its header")
                if self._whole > self._limit:
                    raise FramingError(f"a frame has {self._whole} bytes, and the limit is {self._limit}")
            if len(self._buffer) - begin < self._whole:
                break
            frames.append(bytes(self._buffer[begin : begin + self._whole]))
            begin += self._whole
            self._whole = None
        del self._buffer[:begin]
        return frames

    def end(self) -> list[bytes]:
        if self._buffer:
            raise FramingError("the stream ended in the middle of a frame")
        return []


_WHITE = frozenset(b" \t\r\n")
_OPEN, _CLOSE, _QUOTE, _ESCAPE = ord("{"), ord("}"), ord('"'), ord("\\")
_OUTER = frozenset(b",[]") | _WHITE


class JsonCutter:
    """JSON objects one after another: concatenated, by lines, or as an array with commas."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0
        self._depth = 0
        self._in_text = False
        self._escaped = False

    def feed(self, data: bytes) -> list[bytes]:
        buffer = self._buffer
        buffer += data
        frames = []
        begin = 0
        at = self._at
        while at < len(buffer):
            byte = buffer[at]
            at += 1
            if self._depth == 0:
                if byte == _OPEN:
                    self._depth = 1
                    begin = at - 1
                elif byte not in _OUTER:
                    raise FramingError(f"byte {byte:#04x} is between JSON objects, where only , [ ] and blanks may be")
                else:
                    begin = at
            elif self._escaped:
                self._escaped = False
            elif self._in_text:
                if byte == _ESCAPE:
                    self._escaped = True
                elif byte == _QUOTE:
                    self._in_text = False
            elif byte == _QUOTE:
                self._in_text = True
            elif byte == _OPEN:
                self._depth += 1
            elif byte == _CLOSE:
                self._depth -= 1
                if self._depth == 0:
                    self._check(at - begin)
                    frames.append(bytes(buffer[begin:at]))
                    begin = at
        del buffer[:begin]
        self._at = at - begin
        self._check(len(buffer))
        return frames

    def end(self) -> list[bytes]:
        if self._depth:
            raise FramingError("the stream ended in the middle of a JSON object")
        return []

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise FramingError(f"a JSON object has {size} bytes or more, and the limit is {self._limit}")


class Cut(Emitter):
    """Runs a cutter."""

    def __init__(self, cutter: Cutter) -> None:
        self._cutter = cutter

    def on_push(self) -> None:
        frames = self._cutter.feed(self.inlet.grab())
        if frames:
            self.emit_all(frames)
        else:
            self.inlet.pull()

    def on_upstream_finish(self) -> None:
        self.emit_all(self._cutter.end())
        self.finish()


class Compress(Emitter):
    """`window` is zlib's: 31 gzip, 15 zlib (deflate of HTTP)."""

    def __init__(self, level: int, window: int) -> None:
        self._machine = zlib.compressobj(level, zlib.DEFLATED, window)

    def on_push(self) -> None:
        data = self._machine.compress(self.inlet.grab())
        if data:
            self.emit(data)
        else:
            self.inlet.pull()

    def on_upstream_finish(self) -> None:
        self.emit(self._machine.flush())
        self.finish()


class Decompress(Stage):
    """Gives pieces of at most `piece` bytes. Members of gzip may follow one another."""

    def __init__(self, window: int, piece: int) -> None:
        self._window = window
        self._piece = piece
        self._machine: Any = zlib.decompressobj(window)
        self._input = b""
        self._any = False

    def on_push(self) -> None:
        self._input = self.inlet.grab()
        self._any = True
        self._give()

    def on_pull(self) -> None:
        self._give()

    def on_upstream_finish(self) -> None:
        if self.outlet.is_wanted:
            self._give()

    def _give(self) -> None:
        while True:
            if self._machine.eof:
                rest = self._machine.unused_data or self._input
                self._input = rest
                if rest:
                    self._machine = zlib.decompressobj(self._window)
                    self._any = True
            data = b""
            before = self._machine.unconsumed_tail or self._input
            if not self._machine.eof and (before or self._any):
                self._input = b""
                try:
                    data = self._machine.decompress(before, self._piece)
                except zlib.error as error:
                    raise CompressionError(f"the data cannot be decompressed: {error}") from error
            if data:
                self.outlet.push(data)
                return
            if self._machine.eof and self._machine.unused_data:
                continue
            if self._machine.unconsumed_tail:
                continue
            break
        if self.inlet.in_closed:
            self._end()
        else:
            self.inlet.try_pull()

    def _end(self) -> None:
        if self._any and not self._machine.eof:
            raise CompressionError("the compressed data is cut off")
        self.complete_stage()
