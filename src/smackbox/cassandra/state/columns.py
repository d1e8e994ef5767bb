"""Columns and indexes: as stored records, and as objects of a table."""

from __future__ import annotations

from msgspec import Struct

from smackbox.cassandra.wire.types import CqlType

PARTITION_KEY = "partition_key"
CLUSTERING = "clustering"
STATIC = "static"
REGULAR = "regular"


class Column(Struct, frozen=True):
    """`ordinal` is the position in `SELECT *`; `number` names its cells in the store."""

    name: str
    kind: str
    position: int
    type: CqlType
    ordinal: int
    number: int = -1
    descending: bool = False
    mask: MaskRecord | None = None


class MaskRecord(Struct, frozen=True):
    """A masking function and its arguments after the column, serialised and in hexadecimal."""

    function: str
    arguments: tuple[str | None, ...] = ()


class ColumnRecord(Struct, frozen=True):
    """The stored record of a column."""

    name: str
    kind: str
    type: str
    number: int = -1
    descending: bool = False
    mask: MaskRecord | None = None


class IndexRecord(Struct, frozen=True):
    """`target` as system_schema.indexes shows it, `kind` COMPOSITES or CUSTOM."""

    name: str
    kind: str
    options: dict[str, str]
    number: int
