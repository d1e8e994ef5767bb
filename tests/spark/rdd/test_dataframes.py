"""Rows of DataFrames as RDDs, and RDDs as DataFrames."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from operator import add
from typing import Any

import pytest
from pyspark.sql.types import Row

from smackbox.spark import SparkContext, session
from smackbox.spark.rdd.errors import JobError


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    spark = session()
    yield spark
    spark.stop()


def test_a_dataframes_rows_are_an_rdd(spark: Any) -> None:
    df = spark.sql("SELECT id % 3 AS key, id AS value FROM range(2500)")
    assert df.rdd.getNumPartitions() == min(3, spark.sparkContext.defaultParallelism)
    totals = df.rdd.map(lambda row: (row.key, row.value)).reduceByKey(add).collect()
    assert dict(totals) == {key: sum(range(key, 2500, 3)) for key in range(3)}
    assert df.rdd.first() == Row(key=0, value=0)
    assert spark.sql("SELECT 1 AS a WHERE false").rdd.collect() == []


def test_values_of_every_kind_of_type(spark: Any) -> None:
    df = spark.sql(
        "SELECT 'é' AS text, CAST(1.50 AS DECIMAL(10,2)) AS money, DATE '2015-09-01' AS day, "
        "TIMESTAMP '2015-09-01 10:00:00' AS at, array(1, null) AS many, map('a', 2) AS pairs, "
        "named_struct('x', 1, 'y', array('b')) AS inner, CAST(null AS INT) AS nothing"
    )
    (row,) = df.rdd.collect()
    assert row == df.collect()[0]
    assert (row.text, row.money, row.many, row.pairs, row.nothing) == ("é", Decimal("1.50"), [1, None], {"a": 2}, None)
    assert row.inner == Row(x=1, y=["b"])
    assert isinstance(row.at, datetime)


def test_the_context_is_the_sessions(spark: Any) -> None:
    sc = spark.sparkContext
    assert isinstance(sc, SparkContext)
    assert spark.sparkContext is sc
    df = sc.parallelize([("a", 1), ("b", 2)]).toDF(["name", "number"])
    assert df.sparkSession is spark
    assert sorted(map(tuple, df.collect())) == [("a", 1), ("b", 2)]


def test_a_context_ends_with_its_session_and_another_may_begin() -> None:
    spark = session()
    sc, rdd = spark.sparkContext, spark.range(3).rdd
    assert rdd.map(lambda row: row.id).sum() == 3
    spark.stop()
    assert sc.is_stopped
    with pytest.raises(JobError):
        rdd.map(lambda row: row).collect()


def test_an_rdd_without_a_session_gets_one_for_its_dataframes() -> None:
    with SparkContext("local[1]") as sc:
        rows = [Row(name="a", at=datetime(2015, 9, 1, tzinfo=UTC).replace(tzinfo=None))]
        df = sc.parallelize(rows).toDF()
        assert df.columns == ["name", "at"]
        assert df.rdd.context is sc
        sc.session.stop()
