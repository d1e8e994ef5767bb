"""Row fragments, each the result of one write, and their merge into a row.

Fragment, the value under a key of `keys`:

    [flags: 1][length of bitmap: 1][bitmap of the column numbers present, lowest bit first]
    EXPIRING:            [ttl: 4][expires at, seconds since 1970: 4]
    DELETION, NULLS:     [local deletion time, seconds since 1970: 4]
    unless STATIC:       [bytes] of each clustering column
    [bytes] of each column present, in the order of its number; length -1 is a deleted cell

where `[bytes]` is the protocol's: a length of four bytes and the bytes. After its head, the fragment of an INSERT is
what the client sent, and what a reading client gets. All cells have the timestamp of the key.

The bytes of a multi-cell column (COMPLEX is set) are `[flag: 1][count: 4]` and that many `[bytes path][bytes value]`.
Flag 1 means that the column was deleted just before, at the timestamp less one microsecond; flag 2, at the timestamp.

A STAMPED fragment is a merge: each cell has its own timestamp, ttl and time. Its head is followed by
`[marker timestamp: 8][ttl: 4][time: 4]`, `[deletion timestamp: 8][time: 4]`, the clustering columns, `[count: 4]` and
cells `[column: 2][kind: 1][timestamp: 8][ttl: 4][time: 4][bytes path][bytes value]`; kind 1 is the deletion of a
multi-cell column. A timestamp of -2**63 means "none".

Conflicts are resolved as Cassandra does: the larger timestamp; among equal ones a deletion, then an expiring cell, then
the larger value. A counter's cell is an increment; increments add up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from smackbox.cassandra.state.keys import MIN_TIMESTAMP, timestamp_of
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.byte_strings import NULL_BYTES, read_bytes_list, wire_bytes

MARKER = 0x01
EXPIRING = 0x02
STAMPED = 0x04
DELETION = 0x08
NULLS = 0x10
COMPLEX = 0x20
STATIC = 0x40
# a fragment with none of these can be returned unchanged when it is the only one (but see `plain_form`)
NOT_PLAIN = EXPIRING | STAMPED | DELETION | NULLS | COMPLEX

# a fragment with one of these is useful, now or later, only to shadow others
PERISHABLE = EXPIRING | DELETION | NULLS
NEVER_S = 2**63

_INT = struct.Struct(">i")
_UINT = struct.Struct(">I")
_PAIR = struct.Struct(">II")
_STAMPS = struct.Struct(">qIIqI")
_CELL = struct.Struct(">HBqII")
_KIND_CELL = 0
_KIND_DELETION = 1

# timestamp, ttl, expiry (with a ttl) or local deletion time (without a value), value
Cell = tuple[int, int, int, bytes | None]
# see `Table.cell_forms`
Forms = dict[int, tuple[bool, int]]


class Row:
    """A merged row. `cells` are keyed by column number, cells of multi-cell columns by (number, path)."""

    __slots__ = ("cells", "clustering", "complex_deletions", "deletion", "marker")

    def __init__(self) -> None:
        self.clustering: tuple[bytes, ...] = ()
        self.marker: tuple[int, int, int] | None = None
        self.deletion: tuple[int, int] = (MIN_TIMESTAMP, 0)
        self.cells: dict[int | tuple[int, bytes], Cell] = {}
        self.complex_deletions: dict[int, tuple[int, int]] = {}

    def is_live(self, now_s: int) -> bool:
        """Whether the row exists: it was inserted, or has a value."""
        if self.has_marker(now_s):
            return True
        return any(value is not None and (not ttl or time > now_s) for _, ttl, time, value in self.cells.values())

    def has_marker(self, now_s: int) -> bool:
        """Whether it was inserted."""
        marker = self.marker
        return marker is not None and (not marker[1] or marker[2] > now_s)

    def value(self, number: int, now_s: int) -> bytes | None:
        """The value of a single-cell column."""
        cell = self.cells.get(number)
        if cell is None or (cell[1] and cell[2] <= now_s):
            return None
        return cell[3]

    def parts(self, number: int, now_s: int) -> list[tuple[bytes, bytes]]:
        """The live (path, value) cells of a multi-cell column, unsorted."""
        cells = []
        for key, (_, ttl, time, value) in self.cells.items():
            if type(key) is tuple and key[0] == number and value is not None and (not ttl or time > now_s):
                cells.append((key[1], value))
        return cells

    def is_empty(self) -> bool:
        """Whether nothing is left, not even a deletion."""
        return not (self.marker or self.cells or self.complex_deletions or self.deletion[0] != MIN_TIMESTAMP)

    def purge(self, now_s: int, before_s: int) -> None:
        """Drop deletions from before `before_s`, and what has expired and was written before then."""
        if self.marker is not None and _has_gone(self.marker[1], self.marker[2], now_s, before_s):
            self.marker = None
        if self.deletion[0] != MIN_TIMESTAMP and self.deletion[1] <= before_s:
            self.deletion = (MIN_TIMESTAMP, 0)
        for number in [number for number, (_, time) in self.complex_deletions.items() if time <= before_s]:
            del self.complex_deletions[number]
        dead = [
            key
            for key, (_, ttl, time, value) in self.cells.items()
            if (time <= before_s if value is None else _has_gone(ttl, time, now_s, before_s))
        ]
        for key in dead:
            del self.cells[key]

    def drop_covered(self, timestamp: int) -> None:
        """Remove what was written or deleted at `timestamp` or before: another deletion covers it."""
        own = self.deletion
        if timestamp >= own[0]:
            self.deletion = (timestamp, 0)
            self._apply_deletions()
            self.deletion = (MIN_TIMESTAMP, 0)

    def weight(self) -> int:
        """The number of its parts, without the deletions of collections."""
        return len(self.cells) + (self.marker is not None) + (self.deletion[0] != MIN_TIMESTAMP)

    def droppable_at_s(self, grace_s: int) -> int:
        """When the first of its deletions and expiring cells can be purged."""
        times = [time + grace_s for _, _, time, value in self.cells.values() if value is None]
        times += [
            _gone_at_s(ttl, time, grace_s) for _, ttl, time, value in self.cells.values() if ttl and value is not None
        ]
        if self.marker is not None and self.marker[1]:
            times.append(_gone_at_s(self.marker[1], self.marker[2], grace_s))
        if self.deletion[0] != MIN_TIMESTAMP:
            times.append(self.deletion[1] + grace_s)
        if not self.weight():
            times += [time + grace_s for _, time in self.complex_deletions.values()]
        return min(times, default=NEVER_S)

    def cover(self, timestamp: int, time: int) -> None:
        """Delete everything written at `timestamp` or before."""
        if timestamp > self.deletion[0]:
            self.deletion = (timestamp, time)
        self._apply_deletions()

    def _apply_deletions(self) -> None:
        bound = self.deletion[0]
        if self.marker is not None and self.marker[0] <= bound:
            self.marker = None
        for number, (timestamp, _) in list(self.complex_deletions.items()):
            if timestamp <= bound:
                del self.complex_deletions[number]
        complex_deletions = self.complex_deletions
        if bound == MIN_TIMESTAMP and not complex_deletions:
            return
        dead = []
        for key, cell in self.cells.items():
            limit = bound
            if type(key) is tuple and key[0] in complex_deletions:
                limit = max(limit, complex_deletions[key[0]][0])
            if cell[0] <= limit:
                dead.append(key)
        for key in dead:
            del self.cells[key]


def _has_gone(ttl: int, expiry_s: int, now_s: int, before_s: int) -> bool:
    """Whether an expired cell can be purged: Cassandra's `AbstractCell.purge`, which counts from the write."""
    return bool(ttl) and expiry_s <= now_s and expiry_s - ttl <= before_s


