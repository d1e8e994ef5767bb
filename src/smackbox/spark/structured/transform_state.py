"""`transformWithState` and `transformWithStateInPandas`: a client's `StatefulProcessor`, run in this process.

As on Spark, the processor is unpickled and initialized for each batch, gets the rows of each key, then the timers that
are due (those up to the batch's time or the watermark), and is closed. In the first batch it gets the initial states
before. Not there: chaining.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import SPARK, SparkError, not_there
from smackbox.spark.structured.checkpoint import StateChanges
from smackbox.spark.structured.groups import frame, from_frames, from_rows, grouped, key_columns, on_time
from smackbox.spark.structured.operator import Metrics, Times
from smackbox.spark.structured.plan import Node
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.state_variables import ListState, MapState, ValueState, Variables

EVENT_TIME, PROCESSING_TIME = "eventtime", "processingtime"
_PANDAS = frozenset({211, 212})
"""`PythonEvalType.SQL_TRANSFORM_WITH_STATE_PANDAS_UDF` and the one with initial states."""


class Handle:
    """As `pyspark.sql.streaming.stateful_processor.StatefulProcessorHandle`."""

    def __init__(self, variables: Variables, mode: str) -> None:
        self._variables = variables
        self._mode = mode

    def getValueState(self, stateName: str, schema: Any, ttlDurationMs: int | None = None) -> ValueState:
        """A variable of one value."""
        return ValueState(self._variables, stateName, self._ttl(ttlDurationMs))

    def getListState(self, stateName: str, schema: Any, ttlDurationMs: int | None = None) -> ListState:
        """A variable of a list."""
        return ListState(self._variables, stateName, self._ttl(ttlDurationMs))

    def getMapState(
        self, stateName: str, userKeySchema: Any, valueSchema: Any, ttlDurationMs: int | None = None
    ) -> MapState:
        """A variable of a map."""
        return MapState(self._variables, stateName, self._ttl(ttlDurationMs))

    def registerTimer(self, expiryTimestampMs: int) -> None:
        """Have the key handled again at a time."""
        self._timers("register_timer")
        self._variables.register(expiryTimestampMs)

    def deleteTimer(self, expiryTimestampMs: int) -> None:
        """Remove a timer of the key."""
        self._timers("delete_timer")
        self._variables.unregister(expiryTimestampMs)

    def listTimers(self) -> Iterator[int]:
        """The timers of the key."""
        self._timers("list_timers")
        return iter(self._variables.timers())

    def deleteIfExists(self, stateName: str) -> None:
        """Not there."""
        raise not_there("deleteIfExists", "Clear the state of each key.")

    def _ttl(self, ttl_ms: int | None) -> int | None:
        if ttl_ms and self._mode != PROCESSING_TIME:
            raise SparkError(
                f"Cannot use TTL for state=… in timeMode={self._mode}, use TimeMode.ProcessingTime() instead.",
                condition="STATEFUL_PROCESSOR_INCORRECT_TIME_MODE_TO_ASSIGN_TTL",
                classes=SPARK,
                sql_state="42802",
            )
        return ttl_ms

    def _timers(self, operation: str) -> None:
        if self._mode not in {EVENT_TIME, PROCESSING_TIME}:
            raise SparkError(
                f"Failed to perform stateful processor operation={operation} with invalid timeMode={self._mode}",
                condition="STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_TIME_MODE",
                classes=SPARK,
                sql_state="42802",
            )


class TransformWithState:
    """One operator. `schema` is that of its output."""

    name = "transformWithStateExec"

    def __init__(self, node: Node, schema: pa.Schema, sail: Sail) -> None:
        group = node.relation.group_map
        self._sail = sail
        self._initial = group.initial_input if group.HasField("initial_input") else None
        self._initial_keys = key_columns(group.initial_grouping_expressions)
        self._number = node.number
        self._marks = node.children[0].marks
        self._keys = key_columns(group.grouping_expressions)
        self._command = group.func.python_udf.command
        self._pandas = group.func.python_udf.eval_type in _PANDAS
        self._mode = group.transform_with_state_info.time_mode.lower()
        self._schema = schema
        if self._mode == EVENT_TIME and not self._marks:
            raise SparkError(
                "Watermark needs to be defined in the input query to use event time in transformWithState.",
                condition="_LEGACY_ERROR_TEMP_3102",
            )

    def due(self, state: StateChanges, now_ms: int) -> bool:
        """Whether there are timers for a batch without rows."""
        return self._mode == PROCESSING_TIME and bool(Variables(self._number, state, now_ms).due(now_ms))

    def process(self, table: pa.Table, state: StateChanges, times: Times, metrics: Metrics) -> pa.Table:
        """The processor's output for one batch. Raises what the processor raises."""
        from pyspark.sql.streaming.stateful_processor import ExpiredTimerInfo, TimerValues

        began = time.perf_counter()
        now_ms = times.now_ms
        variables = Variables(self._number, state, now_ms)
        kept = on_time(table, self._marks, times.late_us if self._mode == EVENT_TIME else None)
        metrics.dropped_by_watermark += table.num_rows - kept.num_rows
        watermark_ms = -1 if times.evict_us is None else times.evict_us // 1000
        shown = TimerValues(-1 if self._mode not in {EVENT_TIME, PROCESSING_TIME} else now_ms, watermark_ms)
        processor = self._processor()
        processor.init(Handle(variables, self._mode))
        given: list[Any] = []
        if times.first and self._initial is not None:
            initial = self._sail.run(self._initial)
            for key, numbers in grouped(initial, self._initial_keys).values():
                variables.key = key
                for number in self._rows(initial.take(numbers)):
                    processor.handleInitialState(key, number, shown)
        for key, numbers in grouped(kept, self._keys).values():
            variables.key = key
            given.extend(processor.handleInputRows(key, self._rows(kept.take(numbers)), shown))
        threshold_ms = {EVENT_TIME: watermark_ms, PROCESSING_TIME: now_ms}.get(self._mode)
        if threshold_ms is not None:
            for key, at_ms in variables.due(threshold_ms):
                variables.key = key
                given.extend(processor.handleExpiredTimer(key, shown, ExpiredTimerInfo(at_ms)))
                variables.unregister(at_ms)
        processor.close()
        metrics.removed += variables.expire()
        metrics.updated += variables.updated
        metrics.updates_ms = (time.perf_counter() - began) * 1000
        if self._pandas:
            return from_frames(given, self._schema)
        return from_rows(given, self._types(), self._schema)

    def _processor(self) -> Any:
        from pyspark.serializers import CloudPickleSerializer

        function, _ = CloudPickleSerializer().loads(self._command)
        return function.__self__._stateful_processor

    def _rows(self, table: pa.Table) -> Iterator[Any]:
        if self._pandas:
            return iter([frame(table)])
        from pyspark.sql.conversion import ArrowTableToRowsConversion
        from pyspark.sql.pandas.types import from_arrow_schema

        return iter(ArrowTableToRowsConversion.convert(table, from_arrow_schema(table.schema)))

    def _types(self) -> Any:
        from pyspark.sql.pandas.types import from_arrow_schema

        return from_arrow_schema(self._schema)
