"""One index of a table: which entries it has for a value or a cell.

An entry is `[index number: 4][order key of the value][row key of the base table without its table number]`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from smackbox.cassandra.state.analysis import analysis_of
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, Column, IndexRecord
from smackbox.cassandra.wire.byte_strings import read_bytes_list
from smackbox.cassandra.wire.types import CqlType, ListType, MapType, SetType, VectorType

_INT = struct.Struct(">i")


class IndexTarget:
    """An index ready for use. `part`: '' (the value itself), keys, values, entries, full."""

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
        """The order keys of a whole value's entries."""
        kind = self.column.type
        if self.is_sai and isinstance(kind, VectorType):
            return [b""]  # an entry that the row has a vector
        if self.part in {"", "full"}:
            return [self._order_key(kind, value)]
        if isinstance(kind, MapType):
            return [self.pair_key(key, item) for key, item in kind.pairs(value)]
        assert isinstance(kind, ListType | SetType)
        return [self._order_key(kind.element, element) for element in kind.elements(value)]

    def _order_key(self, kind: CqlType, value: bytes) -> bytes:
        return kind.order_key(value if self.analyse is None else self.analyse(value))

    def pair_key(self, key: bytes, item: bytes) -> bytes:
        """The order key of a map entry."""
        kind = self.column.type
        assert isinstance(kind, MapType)
        if self.part == "keys":
            return self._order_key(kind.key, key)
        if self.part == "values":
            return self._order_key(kind.value, item)
        return kind.key.order_key(key) + kind.value.order_key(item)

    def cell_keys(self, cell: bytes) -> list[bytes]:
        """The order keys of a cell's entries; a multi-cell column's cell is a list of parts."""
        kind = self.column.type
        if not kind.multi_cell:
            return self.order_keys(cell)
        order_keys = []
        offset = 5
        for _ in range(_INT.unpack_from(cell, 1)[0]):
            (path, value), offset = read_bytes_list(cell, offset, 2)
            if path is not None and value is not None:
                order_keys.append(self.part_key(path, value))
        return order_keys

    def written_values(self, cells: dict[int, bytes | None], clustering: Sequence[bytes]) -> list[bytes]:
        """The values to index in the write of a row, not normalised."""
        column = self.column
        if column.kind == CLUSTERING:
            return [clustering[column.position]] if clustering else []
        cell = cells.get(column.number) if column.kind != PARTITION_KEY else None
        if cell is None:
            return []
        kind = column.type
        if not kind.multi_cell:
            return [cell]
        values = []
        offset = 5
        for _ in range(_INT.unpack_from(cell, 1)[0]):
            (path, value), offset = read_bytes_list(cell, offset, 2)
            if path is not None and value is not None:
                by_path = isinstance(kind, SetType) or self.part == "keys"
                values.append(path if by_path else path + value if self.part == "entries" else value)
        return values

    def part_key(self, path: bytes, value: bytes) -> bytes:
        """The order key of one cell of a collection."""
        kind = self.column.type
        if isinstance(kind, MapType):
            return self.pair_key(path, value)
        if isinstance(kind, SetType):
            return self._order_key(kind.element, path)
        assert isinstance(kind, ListType)
        return self._order_key(kind.element, value)

    def entry(self, order_key: bytes, row_key: bytes) -> bytes:
        """The index's key for a row with that value."""
        return self.prefix + order_key + row_key[4:]


def is_vector_index(target: IndexTarget) -> bool:
    """Whether it is a vector index for ANN."""
    return target.is_sai and isinstance(target.column.type, VectorType)


def similarity_of(target: IndexTarget) -> str:
    """The name of the index's similarity function."""
    return target.record.options.get("similarity_function", "cosine").lower()
