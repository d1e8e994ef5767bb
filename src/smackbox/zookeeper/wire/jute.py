"""Jute, ZooKeeper's record encoding: big-endian numbers, and length-prefixed buffers, strings and vectors.

    boolean  1 byte          int   4 bytes        long  8 bytes
    buffer   int length (-1 is null), the bytes
    ustring  a buffer of UTF-8
    vector   int count (-1 is null), the elements

`Reader` raises `ProtocolError` for bytes that are not such a record; `Writer` collects parts and joins them once.
"""

from __future__ import annotations

import struct

from smackbox.base.errors import ProtocolError

_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
VECTOR_LIMIT = 1_000_000


class Reader:
    """Reads one packet from start to end."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        """The number of unread bytes."""
        return len(self._data) - self._position

    def boolean(self) -> bool:
        """One byte: false is 0. Raises `ProtocolError` at the end, as all reads do."""
        return self._take(1) != b"\0"

    def int32(self) -> int:
        """Four bytes, signed, big-endian."""
        value: int = _INT.unpack(self._take(4))[0]
        return value

    def int64(self) -> int:
        """Eight bytes, signed, big-endian."""
        value: int = _LONG.unpack(self._take(8))[0]
        return value

    def buffer(self) -> bytes | None:
        """Bytes after their length; a length of -1 is None."""
        length = self.int32()
        if length == -1:
            return None
        if length < 0:
            raise ProtocolError(f"a buffer of {length} bytes")
        return self._take(length)

    def string(self) -> str:
        """A string; null reads as empty."""
        try:
            return (self.buffer() or b"").decode()
        except UnicodeDecodeError as error:
            raise ProtocolError("a string that is not UTF-8") from error

    def count(self) -> int:
        """The number of elements of a vector; null counts as 0."""
        count = self.int32()
        if count > VECTOR_LIMIT or count > self.left:
            raise ProtocolError(f"a vector of {count} elements in {self.left} bytes")
        return max(count, 0)

    def strings(self) -> list[str]:
        """A count, and that many strings."""
        return [self.string() for _ in range(self.count())]

    def _take(self, size: int) -> bytes:
        start, end = self._position, self._position + size
        if end > len(self._data):
            raise ProtocolError(f"a record of {len(self._data)} bytes ends {end - len(self._data)} bytes early")
        self._position = end
        return self._data[start:end]


class Writer:
    """Collects a record; each method returns the writer, so that a record reads as one line."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def boolean(self, value: bool) -> Writer:
        """One byte, 0 or 1."""
        self._parts.append(b"\1" if value else b"\0")
        return self

    def int32(self, value: int) -> Writer:
        """Four bytes, signed, big-endian."""
        self._parts.append(_INT.pack(value))
        return self

    def int64(self, value: int) -> Writer:
        """Eight bytes, signed, big-endian."""
        self._parts.append(_LONG.pack(value))
        return self

    def buffer(self, value: bytes | None) -> Writer:
        """Bytes after their length; None is a length of -1."""
        if value is None:
            return self.int32(-1)
        self._parts += (_INT.pack(len(value)), value)
        return self

    def string(self, value: str) -> Writer:
        """UTF-8 after its length in bytes."""
        return self.buffer(value.encode())

    def strings(self, values: list[str]) -> Writer:
        """A count, and that many strings."""
        self.int32(len(values))
        for value in values:
            self.string(value)
        return self

    def raw(self, value: bytes) -> Writer:
        """These bytes unchanged."""
        self._parts.append(value)
        return self

    def done(self) -> bytes:
        """Everything written so far."""
        return b"".join(self._parts)
