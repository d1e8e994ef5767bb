"""Secondary indexes: an entry for each indexed value, written blindly and checked when it is read.

    [index number: 4][order key of the value][row key of the base table without its table number] -> nothing

An entry may be stale, because a write does not look at what it replaces; a read takes the row it points at, and what no
longer matches is dropped from the answer and from the index. Entries of one value are in the order of the base table.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence

from smackbox.cassandra.state.analysis import analysis_of
from smackbox.cassandra.state.rows import Row, read_bytes_list
from smackbox.cassandra.state.schema import CLUSTERING, PARTITION_KEY, REGULAR, Column, IndexRecord, Table
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import CqlType, ListType, MapType, SetType, VectorType

INDEXED_LIMIT = 65_535
_INT = struct.Struct(">i")
_TARGET = re.compile(r"(keys|values|entries|full)\((.+)\)")


class IndexTarget:
    """An index ready for use. `part`: '' (the value as it is), keys, values, entries, full."""

    __slots__ = ("analyse", "column", "is_sai", "part", "prefix", "record")

    def __init__(self, record: IndexRecord, column: Column, part: str) -> None:
        self.record = record
        self.column = column
        self.part = part
        self.prefix = record.number.to_bytes(4, "big")
        name = record.options.get("class_name", "").lower()
        self.is_sai = name.endswith(("storageattachedindex", "sai"))
        self.analyse = analysis_of(record.options) if self.is_sai else None

    def order_keys(self, value: bytes) -> list[bytes]:
        """Under what a whole value is entered."""
        kind = self.column.type
        if self.is_sai and isinstance(kind, VectorType):
            return [b""]  # that the row has a vector
        if self.part in {"", "full"}:
            return [self._order_key(kind, value)]
        if isinstance(kind, MapType):
            return [self.pair_key(key, item) for key, item in kind.pairs(value)]
        assert isinstance(kind, ListType | SetType)
        return [self._order_key(kind.element, element) for element in kind.elements(value)]

    def _order_key(self, kind: CqlType, value: bytes) -> bytes:
        return kind.order_key(value if self.analyse is None else self.analyse(value))

    def pair_key(self, key: bytes, item: bytes) -> bytes:
        """Under what an entry of a map is entered."""
        kind = self.column.type
        assert isinstance(kind, MapType)
        if self.part == "keys":
            return self._order_key(kind.key, key)
        if self.part == "values":
            return self._order_key(kind.value, item)
        return kind.key.order_key(key) + kind.value.order_key(item)

    def cell_keys(self, cell: bytes) -> list[bytes]:
        """Under what a cell as it is written is entered; that of a multi-cell column is a list of parts."""
        kind = self.column.type
        if not kind.multi_cell:
            return self.order_keys(cell)
        found = []
        offset = 5
        for _ in range(_INT.unpack_from(cell, 1)[0]):
            (path, value), offset = read_bytes_list(cell, offset, 2)
            if path is not None and value is not None:
                found.append(self.part_key(path, value))
        return found

    def written_values(self, cells: dict[int, bytes | None], clustering: Sequence[bytes]) -> list[bytes]:
        """The values that a write of a row enters, as they are."""
        column = self.column
        if column.kind == CLUSTERING:
            return [clustering[column.position]] if clustering else []
        cell = cells.get(column.number) if column.kind != PARTITION_KEY else None
        if cell is None:
            return []
        kind = column.type
        if not kind.multi_cell:
            return [cell]
        found = []
        offset = 5
        for _ in range(_INT.unpack_from(cell, 1)[0]):
            (path, value), offset = read_bytes_list(cell, offset, 2)
            if path is not None and value is not None:
                by_path = isinstance(kind, SetType) or self.part == "keys"
                found.append(path if by_path else path + value if self.part == "entries" else value)
        return found

    def part_key(self, path: bytes, value: bytes) -> bytes:
        """Under what one cell of a collection is entered."""
        kind = self.column.type
        if isinstance(kind, MapType):
            return self.pair_key(path, value)
        if isinstance(kind, SetType):
            return self._order_key(kind.element, path)
        assert isinstance(kind, ListType)
        return self._order_key(kind.element, value)

    def entry(self, order_key: bytes, row_key: bytes) -> bytes:
        return self.prefix + order_key + row_key[4:]


def index_targets(table: Table) -> tuple[IndexTarget, ...]:
    """The table's indexes ready for use."""
    found = []
    for record in table.indexes:
        part, name = parse_target(record.options["target"])
        found.append(IndexTarget(record, table.column(name), part))
    return tuple(found)


