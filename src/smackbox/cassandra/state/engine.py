"""The data: blind writes are collected into one atomic batch, reads merge.

Writes go to the open batch; `flush` applies it, and reads flush first, so that each sees the writes before it. The
fragments of a row are merged into one after `MERGE_AFTER` writes, or when a read meets `MERGE_WHEN_MET` fragments, so
that neither its size nor the time to read it grows with its history.

Deletions wider than a row (of partitions and ranges) are in separate sections of the partition. They are only looked up
in tables that have had any: the store records such tables under `d` + table number in the `schema` column family. Under
`g` + table number it records tables with data that can be purged some day (`sweep` purges it).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from smackbox.cassandra.state.keys import (
    MAX_TIMESTAMP,
    MIN_TIMESTAMP,
    PARTITION_DELETION,
    RANGE_TOMBSTONE,
    ROW,
    SECTION_ROW,
    STATIC_ROW,
    SUFFIX,
    SUFFIX_LENGTH,
    partition_of,
    successor,
    suffix,
    timestamp_of,
)
from smackbox.cassandra.state.rows import PERISHABLE, Row, droppable_at_s, encode_stamped, merge
from smackbox.cassandra.state.schema import Table
from smackbox.store.rocks import RocksStore

SCHEMA_FAMILY = "schema"
MERGE_AFTER = 24
MERGE_WHEN_MET = 6
HOT_ROW_LIMIT = 16_384
SAMPLED_ROWS = 8
NOTED_LIMIT = 1_000_000
MERGES_A_PASS = 64
SMALL_DELETE = 2_000
_RANGE = struct.Struct(">IH")
# this length means that the real one follows in four bytes
_LONG_RANGE = 0xFFFF
_UINT = struct.Struct(">I")

# timestamp, local deletion time, first clustering key, first clustering key after it
Tombstone = tuple[int, int, bytes, bytes]
# a plain fragment, or a row that had to be merged
Item = bytes | Row


class StagedWrites:
    """The writes of a statement that may still fail midway."""

    __slots__ = ("writes",)

    def __init__(self) -> None:
        self.writes: list[tuple[Any, ...]] = []

    def put(self, *write: Any) -> None:
        """Put a key when the writes are replayed."""
        self.writes.append(write)

    def delete(self, key: bytes) -> None:
        """Delete a key when the writes are replayed."""
        self.writes.append((key,))

    def replay(self, batch: Any) -> None:
        """Add all of them to a batch of the store."""
        for write in self.writes:
            if len(write) == 1:
                batch.delete(*write)
            else:
                batch.put(*write)


class Engine:
    """The rows of all tables in one store."""

    def __init__(self, store: RocksStore) -> None:
        self.store = store
        self.batch: Any = store.batch()
        self._outer: list[Any] = []  # the batch around the current statement
        self.pending = 0
        self._first_sequence = self._sequence = store.next_sequence()
        self._hot: dict[bytes, int] = {}
        self._sample = 0
        # rows that are written often
        self._to_merge: dict[bytes, Table] = {}
        self._with_deletions = {
            int.from_bytes(key[1:], "big") for key, _ in store.items(b"d", b"e", SCHEMA_FAMILY) if len(key) == 5
        }
        # table number -> when the first of its data can be purged; 0 if unknown
        self.garbage: dict[int, int] = {
            int.from_bytes(key[1:], "big"): 0 for key, _ in store.items(b"g", b"h", SCHEMA_FAMILY) if len(key) == 5
        }
        self._with_garbage = set(self.garbage)
        self.deletions = 0
        # called for a write: whether its timestamp is not larger than this
        self.watch_below = MIN_TIMESTAMP
        self.is_disturbed = False
        # index number -> the rows whose vectors were written since they were last read (`execution/vector_upkeep`)
        self.noted: dict[bytes, dict[bytes, None]] = {}

    @property
    def writes(self) -> int:
        """How many fragments have been written since the start."""
        return self._sequence - self._first_sequence

    # ---- writes -----------------------------------------------------------------------------------------------------

    def put(self, table: Table, row_key: bytes, timestamp: int, fragment: bytes) -> None:
        """Write a fragment under `row_key`, which ends with the section and the clustering key."""
        self._sequence += 1
        self.batch.put(row_key + SUFFIX.pack(MAX_TIMESTAMP - timestamp, self._sequence & 0xFFFFFFFF), fragment)
        self.pending += 1
        if fragment[0] & PERISHABLE:
            self._note_garbage(table, droppable_at_s(fragment, table.gc_grace_seconds))
        if timestamp <= self.watch_below:
            self.is_disturbed = True
        self._count_write(table, row_key, 1)

    def put_rows(self, table: Table, rows: Sequence[tuple[bytes, bytes]], timestamp: int) -> None:
        """`put` for many plain fragments. The number of writes to a row is estimated by sampling."""
        put = self.batch.put
        pack = SUFFIX.pack
        age = MAX_TIMESTAMP - timestamp
        sequence = self._sequence
        for row_key, fragment in rows:
            sequence += 1
            put(row_key + pack(age, sequence & 0xFFFFFFFF), fragment)
        self._sequence = sequence
        self.pending += len(rows)
        if timestamp <= self.watch_below:
            self.is_disturbed = True
        # pseudo-random, so that no regular pattern of a client's writes escapes the sampling
        self._sample = (self._sample * 25_173 + 13_849) & 0xFFFF
        for row_key, _ in rows[(self._sample >> 8) % SAMPLED_ROWS :: SAMPLED_ROWS]:
            self._count_write(table, row_key, SAMPLED_ROWS)

    def _count_write(self, table: Table, row_key: bytes, times: int) -> None:
        hot = self._hot
        count = hot.get(row_key, 0) + times
        if count >= MERGE_AFTER:
            self._to_merge[row_key] = table
            hot.pop(row_key, None)
        else:
            if len(hot) >= HOT_ROW_LIMIT:
                hot.clear()
            hot[row_key] = count

    def delete_partition(self, table: Table, partition: bytes, timestamp: int, now_s: int) -> None:
        """Delete a partition as of that timestamp, in microseconds."""
        self._remember_deletion(table, now_s)
        self._sequence += 1
        self.batch.put(partition + PARTITION_DELETION + suffix(timestamp, self._sequence), _UINT.pack(now_s))
        self.pending += 1

    def delete_range(self, table: Table, partition: bytes, low: bytes, high: bytes, timestamp: int, now_s: int) -> None:
        """Delete the rows whose clustering key is at least `low` and less than `high`."""
        if low >= high:
            return
        self._remember_deletion(table, now_s)
        self._sequence += 1
        self.batch.put(
            partition + RANGE_TOMBSTONE + suffix(timestamp, self._sequence),
            _RANGE.pack(now_s, min(len(low), _LONG_RANGE))
            + (_UINT.pack(len(low)) if len(low) >= _LONG_RANGE else b"")
            + low
            + high,
        )
        self.pending += 1

    def enter(self, entry: bytes) -> None:
        """Write an index entry."""
        self.batch.put(entry, b"")
        self.pending += 1
        noted = self.noted.get(entry[:4]) if self.noted else None
        if noted is not None:
            noted[entry[4:]] = None
            if len(noted) > NOTED_LIMIT:
                del self.noted[entry[:4]]

    def forget(self, key: bytes) -> None:
        """Remove an index entry, or the value under a whole key."""
        self.batch.delete(key)
        self.pending += 1

    def put_merged(self, row_key: bytes, timestamp: int, fragment: bytes) -> None:
        """Write the fragment that replaces several deleted ones."""
        self._sequence += 1
        self.batch.put(row_key + suffix(timestamp, self._sequence), fragment)
        self.pending += 1

    def has_no_deletions(self, table: Table) -> None:
        """Record that the table has no deletions of partitions and ranges, so that reads need not look for them."""
        if table.number in self._with_deletions:
            self._with_deletions.discard(table.number)
            self.batch.delete(b"d" + table.prefix, self.store.family(SCHEMA_FAMILY))
            self.pending += 1

    def has_no_garbage(self, table: Table) -> None:
        """Record that the table has nothing to purge, so that it needs no pass until such data is written."""
        self.garbage.pop(table.number, None)
        if table.number in self._with_garbage:
            self._with_garbage.discard(table.number)
            self.batch.delete(b"g" + table.prefix, self.store.family(SCHEMA_FAMILY))
            self.pending += 1

    def _remember_deletion(self, table: Table, now_s: int) -> None:
        self.deletions += 1
        self._note_garbage(table, now_s + table.gc_grace_seconds)
        if table.number not in self._with_deletions:
            self._with_deletions.add(table.number)
            self.batch.put(b"d" + table.prefix, b"", self.store.family(SCHEMA_FAMILY))

    def _note_garbage(self, table: Table, due_s: int) -> None:
        number = table.number
        if due_s < self.garbage.get(number, due_s + 1):
            self.garbage[number] = due_s
        if number not in self._with_garbage:
            self._with_garbage.add(number)
            self.batch.put(b"g" + table.prefix, b"", self.store.family(SCHEMA_FAMILY))

    def flush(self) -> None:
        """Apply the pending writes: once this returns they survive the death of the process."""
        if self._outer:
            # the current statement's writes stay separate until it is complete
            batch, self._outer[0] = self._outer[0], self.store.batch()
            self.store.write(batch)
        elif self.pending:
            batch = self.batch
            self.batch = self.store.batch()
            self.pending = 0
            self.store.write(batch)

    def begin(self) -> None:
        """Hold back the following writes until `commit` adds them or `abandon` discards them."""
        assert not self._outer, "statements do not nest"
        self._outer.append(self.batch)
        self.batch = StagedWrites()

    def staged(self) -> Sequence[tuple[bytes, ...]]:
        """The keys and values put since `begin`, and the keys deleted."""
        return self.batch.writes  # type: ignore[no-any-return]

    def commit(self) -> None:
        """Add the writes since `begin` to the batch."""
        staged = self.batch
        self.batch = self._outer.pop()
        staged.replay(self.batch)

    def abandon(self) -> None:
        """Discard the writes since `begin`."""
        self.batch = self._outer.pop()

    def drop_rows(self, number: int) -> None:
        """Remove everything of the table with that number, with the next flush."""
        prefix = number.to_bytes(4, "big")
        self.flush()
        end = successor(prefix)
        keys: list[bytes] = []
        for key, _ in self.store.items(prefix, end):
            keys.append(key)
            if len(keys) > SMALL_DELETE:
                self.batch.delete_range(prefix, end)
                break
        else:
            for key in keys:
                self.batch.delete(key)
        self._with_deletions.discard(number)
        self._with_garbage.discard(number)
        self.garbage.pop(number, None)
        self.noted.pop(prefix, None)
        for mark in (b"d", b"g"):
            self.batch.delete(mark + prefix, self.store.family(SCHEMA_FAMILY))
        self.pending += 1

    @property
    def is_untidy(self) -> bool:
        """Whether `tidy` has something to do."""
        return bool(self._to_merge)

    def tidy(self, now_s: int) -> None:
        """Merge rows that are written often; the owner calls this after each pass.

        Data that was deleted or expired more than the table's `gc_grace_seconds` ago is purged then: all fragments of
        the row are known, so it cannot shadow older data any more.
        """
        self.flush()
        for _ in range(min(len(self._to_merge), MERGES_A_PASS)):
            row_key, table = self._to_merge.popitem()
            self._merge_row(table, row_key, now_s)
        self.flush()

    def _merge_row(self, table: Table, row_key: bytes, now_s: int) -> None:
        fragments = list(self.fragments(row_key))
        if len(fragments) < 2:
            return
        if _is_hidden_by_first(table, fragments):
            for key, _ in fragments[1:]:
                self.batch.delete(key)
            self.pending += 1
            return
        row = merge(table, fragments, keep_dropped=True)
        row.purge(now_s, now_s - table.gc_grace_seconds)
        newest = max(timestamp_of(key) for key, _ in fragments)
        static = row_key[len(partition_of(row_key))] != SECTION_ROW
        for key, _ in fragments:
            self.batch.delete(key)
        self.pending += 1
        if not row.is_empty():
            self.put_merged(row_key, newest, encode_stamped(row, static=static))

    # ---- reads ------------------------------------------------------------------------------------------------------

    def fragments(self, row_key: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All fragments of one row, latest first."""
        length = len(row_key) + SUFFIX_LENGTH
        cursor = self.store.db.iter()
        cursor.seek(row_key)
        while cursor.valid():
            key = cursor.key()
            if len(key) != length or not key.startswith(row_key):
                break
            yield key, cursor.value()
            cursor.next()

    def row(self, table: Table, row_key: bytes, *, merged: bool = False) -> Item | None:
        """One row: its only fragment if that is plain, otherwise the merged row; None when there is no row."""
        if self.pending:
            self.flush()
        length = len(row_key) + SUFFIX_LENGTH
        cursor = self.store.db.iter()
        cursor.seek(row_key)
        first: bytes | None = None
        first_key = b""
        if cursor.valid():
            first_key = cursor.key()
            if len(first_key) == length and first_key.startswith(row_key):
                first = cursor.value()
                cursor.next()
        if first is None:
            return None
        fragments: list[tuple[bytes, bytes]] | None = None
        hides_older = not merged and table.whole_head and first.startswith(table.whole_head)
        while cursor.valid():
            key = cursor.key()
            if len(key) != length or not key.startswith(row_key):
                break
            if hides_older and fragments is None and key[-12:-4] != first_key[-12:-4]:
                if table.number not in self._with_deletions:
                    return first
                hides_older = False
            if fragments is None:
                fragments = [(first_key, first)]
            fragments.append((key, cursor.value()))
            cursor.next()
        if fragments is None and table.number not in self._with_deletions:
            plain = not merged and first[0] & table.plain_mask == table.plain_flags
            return first if plain else merge(table, ((first_key, first),))
        if fragments is not None and len(fragments) >= MERGE_WHEN_MET:
            self._to_merge[row_key] = table
        tombstones = self.tombstones(table, partition_of(row_key))
        return self._item(table, row_key, fragments or [(first_key, first)], tombstones, merged)

    def tombstones(self, table: Table, partition: bytes) -> list[Tombstone]:
        """The deletions of the partition and of its ranges."""
        if table.number not in self._with_deletions:
            return []
        tombstones: list[Tombstone] = []
        size = len(partition)
        for key, value in self.store.items(partition, partition + STATIC_ROW):
            tombstones.append(tombstone_of(key, value, size))
        return tombstones

    def static_row(self, table: Table, partition: bytes, tombstones: list[Tombstone]) -> Row | None:
        """The static row of a partition, or None."""
        if not table.has_statics:
            return None
        fragments = list(self.fragments(partition + STATIC_ROW))
        if not fragments:
            return None
        row = merge(table, fragments)
        for timestamp, time, low, high in tombstones:
            if not low and not high:
                row.cover(timestamp, time)
        return row

    def slice(
        self, table: Table, partition: bytes, low: bytes, high: bytes, *, reverse: bool = False, merged: bool = False
    ) -> Iterator[tuple[bytes, Item]]:
        """The rows of one partition with `low` <= clustering key < `high`, as (row key, item), in order or reverse.

        An empty `high` is the end of the partition. With `merged`, every item is a `Row` with timestamps.
        """
        if self.pending:
            self.flush()
        tombstones = self.tombstones(table, partition)
        start = partition + ROW + low
        end = partition + ROW + high if high else successor(partition + ROW)
        if start >= end:
            return iter(())
        if reverse:
            return self._backwards(table, start, end, tombstones, merged)
        return self._forwards(table, start, end, tombstones, merged)

    def scan(self, table: Table, start: bytes, end: bytes, *, merged: bool = False) -> Iterator[tuple[bytes, Item]]:
        """All rows and static rows from key `start` up to `end`, as (row key, item), in key order.

        `start` is the beginning of a partition, or somewhere between its rows.
        """
        if self.pending:
            self.flush()
        tombstones: list[Tombstone] = []
        if table.number in self._with_deletions and len(start) > 14:
            tombstones = self.tombstones(table, partition_of(start))
        return self._forwards(table, start, end, tombstones, merged)

    def _forwards(
        self, table: Table, start: bytes, end: bytes, tombstones: list[Tombstone], merged: bool
    ) -> Iterator[tuple[bytes, Item]]:
        row_key = b""
        key_before = b""
        value_before = b""
        mask, flags = table.plain_mask, table.plain_flags
        fragments: list[tuple[bytes, bytes]] | None = None
        watch = table.number in self._with_deletions
        partition = partition_of(start) if len(start) > 14 else b""
        for key, value in self.store.items(start, end):
            this = key[:-SUFFIX_LENGTH]
            if watch:
                owner = partition_of(key)
                if owner != partition:
                    if row_key:
                        yield (
                            row_key,
                            self._item(table, row_key, fragments or [(key_before, value_before)], tombstones, merged),
                        )
                        row_key, fragments = b"", None
                    partition = owner
                    tombstones = []
                if key[len(owner)] < 3:
                    tombstones.append(tombstone_of(key, value, len(owner)))
                    continue
            if this == row_key:
                if fragments is None:
                    fragments = [(key_before, value_before)]
                fragments.append((key, value))
                continue
            if row_key:
                if fragments is None and not tombstones and not merged and value_before[0] & mask == flags:
                    yield row_key, value_before
                else:
                    yield (
                        row_key,
                        self._item(table, row_key, fragments or [(key_before, value_before)], tombstones, merged),
                    )
                    fragments = None
            row_key = this
            key_before = key
            value_before = value
        if row_key:
            yield row_key, self._item(table, row_key, fragments or [(key_before, value_before)], tombstones, merged)

    def _backwards(
        self, table: Table, start: bytes, end: bytes, tombstones: list[Tombstone], merged: bool
    ) -> Iterator[tuple[bytes, Item]]:
        cursor = self.store.db.iter()
        cursor.seek_for_prev(end)
        row_key = b""
        fragments: list[tuple[bytes, bytes]] = []
        while cursor.valid():
            key = cursor.key()
            if key < start:
                break
            if key >= end:
                cursor.prev()
                continue
            this = key[:-SUFFIX_LENGTH]
            if this != row_key:
                if row_key:
                    fragments.reverse()
                    yield row_key, self._item(table, row_key, fragments, tombstones, merged)
                row_key = this
                fragments = []
            fragments.append((key, cursor.value()))
            cursor.prev()
        if row_key:
            fragments.reverse()
            yield row_key, self._item(table, row_key, fragments, tombstones, merged)

    def _item(
        self,
        table: Table,
        row_key: bytes,
        fragments: list[tuple[bytes, bytes]],
        tombstones: list[Tombstone],
        merged: bool,
    ) -> Item:
        if len(fragments) >= MERGE_WHEN_MET and len(self._to_merge) < HOT_ROW_LIMIT:
            self._to_merge[row_key] = table
        if not merged and not tombstones:
            newest = fragments[0][1]
            plain = newest[0] & table.plain_mask == table.plain_flags
            if (len(fragments) == 1 and plain) or _is_hidden_by_first(table, fragments):
                return newest
        row = merge(table, fragments)
        if tombstones:
            size = len(partition_of(row_key))
            clustering = row_key[size + 1 :]
            static = row_key[size] != SECTION_ROW
            for timestamp, time, low, high in tombstones:
                if (not low and not high) or (not static and low <= clustering < high):
                    row.cover(timestamp, time)
        return row


def _is_hidden_by_first(table: Table, fragments: list[tuple[bytes, bytes]]) -> bool:
    """Whether the latest of several fragments is a whole row and newer than all others."""
    if len(fragments) < 2 or not table.whole_head:
        return False
    return fragments[0][1].startswith(table.whole_head) and fragments[0][0][-12:-4] != fragments[1][0][-12:-4]


def tombstone_of(key: bytes, value: bytes, partition_length: int) -> Tombstone:
    """A stored deletion; the deletion of a whole partition has no bounds."""
    if key[partition_length] == PARTITION_DELETION[0]:
        return timestamp_of(key), _UINT.unpack(value)[0], b"", b""
    time, length = _RANGE.unpack_from(value)
    start = _RANGE.size
    if length == _LONG_RANGE:
        (length,) = _UINT.unpack_from(value, start)
        start += _UINT.size
    return timestamp_of(key), time, value[start : start + length], value[start + length :]
