"""Typed protobuf messages: a `msgspec.Struct` whose fields carry their numbers.

    class Address(msgspec.Struct, frozen=True):
        host: Annotated[str, Proto(1)]
        port: Annotated[int, Proto(2, "uint32")]
        uid: Annotated[int | None, Proto(3, "uint64")] = None
        roles: Annotated[list[str], Proto(4)] = []

    data = encode(address)
    address = decode(Address, data)

The kind follows from the type: `str`, `bytes`, `bool`, `float` (double), an `IntEnum` and a struct each have a fixed
one; an `int` must name one of `int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64`. `X | None`
is an optional field (None is not written), `list[X]` a repeated one (`packed=True` writes numbers packed; both are
read), a field without a default a required one.

Unknown fields are skipped, as are unknown enum values. If a field occurs twice, the last one wins; messages are not
merged.
"""

from __future__ import annotations

import enum
import struct
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from smackbox.base.protobuf import wire
from smackbox.base.protobuf.wire import FIXED32, FIXED64, LENGTH, MASK64, VARINT, WireError

M = TypeVar("M", bound=msgspec.Struct)
ToBytes = Callable[[Any], bytes]
"""Encodes a value as the bytes that follow its key, including the length."""
FromBytes = Callable[[bytes, int, int, int], Any]
"""Decodes data between begin and end, at a nesting depth, to a value; None for an unknown enum value."""


@dataclass(frozen=True, slots=True)
class Proto:
    """A field's number, and the kind of an `int`."""

    number: int
    kind: str | None = None
    packed: bool = False


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    number: int
    wire_type: int
    repeated: bool
    packed: bool
    to_bytes: ToBytes
    from_bytes: FromBytes


def encode(message: msgspec.Struct) -> bytes:
    """The bytes of a message. Raises `ValueError` for a number that is out of its kind's range."""
    chunks: list[bytes] = []
    message_type: Any = type(message)
    for field in _fields(message_type):
        value = getattr(message, field.name)
        if value is None:
            continue
        if not field.repeated:
            chunks.append(_key(field.number, field.wire_type))
            chunks.append(field.to_bytes(value))
        elif field.packed and value:
            body = b"".join(map(field.to_bytes, value))
            chunks += (_key(field.number, LENGTH), wire.varint(len(body)), body)
        else:
            key = _key(field.number, field.wire_type)
            for item in value:
                chunks += (key, field.to_bytes(item))
    return b"".join(chunks)


def decode(message_type: type[M], data: bytes) -> M:
    """The message in `data`. Raises `WireError`."""
    message: M = _decode(message_type, data, 0, len(data), 0)
    return message


def _decode(message_type: Any, data: bytes, position: int, end: int, depth: int) -> Any:
    if depth > wire.NESTING_LIMIT:
        raise WireError(f"nested deeper than {wire.NESTING_LIMIT}")
    fields = _by_number(message_type)
    values: dict[str, Any] = {}
    while position < end:
        key, position = wire.read_varint(data, position, end)
        wire_type = key & 7
        begin, position = wire.bounds(data, position, end, wire_type)
        field = fields.get(key >> 3)
        if field is None:
            continue
        if field.repeated:
            items = values.setdefault(field.name, [])
            items += _items(field, wire_type, data, begin, position, depth)
            continue
        wire.expect(wire_type, field.wire_type)
        value = field.from_bytes(data, begin, position, depth)
        if value is not None:
            values[field.name] = value
    try:
        return message_type(**values)
    except TypeError as error:
        raise WireError(f"{message_type.__name__}: {error}") from error


def _items(field: _Field, wire_type: int, data: bytes, begin: int, end: int, depth: int) -> list[Any]:
    """The values of one occurrence of a repeated field: one value, or several packed ones."""
    if wire_type != LENGTH or field.wire_type == LENGTH:
        wire.expect(wire_type, field.wire_type)
        value = field.from_bytes(data, begin, end, depth)
        return [] if value is None else [value]
    values = []
    while begin < end:
        first, begin = wire.bounds(data, begin, end, field.wire_type)
        value = field.from_bytes(data, first, begin, depth)
        if value is not None:
            values.append(value)
    return values


@cache
def _key(number: int, wire_type: int) -> bytes:
    return wire.key(number, wire_type)


@cache
def _by_number(message_type: Any) -> dict[int, _Field]:
    return {field.number: field for field in _fields(message_type)}


