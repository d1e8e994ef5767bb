"""Protobuf's wire format: varints, keys, and the bounds of a field's value.

A field is a varint key `number << 3 | wire type`, then a varint (0), eight bytes (1), a length and its bytes (2) or
four bytes (5). Groups (3, 4) are rejected.
Source: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
NESTING_LIMIT = 100
MASK64 = (1 << 64) - 1
DOUBLE = struct.Struct("<d")
FLOAT = struct.Struct("<f")


class WireError(ValueError):
    """The bytes are not a valid protobuf message."""


def varint(value: int) -> bytes:
    """`value` must be 0 to 2**64 - 1."""
    if value < 0x80:
        return _ONE_BYTE[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_ONE_BYTE = [bytes([value]) for value in range(0x80)]


def key(number: int, wire_type: int) -> bytes:
    """The key of field `number`."""
    return varint(number << 3 | wire_type)


def read_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """The unsigned 64-bit value at `position`, and its end. Raises `WireError`."""
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & MASK64, position
        shift += 7
        if shift > 63:
            raise WireError("a varint of more than ten bytes")
    raise WireError("ends within a varint")


def bounds(data: bytes, position: int, end: int, wire_type: int) -> tuple[int, int]:
    """The begin and end of the value at `position`, limited by `end`. Raises `WireError`."""
    if wire_type == VARINT:
        begin = position
        _, position = read_varint(data, position, end)
        return begin, position
    if wire_type == LENGTH:
        length, position = read_varint(data, position, end)
    elif wire_type == FIXED64:
        length = 8
    elif wire_type == FIXED32:
        length = 4
    else:
        raise WireError(f"wire type {wire_type} is not read")
    if position + length > end:
        raise WireError("ends within a field")
    return position, position + length


def signed(value: int, bits: int) -> int:
    """A varint's value as a signed number of `bits` bits in two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def expect(wire_type: int, wanted: int) -> None:
    """Raises `WireError` if a field's wire type does not match its kind."""
    if wire_type != wanted:
        raise WireError(f"wire type {wire_type} where {wanted} is expected")


def text(data: bytes, begin: int, end: int) -> str:
    """A string. Raises `WireError` for invalid UTF-8."""
    try:
        return data[begin:end].decode()
    except UnicodeDecodeError as error:
        raise WireError("a string that is not UTF-8") from error
