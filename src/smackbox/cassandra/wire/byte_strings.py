"""The protocol's `[bytes]`: a length of four bytes, -1 for null, and that many bytes."""

from __future__ import annotations

import struct

NULL_BYTES = b"\xff\xff\xff\xff"
_INT = struct.Struct(">i")


def wire_bytes(value: bytes | None) -> bytes:
    """`[bytes]` of the protocol: a length of -1 is null."""
    return NULL_BYTES if value is None else _INT.pack(len(value)) + value


def read_bytes_list(buffer: bytes, offset: int, count: int) -> tuple[list[bytes | None], int]:
    """`count` protocol `[bytes]` from `offset`, and the offset after them."""
    strings: list[bytes | None] = []
    for _ in range(count):
        (length,) = _INT.unpack_from(buffer, offset)
        offset += 4
        if length < 0:
            strings.append(None)
        else:
            strings.append(buffer[offset : offset + length])
            offset += length
    return strings, offset
