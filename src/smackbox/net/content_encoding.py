"""Content codings of HTTP bodies (RFC 9110, 8.4.1), unpacked up to a limit."""

from __future__ import annotations

import zlib

GZIP = 31
DEFLATE = 15
"""zlib's window bits for the two formats; deflate is in zlib's frame."""


def unpack(data: bytes, limit: int, window: int) -> bytes:
    """The content of gzip (one or more members) or deflate (one stream), of at most `limit` bytes.

    Raises `OverflowError` beyond the limit, and `zlib.error` for what is malformed or not whole.
    """
    out: list[bytes] = []
    room = limit
    while True:
        member = zlib.decompressobj(window)
        piece = member.decompress(data, room + 1)
        if len(piece) > room:
            raise OverflowError(f"the body is larger than {limit} bytes when it is unpacked")
        room -= len(piece)
        out.append(piece)
        if not member.eof:
            raise zlib.error("the stream ends early")
        data = member.unused_data
        if not data:
            return b"".join(out)
        if window == DEFLATE:
            raise zlib.error("bytes follow the end of the stream")
