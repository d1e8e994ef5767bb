"""Messages as protobuf (proto2's wire format), straight from and to the dicts that JSON gives.

A field is a varint key `number << 3 | wire type`, then a varint (0), eight bytes (1), a length and its bytes (2) or
four bytes (5). Repeated numbers are read packed and not, and written not, as proto2 does. A field or an enum value that
the table does not know is skipped. Groups are refused.
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from smackbox.mesos.wire.fields import Field, MessageError, enum_names, enum_numbers, message_type

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
NESTING_LIMIT = 100
_MASK64 = (1 << 64) - 1
_DOUBLE = struct.Struct("<d")

Write = Callable[[Any, "list[bytes]"], None]


def encode(name: str, value: dict[str, Any]) -> bytes:
    """The bytes of a message that has passed `json_format.check`, or that we made."""
    chunks: list[bytes] = []
    _writer(name)(value, chunks)
    return b"".join(chunks)


def decode(name: str, data: bytes) -> dict[str, Any]:
    """The message of type `name` in `data`. Raises `MessageError`."""
    return _decode_message(name, data, 0, len(data), 0)


# --- writing


@cache
def _writer(name: str) -> Write:
    fields: list[tuple[str, Write]] | None = None

    def write(value: dict[str, Any], chunks: list[bytes]) -> None:
        nonlocal fields
        if fields is None:
            fields = [(field.name, _field_writer(field)) for field in message_type(name).fields]
        for field_name, write_field in fields:
            item = value.get(field_name)
            if item is not None:
                write_field(item, chunks)

    return write


def _field_writer(field: Field) -> Write:
    one = _value_writer(field, field.number)
    if field.is_map:
        key = _key(field.number, LENGTH)
        name_key = _key(1, LENGTH)
        entry = _value_writer(field, 2)

        def write_map(value: dict[str, Any], chunks: list[bytes]) -> None:
            for name, item in value.items():
                raw = name.encode()
                inner = [name_key, _varint(len(raw)), raw]
                entry(item, inner)
                body = b"".join(inner)
                chunks += (key, _varint(len(body)), body)

        return write_map
    if field.repeated:

        def write_list(value: list[Any], chunks: list[bytes]) -> None:
            for item in value:
                one(item, chunks)

        return write_list
    return one


def _value_writer(field: Field, number: int) -> Write:
    kind = field.kind
    if kind == "message":
        inner_write = _writer(field.type_name)
        key = _key(number, LENGTH)

        def write_message(value: dict[str, Any], chunks: list[bytes]) -> None:
            inner: list[bytes] = []
            inner_write(value, inner)
            body = b"".join(inner)
            chunks += (key, _varint(len(body)), body)

        return write_message
    if kind in {"string", "bytes"}:
        key = _key(number, LENGTH)
        to_bytes: Callable[[str], bytes] = str.encode if kind == "string" else binascii.a2b_base64

        def write_bytes(value: str, chunks: list[bytes]) -> None:
            raw = to_bytes(value)
            chunks += (key, _varint(len(raw)), raw)

        return write_bytes
    if kind == "double":
        key = _key(number, FIXED64)
        return lambda value, chunks: chunks.append(key + _DOUBLE.pack(value))
    key = _key(number, VARINT)
    if kind == "enum":
        encoded = {name: key + _varint(value & _MASK64) for name, value in enum_numbers(field.type_name).items()}
        return lambda value, chunks: chunks.append(encoded[value])
    return lambda value, chunks: chunks.append(key + _varint(int(value) & _MASK64))


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    if value < 0x80:
        return _ONE_BYTE[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_ONE_BYTE = [bytes([value]) for value in range(0x80)]


# --- reading


@cache
def _numbers(name: str) -> dict[int, Field]:
    return {field.number: field for field in message_type(name).fields}


def _decode_message(name: str, data: bytes, position: int, end: int, depth: int) -> dict[str, Any]:
    if depth > NESTING_LIMIT:
        raise MessageError(f"nested deeper than {NESTING_LIMIT}")
    fields = _numbers(name)
    result: dict[str, Any] = {}
    while position < end:
        key, position = _read_varint(data, position, end)
        wire_type = key & 7
        begin, position = _bounds(data, position, end, wire_type)
        field = fields.get(key >> 3)
        if field is None:
            continue
        try:
            _decode_field(field, wire_type, data, begin, position, depth, result)
        except MessageError as error:
            raise error.within(field.name) from None
    for required in message_type(name).required:
        if required not in result:
            raise MessageError("missing required field").within(required)
    return result


def _decode_field(
    field: Field, wire_type: int, data: bytes, begin: int, end: int, depth: int, result: dict[str, Any]
) -> None:
    if field.is_map:
        _expect(wire_type, LENGTH)
        name, value = _decode_entry(field, data, begin, end, depth)
        if value is not None:
            result.setdefault(field.name, {})[name] = value
        return
    if wire_type == LENGTH and field.kind not in {"message", "string", "bytes"}:
        values: list[Any] = result.setdefault(field.name, []) if field.repeated else []
        wanted = FIXED64 if field.kind == "double" else VARINT
        while begin < end:
            one, begin = _bounds(data, begin, end, wanted)
            value = _decode_value(field, wanted, data, one, begin, depth)
            if value is not None:
                values.append(value)
        if not field.repeated and values:
            result[field.name] = values[-1]
        return
    value = _decode_value(field, wire_type, data, begin, end, depth)
    if value is None:
        return
    if field.repeated:
        result.setdefault(field.name, []).append(value)
    elif field.kind == "message" and field.name in result:
        result[field.name] = {**result[field.name], **value}
    else:
        result[field.name] = value


def _decode_entry(field: Field, data: bytes, position: int, end: int, depth: int) -> tuple[str, Any]:
    name, value = "", None
    while position < end:
        key, position = _read_varint(data, position, end)
        begin, position = _bounds(data, position, end, key & 7)
        if key >> 3 == 1:
            _expect(key & 7, LENGTH)
            name = _text(data, begin, position)
        elif key >> 3 == 2:
            value = _decode_value(field, key & 7, data, begin, position, depth)
    return name, value


def _decode_value(field: Field, wire_type: int, data: bytes, begin: int, end: int, depth: int) -> Any:
    """One value; None for an enum's number that has no name."""
    kind = field.kind
    if kind == "message":
        _expect(wire_type, LENGTH)
        return _decode_message(field.type_name, data, begin, end, depth + 1)
    if kind == "string":
        _expect(wire_type, LENGTH)
        return _text(data, begin, end)
    if kind == "bytes":
        _expect(wire_type, LENGTH)
        return binascii.b2a_base64(data[begin:end], newline=False).decode()
    if kind == "double":
        _expect(wire_type, FIXED64)
        (number,) = _DOUBLE.unpack_from(data, begin)
        if not math.isfinite(number):
            raise MessageError(f"{number} is not a number that JSON has")
        return number
    _expect(wire_type, VARINT)
    value, _ = _read_varint(data, begin, end)
    if kind == "bool":
        return value != 0
    if kind == "uint64":
        return value
    if kind == "uint32":
        return value & 0xFFFFFFFF
    if kind == "int64":
        return value - (1 << 64) if value >> 63 else value
    value &= 0xFFFFFFFF
    value = value - (1 << 32) if value >> 31 else value
    return enum_names(field.type_name).get(value) if kind == "enum" else value


def _expect(wire_type: int, wanted: int) -> None:
    if wire_type != wanted:
        raise MessageError(f"wire type {wire_type} where {wanted} is meant")


def _text(data: bytes, begin: int, end: int) -> str:
    try:
        return data[begin:end].decode()
    except UnicodeDecodeError as error:
        raise MessageError("a string that is not UTF-8") from error


def _bounds(data: bytes, position: int, end: int, wire_type: int) -> tuple[int, int]:
    """Where the value at `position` begins and ends, within `end`."""
    if wire_type == VARINT:
        begin = position
        _, position = _read_varint(data, position, end)
        return begin, position
    if wire_type == LENGTH:
        length, position = _read_varint(data, position, end)
    elif wire_type == FIXED64:
        length = 8
    elif wire_type == FIXED32:
        length = 4
    else:
        raise MessageError(f"wire type {wire_type} is not read")
    if position + length > end:
        raise MessageError("ends within a field")
    return position, position + length


def _read_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK64, position
        shift += 7
        if shift > 63:
            raise MessageError("a varint of more than ten bytes")
    raise MessageError("ends within a varint")
