"""Jackson's CBOR: what its JSON is, in the binary form of RFC 8949; fields of bytes are bytes.

An integer beyond 64 bits has Jackson's form, and not the RFC's: two's complement, and under the tag of negative ones
the magnitude, not the magnitude less one.

Only what Jackson writes is read: a tag other than that of a large integer is malformed, as is a key that is no text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import cbor2
import msgspec

DEPTH_LIMIT = 64
"""Containers within one another."""
_POSITIVE, _NEGATIVE = 2, 3
_TAGS_OF_INTEGERS = (b"\xc2", b"\xc3")
_INTEGERS = range(-(2**64), 2**64)
"""Those that have no tag."""
_KNOWN_TO_THE_LIBRARY = (0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)


def _no_tag(_value: Any, *_: Any) -> NoReturn:
    raise ValueError("a CBOR tag that Jackson does not write")


def _integer(data: Any) -> int:
    if not isinstance(data, bytes):
        raise ValueError("a large integer that is no bytes")
    return int.from_bytes(data, "big", signed=True)


_TAGS: Any = {
    **dict.fromkeys(_KNOWN_TO_THE_LIBRARY, _no_tag),
    _POSITIVE: lambda data, *_: _integer(data),
    _NEGATIVE: lambda data, *_: -_integer(data),
}


def write_cbor(message: msgspec.Struct, to_json: Callable[[Any], Any]) -> bytes:
    """The bytes of a message. `to_json` gives the form of what has none by itself."""
    plain = msgspec.to_builtins(message, enc_hook=to_json, builtin_types=(bytes, bytearray, memoryview))
    data: bytes = cbor2.dumps(plain)
    if any(tag in data for tag in _TAGS_OF_INTEGERS):
        data = cbor2.dumps(_with_jacksons_integers(plain))
    return data


def _with_jacksons_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_jacksons_integers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_jacksons_integers(item) for item in value]
    if type(value) is int and value not in _INTEGERS:
        size = value.bit_length() // 8 + 1
        return cbor2.CBORTag(_POSITIVE if value > 0 else _NEGATIVE, abs(value).to_bytes(size, "big", signed=True))
    return value


def read_cbor(data: bytes, message_type: type[msgspec.Struct], from_json: Callable[[Any, Any], Any]) -> Any:
    """The message in `data`. Raises `ValueError` for what is malformed, or no such message."""
    try:
        plain = cbor2.loads(
            data,
            tag_hook=_no_tag,
            semantic_decoders=_TAGS,
            max_depth=DEPTH_LIMIT,
            strict_hashable_types=True,
        )
    except cbor2.CBORError as error:
        raise ValueError(f"malformed CBOR: {error}") from error
    return msgspec.convert(plain, message_type, dec_hook=from_json, builtin_types=(bytes,), str_keys=True)
