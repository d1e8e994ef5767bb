"""`rate` and `rate-micro-batch`: numbered rows with timestamps, for tests and measurements.

`rate`: `rowsPerSecond` (1), `rampUpTime` (0 s), `numPartitions` (without effect). An offset is seconds since the
query's first start, which the checkpoint keeps. `rate-micro-batch`: `rowsPerBatch`, `startTimestamp` (ms, 0),
`advanceMillisPerBatch` (1000): each batch has as many rows of one timestamp.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError
from smackbox.spark.structured.checkpoint import SourceLog
from smackbox.spark.structured.durations import milliseconds
from smackbox.spark.structured.sources.source import Batch, Source, lower_case, positive

SCHEMA = pa.schema([("timestamp", pa.timestamp("us", tz="UTC")), ("value", pa.int64())])


class RateSource(Source):
    """Rows `rows_until(start)` up to `rows_until(end)`, spread evenly over those seconds."""

    def __init__(self, options: Mapping[str, str], log: SourceLog, clock: Callable[[], float] = time.time) -> None:
        options = lower_case(options)
        self._rate = positive(options, "rowsPerSecond", 1)
        self._ramp_s = milliseconds(options.get("rampuptime", "0s")) // 1000
        self._clock = clock
        self._frozen: int | None = None
        kept = log.get(b"start")
        self._start_ms = int(kept) if kept is not None else int(clock() * 1000)
        if kept is None:
            log.put(b"start", str(self._start_ms).encode())
        partitions = options.get("numpartitions", "default")
        self.description = (
            f"RateStreamV2[rowsPerSecond={self._rate}, rampUpTimeSeconds={self._ramp_s}, numPartitions={partitions}"
        )

    def initial(self) -> int:
        return 0

    def latest(self, start: int, *, limited: bool) -> int:
        seconds = int(self._clock() * 1000 - self._start_ms) // 1000
        if self._frozen is not None:
            seconds = min(seconds, self._frozen)
        return max(start, seconds)

    def freeze(self) -> None:
        self._frozen = self.latest(0, limited=False)

    def batch(self, start: int, end: int) -> Batch:
        first, last = self._rows_until(start), self._rows_until(end)
        count = last - first
        begin_us = (self._start_ms + start * 1000) * 1000
        step = (end - start) * 1_000_000 / count if count else 0
        stamps = [begin_us + int(number * step) for number in range(count)]
        table = pa.table([pa.array(stamps, SCHEMA.types[0]), pa.array(range(first, last), pa.int64())], schema=SCHEMA)
        return Batch(table, rows=count)

    def _rows_until(self, seconds: int) -> int:
        """While it ramps up, the rate grows by the same amount each second, as `RateStreamProvider.valueAtSecond`."""
        ramp = min(seconds, self._ramp_s)
        ramped = ramp * (ramp + 1) // 2 * max(1, self._rate // (self._ramp_s + 1))
        return ramped + (seconds - ramp) * self._rate

    def commit(self, end: int) -> None: ...

    def stop(self) -> None: ...


class RateMicroBatchSource(Source):
    """Each batch of `rowsPerBatch` rows, at a timestamp that grows by the same step."""

    def __init__(self, options: Mapping[str, str]) -> None:
        options = lower_case(options)
        if "rowsperbatch" not in options:
            raise SparkError("rowsPerBatch must be set", classes=ILLEGAL_ARGUMENT)
        self._rows = positive(options, "rowsPerBatch", 1)
        self._step_ms = int(options.get("advancemillisperbatch", "1000"))
        self._start_ms = int(options.get("starttimestamp", "0"))
        self._frozen: int | None = None
        self.description = (
            f"RateStreamMicroBatch[rowsPerBatch={self._rows}, startTimestamp={self._start_ms}, "
            f"advanceMillisPerBatch={self._step_ms}]"
        )

    def initial(self) -> dict[str, int]:
        return {"offset": 0, "timestamp": self._start_ms}

    def latest(self, start: dict[str, int], *, limited: bool) -> dict[str, int]:
        if self._frozen is not None and start["offset"] >= self._frozen:
            return start
        return {"offset": start["offset"] + self._rows, "timestamp": start["timestamp"] + self._step_ms}

    def freeze(self) -> None:
        self._frozen = self._rows

    def batch(self, start: dict[str, int], end: dict[str, int]) -> Batch:
        numbers = range(start["offset"], end["offset"])
        stamps = pa.array([start["timestamp"] * 1000] * len(numbers), SCHEMA.types[0])
        return Batch(pa.table([stamps, pa.array(numbers, pa.int64())], schema=SCHEMA), rows=len(numbers))

    def commit(self, end: Any) -> None: ...

    def stop(self) -> None: ...
