"""Flows between bytes in pieces and frames, and between plain and compressed bytes. A body's limits are arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from smackbox.akka.stream.flow import Flow
from smackbox.akka.stream.framing import (
    INFLATED_PIECE,
    Compress,
    Cut,
    Decompress,
    DelimiterCutter,
    JsonCutter,
    LengthCutter,
)
from smackbox.akka.stream.transform import MapConcat

FRAME_LIMIT = 1024 * 1024
GZIP_WINDOW = 31
ZLIB_WINDOW = 15


class Framing:
    """Flows that cut bytes into frames."""

    @staticmethod
    def delimiter(
        delimiter: bytes, limit: int = FRAME_LIMIT, *, allow_truncation: bool = False
    ) -> Flow[bytes, bytes, None]:
        """Frames that end with `delimiter`, without it. A last one without it fails, or (`allow_truncation`) counts."""
        if not delimiter or limit < 1:
            raise ValueError("a delimiter has at least one byte, and so has a frame's limit")
        return _cut(lambda: DelimiterCutter(delimiter, limit, allow_truncation))

    @staticmethod
    def lines(limit: int = FRAME_LIMIT) -> Flow[bytes, bytes, None]:
        """Lines without their end, which is LF or CRLF; the last may have none."""
        return Framing.delimiter(b"\n", limit + 1, allow_truncation=True).map(_without_cr)

    @staticmethod
    def length_field(
        field_length: int,
        field_offset: int = 0,
        limit: int = FRAME_LIMIT,
        *,
        byte_order: Literal["big", "little"] = "little",
        size: Callable[[bytes, int], int] | None = None,
    ) -> Flow[bytes, bytes, None]:
        """Whole frames, header included. `size(header, length)` may give the whole size."""
        LengthCutter(field_length, field_offset, limit, byte_order, size)
        return _cut(lambda: LengthCutter(field_length, field_offset, limit, byte_order, size))

    @staticmethod
    def json_objects(limit: int = FRAME_LIMIT) -> Flow[bytes, bytes, None]:
        """Objects one after another, by lines, or in an array."""
        return _cut(lambda: JsonCutter(limit))

    @staticmethod
    def simple_encoder(limit: int = FRAME_LIMIT) -> Flow[bytes, bytes, None]:
        """Each element with its length before it, in 4 bytes, big-endian; over the limit it fails."""

        def encode(frame: bytes) -> bytes:
            if len(frame) > limit:
                from smackbox.akka.stream.errors import FramingError

                raise FramingError(f"a frame has {len(frame)} bytes, and the limit is {limit}")
            return len(frame).to_bytes(4, "big") + frame

        return Flow.from_function(encode)

    @staticmethod
    def simple_decoder(limit: int = FRAME_LIMIT) -> Flow[bytes, bytes, None]:
        """What `simple_encoder` wrote."""
        flow = Framing.length_field(4, 0, limit + 4, byte_order="big")
        return flow.map(lambda frame: frame[4:])


class Compression:
    """Flows that compress bytes and decompress them."""

    @staticmethod
    def gzip(level: int = 6) -> Flow[bytes, bytes, None]:
        """Compresses as gzip."""
        return _stage(lambda: Compress(level, GZIP_WINDOW))

    @staticmethod
    def gunzip(piece: int = INFLATED_PIECE) -> Flow[bytes, bytes, None]:
        """Pieces of at most `piece` bytes. Fails with `CompressionError` for what is damaged or cut off."""
        return _stage(lambda: Decompress(GZIP_WINDOW, piece))

    @staticmethod
    def deflate(level: int = 6) -> Flow[bytes, bytes, None]:
        """In zlib's wrapper, as HTTP means it."""
        return _stage(lambda: Compress(level, ZLIB_WINDOW))

    @staticmethod
    def inflate(piece: int = INFLATED_PIECE) -> Flow[bytes, bytes, None]:
        """Decompresses zlib's format, in pieces of at most `piece` bytes."""
        return _stage(lambda: Decompress(ZLIB_WINDOW, piece))


def pieces(size: int) -> Flow[bytes, bytes, None]:
    """Bytes in pieces of at most `size`."""
    return _stage(lambda: MapConcat(lambda data: (data[at : at + size] for at in range(0, len(data), size))))


def _cut(make: Callable[[], Any]) -> Flow[bytes, bytes, None]:
    return _stage(lambda: Cut(make()))


def _stage(make: Callable[[], Any]) -> Flow[bytes, bytes, None]:
    return Flow.of_stage(lambda _: (make(), None))


def _without_cr(line: bytes) -> bytes:
    return line[:-1] if line.endswith(b"\r") else line