def _gone_at_s(ttl: int, expiry_s: int, grace_s: int) -> int:
    return max(expiry_s, expiry_s - ttl + grace_s)


def droppable_at_s(fragment: bytes, grace_s: int) -> int:
    """When the first part of a perishable fragment can be purged."""
    offset = 2 + fragment[1]
    if fragment[0] & EXPIRING:
        ttl, expiry_s = _PAIR.unpack_from(fragment, offset)
        return _gone_at_s(ttl, expiry_s, grace_s)
    return int(_UINT.unpack_from(fragment, offset)[0]) + grace_s


def newer_cell(left: Cell, right: Cell) -> Cell:
    """Cassandra's `Cells.reconcile`."""
    if left[0] != right[0]:
        return left if left[0] > right[0] else right
    left_special = left[3] is None or left[1] > 0
    right_special = right[3] is None or right[1] > 0
    if left_special != right_special:
        return left if left_special else right
    if left_special:
        left_tombstone = left[3] is None
        if left_tombstone != (right[3] is None):
            return left if left_tombstone else right
        if left[2] != right[2]:
            return left if left[2] > right[2] else right
        if left[1] != right[1]:
            return left if left[1] < right[1] else right
    return left if (left[3] or b"") >= (right[3] or b"") else right


def newer_marker(left: tuple[int, int, int], right: tuple[int, int, int]) -> tuple[int, int, int]:
    """Cassandra's `LivenessInfo.supersedes`."""
    if left[0] != right[0]:
        return left if left[0] > right[0] else right
    if bool(left[1]) == bool(right[1]):
        return left if left[2] >= right[2] else right
    return left if left[1] else right


