"""`applyInPandasWithState`: a client's function of a key, its rows and its state, with timeouts.

State: `operator, 0, key` -> [value or none, timeout in ms or -1]; `operator, 1, timeout, key` -> no value.
After the rows of a batch, the function is called for keys whose timeout is before the batch's time or the watermark.
Each call resets the timeout of its key.
"""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa

from smackbox.spark.structured.checkpoint import StateChanges
from smackbox.spark.structured.groups import frame, from_frames, grouped, key_columns, on_time
from smackbox.spark.structured.operator import Metrics, Times
from smackbox.spark.structured.plan import Node
from smackbox.spark.structured.state_variables import plain
from smackbox.spark.structured.values import ordered, pack, unpack

NO_TIMESTAMP = -1
_EVENT, _PROCESSING = "EventTimeTimeout", "ProcessingTimeTimeout"


class ApplyInPandasWithState:
    """One operator. `schema` is that of its output."""

    name = "applyInPandasWithState"

    def __init__(self, node: Node, schema: pa.Schema) -> None:
        from smackbox.spark.json_lines import parsed_schema

        apply = node.relation.apply_in_pandas_with_state
        self._marks = node.children[0].marks
        self._names = key_columns(apply.grouping_expressions)
        self._command = apply.func.python_udf.command
        self._timeout = apply.timeout_conf
        self._state_types = parsed_schema(apply.state_schema)
        self._schema = schema
        self._keys = bytes([node.number, 0])
        self._times = bytes([node.number, 1])

    def due(self, state: StateChanges, now_ms: int) -> bool:
        """Whether there are timeouts for a batch without rows."""
        return self._timeout == _PROCESSING and any(state.items(self._times, self._times + ordered(now_ms)))

    def process(self, table: pa.Table, state: StateChanges, times: Times, metrics: Metrics) -> pa.Table:
        """The function's output for one batch. Raises what the function raises."""
        from pyspark.serializers import CloudPickleSerializer

        began = time.perf_counter()
        function, _ = CloudPickleSerializer().loads(self._command)
        now_ms = times.now_ms
        kept = on_time(table, self._marks, times.late_us if self._timeout == _EVENT else None)
        metrics.dropped_by_watermark += table.num_rows - kept.num_rows
        watermark_ms = NO_TIMESTAMP if times.evict_us is None else times.evict_us // 1000
        given: list[Any] = []
        for packed, (key, numbers) in grouped(kept, self._names).items():
            group = self._state_of(packed, state, now_ms, watermark_ms, timed_out=False)
            given.extend(function(key, iter([frame(kept.take(numbers))]), group))
            self._keep(packed, group, state, metrics)
        threshold_ms = {_EVENT: watermark_ms, _PROCESSING: now_ms}.get(self._timeout)
        if threshold_ms is not None and threshold_ms != NO_TIMESTAMP:
            for index, _ in sorted(state.items(self._times, self._times + ordered(threshold_ms))):
                packed = index[len(self._times) + 8 :]
                key = tuple(unpack(packed))
                group = self._state_of(packed, state, now_ms, watermark_ms, timed_out=True)
                given.extend(function(key, iter([]), group))
                self._keep(packed, group, state, metrics)
        metrics.updates_ms = (time.perf_counter() - began) * 1000
        return from_frames([item for item in given if len(item)], self._schema)

    def _state_of(self, packed: bytes, state: StateChanges, now_ms: int, watermark_ms: int, *, timed_out: bool) -> Any:
        from pyspark.sql.streaming.state import GroupState
        from pyspark.sql.types import Row

        found = state.get(self._keys + packed)
        value = None if found is None else unpack(found)[0]
        return GroupState(
            optionalValue=Row(*value) if value is not None else None,
            batchProcessingTimeMs=now_ms,
            eventTimeWatermarkMs=watermark_ms,
            timeoutConf=self._timeout,
            hasTimedOut=timed_out,
            watermarkPresent=watermark_ms != NO_TIMESTAMP,
            defined=value is not None,
            updated=False,
            removed=False,
            timeoutTimestamp=NO_TIMESTAMP,
            keyAsUnsafe=b"",
            valueSchema=self._state_types,
        )

    def _keep(self, packed: bytes, group: Any, state: StateChanges, metrics: Metrics) -> None:
        """What the function left: value and timeout, or neither."""
        former = state.get(self._keys + packed)
        if former is not None and (timeout := unpack(former)[1]) != NO_TIMESTAMP:
            state.delete(self._times + ordered(timeout) + packed)
        timeout = group._timeout_timestamp
        if not group.exists and timeout == NO_TIMESTAMP:
            if former is not None:
                state.delete(self._keys + packed)
                metrics.removed += 1
                metrics.total -= 1
            return
        value = plain(group.get) if group.exists else None
        state.put(self._keys + packed, pack([value, timeout]))
        if timeout != NO_TIMESTAMP:
            state.put(self._times + ordered(timeout) + packed, b"")
        metrics.updated += 1
        metrics.total += former is None
