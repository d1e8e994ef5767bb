"""From the bound values of a request to the key and fragment of a row, compiled for each prepared statement.

A whole-row INSERT and a SELECT of one row by its whole key have such a binder, whether they are executed alone, in a
BATCH, or with any of the protocol's options: values are copied from the request's bytes into the fragment to store or
the key to read, without decoding. Special cases (a null, an unset value, a wrong length) are left to the plan's general
execution, which also produces the errors.

The values come in the order of the markers, as `[bytes]` one after another. Their processing is known when the
statement is prepared: their lengths, which of them are validated, where the key's parts are, and which runs of bytes
form the fragment. So a function is generated for the statement, as `dataclasses` and `namedtuple` do. It has no loop
over columns: for each row there is one `unpack` for a run of fixed lengths, and one slice for a run of the fragment.

For `INSERT INTO t (k, c, v)` with an int, a bigint and a text the function is

    def rows(buffer, offset, count, lead):
        found = []
        last = None
        keys = 0
        for _ in range(count):
            if not buffer.startswith(lead, offset):
                break
            b0 = offset + len(lead)
            l0, l1, v1, l2 = u0(buffer, b0)
            b1 = b0 + 24 + l2
            if l0 != 4 or l1 != 8 or l2 < 0:
                return None
            t2 = buffer[b0 + 24:b1]
            if not t2.isascii():
                t2.decode()
            key = buffer[b0 + 4:b0 + 8]
            if key != last:
                prefix = prefix_of(key)
                if prefix is None:
                    return None
                last = key
                keys += 1
            found.append((prefix + o1(v1), head + buffer[b0 + 8:b1]))
            offset = b1
        if offset > len(buffer):
            return None
        return found, offset, keys
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.execution.writes import ModificationPlan
from smackbox.cassandra.state.columns import Column
from smackbox.cassandra.state.keys import PARTITION_KEY_LIMIT, ROW, compose_partition_key
from smackbox.cassandra.state.rows import MARKER, bitmap_of
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.murmur3 import token_of
from smackbox.cassandra.wire.types import COUNTER, CqlType, invert

_HEAD = struct.Struct(">QH")
_BIAS = 1 << 63
# types for which every value of the right length is valid
_ANY_OF_LENGTH = frozenset(
    {"bigint", "boolean", "date", "double", "float", "int", "smallint", "time", "timestamp", "tinyint", "uuid"}
)

# (row key, fragment or values) of up to `count` rows that begin with `lead`, the offset after them, and how often the
# partition changed
Bound = tuple[list[tuple[bytes, Any]], int, int]
# as `Binder.rows`. Raises `struct.error`, `UnicodeDecodeError` and `Invalid` for some of the special cases
ReadRows = Callable[[bytes, int, int, bytes], Bound | None]


class Binder:
    """The compiled function of one statement, and its number of markers."""

    __slots__ = ("_rows", "count", "table")

    def __init__(self, table: Table, rows: ReadRows, count: int) -> None:
        self.table = table
        self.count = count
        self._rows = rows

    def rows(self, buffer: bytes, offset: int, count: int, lead: bytes) -> Bound | None:
        """Up to `count` rows, each of which begins with `lead`; None when one of them is a special case."""
        try:
            return self._rows(buffer, offset, count, lead)
        except (struct.error, UnicodeDecodeError, Invalid):
            return None


def insert_binder(plan: ModificationPlan, kinds: Sequence[CqlType]) -> Binder | None:
    """For markers of `kinds`; None unless the statement inserts a whole row from markers only."""
    table = plan.table
    if (
        plan.kind != "insert"
        or plan.json is not None
        or plan.conditions
        or plan.timestamp is not None
        or plan.ttl is not None
        or plan.touches_static
        or not plan.restrictions.clustering_is_whole
        or table.is_counter
        or table.default_ttl
        or table.written_targets
        or any(cell.bind_index < 0 for cell in plan.operations)
        or any(kind.multi_cell for kind in kinds)
    ):
        return None
    keys = key_markers(plan.restrictions)
    if keys is None:
        return None
    cells = sorted(plan.operations, key=lambda cell: cell.column.number)
    source = _Source(kinds, *keys)
    head = bytes((MARKER,)) + bitmap_of(cell.column.number for cell in cells)
    source.fragment(head, (*(index for index, _ in keys[1]), *(cell.bind_index for cell in cells)))
    return Binder(table, source.compiled(table.prefix), len(kinds))


def key_binder(restrictions: Restrictions, kinds: Sequence[CqlType]) -> Binder | None:
    """For the markers of a whole primary key: each row's fragment holds the partition key values as `[bytes]`.

    None if a part of the key is not a marker.
    """
    keys = key_markers(restrictions)
    if keys is None or any(kind.multi_cell or kind == COUNTER for kind in kinds):
        return None
    source = _Source(kinds, *keys)
    source.values(keys[0])
    return Binder(restrictions.table, source.compiled(restrictions.table.prefix), len(kinds))


def key_markers(restrictions: Restrictions) -> tuple[tuple[int, ...], tuple[tuple[int, Column], ...]] | None:
    """The markers of the partition key and of the clustering columns; None when one of them is something else."""
    partition = [restrictions.partition[column.name] for column in restrictions.table.partition_key]
    markers = []
    for restriction in (*partition, *restrictions.clustering):
        term = restriction.term
        if restriction.operator != "=" or restriction.multi or term is None or term.bind_index < 0:
            return None
        markers.append((term.bind_index, restriction.column))
    size = len(partition)
    return tuple(index for index, _ in markers[:size]), tuple(markers[size:])


def _prefix_of(table_prefix: bytes) -> Callable[[bytes], bytes | None]:
    """A function from a partition key to the prefix of its rows' keys; None when the key is empty or too long."""
    pack = _HEAD.pack

    def prefix_of(key: bytes) -> bytes | None:
        if not key or len(key) > PARTITION_KEY_LIMIT:
            return None
        return table_prefix + pack(token_of(key) + _BIAS, len(key)) + key + ROW

    return prefix_of


