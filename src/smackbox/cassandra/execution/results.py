"""The results of executing a statement; `wire.responses` turns them into RESULT messages."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from smackbox.cassandra.wire.types import CqlType


class ColumnSpec:
    """A column of result or bind metadata."""

    __slots__ = ("keyspace", "kind", "name", "table")

    def __init__(self, keyspace: str, table: str, name: str, kind: CqlType) -> None:
        self.keyspace = keyspace
        self.table = table
        self.name = name
        self.kind = kind


class Void:
    """A result without content."""

    __slots__ = ()


class SetKeyspace:
    """The answer to USE."""

    __slots__ = ("keyspace",)

    def __init__(self, keyspace: str) -> None:
        self.keyspace = keyspace


class SchemaChange:
    """`change` is CREATED, UPDATED or DROPPED; `target` is KEYSPACE, TABLE or TYPE."""

    __slots__ = ("change", "keyspace", "name", "target")

    def __init__(self, change: str, target: str, keyspace: str, name: str = "") -> None:
        self.change = change
        self.target = target
        self.keyspace = keyspace
        self.name = name


class Rows:
    """`body` has the rows' values as protocol `[bytes]`, one after another."""

    __slots__ = ("body", "columns", "count", "paging_state")

    def __init__(
        self, columns: Sequence[ColumnSpec], count: int, body: bytes, paging_state: bytes | None = None
    ) -> None:
        self.columns = columns
        self.count = count
        self.body = body
        self.paging_state = paging_state


Result = Void | SetKeyspace | SchemaChange | Rows


_INT = struct.Struct(">i")
_NULL = b"\xff\xff\xff\xff"


def append_row(parts: list[bytes], values: Sequence[bytes | None]) -> None:
    """Append a row's values in the format of ROWS."""
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_INT.pack(len(value)))
            parts.append(value)


def rows_of(columns: Sequence[ColumnSpec], rows: Sequence[Sequence[bytes | None]]) -> Rows:
    """A result with these rows."""
    parts: list[bytes] = []
    for row in rows:
        append_row(parts, row)
    return Rows(columns, len(rows), b"".join(parts))