def plain_form(table: Table) -> tuple[int, int]:
    """A mask for a fragment's flags, and their masked value when the fragment can be returned unchanged.

    If columns were dropped, only a marker proves that the row exists; if one was added again, each cell must be
    checked.
    """
    dropped = [column.number for column in table.record.dropped]
    if any(number in table.by_number for number in dropped):
        return 0, MARKER
    return (NOT_PLAIN | MARKER, MARKER) if dropped else (NOT_PLAIN, 0)


def merge(table: Table, fragments: Iterable[tuple[bytes, bytes]], *, keep_dropped: bool = False) -> Row:
    """Merge all (key, fragment) pairs under a row key into one row; `keep_dropped` keeps the cells of dropped
    columns.
    """
    forms = table.kept_cell_forms if keep_dropped else table.cell_forms
    row = Row()
    counter = table.is_counter
    increments: list[tuple[int, int, bytes]] = []
    for key, fragment in fragments:
        flags = fragment[0]
        if flags & STAMPED:
            _merge_stamped(table, forms, row, fragment, increments if counter else None)
        else:
            _merge_simple(table, forms, row, fragment, timestamp_of(key), increments if counter else None)
    row._apply_deletions()
    if increments:
        _add_up(row, increments)
    return row


def _merge_simple(
    table: Table, forms: Forms, row: Row, fragment: bytes, timestamp: int,
    increments: list[tuple[int, int, bytes]] | None,
) -> None:  # fmt: skip
    flags = fragment[0]
    offset = 2 + fragment[1]
    bitmap = int.from_bytes(fragment[2:offset], "little")
    ttl = time = deleted_at = 0
    if flags & EXPIRING:
        ttl, time = _PAIR.unpack_from(fragment, offset)
        offset += 8
    if flags & (DELETION | NULLS):
        (deleted_at,) = _UINT.unpack_from(fragment, offset)
        offset += 4
    if not flags & STATIC:
        row.clustering, offset = _read_values(fragment, offset, len(table.clustering))
    if flags & DELETION and timestamp > row.deletion[0]:
        row.deletion = (timestamp, deleted_at)
    if flags & MARKER:
        marker = (timestamp, ttl, time)
        row.marker = marker if row.marker is None else newer_marker(row.marker, marker)
    cells = row.cells
    number = 0
    while bitmap:
        if bitmap & 1:
            (length,) = _INT.unpack_from(fragment, offset)
            offset += 4
            form = forms.get(number)
            is_kept = form is not None and timestamp > form[1]
            if length < 0:
                cell: Cell = (timestamp, 0, deleted_at, None)
                if is_kept:
                    previous = cells.get(number)
                    cells[number] = cell if previous is None else newer_cell(previous, cell)
            else:
                value = fragment[offset : offset + length]
                offset += length
                if form is None or not is_kept:
                    pass  # the column was dropped
                elif increments is not None:
                    increments.append((number, timestamp, value))
                elif form[0]:
                    _merge_complex(row, number, value, timestamp, ttl, time, deleted_at)
                else:
                    cell = (timestamp, ttl, time, value)
                    previous = cells.get(number)
                    cells[number] = cell if previous is None else newer_cell(previous, cell)
        bitmap >>= 1
        number += 1


def _merge_complex(row: Row, number: int, value: bytes, timestamp: int, ttl: int, time: int, deleted_at: int) -> None:
    if value[0]:
        _delete_complex(row, number, timestamp - (value[0] == 1), deleted_at)
    (count,) = _INT.unpack_from(value, 1)
    offset = 5
    for _ in range(count):
        (path, item), offset = read_bytes_list(value, offset, 2)
        assert path is not None
        cell: Cell = (timestamp, 0, deleted_at, None) if item is None else (timestamp, ttl, time, item)
        key = (number, path)
        previous = row.cells.get(key)
        row.cells[key] = cell if previous is None else newer_cell(previous, cell)


def _delete_complex(row: Row, number: int, timestamp: int, time: int) -> None:
    previous = row.complex_deletions.get(number)
    if previous is None or timestamp > previous[0]:
        row.complex_deletions[number] = (timestamp, time)