@cache
def _fields(message_type: Any) -> tuple[_Field, ...]:
    """The fields by number, in encoding order."""
    hints = get_type_hints(message_type, include_extras=True)
    fields = []
    for name in message_type.__struct_fields__:
        hint, *extras = get_args(hints[name]) if get_origin(hints[name]) is Annotated else (hints[name],)
        proto = next((extra for extra in extras if isinstance(extra, Proto)), None)
        if proto is None:
            raise TypeError(f"{message_type.__name__}.{name} has no Proto(number)")
        repeated = get_origin(hint) is list
        kind = _plain(get_args(hint)[0] if repeated else hint)
        wire_type, to_bytes, from_bytes = _kind(message_type, name, kind, proto)
        fields.append(_Field(name, proto.number, wire_type, repeated, proto.packed, to_bytes, from_bytes))
    return tuple(sorted(fields, key=lambda field: field.number))


def _plain(hint: Any) -> Any:
    """`X` in `X | None`."""
    if get_origin(hint) in {Union, types.UnionType}:
        (hint,) = (argument for argument in get_args(hint) if argument is not type(None))
    return hint


def _kind(message_type: type[Any], name: str, kind: Any, proto: Proto) -> tuple[int, ToBytes, FromBytes]:
    if kind is int:
        if proto.kind not in _INTEGERS:
            raise TypeError(
                f"{message_type.__name__}.{name}: an int needs one of the kinds {', '.join(map(str, _INTEGERS))}"
            )
        return _INTEGERS[proto.kind]
    if isinstance(kind, type) and issubclass(kind, enum.IntEnum):
        return VARINT, lambda value: wire.varint(value & MASK64), _enum_reader(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return LENGTH, lambda value: _delimited(encode(value)), _message_reader(kind)
    if kind not in _KINDS:
        raise TypeError(f"{message_type.__name__}.{name}: {kind} is not a protobuf kind")
    return _KINDS[kind]


def _delimited(body: bytes) -> bytes:
    return wire.varint(len(body)) + body


def _enum_reader(kind: type[enum.IntEnum]) -> FromBytes:
    known = {int(item): item for item in kind}
    return lambda data, begin, end, _: known.get(wire.signed(wire.read_varint(data, begin, end)[0], 32))


def _message_reader(kind: type[Any]) -> FromBytes:
    return lambda data, begin, end, depth: _decode(kind, data, begin, end, depth + 1)


def _varint_kind(bits: int, *, is_signed: bool) -> tuple[int, ToBytes, FromBytes]:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)

    def to_bytes(value: int) -> bytes:
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return wire.varint(value & MASK64)

    def from_bytes(data: bytes, begin: int, end: int, _: int) -> int:
        value = wire.read_varint(data, begin, end)[0]
        return wire.signed(value, bits) if is_signed else value & ((1 << bits) - 1)

    return VARINT, to_bytes, from_bytes


def _zigzag_kind(bits: int) -> tuple[int, ToBytes, FromBytes]:
    def to_bytes(value: int) -> bytes:
        return wire.varint(((value << 1) ^ (value >> (bits - 1))) & ((1 << bits) - 1))

    def from_bytes(data: bytes, begin: int, end: int, _: int) -> int:
        value = wire.read_varint(data, begin, end)[0]
        return (value >> 1) ^ -(value & 1)

    return VARINT, to_bytes, from_bytes


def _fixed_kind(form: str) -> tuple[int, ToBytes, FromBytes]:
    packed = struct.Struct("<" + form)

    def to_bytes(value: Any) -> bytes:
        try:
            return packed.pack(value)
        except struct.error as error:
            raise ValueError(f"{value}: {error}") from error

    return (
        FIXED64 if packed.size == 8 else FIXED32,
        to_bytes,
        lambda data, begin, _end, _: packed.unpack_from(data, begin)[0],
    )


_INTEGERS: dict[str | None, tuple[int, ToBytes, FromBytes]] = {
    "int32": _varint_kind(32, is_signed=True),
    "int64": _varint_kind(64, is_signed=True),
    "uint32": _varint_kind(32, is_signed=False),
    "uint64": _varint_kind(64, is_signed=False),
    "sint32": _zigzag_kind(32),
    "sint64": _zigzag_kind(64),
    "fixed32": _fixed_kind("I"),
    "fixed64": _fixed_kind("Q"),
    "sfixed32": _fixed_kind("i"),
    "sfixed64": _fixed_kind("q"),
}
_KINDS: dict[type, tuple[int, ToBytes, FromBytes]] = {
    str: (LENGTH, lambda value: _delimited(value.encode()), lambda data, begin, end, _: wire.text(data, begin, end)),
    bytes: (LENGTH, _delimited, lambda data, begin, end, _: data[begin:end]),
    bool: (
        VARINT,
        lambda value: b"\x01" if value else b"\x00",
        lambda data, begin, end, _: wire.read_varint(data, begin, end)[0] != 0,
    ),
    float: _fixed_kind("d"),
}
