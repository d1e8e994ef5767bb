"""The sources as a user meets them on the embedded engine: views, write modes, odd columns, values that do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException, ParseException, PySparkException

from smackbox.spark import session
from smackbox.testing.fixtures import SmackCassandra


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    spark = session()
    yield spark
    spark.stop()


@pytest.fixture
def options(smack_cassandra: SmackCassandra) -> dict[str, str]:
    cql = smack_cassandra.connect()
    cql.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    cql.execute("CREATE TABLE ks.t (id int PRIMARY KEY, a smallint, v vector<float, 3>)")
    cql.execute("INSERT INTO ks.t (id, a, v) VALUES (1, 2, [1, 2.5, 3])")
    return {"contact": smack_cassandra.address, "keyspace": "ks", "table": "t"}


def rows(spark: Any, options: dict[str, str]) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, spark.read.format("cassandra").options(**options).load().collect()))


def test_a_vector_column_is_an_array_both_ways(spark: Any, options: dict[str, str]) -> None:
    assert rows(spark, options) == [(1, 2, [1.0, 2.5, 3.0])]
    frame = spark.createDataFrame([(2, [4.0, 5.0, 6.0])], "id int, v array<float>")
    frame.write.format("cassandra").options(**options).mode("append").save()
    assert rows(spark, options) == [(1, 2, [1.0, 2.5, 3.0]), (2, None, [4.0, 5.0, 6.0])]


@pytest.mark.parametrize(
    "create",
    [
        "CREATE TEMPORARY VIEW found USING cassandra {contact}, keyspace 'ks', table 't')",
        "create or replace temp view found using CASSANDRA {contact}, 'keyspace' \"ks\", table = 't');",
        'CREATE OR REPLACE TEMPORARY VIEW `found`\nUSING cassandra {contact},\n"keyspace" ks, table t )',
    ],
)
def test_a_temporary_view_of_a_source(spark: Any, options: dict[str, str], create: str) -> None:
    created = spark.sql(create.format(contact=f"OPTIONS (contact '{options['contact']}'"))
    try:
        assert created.collect() == []
        assert spark.sql("SELECT id, a FROM found").collect() == [(1, 2)]
    finally:
        spark.catalog.dropTempView("found")


def test_options_that_are_no_pairs_are_named(spark: Any) -> None:
    with pytest.raises(ParseException, match="'table'"):
        spark.sql("CREATE TEMPORARY VIEW x USING cassandra OPTIONS (keyspace 'ks', table)")


@pytest.mark.parametrize("mode", ["error", "ignore", None])
def test_a_mode_that_cannot_be_kept_is_refused(spark: Any, options: dict[str, str], mode: str | None) -> None:
    writer = spark.createDataFrame([(9,)], "id int").write.format("cassandra").options(**options)
    with pytest.raises(AnalysisException, match=r'use mode\("append"\)'):
        (writer.mode(mode) if mode else writer).save()
    assert [row[0] for row in rows(spark, options)] == [1]


@pytest.mark.parametrize(
    ("row", "schema", "reason"),
    [
        ((None, 1), "id int, a int", "a column of the primary key is null"),
        ((2**40, 1), "id bigint, a int", "column id cannot hold 1099511627776: int holds -2147483648 to 2147483647"),
        ((5, 70_000), "id int, a int", "column a cannot hold 70000: smallint holds -32768 to 32767"),
        ((5, "x"), "id int, a string", "column a cannot hold 'x': a whole number is needed, not str"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_column(
    spark: Any, options: dict[str, str], row: Any, schema: str, reason: str
) -> None:
    frame = spark.createDataFrame([row], schema)
    with pytest.raises(PySparkException, match=reason):
        frame.write.format("cassandra").options(**options).mode("append").save()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT CAST(id % 7 AS INT) AS id, CAST(count(*) AS INT) AS a FROM range(100) GROUP BY 1",
        "SELECT DISTINCT CAST(id % 7 AS INT) AS id, 1 AS a FROM range(100)",
        """WITH x AS (SELECT CAST(id % 7 AS INT) AS id, CAST(count(*) AS INT) AS a FROM range(70) GROUP BY 1)
           SELECT id, x.a + y.a AS a FROM x JOIN x AS y USING (id)""",
        "SELECT CAST(id AS INT) AS id, 1 AS a FROM range(7)",
    ],
)
def test_a_write_works_after_any_query(spark: Any, options: dict[str, str], query: str) -> None:
    spark.sql(query).write.format("cassandra").options(**options).mode("append").save()
    assert {row[0] for row in rows(spark, options)} == set(range(7))


def test_an_arrow_table_without_rows_is_a_frame(spark: Any) -> None:
    empty = pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.list_(pa.string()))})
    frame = spark.createDataFrame(empty)
    assert (frame.schema.simpleString(), frame.collect()) == ("struct<a:bigint,b:array<string>>", [])


def test_a_view_is_made_when_it_is_named_and_its_failure_is_its_own() -> None:
    made: list[str] = []
    spark = session()

    def good() -> Any:
        made.append("good")
        return spark.range(3)

    def broken() -> Any:
        raise AnalysisException("no such table")

    try:
        spark.add_views({"good": good, "broken": broken})
        assert spark.sql("SELECT count(*) FROM good").collect() == [(3,)]
        assert spark.table("good").count() == spark.read.table("good").count() == 3
        assert made == ["good"]
        with pytest.raises(AnalysisException, match="no such table"):
            spark.sql("SELECT * FROM broken")
    finally:
        spark.stop()
