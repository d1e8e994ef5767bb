"""The record key of an event: every writer produces the same text, so that the event goes to the same partition."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from typing import Any

import msgspec


def key_bytes(value: Any) -> bytes | None:
    """A key field as text: a UUID in its canonical form, a time as ISO 8601, an enumeration's value, and no key for
    None.
    """
    convert = _KEY_TEXT.get(type(value))
    if convert is not None:
        return convert(value)
    if isinstance(value, enum.Enum):
        value = value.value
    plain = msgspec.to_builtins(value)
    return (plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()).encode()


_KEY_TEXT: dict[type, Callable[[Any], bytes | None]] = {
    str: str.encode,
    uuid.UUID: lambda value: str(value).encode(),
    int: lambda value: b"%d" % value,
    type(None): lambda _: None,
}