class _Source:
    """The source lines of the function `rows`, and the names that they use."""

    def __init__(
        self,
        kinds: Sequence[CqlType],
        partition: Sequence[int],
        clustering: Sequence[tuple[int, Column]],
    ) -> None:
        self.names: dict[str, Any] = {}
        self._kinds = kinds
        self._ordered = {index for index, _ in clustering}
        self._starts: list[str] = []
        self._ends: list[str] = []
        self._body: list[str] = []
        self._base = 0
        index = 0
        while index < len(kinds):
            index = self._run(index)
        self._key(partition)
        self._row_key = self._key_of_row(clustering)

    def compiled(self, table_prefix: bytes) -> ReadRows:
        """The compiled function, whose rows are those that `fragment` or `values` defined."""
        lines = [
            "def rows(buffer, offset, count, lead):",
            "    found = []",
            "    last = None",
            "    keys = 0",
            "    for _ in range(count):",
            "        if not buffer.startswith(lead, offset):",
            "            break",
            "        b0 = offset + len(lead)",
            *(f"        {line}" for line in self._body),
            f"        offset = b{self._base}",
            "    if offset > len(buffer):",
            "        return None",
            "    return found, offset, keys",
        ]
        names = {"prefix_of": _prefix_of(table_prefix), "compose": compose_partition_key, **self.names}
        exec("\n".join(lines), names)  # noqa: S102 - of types and numbers alone, no word of a client is in it
        return names["rows"]  # type: ignore[no-any-return]

    def fragment(self, head: bytes, order: Sequence[int]) -> None:
        """Rows are (row key, fragment): `head`, and the values of the markers in `order`, in runs if they are
        adjacent.
        """
        self.names["head"] = head
        parts = ["head"]
        first = 0
        for place, index in enumerate(order):
            if place + 1 == len(order) or order[place + 1] != index + 1:
                parts.append(f"buffer[{self._starts[order[first]]}:{self._ends[index]}]")
                first = place + 1
        self._found(" + ".join(parts))

    def values(self, markers: Sequence[int]) -> None:
        """Rows are (row key, the values of these markers, each with its length)."""
        parts = [f"buffer[{self._starts[index]}:{self._ends[index]}]" for index in markers]
        self._found(f"[{', '.join(parts)}]")

    def _found(self, value: str) -> None:
        self._body.append(f"found.append(({self._row_key}, {value}))")

    def _run(self, first: int) -> int:
        """Values of fixed lengths from marker `first` on, up to and including the first of variable length; returns the
        next marker.
        """
        base, form, size = f"b{self._base}", ">", 0
        unpacked, wrong, looks = [], [], []
        index = first
        for index in range(first, len(self._kinds)):
            kind = self._kinds[index]
            start, size = size, size + 4
            self._starts.append(f"{base} + {start}")
            unpacked.append(f"l{index}")
            length = kind.fixed_length
            if length is None:
                form += "i"
                wrong.append(f"l{index} < 0")
                self._ends.append(f"b{self._base + 1}")
                looks += self._look(index, f"buffer[{base} + {size}:{self._ends[-1]}]")
                size_of_last = f" + l{index}"
                break
            size += length
            self._ends.append(f"{base} + {size}")
            wrong.append(f"l{index} != {length}")
            looked_at = kind.cql not in _ANY_OF_LENGTH
            if looked_at or index in self._ordered:
                form += f"i{length}s"
                unpacked.append(f"v{index}")
                if looked_at:
                    looks += self._look(index, f"v{index}")
            else:
                form += f"i{length}x"
        else:
            size_of_last = ""
        self.names[f"u{self._base}"] = struct.Struct(form).unpack_from
        self._body += [
            f"{', '.join(unpacked)}, = u{self._base}(buffer, {base})",
            f"b{self._base + 1} = {base} + {size}{size_of_last}",
            f"if {' or '.join(wrong)}:",
            "    return None",
            *looks,
        ]
        self._base += 1
        return index + 1

    def _look(self, index: int, value: str) -> list[str]:
        """Validate a value of its type."""
        kind = self._kinds[index]
        name = f"v{index}"
        lines = [] if value == name else [f"{name} = {value}"]
        if kind.cql == "text":
            return [*lines, f"if not {name}.isascii():", f"    {name}.decode()"]
        if kind.cql == "timeuuid":
            return [*lines, f"if {name}[6] >> 4 != 1:", "    return None"]
        if kind.cql == "blob":
            return lines if index in self._ordered else []
        self.names[f"c{index}"] = kind.validate_normal
        return [*lines, f"c{index}({name})"]

    def _key(self, partition: Sequence[int]) -> None:
        parts = [f"buffer[{self._starts[index]} + 4:{self._ends[index]}]" for index in partition]
        self._body += [
            f"key = {parts[0]}" if len(parts) == 1 else f"key = compose(({', '.join(parts)}))",
            "if key != last:",
            "    prefix = prefix_of(key)",
            "    if prefix is None:",
            "        return None",
            "    last = key",
            "    keys += 1",
        ]

    def _key_of_row(self, clustering: Sequence[tuple[int, Column]]) -> str:
        row_key = ["prefix"]
        for index, column in clustering:
            self.names[f"o{index}"] = _descending(column) if column.descending else column.type.order_key
            row_key.append(f"o{index}(v{index})")
        # the general execution produces the error for a key that is too long
        lengths = [f"len(v{index})" for index, column in clustering if column.type.fixed_length is None]
        if lengths:
            self._body += [f"if {' + '.join(lengths)} > {PARTITION_KEY_LIMIT}:", "    return None"]
        return " + ".join(row_key)


def _descending(column: Column) -> Callable[[bytes], bytes]:
    order_key = column.type.order_key
    return lambda value: invert(order_key(value))