def _merge_stamped(
    table: Table, forms: Forms, row: Row, fragment: bytes, increments: list[tuple[int, int, bytes]] | None
) -> None:
    offset = 2 + fragment[1]
    marker_ts, marker_ttl, marker_time, deletion_ts, deletion_time = _STAMPS.unpack_from(fragment, offset)
    offset += _STAMPS.size
    if not fragment[0] & STATIC:
        row.clustering, offset = _read_values(fragment, offset, len(table.clustering))
    if marker_ts != MIN_TIMESTAMP:
        marker = (marker_ts, marker_ttl, marker_time)
        row.marker = marker if row.marker is None else newer_marker(row.marker, marker)
    if deletion_ts > row.deletion[0]:
        row.deletion = (deletion_ts, deletion_time)
    (count,) = _INT.unpack_from(fragment, offset)
    offset += 4
    for _ in range(count):
        number, kind, timestamp, ttl, time = _CELL.unpack_from(fragment, offset)
        (path, value), offset = read_bytes_list(fragment, offset + _CELL.size, 2)
        form = forms.get(number)
        if form is None or timestamp <= form[1]:
            continue
        if kind == _KIND_DELETION:
            _delete_complex(row, number, timestamp, time)
        elif increments is not None and value is not None:
            increments.append((number, timestamp, value))
        else:
            key = number if path is None else (number, path)
            cell: Cell = (timestamp, ttl, time, value)
            previous = row.cells.get(key)
            row.cells[key] = cell if previous is None else newer_cell(previous, cell)


def _add_up(row: Row, increments: list[tuple[int, int, bytes]]) -> None:
    totals: dict[int, tuple[int, int]] = {}
    for number, timestamp, value in increments:
        tombstone = row.cells.get(number)
        limit = max(row.deletion[0], tombstone[0] if tombstone is not None else MIN_TIMESTAMP)
        if timestamp > limit:
            total, latest = totals.get(number, (0, MIN_TIMESTAMP))
            totals[number] = (total + int.from_bytes(value, "big", signed=True), max(latest, timestamp))
    for number, (total, latest) in totals.items():
        wrapped = (total + 2**63) % 2**64 - 2**63
        row.cells[number] = (latest, 0, 0, wrapped.to_bytes(8, "big", signed=True))


def encode_stamped(row: Row, *, static: bool) -> bytes:
    """The fragment of a whole merged row."""
    marker = row.marker or (MIN_TIMESTAMP, 0, 0)
    body = bytearray((STAMPED | (STATIC if static else 0), 0))
    body += _STAMPS.pack(*marker, *row.deletion)
    for component in row.clustering:
        body += _INT.pack(len(component)) + component
    body += _INT.pack(len(row.cells) + len(row.complex_deletions))
    for number, (timestamp, time) in row.complex_deletions.items():
        body += _CELL.pack(number, _KIND_DELETION, timestamp, 0, time) + NULL_BYTES + NULL_BYTES
    for key, (timestamp, ttl, time, value) in row.cells.items():
        number, path = key if isinstance(key, tuple) else (key, None)
        body += _CELL.pack(number, _KIND_CELL, timestamp, ttl, time) + wire_bytes(path) + wire_bytes(value)
    return bytes(body)


def bitmap_of(numbers: Iterable[int]) -> bytes:
    """The bitmap and its length, as in the head of a fragment."""
    bits = 0
    for number in numbers:
        bits |= 1 << number
    body = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return bytes([len(body)]) + body


def deleted_complex() -> bytes:
    """The bytes of a multi-cell column whose deletion includes cells with the same timestamp."""
    return b"\x02" + _INT.pack(0)


def complex_bytes(cells: Sequence[tuple[bytes, bytes | None]], *, replace: bool) -> bytes:
    """The bytes of a multi-cell column: cells to write, a None value to delete; `replace` deletes all others."""
    body = bytearray(b"\x01" if replace else b"\x00")
    body += _INT.pack(len(cells))
    for path, value in cells:
        body += wire_bytes(path)
        body += wire_bytes(value)
    return bytes(body)


def _read_values(buffer: bytes, offset: int, count: int) -> tuple[tuple[bytes, ...], int]:
    values = []
    for _ in range(count):
        (length,) = _INT.unpack_from(buffer, offset)
        values.append(buffer[offset + 4 : offset + 4 + length])
        offset += 4 + length
    return tuple(values), offset
