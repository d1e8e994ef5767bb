"""Keyspaces, tables and types as immutable objects; a schema change creates new ones.

Persistent form: one JSON record for each keyspace, table and user type in the store's `schema` column family, under
`k/KEYSPACE`, `t/KEYSPACE/TABLE`, `u/KEYSPACE/TYPE`. Types are kept as CQL text and resolved when the schema is loaded.

A table has a number, the first four bytes of all its keys. Each column outside the primary key has a number, under
which its cells are stored. The number of a dropped table is never reused. A dropped column that is added again gets its
number back; only its cells that are newer than the drop are live.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from msgspec import Struct

from smackbox.cassandra.state.columns import (
    CLUSTERING,
    PARTITION_KEY,
    REGULAR,
    STATIC,
    Column,
    ColumnRecord,
    IndexRecord,
)
from smackbox.cassandra.state.index_target import IndexTarget
from smackbox.cassandra.wire.cql.ast import OptionValue
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import CqlType, UserType

NEVER_DROPPED = -(2**63)


class DroppedColumn(Struct, frozen=True):
    """`number` is -1 if it was not stored."""

    name: str
    kind: str
    type: str
    dropped_time_us: int
    number: int = -1
    multi_cell: bool = False


class TableRecord(Struct, frozen=True):
    """The stored record of a table: columns in the order of the primary key first, then in the order of their
    addition.
    """

    keyspace: str
    name: str
    id: UUID
    number: int
    columns: tuple[ColumnRecord, ...]
    options: dict[str, OptionValue]
    next_column: int
    indexes: tuple[IndexRecord, ...] = ()
    base_table: str | None = None
    where_clause: str = ""
    include_all_columns: bool = False
    dropped: tuple[DroppedColumn, ...] = ()


class TypeRecord(Struct, frozen=True):
    """The stored record of a user type: its fields, each a name and a type."""

    keyspace: str
    name: str
    fields: tuple[tuple[str, str], ...]


class KeyspaceRecord(Struct, frozen=True):
    """The stored record of a keyspace."""

    name: str
    replication: dict[str, str]
    durable_writes: bool = True


class Table:
    """A table ready for use. `columns` are in the order of `SELECT *`."""

    __slots__ = (
        "base_table",
        "by_name",
        "by_number",
        "cell_forms",
        "clustering",
        "columns",
        "has_statics",
        "id",
        "index_targets",
        "indexes",
        "is_counter",
        "kept_cell_forms",
        "keyspace",
        "masks",
        "name",
        "number",
        "options",
        "partition_key",
        "plain_flags",
        "plain_mask",
        "prefix",
        "record",
        "regulars",
        "scans_statics",
        "statics",
        "view_targets",
        "views",
        "virtual",
        "whole_head",
        "written_targets",
    )

    def __init__(self, record: TableRecord, types: dict[str, CqlType], *, virtual: bool = False) -> None:
        """`types` has the type of each column."""
        self.record = record
        self.keyspace = record.keyspace
        self.name = record.name
        self.id = record.id
        self.number = record.number
        self.options = record.options
        self.indexes = record.indexes
        self.index_targets: tuple[IndexTarget, ...] = ()
        # the implicit indexes, by which views are read; and all indexes that writes must maintain
        self.view_targets: tuple[IndexTarget, ...] = ()
        self.written_targets: tuple[IndexTarget, ...] = ()
        self.base_table = record.base_table
        self.virtual = virtual
        self.views: tuple[str, ...] = ()
        self.prefix = record.number.to_bytes(4, "big")
        ordered: list[Column] = []
        for kind in (PARTITION_KEY, CLUSTERING, STATIC, REGULAR):
            members = [column for column in record.columns if column.kind == kind]
            keyed = kind in {PARTITION_KEY, CLUSTERING}
            if not keyed:
                members.sort(key=lambda column: column.name.encode())
            for position, column in enumerate(members):
                ordered.append(
                    Column(
                        column.name,
                        kind,
                        position if keyed else -1,
                        types[column.name],
                        len(ordered),
                        column.number,
                        column.descending,
                        column.mask,
                    )
                )
        self.columns = tuple(ordered)
        self.masks = {column.ordinal: column.mask for column in ordered if column.mask is not None}
        self.by_name = {column.name: column for column in ordered}
        self.by_number = {column.number: column for column in ordered if column.number >= 0}
        self.partition_key = tuple(column for column in ordered if column.kind == PARTITION_KEY)
        self.clustering = tuple(column for column in ordered if column.kind == CLUSTERING)
        self.statics = tuple(column for column in ordered if column.kind == STATIC)
        self.regulars = tuple(column for column in ordered if column.kind == REGULAR)
        self.has_statics = bool(self.statics)
        # the head of a fragment that holds a whole row: it shadows everything older
        self.whole_head = b""
        # for each column by its number: whether it has several cells, and the timestamp up to which they were dropped
        dropped = {column.number: column for column in record.dropped if column.number >= 0}
        self.cell_forms = {
            number: (column.type.multi_cell, dropped[number].dropped_time_us if number in dropped else NEVER_DROPPED)
            for number, column in self.by_number.items()
        }
        # including dropped columns, which may be added again
        self.kept_cell_forms = {
            number: (column.multi_cell, column.dropped_time_us) for number, column in dropped.items()
        } | self.cell_forms
        # the flags of fragments that can be returned unchanged
        self.plain_mask = self.plain_flags = 0
        self.scans_statics = self.has_statics or any(column.kind == STATIC for column in record.dropped)
        self.is_counter = any(column.type.cql == "counter" for column in (*self.statics, *self.regulars)) or any(
            column.type == "counter" for column in record.dropped
        )

    def column(self, name: str) -> Column:
        """Look up a column. Raises `Invalid` when there is none of that name."""
        column = self.by_name.get(name)
        if column is None:
            raise Invalid(f"Undefined column name {name} in table {self.keyspace}.{self.name}")
        return column

    @property
    def is_view(self) -> bool:
        """Whether it is a materialized view."""
        return self.base_table is not None

    @property
    def default_ttl(self) -> int:
        """The default time to live of a row in seconds; 0 means no limit."""
        return int(str(self.options.get("default_time_to_live", "0")))

    @property
    def gc_grace_seconds(self) -> int:
        """How long a deletion is kept, in seconds."""
        return int(str(self.options.get("gc_grace_seconds", "864000")))


class Keyspace:
    """A keyspace with its tables (including views) and user types."""

    __slots__ = ("name", "record", "tables", "types", "virtual")

    def __init__(self, record: KeyspaceRecord, *, virtual: bool = False) -> None:
        self.record = record
        self.name = record.name
        self.virtual = virtual
        self.tables: dict[str, Table] = {}
        self.types: dict[str, UserType] = {}

    def views_of(self, table: str) -> Iterator[Table]:
        """The materialized views of a table."""
        return (view for view in self.tables.values() if view.base_table == table)

    def index(self, name: str) -> tuple[Table, IndexRecord] | None:
        """The index of that name with its table, or None."""
        for table in self.tables.values():
            for index in table.indexes:
                if index.name == name:
                    return table, index
        return None
