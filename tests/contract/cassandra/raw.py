"""A client of frames: what drivers hide, such as the flags of metadata and the ids of prepared statements."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from smackbox.cassandra.wire.frames import (
    BETA_VERSION,
    ERROR,
    EXECUTE,
    FLAG_BETA,
    HEADER,
    PREPARE,
    QUERY,
    READY,
    RESULT,
    STARTUP,
)
from smackbox.cassandra.wire.requests import PAGE_SIZE, SKIP_METADATA, VALUES, BodyReader
from smackbox.cassandra.wire.segments import SegmentReader, encode_segments

TIMEOUT_S = 30.0
UNSET = object()
"""A value that is not set."""
READ_BYTES = 1 << 16
_ROWS = 2
_PREPARED = 4
_HAS_MORE_PAGES = 0x02
_NO_METADATA = 0x04
_METADATA_CHANGED = 0x08


@dataclass
class Prepared:
    statement_id: bytes
    result_id: bytes
    marks: int
    columns: list[str]


@dataclass
class Answer:
    """Of an ERROR the code; of rows their flags, how many columns and which, the new id of the metadata, and cells."""

    error: int = 0
    is_error: bool = False
    message: str = ""
    flags: int = 0
    column_count: int = 0
    columns: tuple[str, ...] = ()
    result_id: bytes = b""
    rows: tuple[tuple[bytes | None, ...], ...] = ()
    unprepared: bytes = b""

    def shown(self) -> str:
        if self.is_error:
            return f"error {self.error:04x}"
        changed = " new id" if self.result_id else ""
        names = ", ".join(self.columns) if self.columns else "no metadata"
        return f"{self.column_count} columns ({names}){changed}, {len(self.rows)} rows"


class RawClient:
    """One connection of one protocol version, in one keyspace."""

    def __init__(self, address: tuple[str, int], version: int) -> None:
        self.version = version
        self.answer_flags = 0
        self._socket = socket.create_connection(address, timeout=TIMEOUT_S)
        self._segments: SegmentReader | None = None
        self._buffer = bytearray()
        options = b"\x00\x01" + _string("CQL_VERSION") + _string("3.0.0")
        assert self._ask(STARTUP, options)[0] == READY
        if version >= 5:
            self._segments = SegmentReader(compressed=False)

    def close(self) -> None:
        self._socket.close()

    def query(self, text: str, *, skip_metadata: bool = False, page_size: int | None = None) -> Answer:
        options = self._options(_flags(skip_metadata, page_size)) + _page(page_size)
        return _answer(*self._ask(QUERY, _long_string(text) + options))

    def prepare(self, text: str) -> Prepared | Answer:
        flags = b"\x00\x00\x00\x00" if self.version >= 5 else b""
        opcode, body = self._ask(PREPARE, _long_string(text) + flags)
        if opcode == ERROR:
            return _answer(opcode, body)
        reader = BodyReader(body)
        assert reader.read_int() == _PREPARED
        statement_id = reader.short_bytes()
        result_id = reader.short_bytes() if self.version >= 5 else b""
        marks_flags = reader.read_int()
        marks = reader.read_int()
        if self.version >= 4:
            for _ in range(reader.read_int()):
                reader.short()
        _names(reader, marks_flags, marks)
        flags_of_rows = reader.read_int()
        count = reader.read_int()
        names = [] if flags_of_rows & _NO_METADATA else _names(reader, flags_of_rows, count)
        return Prepared(statement_id, result_id, marks, names)

    def execute(
        self, prepared: Prepared, values: Sequence[object], *, skip_metadata: bool, page_size: int | None = None
    ) -> Answer:
        body = _short_bytes(prepared.statement_id)
        if self.version >= 5:
            body += _short_bytes(prepared.result_id)
        body += self._options(VALUES | _flags(skip_metadata, page_size))
        body += struct.pack(">H", len(values)) + b"".join(_bytes(value) for value in values) + _page(page_size)
        return _answer(*self._ask(EXECUTE, body))

    def _options(self, flags: int) -> bytes:
        return b"\x00\x01" + (struct.pack(">I", flags) if self.version >= 5 else bytes([flags]))

    def _ask(self, opcode: int, body: bytes) -> tuple[int, bytes]:
        flags = FLAG_BETA if self.version == BETA_VERSION else 0
        frame = HEADER.pack(self.version, flags, 1, opcode, len(body)) + body
        self._socket.sendall(frame if self._segments is None else encode_segments([frame], compressed=False))
        _, self.answer_flags, _, answer, length = HEADER.unpack(self._exactly(HEADER.size))
        return answer, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            received = self._socket.recv(READ_BYTES)
            if not received:
                raise ConnectionError("closed")
            self._buffer += received if self._segments is None else self._segments.feed(received, 1 << 30)
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found


def _flags(skip_metadata: bool, page_size: int | None) -> int:
    return (SKIP_METADATA if skip_metadata else 0) | (0 if page_size is None else PAGE_SIZE)


def _page(size: int | None) -> bytes:
    return b"" if size is None else struct.pack(">i", size)


def _answer(opcode: int, body: bytes) -> Answer:
    reader = BodyReader(body)
    if opcode == ERROR:
        code = reader.read_int()
        message = reader.string()
        unprepared = reader.short_bytes() if code == 0x2500 else b""
        return Answer(error=code, is_error=True, message=message, unprepared=unprepared)
    assert opcode == RESULT
    if reader.read_int() != _ROWS:
        return Answer()
    flags, count = reader.read_int(), reader.read_int()
    if flags & _HAS_MORE_PAGES:
        reader.read_bytes()
    result_id = reader.short_bytes() if flags & _METADATA_CHANGED else b""
    names = [] if flags & _NO_METADATA else _names(reader, flags, count)
    rows = tuple(tuple(reader.read_bytes() for _ in range(count)) for _ in range(reader.read_int()))
    return Answer(flags=flags, column_count=count, columns=tuple(names), result_id=result_id, rows=rows)


def _names(reader: BodyReader, flags: int, count: int) -> list[str]:
    found = []
    if flags & 1 and count:
        reader.string(), reader.string()
    for _ in range(count):
        if not flags & 1:
            reader.string(), reader.string()
        found.append(reader.string())
        _skip_type(reader)
    return found


def _skip_type(reader: BodyReader) -> None:
    option = reader.short()
    if option == 0x00:
        reader.string()
    elif option in {0x20, 0x22}:
        _skip_type(reader)
    elif option == 0x21:
        _skip_type(reader), _skip_type(reader)
    elif option == 0x30:
        reader.string(), reader.string()
        for _ in range(reader.short()):
            reader.string()
            _skip_type(reader)
    elif option == 0x31:
        for _ in range(reader.short()):
            _skip_type(reader)


def _string(text: str) -> bytes:
    return _short_bytes(text.encode())


def _long_string(text: str) -> bytes:
    return struct.pack(">i", len(text.encode())) + text.encode()


def _short_bytes(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def _bytes(value: object) -> bytes:
    if value is UNSET:
        return struct.pack(">i", -2)
    assert value is None or isinstance(value, bytes)
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
