"""`createDataFrame` of data that are larger than a message, on the embedded engine."""

from __future__ import annotations

import datetime
import gc
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from smackbox.spark import large_relations, session

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    spark = session()
    yield spark
    spark.stop()


def files() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob(f"{large_relations.FOLDER_PREFIX}*"))


def test_150_megabytes(spark: Any) -> None:
    rows = 150 * MEGABYTE // 16
    table = pa.table({"k": pa.array(range(rows), pa.int64()), "v": pa.array([0.5] * rows, pa.float64())})
    assert table.nbytes >= 150 * MEGABYTE - 16
    frame = spark.createDataFrame(table)
    assert frame.count() == rows
    assert frame.selectExpr("sum(k)").collect()[0][0] == rows * (rows - 1) // 2
    assert frame.filter("k >= 3").groupBy((frame.k % 2).alias("odd")).count().count() == 2


def test_the_schema_is_the_same_either_way(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table(
        {
            "ts": pa.array([datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)] * 2, pa.timestamp("us", "UTC")),
            "d": pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
            "list": [[1, 2], None],
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
            "struct": [{"x": 1, "y": "a"}, {"x": 2, "y": None}],
            "bytes": [b"1", b""],
            "day": [datetime.date(2026, 1, 1), None],
        }
    )
    small = spark.createDataFrame(table)
    monkeypatch.setattr(large_relations, "LIMIT_BYTES", 0)
    large = spark.createDataFrame(table)
    assert large.schema == small.schema
    assert large.collect() == small.collect()


@pytest.mark.parametrize("schema", [None, ["x", "y"], "a long, b string"])
def test_names_and_types_that_the_caller_gives(spark: Any, monkeypatch: pytest.MonkeyPatch, schema: Any) -> None:
    rows = [(1, "one"), (2, None)]
    small = spark.createDataFrame(rows, schema)
    monkeypatch.setattr(large_relations, "LIMIT_BYTES", 0)
    large = spark.createDataFrame(rows, schema)
    assert large.columns == small.columns
    assert sorted(large.collect()) == sorted(small.collect())


def test_the_file_goes_with_the_last_frame_that_reads_it(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_relations, "LIMIT_BYTES", 0)
    before = files()
    derived = spark.createDataFrame([(1,), (2,)], "a long").filter("a > 1")
    gc.collect()
    assert derived.collect() == [(2,)]
    assert len(files() - before) == 1
    del derived
    gc.collect()
    assert files() - before == set()
