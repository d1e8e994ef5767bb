"""The text forms of types that have only a Java class: `1:x` for a composite, `s@x` for a part of a dynamic one."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from uuid import UUID

from smackbox.cassandra.wire.custom_types import ALIAS, CompositeType, CustomType, DynamicCompositeType
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import CqlType

PART_LIMIT = 0xFFFF
_SHORT = struct.Struct(">H")
Parse = Callable[[str, CqlType], bytes]


def parse_custom(text: str, kind: CustomType, parse: Parse) -> bytes:
    """A value from its text form; `parse` handles other types. Raises `Invalid`."""
    if isinstance(kind, CompositeType):
        return _composite(text, kind, parse)
    if isinstance(kind, DynamicCompositeType):
        return _dynamic(text, kind, parse)
    try:
        return UUID(text).bytes if text else b""
    except ValueError:
        raise Invalid(f"unable to make UUID from '{text}'") from None


def _composite(text: str, kind: CompositeType, parse: Parse) -> bytes:
    texts, end = _split(text)
    if len(texts) > len(kind.parts):
        raise Invalid(f"{len(texts)} components are too many for {kind.cql}")
    body = b""
    for place, (each, part) in enumerate(zip(texts, kind.parts, strict=False)):
        body += _component(_part(each, part, parse), end if place == len(texts) - 1 else 0)
    return body


def _dynamic(text: str, kind: DynamicCompositeType, parse: Parse) -> bytes:
    texts, end = _split(text)
    body = b""
    for place, each in enumerate(texts):
        name, _, written = each.partition("@")
        head = bytes([ALIAS, ord(name)]) if name in kind.aliases else _SHORT.pack(len(name)) + name.encode()
        body += head + _component(_part(written, kind.named(name), parse), end if place == len(texts) - 1 else 0)
    return body


def _split(text: str) -> tuple[list[str], int]:
    """The parts between colons, and the end marker of the last one: 1 when `!` follows it."""
    if not text:
        return [], 0
    parts = [part.replace("\\:", ":") for part in re.split(r"(?<!\\):", text)]
    return (parts[:-1], 1) if parts[-1] == "!" else (parts, 0)


def _component(value: bytes, end: int) -> bytes:
    if len(value) > PART_LIMIT:
        raise Invalid(f"a component of a composite is longer than {PART_LIMIT} bytes")
    return _SHORT.pack(len(value)) + value + bytes([end])


def _part(text: str, kind: CqlType, parse: Parse) -> bytes:
    if isinstance(kind, CustomType):
        return parse_custom(text, kind, parse)
    return parse(text, kind) if text else b""
