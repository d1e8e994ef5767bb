"""Garbage collection: passes over tables that purge deleted and expired cells, and finally the deletions themselves.

A pass reads a table in key order, a few hundred entries in each step, and between steps the server continues. A step
has all fragments of a row: it merges them and removes shadowed and expired cells; if any were removed, one fragment
replaces all. A deletion of a partition or of a range is purged when every row under it has been rewritten and
`gc_grace_seconds` have passed, or when a later one covers it. Deleted data cannot reappear, as the deletion has nothing
left to shadow. If a write with a timestamp that such a deletion shadows arrives while its partition is being processed,
the deletion is kept until the next pass.

The store records which tables are worth a pass, under `g` + table number in the `schema` column family: those that have
had deletions or expiring cells. A pass that leaves none removes the record; any other pass records when the next data
can be purged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from smackbox.cassandra.state.engine import Engine, Tombstone, tombstone_of
from smackbox.cassandra.state.indexes import entries_of_merged_row
from smackbox.cassandra.state.keys import (
    MIN_TIMESTAMP,
    SECTION_ROW,
    SECTION_STATIC,
    SUFFIX_LENGTH,
    partition_of,
    split_partition_key,
    successor,
    timestamp_of,
)
from smackbox.cassandra.state.rows import NEVER_S, NOT_PLAIN, Row, encode_stamped, merge
from smackbox.cassandra.state.schema import Table

STEP_ENTRIES = 256
# the least time between two passes over one table, in seconds
REST_S = 600
RANGES_COMPARED = 64


class Sweep:
    """One pass over one table."""

    def __init__(self, engine: Engine, table: Table) -> None:
        self.number = table.number
        self.looked_at = 0
        self.removed = 0
        self.next_due_s = NEVER_S
        self._engine = engine
        self._cursor = table.prefix
        self._end = successor(table.prefix)
        self._partition = b""
        self._tombstones: list[tuple[bytes, Tombstone]] = []
        self._covering: list[Tombstone] | None = None
        self._keeps_deletions = False
        self._deletions_before = engine.deletions
        engine.garbage.pop(table.number, None)  # later writes belong to the next pass

    def step(self, table: Table, now_s: int, entries: int = STEP_ENTRIES) -> bool:
        """Process about that many entries; returns whether these were the last. `table` is the current schema
        object.
        """
        engine = self._engine
        engine.flush()
        looked = 0
        row_key = b""
        fragments: list[tuple[bytes, bytes]] = []
        for key, value in engine.store.items(self._cursor, self._end):
            looked += 1
            self.looked_at += 1
            owner = partition_of(key)
            this = key[:-SUFFIX_LENGTH]
            if fragments and this != row_key:
                self._row(table, row_key, fragments, now_s)
                fragments = []
            if looked > entries and this != row_key:
                self._cursor = key
                self.looked_at -= 1
                self._watch(now_s - table.gc_grace_seconds)
                engine.flush()
                return False
            if owner != self._partition:
                self._finish_partition(table, now_s)
                self._partition = owner
            if key[len(owner)] < SECTION_STATIC:
                self._tombstones.append((key, tombstone_of(key, value, len(owner))))
                self._covering = None
                row_key = b""
                continue
            row_key = this
            fragments.append((key, value))
        if fragments:
            self._row(table, row_key, fragments, now_s)
        self._finish_partition(table, now_s)
        if not self._keeps_deletions and engine.deletions == self._deletions_before:
            engine.has_no_deletions(table)
        engine.flush()
        return True

    def _watch(self, before_s: int) -> None:
        """Until the next step, watch for writes that the deletions about to be purged would shadow."""
        going = [tombstone[0] for _, tombstone in self._tombstones if tombstone[1] <= before_s]
        if going:
            self._engine.watch_below = max(going)

    def _row(self, table: Table, row_key: bytes, fragments: list[tuple[bytes, bytes]], now_s: int) -> None:
        clustering = row_key[len(self._partition) + 1 :]
        is_row = row_key[len(self._partition)] == SECTION_ROW
        if self._covering is None:
            self._covering = _needed(tombstone for _, tombstone in self._tombstones)
        covering = MIN_TIMESTAMP
        for timestamp, _, low, high in self._covering:
            if (not low and not high) or (is_row and low <= clustering < high):
                covering = timestamp
                break
        if len(fragments) == 1 and not fragments[0][1][0] & NOT_PLAIN and timestamp_of(fragments[0][0]) > covering:
            return
        row = merge(table, fragments, keep_dropped=True)
        before = row.weight()
        row.drop_covered(covering)
        row.purge(now_s, now_s - table.gc_grace_seconds)
        if len(fragments) > 1 or row.weight() < before or row.is_empty():
            self._replace(table, row_key, fragments, row)
        self.next_due_s = min(self.next_due_s, row.droppable_at_s(table.gc_grace_seconds))

    def _replace(self, table: Table, row_key: bytes, fragments: list[tuple[bytes, bytes]], row: Row) -> None:
        """Replace the fragments `found` with the one fragment of `row`, if anything is left of it."""
        engine = self._engine
        if table.written_targets:
            for entry in self._stale_entries(table, row_key, fragments, row):
                engine.forget(entry)
        for key, _ in fragments:
            engine.forget(key)
        self.removed += len(fragments)
        if not row.is_empty():
            static = row_key[len(self._partition)] == SECTION_STATIC
            newest = max(timestamp_of(key) for key, _ in fragments)
            engine.put_merged(row_key, newest, encode_stamped(row, static=static))
            self.removed -= 1

    def _stale_entries(
        self, table: Table, row_key: bytes, fragments: list[tuple[bytes, bytes]], row: Row
    ) -> set[bytes]:
        """The index entries of these fragments that the row does not need."""
        keys = split_partition_key(self._partition[14:], len(table.partition_key))
        entries_made: set[bytes] = set()
        for pair in fragments:
            entries_made.update(entries_of_merged_row(table.written_targets, row_key, merge(table, (pair,)), keys))
        if row.is_empty():
            return entries_made
        return entries_made.difference(entries_of_merged_row(table.written_targets, row_key, row, keys))

    def _finish_partition(self, table: Table, now_s: int) -> None:
        """All its rows have been processed: purge the deletions that are no longer needed."""
        tombstones, self._tombstones = self._tombstones, []
        engine = self._engine
        is_disturbed, engine.is_disturbed = engine.is_disturbed, False
        engine.watch_below = MIN_TIMESTAMP
        kept: list[Tombstone] = []
        grace_s = table.gc_grace_seconds
        for key, tombstone in sorted(tombstones, key=lambda pair: -pair[1][0]):
            is_old = tombstone[1] + grace_s <= now_s and not is_disturbed
            if is_old or _is_covered(tombstone, kept):
                engine.forget(key)
                self.removed += 1
            else:
                kept.append(tombstone)
                self.next_due_s = min(self.next_due_s, tombstone[1] + grace_s)
        self._covering = None
        self._keeps_deletions = self._keeps_deletions or bool(kept)


class Sweeper:
    """Passes over the tables that have something to purge, one after another. `table_of` looks a table up by number."""

    def __init__(self, engine: Engine, table_of: Callable[[int], Table | None]) -> None:
        self._engine = engine
        self._table_of = table_of
        self._sweep: Sweep | None = None
        self._rested: dict[int, int] = {}
        self.passes = 0
        self.removed = 0

    def step(self, now_s: int, entries: int = STEP_ENTRIES) -> bool:
        """Continue the current pass or start one that is due; False if there is nothing to do."""
        sweep = self._sweep or self._begin(now_s)
        if sweep is None:
            return False
        table = self._table_of(sweep.number)
        if table is None:
            self._engine.garbage.pop(sweep.number, None)
            self._sweep = None
            return True
        self._sweep = sweep
        if sweep.step(table, now_s, entries):
            self._sweep = None
            self.finish(sweep, table, now_s)
        return True

    def under_way(self) -> list[Sweep]:
        """The current pass, as in `system_views.sstable_tasks`."""
        return [self._sweep] if self._sweep is not None else []

    def abandon(self) -> None:
        """Abandon the current pass; the table is due again."""
        sweep, self._sweep = self._sweep, None
        if sweep is not None:
            self._engine.garbage[sweep.number] = 0

    def finish(self, sweep: Sweep, table: Table, now_s: int) -> None:
        """Record when the table is worth another pass."""
        self.passes += 1
        self.removed += sweep.removed
        self._rested[table.number] = now_s + REST_S
        garbage = self._engine.garbage
        due_s = min(sweep.next_due_s, garbage.get(table.number, NEVER_S))
        if due_s == NEVER_S:
            self._engine.has_no_garbage(table)
        else:
            garbage[table.number] = due_s

    def _begin(self, now_s: int) -> Sweep | None:
        for number, due_s in self._engine.garbage.items():
            if due_s <= now_s and self._rested.get(number, 0) <= now_s:
                table = self._table_of(number)
                if table is not None:
                    return Sweep(self._engine, table)
                del self._engine.garbage[number]
                break
        return None


def sweep_all(engine: Engine, table: Table, now_s: int) -> Sweep:
    """A whole pass at once, when nobody waits."""
    sweep = Sweep(engine, table)
    while not sweep.step(table, now_s):
        pass
    return sweep


def _needed(tombstones: Iterable[Tombstone]) -> list[Tombstone]:
    """The deletions that no other one covers, latest first."""
    kept: list[Tombstone] = []
    for tombstone in sorted(tombstones, key=lambda other: -other[0]):
        if not _is_covered(tombstone, kept):
            kept.append(tombstone)
    return kept


def _is_covered(tombstone: Tombstone, later: list[Tombstone]) -> bool:
    return any(_covers(other, tombstone) for other in later[:RANGES_COMPARED])


def _covers(later: Tombstone, earlier: Tombstone) -> bool:
    """Whether `later`, whose timestamp is not smaller, deletes all that `earlier` deletes."""
    _, _, low, high = later
    if not low and not high:
        return True
    return bool(earlier[3]) and low <= earlier[2] and earlier[3] <= high
