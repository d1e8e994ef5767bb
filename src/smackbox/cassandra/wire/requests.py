"""The bodies of requests, decoded from a buffer by offset.

Spec: native_protocol_v4.spec and v5.spec, section 4.1. A body that is too short or too long raises `ProtocolViolation`.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from smackbox.cassandra.wire.errors import ProtocolViolation

_SHORT = struct.Struct(">H")
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")

VALUES: Final = 0x01
SKIP_METADATA: Final = 0x02
PAGE_SIZE: Final = 0x04
PAGING_STATE: Final = 0x08
SERIAL_CONSISTENCY: Final = 0x10
TIMESTAMP: Final = 0x20
NAMES: Final = 0x40
KEYSPACE: Final = 0x80
NOW_IN_SECONDS: Final = 0x100
NO_TIMESTAMP: Final = -(2**63)

MAX_CONSISTENCY: Final = 0x0B
SERIAL: Final = frozenset({0x08, 0x09})


# bytes, None, or the reader's own object for "not set"
Values = list[Any]


class QueryOptions:
    """The options of QUERY and EXECUTE. `values` may be by name."""

    __slots__ = (
        "consistency", "keyspace", "names", "now_in_seconds", "page_size", "paging_state", "serial_consistency",
        "skip_metadata", "timestamp", "values",
    )  # fmt: skip

    def __init__(self) -> None:
        self.consistency = 1
        self.values: Values = []
        self.names: list[str] | None = None
        self.skip_metadata = False
        self.page_size = 0
        self.paging_state: bytes | None = None
        self.serial_consistency: int | None = None
        self.timestamp: int | None = None
        self.keyspace: str | None = None
        self.now_in_seconds: int | None = None


class BodyReader:
    """A body and the position in it."""

    __slots__ = ("buffer", "offset", "unset")

    def __init__(self, buffer: bytes, unset: object = None) -> None:
        self.buffer = buffer
        self.offset = 0
        self.unset = unset

    def byte(self) -> int:
        """`[byte]`. Raises `ProtocolViolation` at the end of the body, as all reads do."""
        if self.offset >= len(self.buffer):
            raise ProtocolViolation("the body of the message ends too early")
        self.offset += 1
        return self.buffer[self.offset - 1]

    def short(self) -> int:
        """`[short]`, unsigned."""
        return int(self._unpack(_SHORT))

    def read_int(self) -> int:
        """`[int]`, signed."""
        return int(self._unpack(_INT))

    def long(self) -> int:
        """`[long]`, signed."""
        return int(self._unpack(_LONG))

    def _unpack(self, form: struct.Struct) -> int:
        try:
            (number,) = form.unpack_from(self.buffer, self.offset)
        except struct.error:
            raise ProtocolViolation("the body of the message ends too early") from None
        self.offset += form.size
        return int(number)

    def take(self, length: int) -> bytes:
        """That many bytes."""
        end = self.offset + length
        if length < 0 or end > len(self.buffer):
            raise ProtocolViolation("the body of the message ends too early")
        taken = self.buffer[self.offset : end]
        self.offset = end
        return taken

    def text(self, length: int) -> str:
        """That many bytes of UTF-8."""
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise ProtocolViolation(f"Cannot decode string as UTF8: {error}") from None

    def string(self) -> str:
        """`[string]`."""
        return self.text(self.short())

    def long_string(self) -> str:
        """`[long string]`."""
        return self.text(self.read_int())

    def short_bytes(self) -> bytes:
        """`[short bytes]`."""
        return self.take(self.short())

    def read_bytes(self) -> bytes | None:
        """`[bytes]`; a negative length is null."""
        length = self.read_int()
        return None if length < 0 else self.take(length)

    def value(self, version: int) -> bytes | object | None:
        """A bound value; -2 is "not set" from v4 on."""
        length = self.read_int()
        if length >= 0:
            return self.take(length)
        if length == -1 or version < 4:
            return None
        if length == -2:
            return self.unset
        raise ProtocolViolation(f"Invalid value length: {length}")

    def string_map(self) -> dict[str, str]:
        """`[string map]`."""
        return {self.string(): self.string() for _ in range(self.short())}

    def string_list(self) -> list[str]:
        """`[string list]`."""
        return [self.string() for _ in range(self.short())]

    def bytes_map(self) -> dict[str, bytes | None]:
        """`[bytes map]`."""
        return {self.string(): self.read_bytes() for _ in range(self.short())}


def read_consistency(reader: BodyReader) -> int:
    """`[consistency]`. Raises `ProtocolViolation` for an unknown one."""
    level = reader.short()
    if level > MAX_CONSISTENCY:
        raise ProtocolViolation(f"Unknown code {level} for a consistency level")
    return level


def read_options(reader: BodyReader, version: int) -> QueryOptions:
    """`<consistency><flags>[values]…` as in QUERY and EXECUTE."""
    options = QueryOptions()
    options.consistency = read_consistency(reader)
    flags = reader.read_int() & 0xFFFFFFFF if version >= 5 else reader.byte()
    if flags & VALUES:
        count = reader.short()
        values: Values = []
        if flags & NAMES:
            names = []
            for _ in range(count):
                names.append(reader.string())
                values.append(reader.value(version))
            options.names = names
        else:
            for _ in range(count):
                values.append(reader.value(version))
        options.values = values
    _read_rest(reader, flags, version, options)
    return options


def _read_rest(reader: BodyReader, flags: int, version: int, options: QueryOptions) -> None:
    """The options that follow the values."""
    options.skip_metadata = bool(flags & SKIP_METADATA)
    if flags & PAGE_SIZE:
        options.page_size = reader.read_int()
    if flags & PAGING_STATE:
        options.paging_state = reader.read_bytes()
    _read_common(reader, flags, version, options)


def _read_common(reader: BodyReader, flags: int, version: int, request: QueryOptions | BatchRequest) -> None:
    """The options at the end of QUERY, EXECUTE and BATCH."""
    if flags & SERIAL_CONSISTENCY:
        request.serial_consistency = _read_serial(reader)
    if flags & TIMESTAMP:
        request.timestamp = _read_timestamp(reader)
    if flags & KEYSPACE and version >= 5:
        request.keyspace = reader.string()
    if flags & NOW_IN_SECONDS and version >= 5:
        request.now_in_seconds = reader.read_int()


_COMMON = VALUES | SKIP_METADATA | PAGE_SIZE | TIMESTAMP


def timestamp_after_values(buffer: bytes, offset: int, flags: int, version: int) -> int | None:
    """The timestamp among the options that follow the values at `offset`, or None.

    Raises `ProtocolViolation` for malformed options.
    """
    if not flags & ~_COMMON:
        offset += _INT.size if flags & PAGE_SIZE else 0
        if not flags & TIMESTAMP and offset <= len(buffer):
            return None
        if flags & TIMESTAMP and offset + _LONG.size <= len(buffer):
            (timestamp,) = _LONG.unpack_from(buffer, offset)
            if timestamp != NO_TIMESTAMP:
                return int(timestamp)
    reader = BodyReader(buffer)
    reader.offset = offset
    options = QueryOptions()
    _read_rest(reader, flags & ~PAGE_SIZE if not flags & ~_COMMON else flags, version, options)
    return options.timestamp


def _read_serial(reader: BodyReader) -> int:
    level = read_consistency(reader)
    if level not in SERIAL:
        raise ProtocolViolation("Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL")
    return level


def _read_timestamp(reader: BodyReader) -> int:
    timestamp = reader.long()
    if timestamp == NO_TIMESTAMP:
        raise ProtocolViolation(f"Out of bound timestamp, must be in [{-(2**63) + 1}, {2**63 - 1}] (got {timestamp})")
    return timestamp


class BatchRequest:
    """A BATCH message: texts or prepared ids, each with its values."""

    __slots__ = (
        "consistency", "keyspace", "kind", "now_in_seconds", "serial_consistency", "statements", "timestamp",
    )  # fmt: skip

    def __init__(self, kind: str, statements: list[tuple[str | bytes, Values]]) -> None:
        self.kind = kind
        self.statements = statements
        self.consistency = 1
        self.serial_consistency: int | None = None
        self.timestamp: int | None = None
        self.keyspace: str | None = None
        self.now_in_seconds: int | None = None


def read_batch(reader: BodyReader, version: int) -> BatchRequest:
    """The body of BATCH. Raises `ProtocolViolation`."""
    kind = reader.byte()
    if kind > 2:
        raise ProtocolViolation(f"Invalid BATCH message type {kind}")
    statements: list[tuple[str | bytes, Values]] = []
    for _ in range(reader.short()):
        sort = reader.byte()
        statement: str | bytes
        if sort == 0:
            statement = reader.long_string()
        elif sort == 1:
            statement = reader.short_bytes()
        else:
            raise ProtocolViolation(f"Invalid query kind in BATCH messages. Must be 0 or 1 but got {sort}")
        values: Values = [reader.value(version) for _ in range(reader.short())]
        statements.append((statement, values))
    request = BatchRequest(("logged", "unlogged", "counter")[kind], statements)
    read_batch_options(reader, version, request)
    return request


def read_batch_options(reader: BodyReader, version: int, request: BatchRequest) -> None:
    """The options after the statements. Raises `ProtocolViolation`."""
    request.consistency = read_consistency(reader)
    flags = reader.read_int() & 0xFFFFFFFF if version >= 5 else reader.byte()
    if flags & NAMES:
        raise ProtocolViolation("Batch with names for values is not supported")
    _read_common(reader, flags, version, request)
