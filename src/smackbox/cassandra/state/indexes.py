"""Secondary indexes: they have an entry for each indexed value, written blindly and verified by reads.

    [index number: 4][order key of the value][row key of the base table without its table number] -> nothing

An entry may be stale, as a write does not read what it replaces. A read looks up the row of each entry; entries that no
longer match are dropped from the answer and from the index. Entries of one value have the order of the base table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from smackbox.cassandra.state.columns import REGULAR, IndexRecord
from smackbox.cassandra.state.index_target import IndexTarget
from smackbox.cassandra.state.rows import Row
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.errors import Invalid

INDEXED_LIMIT = 65_535
_TARGET = re.compile(r"(keys|values|entries|full)\((.+)\)")


def index_targets(table: Table) -> tuple[IndexTarget, ...]:
    """The table's indexes ready for use."""
    targets = []
    for record in table.indexes:
        part, name = parse_target(record.options["target"])
        targets.append(IndexTarget(record, table.column(name), part))
    return tuple(targets)


def view_target(base: Table, view: Table) -> IndexTarget | None:
    """The index that finds a view's partitions in its base table; its entries are under the view's number.

    None if a view's partition comes from one partition of the base table, and if a column has just been renamed.
    """
    keys = [base.by_name.get(column.name) for column in view.partition_key]
    columns = [column for column in keys if column is not None]
    if set(base.partition_key) <= set(columns) or len(columns) < len(keys):
        return None
    # the column that the view adds, otherwise a clustering column, is the most selective
    chosen = max(columns, key=lambda column: (column.kind == REGULAR, column.ordinal))
    return IndexTarget(IndexRecord(view.name, "VIEW", {}, view.number), chosen, "")


def parse_target(target: str) -> tuple[str, str]:
    """The part and the column of an index target, in the form of system_schema."""
    match = _TARGET.fullmatch(target)
    part, name = match.groups() if match else ("", target)
    return part, name[1:-1].replace('""', '"') if name.startswith('"') else name


def check_indexed_sizes(table: Table, cells: dict[int, bytes | None], clustering: Sequence[bytes]) -> None:
    """Raises `Invalid` for a value that is too long for Cassandra's built-in index, which uses it as a key."""
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
    """The index entries of a row of merged fragments."""
    entries = []
    for target in targets:
        column = target.column
        if column.kind == "partition_key":
            entries += [target.entry(key, row_key) for key in target.order_keys(partition_key[column.position])]
        elif column.kind == "clustering":
            if row.clustering:
                entries += [target.entry(key, row_key) for key in target.order_keys(row.clustering[column.position])]
        else:
            for key, (_, _, _, value) in row.cells.items():
                number, path = key if isinstance(key, tuple) else (key, None)
                if number != column.number or value is None:
                    continue
                keys = target.order_keys(value) if path is None else [target.part_key(path, value)]
                entries += [target.entry(order_key, row_key) for order_key in keys]
    return entries


def entries_of_row(
    targets: Iterable[IndexTarget],
    row_key: bytes,
    cells: dict[int, bytes | None],
    partition_key: Sequence[bytes],
    clustering: Sequence[bytes],
) -> list[bytes]:
    """The index entries for the write of a row."""
    entries = []
    for target in targets:
        column = target.column
        if column.kind == "partition_key":
            keys = target.order_keys(partition_key[column.position])
        elif column.kind == "clustering":
            keys = target.order_keys(clustering[column.position]) if clustering else []
        else:
            cell = cells.get(column.number)
            keys = target.cell_keys(cell) if cell is not None else []
        entries += [target.entry(key, row_key) for key in keys]
    return entries
