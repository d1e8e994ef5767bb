"""Kafka messages as typed structs, and a compiler that produces a reader and a writer for a struct and a version.

A message is a `msgspec.Struct` whose annotations give the wire type of each field and the versions that have it:

    class JoinGroupRequest(Message):
        VERSIONS = (0, 9)
        FLEXIBLE = 6
        group_id: String = ""
        rebalance_timeout_ms: Annotated[Int32, Since(1)] = -1

One struct serves all versions: a field that a version lacks reads as its default and is not written. From the
message's `FLEXIBLE` version on, strings, bytes and arrays have compact lengths (unsigned varint of length + 1), and
each struct ends with tagged fields (KIP-482). The layouts come from the message definitions in Kafka 4.4's jars.

Readers take `(buffer, offset)` and return `(message, offset)`; malformed bytes raise `ProtocolError`.
"""

from __future__ import annotations

import struct
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from smackbox.base.errors import ProtocolError

NEVER = 1 << 15
VARINT_BYTES_LIMIT = 5
NO_UUID = bytes(16)


@dataclass(frozen=True, slots=True)
class Wire:
    """The wire type of a field: a `struct` code for the fixed ones."""

    kind: str
    code: str = ""
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Since:
    """The first version that has the field."""

    version: int


@dataclass(frozen=True, slots=True)
class Until:
    """The last version that has the field."""

    version: int


@dataclass(frozen=True, slots=True)
class NullableSince:
    """The first version in which the field may be null."""

    version: int


@dataclass(frozen=True, slots=True)
class Tag:
    """The field is tagged: it is written only when it differs from its default."""

    number: int


Bool = Annotated[bool, Wire("fixed", "?")]
Int8 = Annotated[int, Wire("fixed", "b")]
Int16 = Annotated[int, Wire("fixed", "h")]
UInt16 = Annotated[int, Wire("fixed", "H")]
Int32 = Annotated[int, Wire("fixed", "i")]
Int64 = Annotated[int, Wire("fixed", "q")]
Float64 = Annotated[float, Wire("fixed", "d")]
Uuid = Annotated[bytes, Wire("fixed", "16s")]
String = Annotated[str, Wire("string")]
NullableString = Annotated[str | None, Wire("string", nullable=True)]
Bytes = Annotated[bytes, Wire("bytes")]
NullableBytes = Annotated[bytes | None, Wire("bytes", nullable=True)]


