"""Keys of the journal in RocksDB."""

from __future__ import annotations

import struct

LONGEST = 0xFFFF
_LENGTH = struct.Struct(">H")
_NUMBER = struct.Struct(">Q")


def prefix(name: str) -> bytes:
    """Of an id or tag. Raises `ValueError` for more than 65,535 bytes."""
    encoded = name.encode()
    if len(encoded) > LONGEST:
        raise ValueError(f"a persistence id or tag has at most {LONGEST} bytes of UTF-8, not {len(encoded)}")
    return _LENGTH.pack(len(encoded)) + encoded


def numbered(prefix_: bytes, number: int) -> bytes:
    """A key of an id or tag and a number; keys of one id are in the order of their numbers."""
    return prefix_ + _NUMBER.pack(number)


def number_of(key: bytes) -> int:
    """The number at the end of a key."""
    return int(_NUMBER.unpack_from(key, len(key) - 8)[0])


def name_of(key: bytes) -> str:
    """The id or tag at the beginning of a key."""
    return key[2 : 2 + _LENGTH.unpack_from(key)[0]].decode()
