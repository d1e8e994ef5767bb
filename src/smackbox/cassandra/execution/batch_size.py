"""The size of a batch as Cassandra measures it, to warn about large batches and reject larger ones.

Only batches of several mutations are measured; all writes to one partition of a keyspace are one mutation. The size of
a mutation is `PartitionUpdate.dataSize()`, as determined from the warnings of a real Cassandra 5.0.6: 29 bytes for each
partition of a table, 21 for each row and its clustering values, 20 for each cell and its value, 12 more for an expiring
row and for each collection, 20 for each deletion of a range. A row that is written twice counts twice here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.state.keys import ROW, STATIC_ROW, partition_of
from smackbox.cassandra.state.rows import COMPLEX, DELETION, EXPIRING, MARKER, NULLS, STATIC
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.byte_strings import read_bytes_list
from smackbox.cassandra.wire.errors import Invalid

UNLOGGED_PARTITIONS_WARN = 10
_PARTITION = 29
_ROW = 21
_CELL = 20
_MORE = 12

# a table, and a whole key with its fragment or a key prefix
Write = tuple[Table, bytes, bytes]


def check_size(context: Context, kind: str, writes: Iterable[Write]) -> None:
    """Warn about a batch that is large, or unlogged over many partitions. Raises `Invalid` when it is too large."""
    partitions: dict[tuple[str, bytes], Table] = {}
    mutations: set[tuple[str, bytes]] = set()
    size = 0
    for table, key, fragment in writes:
        partition = partition_of(key)
        partitions[table.name, partition] = table
        mutations.add((table.keyspace, partition[4:]))
        size += _size(table, key[len(partition)], fragment)
    if len(mutations) < 2:
        return
    size += _PARTITION * len(partitions)
    tables = sorted({f"{table.keyspace}.{table.name}" for table in partitions.values()})
    names = f"[{', '.join(tables)}]"
    state = context.state
    if size > state.fail_batch_bytes:
        raise Invalid("Batch too large")
    if size > state.warn_batch_bytes:
        context.warnings.append(
            f"Batch for {names} is of size {size}, exceeding specified threshold of {state.warn_batch_bytes} by "
            f"{size - state.warn_batch_bytes}."
        )
    if kind == "unlogged" and len(partitions) > UNLOGGED_PARTITIONS_WARN:
        context.warnings.append(
            f"Unlogged batch covering {len(partitions)} partitions detected against table{'s' * (len(tables) > 1)} "
            f"{names}. You should use a logged batch for atomicity, or asynchronous writes for performance."
        )


def writes_of(tables: Iterable[Table], staged: Sequence[tuple[bytes, ...]]) -> list[Write]:
    """The writes of a batch that are not index entries."""
    by_prefix = {table.prefix: table for table in tables}
    return [
        (by_prefix[write[0][:4]], write[0], write[1])
        for write in staged
        if len(write) == 2 and write[0][:4] in by_prefix and len(write[0]) > 4
    ]


def _size(table: Table, section: int, fragment: bytes) -> int:
    if section not in {ROW[0], STATIC_ROW[0]}:
        return _CELL if len(fragment) > 4 else 0  # the deletion of a range, of the partition
    flags = fragment[0]
    offset = 2 + fragment[1]
    bitmap = int.from_bytes(fragment[2:offset], "little")
    offset += (8 if flags & EXPIRING else 0) + (4 if flags & (DELETION | NULLS) else 0)
    count = bitmap.bit_count()
    clustering = 0 if flags & STATIC else len(table.clustering)
    size = len(fragment) - offset - 4 * (count + clustering) + _CELL * count
    if not flags & STATIC:
        size += _ROW + (_MORE if flags & EXPIRING and flags & MARKER else 0)
    if flags & COMPLEX:
        size += _of_collections(table, fragment, offset, clustering, bitmap)
    return size


def _of_collections(table: Table, fragment: bytes, offset: int, clustering: int, bitmap: int) -> int:
    """The additional size of collection cells over a single value."""
    cell_values, _ = read_bytes_list(fragment, offset, clustering + bitmap.bit_count())
    numbers = [number for number in range(bitmap.bit_length()) if bitmap >> number & 1]
    size = 0
    for number, value in zip(numbers, cell_values[clustering:], strict=True):
        column = table.by_number.get(number)
        if value is None or column is None or not column.type.multi_cell:
            continue
        count = int.from_bytes(value[1:5], "big")
        # each part has two lengths, and the column has a flag and a count, which Cassandra's cells do not have
        size += _MORE - _CELL - 5 + count * (_CELL - 8)
    return size
