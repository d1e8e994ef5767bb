"""What Spark refuses about streams, in its error classes; each was asked of PySpark 4.1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it
from pyspark.sql.window import Window

LEGACY = "_LEGACY_ERROR_TEMP_3102"
MODE = "STREAMING_OUTPUT_MODE"


def rate(spark: Any) -> Any:
    return spark.readStream.format("rate").load()


def start(df: Any, mode: str = "append", kind: str = "console", **trigger: Any) -> Any:
    writer = df.writeStream.format(kind).outputMode(mode)
    return (writer.trigger(**trigger) if trigger else writer).start()


def counted(spark: Any) -> Any:
    return rate(spark).groupBy("value").count()


CASES: list[tuple[Callable[[Any], Any], str | None, str]] = [
    (lambda s: start(counted(s)), f"{MODE}.UNSUPPORTED_OPERATION", "streaming aggregations without watermark"),
    (lambda s: start(rate(s), "complete"), f"{MODE}.UNSUPPORTED_OPERATION", "no streaming aggregations"),
    (lambda s: start(rate(s).dropDuplicates(["value"]), "complete"), f"{MODE}.UNSUPPORTED_OPERATION", "no streaming"),
    (lambda s: start(rate(s), "foo"), f"{MODE}.INVALID", "Accepted output modes are 'Append', 'Complete', 'Update'"),
    (lambda s: start(rate(s).sort("value")), LEGACY, "Sorting is not supported on streaming"),
    (lambda s: start(counted(s).sort("value"), "update"), LEGACY, "Sorting is not supported on streaming"),
    (lambda s: start(rate(s).limit(3), "update"), LEGACY, "Limits are not supported on streaming"),
    (
        lambda s: start(rate(s).groupBy().agg(F.countDistinct("value")), "complete"),
        LEGACY,
        "Distinct aggregations are not supported on streaming",
    ),
    (lambda s: start(s.range(3)), "WRITE_STREAM_NOT_ALLOWED", "can be called only on streaming"),
    (lambda s: rate(s).show(), LEGACY, "Queries with streaming sources must be executed with writeStream.start()"),
    (lambda s: rate(s).collect(), LEGACY, "Queries with streaming sources must be executed with writeStream.start()"),
    (lambda s: rate(s).write.parquet("x"), "CALL_ON_STREAMING_DATASET_UNSUPPORTED", "The method `write`"),
    (lambda s: s.readStream.format("nosuch").load().schema, "DATA_SOURCE_NOT_FOUND", "nosuch"),
    (lambda s: s.readStream.json("/tmp").schema, "_LEGACY_ERROR_TEMP_2048", "Schema must be specified"),
    (lambda s: s.readStream.schema("a int").format("json").load().schema, "_LEGACY_ERROR_TEMP_2047", "'path' is not"),
    (lambda s: start(rate(s), kind="parquet"), "_LEGACY_ERROR_TEMP_1298", "checkpointLocation must be specified"),
    (lambda s: start(rate(s), kind="memory"), "_LEGACY_ERROR_TEMP_1194", "queryName must be specified"),
    (lambda s: start(rate(s), processingTime="foo"), "INVALID_INTERVAL_FORMAT.UNRECOGNIZED_NUMBER", "foo"),
    (lambda s: start(counted(s).groupBy("count").count(), "update"), LEGACY, "possible 'correctness' issue"),
    (
        lambda s: start(rate(s).dropDuplicatesWithinWatermark(["value"])),
        LEGACY,
        "dropDuplicatesWithinWatermark is not supported on streaming DataFrames/DataSets without watermark",
    ),
    (
        lambda s: start(rate(s).join(s.range(3), F.expr("value = id"), "right")),
        LEGACY,
        "RightOuter join with a streaming DataFrame/Dataset on the left and a static DataFrame/DataSet on the right",
    ),
    (
        lambda s: start(rate(s).join(s.range(3), F.expr("value = id"), "full")),
        LEGACY,
        "FullOuter joins with streaming DataFrames/Datasets on the left and a static",
    ),
    (
        lambda s: start(rate(s).alias("a").join(rate(s).alias("b"), F.expr("a.value = b.value")), "update"),
        LEGACY,
        "is not supported in Update output mode, only in Append output mode",
    ),
    (lambda s: start(rate(s).select("value").union(s.range(3))), LEGACY, "Union between streaming and batch"),
    (lambda s: start(rate(s).sample(0.5)), LEGACY, "Sampling is not supported on streaming"),
    (
        lambda s: start(rate(s).select(F.row_number().over(Window.partitionBy("value").orderBy("value")).alias("r"))),
        "NON_TIME_WINDOW_NOT_SUPPORTED_IN_STREAMING",
        "ROW_NUMBER",
    ),
    (lambda s: start(s.readStream.format("rate").option("rowsPerSecond", 0).load()), None, "must be positive"),
    (lambda s: s.readStream.format("socket").load().schema, "_LEGACY_ERROR_TEMP_1295", "Set a host to read from"),
    (lambda s: rate(s).withWatermark("timestamp", "foo").schema, "CANNOT_PARSE_INTERVAL", "Unable to parse 'foo'"),
    (lambda s: rate(s).withWatermark("timestamp", "-5 minutes").schema, None, "should not be negative"),
    (
        lambda s: start(rate(s).withWatermark("nope", "5 minutes")),
        "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        "with name `nope` cannot be resolved",
    ),
    (
        lambda s: start(rate(s).withWatermark("value", "5 minutes")),
        "EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE",
        'invalid type "BIGINT", but expected "TIMESTAMP"',
    ),
    # what Spark has, and this server has not
    (lambda s: start(rate(s).limit(3)), "UNSUPPORTED_FEATURE", "a limit on a stream"),
    (lambda s: start(rate(s), continuous="1 second"), LEGACY, "Continuous processing is not supported by this server"),
    (lambda s: start(rate(s), realTime="5 minutes"), "UNSUPPORTED_FEATURE", "real-time mode"),
    (
        lambda s: start(rate(s).alias("a").join(rate(s).alias("b"), F.expr("a.value = b.value"))),
        "UNSUPPORTED_FEATURE",
        "a join of two streams",
    ),
    (lambda s: start(rate(s).groupBy().agg(F.median("value")), "complete"), "UNSUPPORTED_FEATURE", "median"),
]


@pytest.mark.parametrize(("act", "condition", "message"), CASES, ids=[case[2][:40] for case in CASES])
def test_the_error_is_sparks(spark: Any, act: Callable[[Any], Any], condition: str | None, message: str) -> None:
    with pytest.raises(PySparkException) as raised:
        act(spark)
    assert message in str(raised.value)
    assert raised.value.getCondition() == condition


def test_a_name_is_active_once(spark: Any) -> None:
    query = rate(spark).writeStream.format("memory").queryName("taken").start()
    with pytest.raises(
        PySparkException, match="Cannot start query with name taken as a query with that name is already"
    ):
        rate(spark).writeStream.format("memory").queryName("taken").start()
    query.stop()


def test_complete_mode_is_not_for_files(spark: Any, tmp_path: Path) -> None:
    writer = counted(spark).writeStream.outputMode("complete").format("parquet")
    with pytest.raises(PySparkException) as raised:
        writer.option("checkpointLocation", str(tmp_path / "c")).start(str(tmp_path / "out"))
    assert raised.value.getCondition() == f"{MODE}.UNSUPPORTED_DATASOURCE"


@pytest.mark.parametrize(
    "query", ["SELECT k, count(*) FROM s GROUP BY k HAVING count(*) > 1", "SELECT DISTINCT value FROM s"]
)
def test_sql_that_needs_a_memory_of_batches_is_refused(spark: Any, query: str) -> None:
    rate(spark).selectExpr("value", "value AS k").createOrReplaceTempView("s")
    with pytest.raises(PySparkException, match="in SQL text over a stream"):
        start(spark.sql(query), "update")


def test_a_checkpoint_of_a_jvm_spark_is_not_touched(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "offsets").mkdir()
    with pytest.raises(PySparkException, match="was written by Spark on a JVM"):
        rate(spark).writeStream.format("noop").option("checkpointLocation", str(tmp_path)).start()
