"""`dropDuplicates`, `distinct` and `dropDuplicatesWithinWatermark` on a stream: the first row of each key passes.

State: `operator, 0, key` -> the time at which the key is forgotten; `operator, 1, time, key` -> nothing, to find what
is to be forgotten. A key is forgotten when the watermark passes its event time, where event time is among its columns,
or its event time plus the watermark's delay (`within_watermark`); otherwise never. Late rows are dropped.
"""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa

from smackbox.spark.structured.checkpoint import StateChanges
from smackbox.spark.structured.event_time import WINDOW, marked_column
from smackbox.spark.structured.operator import NEVER, Metrics, Times, expired
from smackbox.spark.structured.plan import Node
from smackbox.spark.structured.values import moment_us, ordered, pack


class Deduplication:
    """One operator; `name` is the one that progress shows."""

    def __init__(self, node: Node) -> None:
        deduplicate = node.relation.deduplicate
        self._within = deduplicate.within_watermark
        self.name = "dedupeWithinWatermark" if self._within else "dedupe"
        self._columns = list(deduplicate.column_names)  # none: all
        self._marks = dict(node.children[0].marks)
        self._keys = bytes([node.number, 0])
        self._times = bytes([node.number, 1])

    def pass_first(self, table: pa.Table, state: StateChanges, times: Times, metrics: Metrics) -> pa.Table:
        """The rows of a batch whose key was not seen before."""
        began = time.perf_counter()
        metrics.dropped_duplicates = 0
        names = self._names(table.schema.names)
        event_time = marked_column(table.schema.names, self._marks)
        # rows are late by their event time, whether or not it is part of the key
        stamps = self._stamps(table, event_time)
        lasts = event_time is None or not (self._within or event_time in names)
        delay = self._marks[event_time.lower()].delay_us if self._within and event_time is not None else 0
        keys = zip(*(table.column(name).to_pylist() for name in names), strict=True)
        passing = []
        for number, (key, stamp) in enumerate(zip(keys, stamps, strict=True)):
            if times.late_us is not None and stamp is not None and stamp <= times.late_us:
                metrics.dropped_by_watermark += 1
                continue
            packed = pack(list(key))
            if state.get(self._keys + packed) is not None:
                metrics.dropped_duplicates += 1
                continue
            until = NEVER if lasts or stamp is None else stamp + delay
            state.put(self._keys + packed, ordered(until))
            if until != NEVER:
                state.put(self._times + ordered(until) + packed, b"")
            passing.append(number)
        metrics.updated += len(passing)
        metrics.total += len(passing)
        metrics.updates_ms = (time.perf_counter() - began) * 1000
        began = time.perf_counter()
        if times.evict_us is not None:
            self._forget(state, times.evict_us, metrics)
        metrics.removals_ms = (time.perf_counter() - began) * 1000
        return table.take(pa.array(passing, pa.int64()))

    def _forget(self, state: StateChanges, watermark_us: int, metrics: Metrics) -> None:
        for key, _ in state.items(*expired(self._times, watermark_us)):
            state.delete(key)
            state.delete(self._keys + key[len(self._times) + 8 :])
            metrics.removed += 1
            metrics.total -= 1

    def _names(self, columns: list[str]) -> list[str]:
        if not self._columns:
            return columns
        by_name = {name.lower(): name for name in columns}
        return [by_name.get(name.lower(), name) for name in self._columns]

    def _stamps(self, table: pa.Table, event_time: str | None) -> list[Any]:
        if event_time is None:
            return [None] * table.num_rows
        values = table.column(event_time).to_pylist()
        if self._marks[event_time.lower()].kind == WINDOW:
            values = [None if value is None else value["end"] for value in values]
        return [moment_us(value) for value in values]
