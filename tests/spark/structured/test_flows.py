"""Flows and Structured Streaming on the same batches give the same windows, sessions and rows.

What Structured Streaming gives is compared with PySpark 4.1 in `tests/contract/spark`. There a watermark that has moved
closes windows in the next batch, which has no rows when nothing has come; a flow does both in one. So every batch is
followed by an empty one.
"""

from __future__ import annotations

import random
from collections import Counter as Bag
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it
from tests.flow.model import Run, Source
from tests.spark.structured.conftest import EPOCH

from smackbox.flow import Count, Sum
from smackbox.flow.builder import Flow

BATCHES = 6


class Tick(msgspec.Struct, frozen=True):
    """A row of the rate source, as the tests' batches have it."""

    timestamp: datetime
    value: int


class Keyed(msgspec.Struct, frozen=True):
    timestamp: datetime
    value: int
    key: int


def keyed(tick: Tick) -> Keyed:
    return Keyed(tick.timestamp, tick.value, tick.value % 3)


TICKS = Source("clicks", Tick)


def flow_of(kind: str) -> Flow:
    marked = Flow.of([TICKS]).with_watermark("timestamp", timedelta(seconds=10)).map(keyed, to=Keyed)
    if kind == "distinct":
        return marked.drop_duplicates_within_watermark("value")
    grouped = marked.group_by("key")
    window = {
        "tumbling": lambda: grouped.tumbling_window(timedelta(seconds=7)),
        "hopping": lambda: grouped.hopping_window(timedelta(seconds=9), timedelta(seconds=4)),
        "session": lambda: grouped.session_window(timedelta(seconds=3)),
    }[kind]()
    return window.agg(n=Count(), total=Sum("value")).final()


def frame_of(kind: str, rows: Any) -> Any:
    marked = rows.withWatermark("timestamp", "10 seconds")
    if kind == "distinct":
        return marked.dropDuplicatesWithinWatermark(["value"]).select("timestamp", "value")
    window = {
        "tumbling": lambda: F.window("timestamp", "7 seconds"),
        "hopping": lambda: F.window("timestamp", "9 seconds", "4 seconds"),
        "session": lambda: F.session_window("timestamp", "3 seconds"),
    }[kind]().alias("w")
    grouped = marked.groupBy(window, (F.col("value") % 3).alias("key"))
    totals = grouped.agg(F.count("*").alias("n"), F.sum("value").alias("t"))
    return totals.select("key", F.col("w.start").alias("s"), F.col("w.end").alias("e"), "n", "t")


def fields(row: Any) -> tuple[Any, ...]:
    """A row of either, with moments as text without a zone."""
    values = msgspec.structs.astuple(row) if isinstance(row, msgspec.Struct) else tuple(row)
    return tuple(value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value for value in values)


@pytest.mark.parametrize("kind", ["tumbling", "hopping", "session", "distinct"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_flow_gives_what_structured_streaming_gives(streams: Any, kind: str, seed: int) -> None:
    chance = random.Random(seed)
    batches = [
        [(chance.randrange(number * 12, number * 12 + 70), chance.randrange(9)) for _ in range(chance.randrange(1, 9))]
        for number in range(BATCHES)
    ]
    batches.append([(1_000, 1)])
    run = Run(flow_of(kind))
    ours: list[Any] = []
    late = 0
    for batch in batches:
        output = run.batch(*(Tick(EPOCH + timedelta(seconds=second), value) for second, value in batch))
        late += len(output.late)
        rows = output.rows if kind != "distinct" else [Tick(row.timestamp, row.value) for row in output.rows]
        ours += map(fields, rows)
    theirs, _ = streams.run(frame_of(kind, streams.source([part for batch in batches for part in (batch, [])])))
    assert Bag(ours) == Bag(map(fields, theirs))
    assert ours
    assert late, "the batches of a test have late rows"
