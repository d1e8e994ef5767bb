"""Messages as protobuf (proto2's wire format), converted directly to and from the dicts that JSON uses.

The wire format is in `base.protobuf.wire`. Repeated numbers are read packed or unpacked, and written unpacked, as in
proto2. Fields and enum values that are not in the table are skipped. Groups are rejected.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from smackbox.base.protobuf.wire import (
    DOUBLE,
    FIXED64,
    LENGTH,
    MASK64,
    NESTING_LIMIT,
    VARINT,
    WireError,
    bounds,
    expect,
    read_varint,
    signed,
    text,
    varint,
)
from smackbox.base.protobuf.wire import key as key_of
from smackbox.mesos.wire.fields import Field, MessageError, enum_names, enum_numbers, message_type

Write = Callable[[Any, "list[bytes]"], None]


def encode(name: str, value: Mapping[str, object]) -> bytes:
    """The bytes of a message that has passed `json_format.check`, or that the program created."""
    chunks: list[bytes] = []
    _writer(name)(value, chunks)
    return b"".join(chunks)


def decode(name: str, data: bytes) -> Any:
    """The message of type `name` in `data`, which the caller annotates with its type. Raises `MessageError`."""
    try:
        return _decode_message(name, data, 0, len(data), 0)
    except WireError as error:
        raise MessageError(str(error)) from error


# --- writing


@cache
def _writer(name: str) -> Write:
    fields: list[tuple[str, Write]] | None = None

    def write(value: Mapping[str, object], chunks: list[bytes]) -> None:
        nonlocal fields
        if fields is None:
            fields = [(field.name, _field_writer(field)) for field in message_type(name).fields]
        for field_name, write_field in fields:
            item = value.get(field_name)
            if item is not None:
                write_field(item, chunks)

    return write


def _field_writer(field: Field) -> Write:
    write_value = _value_writer(field, field.number)
    if field.is_map:
        key = key_of(field.number, LENGTH)
        name_key = key_of(1, LENGTH)
        entry = _value_writer(field, 2)

        def write_map(value: Mapping[str, object], chunks: list[bytes]) -> None:
            for name, item in value.items():
                raw = name.encode()
                inner = [name_key, varint(len(raw)), raw]
                entry(item, inner)
                body = b"".join(inner)
                chunks += (key, varint(len(body)), body)

        return write_map
    if field.repeated:

        def write_list(value: Iterable[object], chunks: list[bytes]) -> None:
            for item in value:
                write_value(item, chunks)

        return write_list
    return write_value


def _value_writer(field: Field, number: int) -> Write:
    kind = field.kind
    if kind == "message":
        inner_write = _writer(field.type_name)
        key = key_of(number, LENGTH)

        def write_message(value: Mapping[str, object], chunks: list[bytes]) -> None:
            inner: list[bytes] = []
            inner_write(value, inner)
            body = b"".join(inner)
            chunks += (key, varint(len(body)), body)

        return write_message
    if kind in {"string", "bytes"}:
        key = key_of(number, LENGTH)
        to_bytes: Callable[[str], bytes] = str.encode if kind == "string" else binascii.a2b_base64

        def write_bytes(value: str, chunks: list[bytes]) -> None:
            raw = to_bytes(value)
            chunks += (key, varint(len(raw)), raw)

        return write_bytes
    if kind == "double":
        key = key_of(number, FIXED64)
        return lambda value, chunks: chunks.append(key + DOUBLE.pack(value))
    key = key_of(number, VARINT)
    if kind == "enum":
        encoded = {name: key + varint(value & MASK64) for name, value in enum_numbers(field.type_name).items()}
        return lambda value, chunks: chunks.append(encoded[value])
    return lambda value, chunks: chunks.append(key + varint(int(value) & MASK64))


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
        key, position = read_varint(data, position, end)
        wire_type = key & 7
        begin, position = bounds(data, position, end, wire_type)
        field = fields.get(key >> 3)
        if field is None:
            continue
        try:
            _decode_field(field, wire_type, data, begin, position, depth, result)
        except MessageError as error:
            raise error.within(field.name) from None
        except WireError as error:
            raise MessageError(str(error)).within(field.name) from error
    for required in message_type(name).required:
        if required not in result:
            raise MessageError("missing required field").within(required)
    return result


def _decode_field(
    field: Field, wire_type: int, data: bytes, begin: int, end: int, depth: int, result: dict[str, Any]
) -> None:
    if field.is_map:
        expect(wire_type, LENGTH)
        name, value = _decode_entry(field, data, begin, end, depth)
        if value is not None:
            result.setdefault(field.name, {})[name] = value
        return
    if wire_type == LENGTH and field.kind not in {"message", "string", "bytes"}:
        values: list[Any] = result.setdefault(field.name, []) if field.repeated else []
        expected = FIXED64 if field.kind == "double" else VARINT
        while begin < end:
            one, begin = bounds(data, begin, end, expected)
            value = _decode_value(field, expected, data, one, begin, depth)
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


def _decode_entry(field: Field, data: bytes, position: int, end: int, depth: int) -> tuple[str, object]:
    name, value = "", None
    while position < end:
        key, position = read_varint(data, position, end)
        begin, position = bounds(data, position, end, key & 7)
        if key >> 3 == 1:
            expect(key & 7, LENGTH)
            name = text(data, begin, position)
        elif key >> 3 == 2:
            value = _decode_value(field, key & 7, data, begin, position, depth)
    return name, value


def _decode_value(field: Field, wire_type: int, data: bytes, begin: int, end: int, depth: int) -> Any:
    """One value; None for an unknown enum number."""
    kind = field.kind
    if kind == "message":
        expect(wire_type, LENGTH)
        return _decode_message(field.type_name, data, begin, end, depth + 1)
    if kind == "string":
        expect(wire_type, LENGTH)
        return text(data, begin, end)
    if kind == "bytes":
        expect(wire_type, LENGTH)
        return binascii.b2a_base64(data[begin:end], newline=False).decode()
    if kind == "double":
        expect(wire_type, FIXED64)
        (number,) = DOUBLE.unpack_from(data, begin)
        if not math.isfinite(number):
            raise MessageError(f"{number} is not a number that JSON has")
        return number
    expect(wire_type, VARINT)
    value, _ = read_varint(data, begin, end)
    if kind == "bool":
        return value != 0
    if kind == "uint64":
        return value
    if kind == "uint32":
        return value & 0xFFFFFFFF
    if kind == "int64":
        return signed(value, 64)
    value = signed(value, 32)
    return enum_names(field.type_name).get(value) if kind == "enum" else value
