"""Cassandra's variable-length integers, used by durations and by vectors of variable-length elements.

The number of leading one bits of the first byte is the number of bytes that follow; signed numbers are zig-zag coded.
"""

from __future__ import annotations

from smackbox.cassandra.wire.errors import Invalid


def read_unsigned(buffer: bytes, offset: int) -> tuple[int, int]:
    """The number at `offset` and the offset after it. Raises `Invalid` when the buffer ends before it does."""
    if offset >= len(buffer):
        raise Invalid("Not enough bytes to read a vint")
    first = buffer[offset]
    extra = 8 - (first ^ 0xFF).bit_length()
    end = offset + 1 + extra
    if end > len(buffer):
        raise Invalid("Not enough bytes to read a vint")
    rest = int.from_bytes(buffer[offset + 1 : end], "big")
    return ((first & (0xFF >> extra)) << (8 * extra)) | rest, end


def write_unsigned(number: int) -> bytes:
    """Encode `number`, which is below 2**64."""
    extra = min(max(number.bit_length() - 1, 0) // 7, 8)
    prefix = (0xFF << (8 - extra)) & 0xFF
    body = number.to_bytes(extra + 1, "big")
    return bytes([body[0] | prefix]) + body[1:]


def read_vint(buffer: bytes, offset: int) -> tuple[int, int]:
    """A signed number of variable length, and the offset after it."""
    number, offset = read_unsigned(buffer, offset)
    return (number >> 1) ^ -(number & 1), offset


def write_vint(number: int) -> bytes:
    """A signed number of variable length."""
    return write_unsigned((number << 1) ^ (number >> 63))
