"""Types that have only a Java class name: composites, whose parts are concatenated, and legacy UUIDs.

A composite has `[short length][bytes][end: 1]` for each part. The end is 0, or -1 and 1 for a bound just before and
just after values with this prefix. In a dynamic composite each part is preceded by its type: `0x80` and an alias of one
letter, or a `[string]`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import MARSHAL, CqlType, invert

_SHORT = struct.Struct(">H")
ALIAS = 0x80
_EMPTY_KEY = b"\x00"


class CustomType(CqlType):
    """A type whose CQL name is its class in quotes."""

    def __init__(self, java: str) -> None:
        self.java = java
        self.cql = f"'{java}'"

    def decode(self, value: bytes) -> Any:
        raise Invalid(f"a value of type {self.cql} has no JSON form")

    def encode(self, value: Any) -> bytes:
        raise Invalid(f"a value of type {self.cql} has no JSON form: {value}")


class LexicalUuidType(CustomType):
    """A UUID that is sorted as two signed numbers."""

    def __init__(self) -> None:
        super().__init__(MARSHAL + "LexicalUUIDType")

    def validate(self, value: bytes) -> None:
        if len(value) not in {0, 16}:
            raise Invalid(f"LexicalUUID should be 16 or 0 bytes ({len(value)})")

    def decode(self, value: bytes) -> UUID | str:
        return UUID(bytes=value) if value else ""

    def encode(self, value: Any) -> bytes:
        try:
            return UUID(str(value)).bytes if value else b""
        except ValueError:
            raise Invalid(f"unable to make UUID from '{value}'") from None

    def order_key(self, value: bytes) -> bytes:
        if len(value) != 16:
            return _EMPTY_KEY
        return b"\x01%c%b%c%b" % (value[0] ^ 0x80, value[1:8], value[8] ^ 0x80, value[9:])


class EmptyType(CqlType):
    """A type whose only value is the empty one, without a literal."""

    fixed_length = 0
    cql = "empty"
    java = MARSHAL + "EmptyType"

    def validate(self, value: bytes) -> None:
        if value:
            raise Invalid("EmptyType only accept empty values")

    def decode(self, value: bytes) -> None:
        return None

    def encode(self, value: Any) -> bytes:
        return b""

    def order_key(self, value: bytes) -> bytes:
        return _EMPTY_KEY


class ReversedPart:
    """A part of a composite with descending order."""

    def __init__(self, kind: CqlType) -> None:
        self.kind = kind
        self.java = f"{MARSHAL}ReversedType({kind.java})"


class CompositeType(CustomType):
    """Values of several types, concatenated, each with its length (from Thrift's time)."""

    def __init__(self, parts: tuple[CqlType | ReversedPart, ...]) -> None:
        self.parts = tuple(part.kind if isinstance(part, ReversedPart) else part for part in parts)
        self._reversed = tuple(isinstance(part, ReversedPart) for part in parts)
        super().__init__(f"{MARSHAL}CompositeType({','.join(part.java for part in parts)})")

    def validate(self, value: bytes) -> None:
        for place, (part, _) in enumerate(_components(value, 0)):
            if place >= len(self.parts):
                raise Invalid("Too many bytes for comparator")
            self.parts[place].validate(part)

    def order_key(self, value: bytes) -> bytes:
        keys = []
        try:
            for place, (part, end) in enumerate(_components(value, 0)):
                key = self.parts[place].order_key(part)
                keys.append(b"\x01" + (invert(key) if self._reversed[place] else key) + bytes([end ^ 0x80]))
        except (Invalid, IndexError):
            return b"\x01\x02" + value.replace(b"\x00", b"\x00\xff") + b"\x00\x00"
        return b"\x01" + b"".join(keys) + b"\x00"


class DynamicCompositeType(CustomType):
    """A composite whose part types are named within the value."""

    def __init__(self, aliases: Mapping[str, CqlType], by_name: Mapping[str, CqlType]) -> None:
        self.aliases = dict(aliases)
        self._by_name = by_name
        shown = ",".join(f"{alias}=>{kind.java}" for alias, kind in self.aliases.items())
        super().__init__(f"{MARSHAL}DynamicCompositeType({shown})")

    def validate(self, value: bytes) -> None:
        for kind, part, _ in self._typed(value):
            kind.validate(part)

    def order_key(self, value: bytes) -> bytes:
        keys = []
        try:
            for kind, part, end in self._typed(value):
                keys.append(b"\x01" + kind.java.encode() + b"\x00" + kind.order_key(part) + bytes([end ^ 0x80]))
        except Invalid:
            return b"\x01\x02" + value.replace(b"\x00", b"\x00\xff") + b"\x00\x00"
        return b"\x01" + b"".join(keys) + b"\x00"

    def named(self, name: str) -> CqlType:
        """The type of an alias or of a class. Raises `Invalid`."""
        kind = self.aliases.get(name) or self._by_name.get(name.removeprefix(MARSHAL))
        if kind is None:
            raise Invalid(f"Unable to find abstract-type class '{MARSHAL}{name}'")
        return kind

    def _typed(self, value: bytes) -> list[tuple[CqlType, bytes, int]]:
        typed = []
        offset = 0
        while offset < len(value):
            if value[offset] & ALIAS:
                name, offset = chr(value[offset + 1]) if offset + 1 < len(value) else "", offset + 2
            else:
                length = int.from_bytes(value[offset : offset + 2], "big")
                name, offset = value[offset + 2 : offset + 2 + length].decode("latin-1"), offset + 2 + length
            (part, end), offset = _read(value, offset)
            typed.append((self.named(name), part, end))
        return typed


def _read(value: bytes, offset: int) -> tuple[tuple[bytes, int], int]:
    if offset + 2 > len(value):
        raise Invalid("Not enough bytes to read value size of component")
    (length,) = _SHORT.unpack_from(value, offset)
    end = offset + 2 + length
    if end > len(value):
        raise Invalid("Not enough bytes to read value of component")
    if end == len(value):
        raise Invalid("Not enough bytes to read the end-of-component byte of component")
    return (value[offset + 2 : end], value[end]), end + 1


def _components(value: bytes, offset: int) -> list[tuple[bytes, int]]:
    components = []
    while offset < len(value):
        component, offset = _read(value, offset)
        components.append(component)
    return components
