"""`transformWithState` and `applyInPandasWithState`: variables, times to live, timers, timeouts, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import Row
from pyspark.sql.streaming import StatefulProcessor

from smackbox.spark.structured.checkpoint import Checkpoint
from smackbox.spark.structured.state_variables import ListState, MapState, ValueState, Variables

START_MS = 1_767_225_600_000
"""2026-01-01."""


class Counts(StatefulProcessor):
    def init(self, handle: Any) -> None:
        self.total = handle.getValueState("total", "n long")
        self.seen = handle.getListState("seen", "second long")
        self.times = handle.getMapState("times", "value long", "n long")

    def handleInputRows(self, key: Any, rows: Any, timerValues: Any) -> Iterator[Row]:
        n = self.total.get()[0] if self.total.exists() else 0
        for row in rows:
            n += 1
            self.seen.appendValue((row.value,))
            count = self.times.getValue((row.value,)) if self.times.containsKey((row.value,)) else (0,)
            self.times.updateValue((row.value,), (count[0] + 1,))
        self.total.update((n,))
        pairs = sorted((k[0], v[0]) for k, v in self.times.iterator())
        yield Row(k=key[0], n=n, seen=str([value[0] for value in self.seen.get()]), times=str(pairs))

    def close(self) -> None: ...


SCHEMA = "k long, n long, seen string, times string"


def by_parity(df: Any) -> Any:
    return df.selectExpr("value % 2 AS k", "value", "timestamp").groupBy("k")


def test_variables_of_a_key_last_over_batches_and_restarts(streams: Any, tmp_path: Path) -> None:
    def run(batches: list[list[tuple[int, int]]]) -> list[Any]:
        df = by_parity(streams.source(batches)).transformWithState(Counts(), SCHEMA, "Update", "None")
        return streams.run(df, "update", checkpointLocation=str(tmp_path))[0]  # type: ignore[no-any-return]

    batches = [[(1, 1), (1, 3), (1, 2)], [(2, 1)]]
    assert sorted(tuple(row) for row in run(batches)) == [
        (0, 1, "[2]", "[(2, 1)]"),
        (1, 2, "[1, 3]", "[(1, 1), (3, 1)]"),
        (1, 3, "[1, 3, 1]", "[(1, 2), (3, 1)]"),
    ]
    assert [tuple(row) for row in run([*batches, [(3, 4)]])] == [(0, 2, "[2, 4]", "[(2, 1), (4, 1)]")]


class Started(StatefulProcessor):
    def init(self, handle: Any) -> None:
        self.total = handle.getValueState("total", "n long")

    def handleInitialState(self, key: Any, initialState: Any, timerValues: Any) -> None:
        self.total.update((initialState.base,))

    def handleInputRows(self, key: Any, rows: Any, timerValues: Any) -> Iterator[Row]:
        self.total.update(((self.total.get() or (0,))[0] + len(list(rows)),))
        yield Row(k=key[0], n=self.total.get()[0])

    def close(self) -> None: ...


def test_initial_states_come_before_the_first_batch_alone(spark: Any, streams: Any) -> None:
    initial = spark.createDataFrame([(1, 100)], "k long, base long").groupBy("k")
    df = by_parity(streams.source([[(1, 1), (1, 2)], [(2, 1)]]))
    rows, _ = streams.run(df.transformWithState(Started(), "k long, n long", "Update", "None", initial), "update")
    assert [tuple(row) for row in rows] == [(1, 101), (0, 1), (1, 102)]


class Alarm(StatefulProcessor):
    """A timer a key, five seconds after its last row."""

    def init(self, handle: Any) -> None:
        self.handle = handle
        self.rows = handle.getValueState("rows", "n long")

    def handleInputRows(self, key: Any, rows: Any, timerValues: Any) -> Iterator[Row]:
        count, last = 0, 0
        for row in rows:
            count += 1
            last = max(last, int(row.timestamp.timestamp() * 1000))
        self.rows.update(((self.rows.get() or (0,))[0] + count,))
        for timer in list(self.handle.listTimers()):
            self.handle.deleteTimer(timer)
        self.handle.registerTimer(last + 5000)
        yield from ()

    def handleExpiredTimer(self, key: Any, timerValues: Any, expiredTimerInfo: Any) -> Iterator[Row]:
        yield Row(k=key[0], n=self.rows.get()[0], at=expiredTimerInfo.getExpiryTimeInMs() - START_MS)
        self.rows.clear()

    def close(self) -> None: ...


def test_timers_fire_when_the_watermark_reaches_them(streams: Any) -> None:
    batches = [[(1, 1), (2, 2)], [(4, 1)], [(30, 2)]]
    df = by_parity(streams.source(batches).withWatermark("timestamp", "1 second"))
    rows, _ = streams.run(df.transformWithState(Alarm(), "k long, n long, at long", "Update", "EventTime"), "update")
    # the other timer of key 0 was moved to 35 s by its row at 30 s
    assert [tuple(row) for row in rows] == [(1, 2, 9000)]


def test_a_timer_needs_a_time_mode(streams: Any) -> None:
    df = by_parity(streams.source([[(1, 1)]])).transformWithState(Alarm(), "k long, n long, at long", "Update", "None")
    with pytest.raises(PySparkException, match="with invalid timeMode=none"):
        streams.run(df, "update")


def test_group_state_times_out(streams: Any) -> None:
    import pandas as pd

    def count(key: Any, frames: Any, state: Any) -> Iterator[Any]:
        if state.hasTimedOut:
            yield pd.DataFrame({"k": [key[0]], "n": [-state.get[0]]})
            state.remove()
            return
        n = (state.getOption or (0,))[0]
        last = 0
        for frame in frames:
            n += len(frame)
            last = max(last, int(frame["timestamp"].max().timestamp() * 1000))
        state.update((n,))
        state.setTimeoutTimestamp(last + 5000)
        yield pd.DataFrame({"k": [key[0]], "n": [n]})

    batches = [[(1, 1), (2, 2)], [(4, 1)], [(30, 2)]]
    df = by_parity(streams.source(batches).withWatermark("timestamp", "1 second"))
    df = df.applyInPandasWithState(count, "k long, n long", "n long", "update", "EventTimeTimeout")
    rows, query = streams.run(df, "update")
    assert [tuple(row) for row in rows] == [(1, 1), (0, 1), (1, 2), (0, 2), (1, -2)]
    assert query.lastProgress.stateOperators[0].numRowsTotal == 1


def test_values_live_as_long_as_their_time_to_live(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)

    def at(now_ms: int) -> tuple[Variables, ValueState, ListState, MapState]:
        variables = Variables(0, checkpoint.state(), now_ms)
        variables.key = ("x",)
        made = (ValueState(variables, "v", 100), ListState(variables, "l", 100), MapState(variables, "m", 100))
        return variables, *made

    variables, value, items, pairs = at(1_000)
    value.update((1,))
    items.put([(1,), (2,)])
    pairs.updateValue(("a",), (1,))
    checkpoint.commit(0, variables.state, {})
    variables, value, items, pairs = at(1_050)
    items.appendValue((3,))
    pairs.updateValue(("b",), (2,))
    assert value.get() == (1,)
    checkpoint.commit(1, variables.state, {})
    variables, value, items, pairs = at(1_100)
    assert value.get() is None and not value.exists()
    assert list(items.get()) == [(3,)]
    assert list(pairs.iterator()) == [(("b",), (2,))]
    assert variables.expire() == 4
    checkpoint.commit(2, variables.state, {})
    variables, value, items, pairs = at(2_000)
    assert variables.expire() == 2
    checkpoint.commit(3, variables.state, {})
    assert list(checkpoint.state().items(b"\x00", b"\x01")) == []
    checkpoint.close()
