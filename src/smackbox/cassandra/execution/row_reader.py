"""From the bytes of a request to what is stored, compiled for each INSERT: the loop that batches live in.

The values of a whole row come in the order of the markers, as `[bytes]` one after another. What is done with them is
known when the statement is prepared: which lengths they have, which are looked at, where the key's parts lie, which
runs of bytes are the fragment. So a function is written for the statement, as `dataclasses` and `namedtuple` do, that
has no loop over columns: for each row one `unpack` for a run of fixed lengths, one slice for a run of the fragment.

For `INSERT INTO t (k, c, v)` with an int, a bigint and a text it is

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

from smackbox.cassandra.state.keys import PARTITION_KEY_LIMIT, ROW, compose_partition_key
from smackbox.cassandra.state.schema import Column
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.murmur3 import token_of
from smackbox.cassandra.wire.types import CqlType, invert

_HEAD = struct.Struct(">QH")
_BIAS = 1 << 63
# every value of the right length is one of the type
_ANY_OF_LENGTH = frozenset(
    {"bigint", "boolean", "date", "double", "float", "int", "smallint", "time", "timestamp", "tinyint", "uuid"}
)

# (row key, fragment) of up to `count` rows that begin with `lead`, the offset after them, and how often another
# partition began; None when one of them is out of the ordinary. Raises `struct.error`, `UnicodeDecodeError` and
# `Invalid` for some of those
ReadRows = Callable[[bytes, int, int, bytes], tuple[list[tuple[bytes, bytes]], int, int] | None]


def row_reader(
    kinds: Sequence[CqlType],
    table_prefix: bytes,
    partition: Sequence[int],
    clustering: Sequence[tuple[int, Column]],
    head: bytes,
    order: Sequence[int],
) -> ReadRows | None:
    """Markers of `kinds`; which of them make the key, and which, in which order, follow `head` in the fragment.

    None when one of them is kept in several cells.
    """
    if any(kind.multi_cell or kind.cql == "counter" for kind in kinds):
        return None
    source = _Source(kinds, partition, clustering, order)
    names: dict[str, Any] = {"prefix_of": _prefix_of(table_prefix), "compose": compose_partition_key, "head": head}
    names |= source.names
    exec("\n".join(source.lines), names)  # noqa: S102 - of types and numbers alone, no word of a client is in it
    return names["rows"]  # type: ignore[no-any-return]


def reading(rows: ReadRows, buffer: bytes, offset: int, count: int, lead: bytes) -> Any:
    """As `rows`, with None for what it raises."""
    try:
        return rows(buffer, offset, count, lead)
    except (struct.error, UnicodeDecodeError, Invalid):
        return None


def _prefix_of(table_prefix: bytes) -> Callable[[bytes], bytes | None]:
    """From a partition key to what the keys of its rows begin with; None when it is empty or too long."""
    pack = _HEAD.pack

    def prefix_of(key: bytes) -> bytes | None:
        if not key or len(key) > PARTITION_KEY_LIMIT:
            return None
        return table_prefix + pack(token_of(key) + _BIAS, len(key)) + key + ROW

    return prefix_of


class _Source:
    """The lines of the function `rows`, and the names that they use."""

    def __init__(
        self,
        kinds: Sequence[CqlType],
        partition: Sequence[int],
        clustering: Sequence[tuple[int, Column]],
        order: Sequence[int],
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
        self._row(clustering, order)
        self.lines = [
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

    def _run(self, first: int) -> int:
        """Values of fixed lengths from marker `first` on, up to and with one of another; the marker after them."""
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
        """Whether a value is one of its type."""
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

    def _row(self, clustering: Sequence[tuple[int, Column]], order: Sequence[int]) -> None:
        row_key = ["prefix"]
        for index, column in clustering:
            self.names[f"o{index}"] = _descending(column) if column.descending else column.type.order_key
            row_key.append(f"o{index}(v{index})")
        # the general way words the error for a key that is too long
        lengths = [f"len(v{index})" for index, column in clustering if column.type.fixed_length is None]
        if lengths:
            self._body += [f"if {' + '.join(lengths)} > {PARTITION_KEY_LIMIT}:", "    return None"]
        fragment = ["head"]
        first = 0
        for place, index in enumerate(order):
            if place + 1 == len(order) or order[place + 1] != index + 1:
                fragment.append(f"buffer[{self._starts[order[first]]}:{self._ends[index]}]")
                first = place + 1
        self._body.append(f"found.append(({' + '.join(row_key)}, {' + '.join(fragment)}))")


def _descending(column: Column) -> Callable[[bytes], bytes]:
    order_key = column.type.order_key
    return lambda value: invert(order_key(value))
