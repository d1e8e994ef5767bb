"""Windows, watermarks and deduplication against plain Python, by Hypothesis; aggregates against one batch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

EPOCH_S = 1_767_225_600
"""2026-01-01."""
DELAY_S = 10
Row = tuple[int, int]
BATCHES = st.lists(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 5)), max_size=6), min_size=1, max_size=5)
EXAMPLES = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def moment(second: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)


class Watermark:
    """Moves after each batch to the latest event time minus the delay, and never back."""

    def __init__(self) -> None:
        self.at = -EPOCH_S
        self.late = -EPOCH_S
        """The watermark of the batch before, by which rows are late."""

    def after(self, batch: Sequence[Row]) -> bool:
        self.late = self.at
        if batch:
            self.at = max(self.at, max(second for second, _ in batch) - DELAY_S)
        return self.at > self.late


def windows_of(second: int, size: int, slide: int) -> list[int]:
    """The ends of the windows that hold a second; they begin at multiples of the slide since 1970."""
    last = (EPOCH_S + second) // slide * slide - EPOCH_S
    return [start + size for start in range(last, last - size, -slide) if start + size > second]


def windowed(batches: Sequence[Sequence[Row]], mode: str, size: int, slide: int) -> list[tuple[int, int, int]]:
    """(end of window, key, count), in the order of the batches that gave them."""
    state: dict[tuple[int, int], int] = {}
    mark = Watermark()
    given: list[tuple[int, int, int]] = []

    def run(batch: Sequence[Row]) -> None:
        touched = set()
        for second, value in batch:
            for end in windows_of(second, size, slide):
                if end > mark.late:
                    state[end, value % 3] = state.get((end, value % 3), 0) + 1
                    touched.add((end, value % 3))
        closed = [key for key in state if key[0] <= mark.at]
        if mode == "append":
            given.extend(sorted((*key, state[key]) for key in closed))
        else:
            given.extend(sorted((*key, state[key]) for key in touched))
        for key in closed:
            del state[key]

    for batch in batches:
        run(batch)
        moved = mark.after(batch)
    if moved:
        # a batch without rows follows when there are no more data
        run([])
    return given


@pytest.mark.parametrize(("mode", "size", "slide"), [("append", 5, 5), ("append", 10, 4), ("update", 10, 4)])
@EXAMPLES
@given(batches=BATCHES)
def test_windows_close_as_the_watermark_passes_them(
    streams: Any, mode: str, size: int, slide: int, batches: list[list[Row]]
) -> None:
    df = (
        streams.source(batches)
        .withWatermark("timestamp", f"{DELAY_S} seconds")
        .groupBy(F.window("timestamp", f"{size} seconds", f"{slide} seconds"), (F.col("value") % 3).alias("k"))
        .count()
    )
    rows, _ = streams.run(df, mode)
    found = [(int(row.window.end.timestamp()) - EPOCH_S, row.k, row["count"]) for row in rows]
    assert sorted(found) == sorted(windowed(batches, mode, size, slide))


@EXAMPLES
@given(batches=BATCHES)
def test_sessions_join_and_close(streams: Any, batches: list[list[Row]]) -> None:
    gap = 7
    marked = streams.source(batches).withWatermark("timestamp", f"{DELAY_S} seconds")
    grouped = marked.groupBy(F.session_window("timestamp", f"{gap} seconds"), (F.col("value") % 2).alias("k"))
    rows, _ = streams.run(grouped.agg(F.count("*").alias("n")), "append")
    state: dict[int, list[list[int]]] = {0: [], 1: []}
    mark = Watermark()
    expected: list[tuple[int, int, int, int]] = []

    def run(batch: Sequence[Row]) -> None:
        for second, value in batch:
            if second + gap > mark.late:
                state[value % 2].append([second, second + gap, 1])
        for key, sessions in state.items():
            joined: list[list[int]] = []
            for start, end, n in sorted(sessions):
                if joined and start <= joined[-1][1]:
                    joined[-1][1:] = [max(end, joined[-1][1]), joined[-1][2] + n]
                else:
                    joined.append([start, end, n])
            expected.extend((key, *session) for session in joined if session[1] <= mark.at)  # type: ignore[misc]
            state[key] = [session for session in joined if session[1] > mark.at]

    moved = False
    for batch in batches:
        run(batch)
        moved = mark.after(batch)
    if moved:
        run([])
    window = [(row.session_window.start.timestamp(), row.session_window.end.timestamp()) for row in rows]
    found = [(row.k, int(s) - EPOCH_S, int(e) - EPOCH_S, row.n) for row, (s, e) in zip(rows, window, strict=True)]
    assert sorted(found) == sorted(expected)


@EXAMPLES
@given(batches=BATCHES)
def test_complete_mode_gives_all_groups_and_forgets_none(streams: Any, batches: list[list[Row]]) -> None:
    df = streams.source(batches).groupBy((F.col("value") % 3).alias("k")).agg(F.sum("value").alias("s"))
    rows, _ = streams.run(df, "complete")
    expected: dict[int, int] = defaultdict(int)
    for batch in batches:
        for _, value in batch:
            expected[value % 3] += value
    assert {row.k: row.s for row in rows} == expected


@pytest.mark.parametrize("within", [False, True])
@EXAMPLES
@given(batches=BATCHES)
def test_the_first_of_each_key_passes(streams: Any, within: bool, batches: list[list[Row]]) -> None:
    marked = streams.source(batches).withWatermark("timestamp", f"{DELAY_S} seconds")
    df = marked.dropDuplicatesWithinWatermark(["value"]) if within else marked.dropDuplicates(["value", "timestamp"])
    rows, _ = streams.run(df)
    state: dict[Any, int] = {}
    mark = Watermark()
    expected: list[Row] = []
    for batch in batches:
        for second, value in batch:
            key = value if within else (value, second)
            if second > mark.late and key not in state:
                state[key] = second + (DELAY_S if within else 0)
                expected.append((second, value))
        state = {key: until for key, until in state.items() if until > mark.at}
        mark.after(batch)
    assert sorted((int(row.timestamp.timestamp()) - EPOCH_S, row.value) for row in rows) == sorted(expected)


def aggregates() -> list[Any]:
    # fmt: off
    return [
        F.count("*"), F.count("x"), F.sum("x"), F.avg("x"), F.min("x"), F.max("x"), F.var_pop("x"), F.var_samp("x"),
        F.stddev_pop("x"), F.stddev_samp("x"), F.first("x"), F.last("x"), F.first("x", True), F.last("x", True),
        F.sum("d"), F.avg("d"), F.max("d"), F.sum(F.col("x") * 1.5), F.count_if(F.col("x") > 2),
        F.bool_and(F.col("x") > 0), F.bool_or(F.col("x") > 3), F.max_by("x", "t"), F.min_by("x", "t"), F.min("t"),
        F.max("text"), F.approx_count_distinct("x"), F.sort_array(F.collect_list("x")),
        F.sort_array(F.collect_set("x")),
        F.sum("x") / F.count("x"), F.sum("x") + F.max("x"),
    ]
    # fmt: on


def test_aggregates_over_batches_are_those_over_all_rows(streams: Any, spark: Any) -> None:
    batches = [[(1, 1), (2, 5), (3, 3)], [], [(4, 2), (5, 5)], [(6, 4)]]

    def shaped(df: Any) -> Any:
        x = F.when(F.col("value") != 3, F.col("value"))
        columns = [
            x.alias("x"),
            (x.cast("decimal(10,2)") / 7).cast("decimal(10,4)").alias("d"),
            F.col("timestamp").alias("t"),
            F.concat(F.lit("n"), x.cast("string")).alias("text"),
            (F.col("value") % 2).alias("k"),
        ]
        named = [aggregate.alias(f"a{number}") for number, aggregate in enumerate(aggregates())]
        return df.select(*columns).groupBy("k").agg(*named)

    rows, _ = streams.run(shaped(streams.source(batches)), "complete")
    flat = spark.createDataFrame([(moment(s), v) for batch in batches for s, v in batch], ["timestamp", "value"])
    expected = {row.k: row for row in shaped(flat).collect()}
    for row in rows:
        for number, (ours, theirs) in enumerate(zip(row, expected[row.k], strict=True)):
            close = isinstance(theirs, float) and math.isclose(ours, theirs, rel_tol=1e-12)
            assert close or ours == theirs, (number, aggregates()[number - 1])
    assert len(rows) == 2


def test_values_of_nested_types_are_kept(streams: Any) -> None:
    made = streams.source([[(1, 1)], [(2, 2)]]).select(
        F.create_map(F.lit("k"), F.col("value")).alias("m"),
        F.struct(F.create_map(F.lit("k"), F.array("value")).alias("inner"), "timestamp").alias("s"),
    )
    rows, _ = streams.run(made.groupBy().agg(F.first("m"), F.collect_list("m"), F.last("s")), "complete")
    first, maps, last = rows[-1]
    assert (first, maps) == ({"k": 1}, [{"k": 1}, {"k": 2}])
    assert last.inner == {"k": [2]}
    assert int(last.timestamp.timestamp()) == EPOCH_S + 2


def test_the_schema_is_that_of_the_same_batch_query(streams: Any, spark: Any) -> None:
    def shaped(df: Any) -> Any:
        return df.groupBy((F.col("value") % 2).alias("k")).agg(F.count("*"), F.avg("value"), F.sum("value") * 2)

    stream = shaped(streams.source([[(1, 1)]]))
    batch = shaped(spark.createDataFrame([], "timestamp timestamp, value long"))
    assert stream.columns == batch.columns
    rows, _ = streams.run(stream, "update")
    assert [tuple(row) for row in rows] == [(1, 1, 1.0, 2)]


def test_a_global_aggregate_gives_its_row_before_there_are_data(streams: Any) -> None:
    rows, _ = streams.run(streams.source([[]]).groupBy().count(), "complete")
    assert [row["count"] for row in rows] == [0]


def test_columns_by_their_dataframe_are_found_above_an_operator(streams: Any) -> None:
    counted = streams.source([[(1, 1), (2, 1)]]).groupBy("value").count()
    rows, _ = streams.run(counted.filter(counted["count"] > 1).select(counted.value, counted["count"]), "update")
    assert [tuple(row) for row in rows] == [(1, 2)]


def test_event_time_is_followed_through_renamed_columns(streams: Any) -> None:
    marked = streams.source([[(1, 1)], [(100, 1)]]).withWatermark("timestamp", "1 second")
    df = marked.withColumnRenamed("timestamp", "t").select(F.col("t").alias("moment"), "value")
    rows, query = streams.run(df.groupBy(F.window("moment", "5 seconds")).count(), "append")
    assert len(rows) == 1
    assert query.lastProgress.eventTime["watermark"] == "2026-01-01T00:01:39.000Z"


def test_late_rows_are_counted_in_progress(streams: Any) -> None:
    # by the watermark of the batch before, as on Spark since operators can be chained
    marked = streams.source([[(100, 1)], [(1, 1)], [(1, 1), (100, 1)]]).withWatermark("timestamp", "1 second")
    _, query = streams.run(marked.groupBy(F.window("timestamp", "5 seconds")).count(), "update")
    assert [one.stateOperators[0].numRowsDroppedByWatermark for one in query.recentProgress][:3] == [0, 0, 1]