def view_target(base: Table, view: Table) -> IndexTarget | None:
    """The index by which a view's partitions are found in its base table; its entries are under the view's number.

    None where a view's partition is of one partition of the base table, and where a column has just been renamed.
    """
    keys = [base.by_name.get(column.name) for column in view.partition_key]
    columns = [column for column in keys if column is not None]
    if set(base.partition_key) <= set(columns) or len(columns) < len(keys):
        return None
    # the column that the view adds, else a clustering column, tells most
    chosen = max(columns, key=lambda column: (column.kind == REGULAR, column.ordinal))
    return IndexTarget(IndexRecord(view.name, "VIEW", {}, view.number), chosen, "")


def parse_target(target: str) -> tuple[str, str]:
    """The part and the column of an index's target as system_schema shows it."""
    match = _TARGET.fullmatch(target)
    part, name = match.groups() if match else ("", target)
    return part, name[1:-1].replace('""', '"') if name.startswith('"') else name


def check_indexed_sizes(table: Table, cells: dict[int, bytes | None], clustering: Sequence[bytes]) -> None:
    """Raises `Invalid` for a value that is too long for Cassandra's own kind of index, whose key it would be."""
    for target in table.index_targets:
        if target.is_sai:
            continue
        column = target.column
        values = target.written_values(cells, clustering)
        longest = max(map(len, values), default=0)
        if longest >= INDEXED_LIMIT:
            raise Invalid(
                f"Cannot index value of size {longest} for index {target.record.name} on "
                f"{table.keyspace}.{table.name}({column.name}) (maximum allowed size={INDEXED_LIMIT})"
            )


def entries_of_merged_row(
    targets: Iterable[IndexTarget], row_key: bytes, row: Row, partition_key: Sequence[bytes]
) -> list[bytes]:
    """The entries that stand for a row of merged fragments."""
    found = []
    for target in targets:
        column = target.column
        if column.kind == "partition_key":
            found += [target.entry(key, row_key) for key in target.order_keys(partition_key[column.position])]
        elif column.kind == "clustering":
            if row.clustering:
                found += [target.entry(key, row_key) for key in target.order_keys(row.clustering[column.position])]
        else:
            for key, (_, _, _, value) in row.cells.items():
                number, path = key if isinstance(key, tuple) else (key, None)
                if number != column.number or value is None:
                    continue
                keys = target.order_keys(value) if path is None else [target.part_key(path, value)]
                found += [target.entry(order_key, row_key) for order_key in keys]
    return found


def entries_of_row(
    targets: Iterable[IndexTarget],
    row_key: bytes,
    cells: dict[int, bytes | None],
    partition_key: Sequence[bytes],
    clustering: Sequence[bytes],
) -> list[bytes]:
    """The entries that the write of a row makes."""
    found = []
    for target in targets:
        column = target.column
        if column.kind == "partition_key":
            keys = target.order_keys(partition_key[column.position])
        elif column.kind == "clustering":
            keys = target.order_keys(clustering[column.position]) if clustering else []
        else:
            cell = cells.get(column.number)
            keys = target.cell_keys(cell) if cell is not None else []
        found += [target.entry(key, row_key) for key in keys]
    return found


def is_vector_index(target: IndexTarget) -> bool:
    return target.is_sai and isinstance(target.column.type, VectorType)


def similarity_of(target: IndexTarget) -> str:
    """The name of the index's measure."""
    return target.record.options.get("similarity_function", "cosine").lower()
