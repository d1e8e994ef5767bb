"""Content codings of HTTP bodies (RFC 9110, 8.4.1), decompressed up to a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

GZIP = 31
DEFLATE = 15
"""zlib's window bits for the two formats; deflate is in zlib's frame."""

FIRST_STEP_BYTES = 512
"""How much of a further gzip member is decompressed at first: the rest is copied at the end of a member, which may be
tiny.
"""


def unpack(data: bytes, limit: int, window: int) -> bytes:
    """The content of gzip (one or more members) or deflate (one stream), of at most `limit` bytes.

    Raises `OverflowError` beyond the limit, and `zlib.error` for malformed or incomplete input.
    """
    out: list[bytes] = []
    room = limit
    view, position, step = memoryview(data), 0, len(data)
    while True:
        member = zlib.decompressobj(window)
        while not member.eof:
            if position == len(view):
                raise zlib.error("the stream ends early")
            part = view[position : position + step]
            piece = member.decompress(part, room + 1)
            if len(piece) > room:
                raise OverflowError(f"the body is larger than {limit} bytes when it is unpacked")
            room -= len(piece)
            out.append(piece)
            position += len(part) - len(member.unused_data)
            step *= 2
        if position == len(view):
            return b"".join(out)
        if window == DEFLATE:
            raise zlib.error("bytes follow the end of the stream")
        step = FIRST_STEP_BYTES


class Unpacked:
    """Decompresses a body that arrives in parts, with the rules of `unpack`."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._member: Any = zlib.decompressobj(window)

    def feed(self, data: bytes, size: int) -> Iterator[bytes]:
        """The decompressed `data`, in pieces of at most `size` bytes. Raises `zlib.error`."""
        view, position, step = memoryview(data), 0, len(data)
        more = bool(data)
        while more:
            if self._member.eof:
                if self._window == DEFLATE:
                    raise zlib.error("bytes follow the end of the stream")
                self._member = zlib.decompressobj(self._window)
                step = FIRST_STEP_BYTES
            part = view[position : position + step]
            piece = self._member.decompress(part, size)
            left = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            position += len(part) - len(left)
            step *= 2
            if piece:
                yield piece
            # a full piece may leave output pending without input
            more = position < len(view) or (len(piece) == size and not self._member.eof)

    def end(self) -> None:
        """The input has ended. Raises `zlib.error` if the stream is incomplete."""
        if not self._member.eof:
            raise zlib.error("the stream ends early")