class Message(msgspec.Struct):
    """Base of every message and of the structs inside it. Nested structs take the version range of their message."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, NEVER)
    FLEXIBLE: ClassVar[int] = NEVER


M = TypeVar("M", bound=Message)
Buffer = bytes | bytearray | memoryview
Reader = Callable[[Buffer, int], tuple[Any, int]]
Writer = Callable[[bytearray, Any], None]
_ReadStep = Callable[[Buffer, int, list[Any]], int]


def read(message_type: type[M], version: int, buffer: Buffer, offset: int = 0) -> tuple[M, int]:
    """One message and the offset after it. Raises `ProtocolError` when the bytes are malformed."""
    try:
        return reader(message_type, version, version >= message_type.FLEXIBLE)(buffer, offset)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise ProtocolError(f"not a {message_type.__name__} v{version}: {error}") from error


def write(message: Message, version: int, out: bytearray) -> None:
    """Append the message in this version."""
    message_type = type(message)
    writer(message_type, version, version >= message_type.FLEXIBLE)(out, message)


def encode(message: Message, version: int) -> bytes:
    """The message as bytes."""
    out = bytearray()
    write(message, version, out)
    return bytes(out)


def encode_versioned(message: Message, version: int) -> bytes:
    """The message, preceded by its version as int16: the form in records and in the consumer protocol."""
    out = bytearray(version.to_bytes(2, "big"))
    write(message, version, out)
    return bytes(out)


# --- fields


@dataclass(frozen=True, slots=True)
class Field:
    """One field, resolved for one version."""

    name: str
    index: int
    wire: Wire
    element: Any
    default: Any
    tag: int | None
    nullable: bool
    present: bool


@dataclass(frozen=True, slots=True)
class _Declared:
    """One field as its annotation declares it."""

    name: str
    wire: Wire
    element: Any
    default: Any
    since: int
    until: int
    nullable_since: int
    tag: int | None


def fields(message_type: type[Message], version: int) -> list[Field]:
    """All fields of the struct in `version`."""
    return [
        Field(
            declared.name,
            index,
            declared.wire,
            declared.element,
            declared.default,
            declared.tag,
            declared.wire.nullable and version >= declared.nullable_since,
            declared.since <= version <= declared.until,
        )
        for index, declared in enumerate(_declarations(message_type))
    ]


@cache
def _declarations(message_type: type[Message]) -> list[_Declared]:
    hints = typing.get_type_hints(message_type, include_extras=True)
    declarations = []
    for info in msgspec.structs.fields(message_type):
        base, notes = _unwrap(hints[info.name])
        element: Any = None
        wire = next((note for note in notes if isinstance(note, Wire)), None)
        if wire is None:
            arguments = typing.get_args(base)
            optional = type(None) in arguments
            shape = next(part for part in arguments if part is not type(None)) if optional else base
            if typing.get_origin(shape) is list:
                wire, element = Wire("array", nullable=optional), typing.get_args(shape)[0]
            else:
                wire, element = Wire("struct", nullable=optional), shape
        default = info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
        since = until = nullable_since = tag = None
        for note in notes:
            match note:
                case Since():
                    since = note.version
                case Until():
                    until = note.version
                case NullableSince():
                    nullable_since = note.version
                case Tag():
                    tag = note.number
        declarations.append(
            _Declared(
                info.name,
                wire,
                element,
                default,
                since or 0,
                NEVER if until is None else until,
                nullable_since or 0,
                tag,
            )
        )
    return declarations


def _unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if typing.get_origin(hint) is Annotated:
        base, *notes = typing.get_args(hint)
        return base, tuple(notes)
    return hint, ()


# --- reading


@cache
def reader(message_type: type[Message], version: int, flexible: bool) -> Reader:
    """The compiled reader of one struct in one version."""
    all_fields = fields(message_type, version)
    defaults = [field.default for field in all_fields]
    lists = [field.index for field in all_fields if field.default == []]
    steps: list[_ReadStep] = []
    run: list[Field] = []
    for field in all_fields:
        if not field.present or field.tag is not None:
            continue
        if field.wire.kind == "fixed":
            if run and run[-1].index != field.index - 1:
                steps.append(_read_run(run))
                run = []
            run.append(field)
            continue
        if run:
            steps.append(_read_run(run))
            run = []
        steps.append(_read_into(field.index, _value_reader(field, version, flexible)))
    if run:
        steps.append(_read_run(run))
    if flexible:
        tagged = {
            f.tag: (f.index, _value_reader(f, version, flexible)) for f in all_fields if f.present and f.tag is not None
        }
        steps.append(_read_tags(tagged))

    def read_message(buffer: Buffer, offset: int) -> tuple[Message, int]:
        values = defaults.copy()
        for index in lists:
            values[index] = []
        for step in steps:
            offset = step(buffer, offset, values)
        return message_type(*values), offset

    return read_message


def _read_run(run: list[Field]) -> _ReadStep:
    """Adjacent fields of fixed width, with one `struct`."""
    layout = struct.Struct(">" + "".join(field.wire.code for field in run))
    unpack_from, size = layout.unpack_from, layout.size
    first, behind = run[0].index, run[-1].index + 1

    def step(buffer: Buffer, offset: int, values: list[Any]) -> int:
        values[first:behind] = unpack_from(buffer, offset)
        return offset + size

    return step


def _read_into(index: int, read_value: Reader) -> _ReadStep:
    def step(buffer: Buffer, offset: int, values: list[Any]) -> int:
        values[index], offset = read_value(buffer, offset)
        return offset

    return step


def _read_tags(tagged: dict[int, tuple[int, Reader]]) -> _ReadStep:
    def step(buffer: Buffer, offset: int, values: list[Any]) -> int:
        count = buffer[offset]
        offset += 1
        if count == 0:
            return offset
        if count & 0x80:
            count, offset = read_varint(buffer, offset - 1)
        for _ in range(count):
            tag, offset = read_varint(buffer, offset)
            size, offset = read_varint(buffer, offset)
            behind = offset + size
            if behind > len(buffer):
                raise ValueError("a tagged field is longer than the message")
            if tag in tagged:
                index, read_value = tagged[tag]
                values[index], _ = read_value(buffer, offset)
            offset = behind
        return offset

    return step


def _value_reader(field: Field, version: int, flexible: bool) -> Reader:
    kind = field.wire.kind
    if kind == "fixed":
        return _read_fixed(field.wire.code)
    if kind == "struct":
        read_struct = reader(field.element, version, flexible)
        return _read_nullable_struct(read_struct) if field.nullable else read_struct
    if kind == "array":
        return _read_array(_element_reader(field.element, version, flexible), flexible, field.nullable)
    return _read_blob(kind == "string", flexible, field.nullable)


def _element_reader(element: Any, version: int, flexible: bool) -> Reader:
    base, notes = _unwrap(element)
    if not notes:
        return reader(base, version, flexible)
    wire: Wire = notes[0]
    return (
        _read_fixed(wire.code) if wire.kind == "fixed" else _read_blob(wire.kind == "string", flexible, wire.nullable)
    )


def _read_fixed(code: str) -> Reader:
    layout = struct.Struct(">" + code)

    def read_value(buffer: Buffer, offset: int) -> tuple[Any, int]:
        return layout.unpack_from(buffer, offset)[0], offset + layout.size

    return read_value


def _read_nullable_struct(read_struct: Reader) -> Reader:
    """KIP-893: a signed byte before the struct, -1 for null."""

    def read_value(buffer: Buffer, offset: int) -> tuple[Any, int]:
        if buffer[offset] == 0xFF:
            return None, offset + 1
        return read_struct(buffer, offset + 1)

    return read_value


def _read_array(read_element: Reader, flexible: bool, nullable: bool) -> Reader:
    def read_value(buffer: Buffer, offset: int) -> tuple[Any, int]:
        if flexible:
            count, offset = read_varint(buffer, offset)
            count -= 1
        else:
            count = _INT32.unpack_from(buffer, offset)[0]
            offset += 4
        if count < 0:
            if not nullable:
                raise ValueError("an array that must not be null is null")
            return None, offset
        if count > len(buffer) - offset:
            raise ValueError(f"an array of {count} elements does not fit into the message")
        elements = []
        for _ in range(count):
            element, offset = read_element(buffer, offset)
            elements.append(element)
        return elements, offset

    return read_value


def _read_blob(text: bool, flexible: bool, nullable: bool) -> Reader:
    length_layout = _INT16 if text else _INT32

    def read_value(buffer: Buffer, offset: int) -> tuple[Any, int]:
        if flexible:
            length, offset = read_varint(buffer, offset)
            length -= 1
        else:
            length = length_layout.unpack_from(buffer, offset)[0]
            offset += length_layout.size
        if length < 0:
            if not nullable:
                raise ValueError("a field that must not be null is null")
            return None, offset
        behind = offset + length
        if behind > len(buffer):
            raise ValueError(f"a field of {length} bytes does not fit into the message")
        value = bytes(buffer[offset:behind])
        return (value.decode() if text else value), behind

    return read_value


# --- writing


@cache
def writer(message_type: type[Message], version: int, flexible: bool) -> Writer:
    """The compiled writer of one struct in one version."""
    steps: list[Writer] = []
    run: list[Field] = []
    tagged: list[tuple[int, str, Any, Writer]] = []
    for field in fields(message_type, version):
        if not field.present:
            continue
        if field.tag is not None:
            tagged.append((field.tag, field.name, field.default, _value_writer(field, version, flexible)))
            continue
        if field.wire.kind == "fixed":
            run.append(field)
            continue
        if run:
            steps.append(_write_run(run))
            run = []
        steps.append(_write_from(field.name, _value_writer(field, version, flexible)))
    if run:
        steps.append(_write_run(run))
    if flexible:
        steps.append(_write_tags(sorted(tagged, key=lambda entry: entry[0])))

    def write_message(out: bytearray, message: Any) -> None:
        for step in steps:
            step(out, message)

    return write_message


def _write_run(run: list[Field]) -> Writer:
    pack = struct.Struct(">" + "".join(field.wire.code for field in run)).pack
    get = attrgetter(*(field.name for field in run))
    if len(run) == 1:

        def write_one(out: bytearray, message: Any) -> None:
            out += pack(get(message))

        return write_one

    def write_all(out: bytearray, message: Any) -> None:
        out += pack(*get(message))

    return write_all


def _write_from(name: str, write_value: Writer) -> Writer:
    get = attrgetter(name)

    def step(out: bytearray, message: Any) -> None:
        write_value(out, get(message))

    return step


def _write_tags(tagged: list[tuple[int, str, Any, Writer]]) -> Writer:
    def step(out: bytearray, message: Any) -> None:
        present = [entry for entry in tagged if getattr(message, entry[1]) != entry[2]]
        write_varint(out, len(present))
        for tag, name, _, write_value in present:
            value = bytearray()
            write_value(value, getattr(message, name))
            write_varint(out, tag)
            write_varint(out, len(value))
            out += value

    return step


def _value_writer(field: Field, version: int, flexible: bool) -> Writer:
    kind = field.wire.kind
    if kind == "fixed":
        return _write_fixed(field.wire.code)
    if kind == "struct":
        write_struct = writer(field.element, version, flexible)
        return _write_nullable_struct(write_struct) if field.nullable else write_struct
    if kind == "array":
        return _write_array(_element_writer(field.element, version, flexible), flexible, field.nullable)
    return _write_blob(kind == "string", flexible, field.nullable)


def _element_writer(element: Any, version: int, flexible: bool) -> Writer:
    base, notes = _unwrap(element)
    if not notes:
        return writer(base, version, flexible)
    wire: Wire = notes[0]
    return (
        _write_fixed(wire.code) if wire.kind == "fixed" else _write_blob(wire.kind == "string", flexible, wire.nullable)
    )


def _write_fixed(code: str) -> Writer:
    pack = struct.Struct(">" + code).pack

    def write_value(out: bytearray, value: Any) -> None:
        out += pack(value)

    return write_value


def _write_nullable_struct(write_struct: Writer) -> Writer:
    def write_value(out: bytearray, value: Any) -> None:
        if value is None:
            out.append(0xFF)
        else:
            out.append(1)
            write_struct(out, value)

    return write_value


def _write_array(write_element: Writer, flexible: bool, nullable: bool) -> Writer:
    def write_value(out: bytearray, value: Any) -> None:
        if value is None:
            # in a version without null, an empty array represents it
            length = -1 if nullable else 0
            value = ()
        else:
            length = len(value)
        if flexible:
            write_varint(out, length + 1)
        else:
            out += _INT32.pack(length)
        for element in value:
            write_element(out, element)

    return write_value


def _write_blob(text: bool, flexible: bool, nullable: bool) -> Writer:
    length_layout = _INT16 if text else _INT32

    def write_value(out: bytearray, value: Any) -> None:
        if value is None:
            length = -1 if nullable else 0
            value = b""
        else:
            if text:
                value = value.encode()
            length = len(value)
        if flexible:
            write_varint(out, length + 1)
        else:
            out += length_layout.pack(length)
        out += value

    return write_value


# --- varints

_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")


def read_varint(buffer: Buffer, offset: int) -> tuple[int, int]:
    """An unsigned varint (7 bits a byte, least significant first) and the offset after it."""
    value = shift = 0
    for _ in range(VARINT_BYTES_LIMIT):
        byte = buffer[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
    raise ValueError("a varint is longer than 5 bytes")


def write_varint(out: bytearray, value: int) -> None:
    """Append an unsigned varint."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
