"""The front before Sail: sessions over recycled servers, what it puts into plans, what clients upload."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from smackbox.spark import session
from smackbox.spark.connect import start_sail
from smackbox.spark.front.journal import Journal, sql_effect
from smackbox.spark.front.server import ConnectFront
from smackbox.spark.front.session import FrontSession

LIMIT = 20
TIMEOUT_S = 30.0


@pytest.fixture
def front() -> Iterator[ConnectFront]:
    server = ConnectFront("127.0.0.1", 0, start_sail, queries_limit=LIMIT)
    yield server
    server.stop()


@pytest.fixture
def spark(front: ConnectFront) -> Iterator[Any]:
    one = session(front.url)
    yield one
    one.stop()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def wear_out(front: ConnectFront, spark: Any) -> None:
    """Queries until the session is on another Sail server."""
    before = front.sessions[spark.session_id].engine
    deadline = time.monotonic() + TIMEOUT_S
    while front.sessions[spark.session_id].engine is before:
        assert time.monotonic() < deadline
        spark.range(1).collect()


def test_views_settings_and_functions_survive_a_recycled_server(front: ConnectFront, spark: Any) -> None:
    spark.range(3).createOrReplaceTempView("three")
    spark.sql("CREATE OR REPLACE TEMPORARY VIEW doubled AS SELECT id * 2 AS d FROM three")
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    spark.udf.register("plus_one", lambda x: x + 1, "bigint")
    spark.sql("CREATE DATABASE d1")
    for _ in range(3):
        wear_out(front, spark)
    assert [row.d for row in spark.sql("SELECT d FROM doubled ORDER BY d").collect()] == [0, 2, 4]
    assert spark.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    assert spark.sql("SELECT plus_one(41) AS x").collect()[0].x == 42
    assert spark.catalog.databaseExists("d1")


def test_a_former_server_ends_when_nobody_is_on_it(front: ConnectFront, spark: Any) -> None:
    for _ in range(3):
        wear_out(front, spark)
    until(lambda: not front.pool._former)
    assert front.pool.recycled >= 3


def test_a_session_that_made_a_table_stays_on_its_server(
    front: ConnectFront, spark: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spark.range(4).write.saveAsTable("kept")
    engine = front.sessions[spark.session_id].engine
    for _ in range(LIMIT * 2):
        spark.range(1).collect()
    assert spark.table("kept").count() == 4
    assert front.sessions[spark.session_id].engine is engine


def test_a_query_in_progress_is_finished_on_the_server_where_it_began(front: ConnectFront, spark: Any) -> None:
    spark.udf.register("slow", lambda x: time.sleep(1) or x, "bigint")
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(spark.sql("SELECT slow(7) AS x").collect()))
    thread.start()
    until(lambda: front.sessions[spark.session_id].engine.users > 1)
    wear_out(front, spark)
    thread.join(TIMEOUT_S)
    assert [row.x for row in found] == [7]


def test_a_view_that_is_replaced_over_and_over_leaves_one_entry(front: ConnectFront, spark: Any) -> None:
    before = len(front.sessions[spark.session_id].journal.entries)
    for number in range(50):
        spark.range(number).createOrReplaceTempView("again")
    assert len(front.sessions[spark.session_id].journal.entries) == before + 1
    spark.table("again").union(spark.range(1)).createOrReplaceTempView("again")
    wear_out(front, spark)
    assert spark.table("again").count() == 50


def test_large_local_data_come_in_chunks(front: ConnectFront, spark: Any) -> None:
    from pyspark.sql.connect.session import SparkSession

    plain = SparkSession.Builder().remote(front.url).create()
    rows = 48 * 1024 * 1024 // 8
    frame = plain.createDataFrame(pa.table({"k": pa.array(range(rows), pa.int64())}))
    assert frame.selectExpr("sum(k) AS s").collect()[0].s == rows * (rows - 1) // 2
    plain.stop()


def test_uploaded_python_files_are_imported_by_functions(front: ConnectFront, spark: Any, tmp_path: Any) -> None:
    module = tmp_path / "smackbox_uploaded_module.py"
    module.write_text("def triple(x):\n    return 3 * x\n")
    spark.addArtifact(str(module), pyfile=True)

    def use(x: int) -> int:
        import smackbox_uploaded_module  # type: ignore[import-not-found]

        return smackbox_uploaded_module.triple(x)  # type: ignore[no-any-return]

    spark.udf.register("use", use, "bigint")
    assert spark.sql("SELECT use(14) AS x").collect()[0].x == 42


def test_a_cloned_session_has_the_views_of_the_first_and_its_own_from_then_on(front: ConnectFront, spark: Any) -> None:
    spark.range(3).createOrReplaceTempView("three")
    copy = spark.cloneSession()
    assert copy.table("three").count() == 3
    copy.range(1).createOrReplaceTempView("mine")
    assert not spark.catalog.tableExists("mine")


def test_a_released_session_is_forgotten(front: ConnectFront) -> None:
    one = session(front.url)
    assert one.session_id in front.sessions
    one.stop()
    assert one.session_id not in front.sessions


def test_an_error_of_sail_keeps_its_class(spark: Any) -> None:
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
        spark.table("nothing").collect()


@pytest.mark.parametrize(
    ("shape", "pruned"),
    [
        (lambda df: df.select("a", (df.b + 1).alias("x")).filter("x > 1"), "a,b"),
        (lambda df: df.filter("c = 'x'").groupBy("a").count(), "a,c,x"),
        (lambda df: df.groupBy().count(), ""),
        (lambda df: df.select("s.inner"), "inner,s"),
        (lambda df: df.select("*"), None),
        (lambda df: df.withColumn("x", df.a), None),
        (lambda df: df.selectExpr("count(*)"), None),
        (lambda df: df, None),
    ],
)
def test_a_read_of_our_source_gives_the_columns_that_the_query_names(
    spark: Any, shape: Callable[[Any], Any], pruned: str | None
) -> None:
    from smackbox.spark.front.relation import relations
    from smackbox.spark.front.rewrite import resolve

    plan = shape(spark.read.format("cassandra").option("table", "t").load())._plan.to_proto(spark.client)
    resolve(plan, FrontSession.__new__(FrontSession))
    (read,) = [found.read for found in relations(plan) if found.WhichOneof("rel_type") == "read"]
    assert dict(read.data_source.options).get("prune") == pruned


@pytest.mark.parametrize(
    ("query", "effect"),
    [
        ("SELECT 1", "none"),
        ("-- note\n  (select 1)", "none"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "none"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "pin"),
        ("set x = 1", "keep"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "keep"),
        ("CREATE TABLE t (a int)", "pin"),
        ("INSERT INTO t VALUES (1)", "pin"),
        ("DROP TABLE t", "pin"),
    ],
)
def test_what_sql_changes(query: str, effect: str) -> None:
    assert sql_effect(query) == effect


def test_an_entry_that_a_later_one_is_built_on_is_kept() -> None:
    journal = Journal()
    journal.add("ExecutePlan", "view:a", b"a := 1")
    journal.add("ExecutePlan", "view:b", b"b := a")
    journal.add("ExecutePlan", "view:a", b"a := 2")
    assert [entry[2] for entry in journal.entries] == [b"a := 1", b"b := a", b"a := 2"]


def test_a_session_with_a_long_journal_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smackbox.spark.front.journal.ENTRIES_LIMIT", 3)
    journal = Journal()
    for number in range(4):
        journal.add("Config", f"config:{number}", b"x")
    assert journal.pinned


def test_the_batches_of_a_stream_wear_a_server_out_too(front: ConnectFront, spark: Any) -> None:
    df = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 10).load()
    query = df.groupBy((df.value % 2).alias("k")).count().writeStream.outputMode("update").format("noop").start()
    until(lambda: front.pool.recycled >= 2)
    progress = query.lastProgress
    query.stop()
    assert progress.stateOperators[0].numRowsTotal == 2
    until(lambda: not front.pool._former)


def test_sessions_and_streams_go_on_together_while_servers_are_recycled(front: ConnectFront) -> None:
    sessions = [session(front.url) for _ in range(2)]
    queries = []
    for number, one in enumerate(sessions):
        one.udf.register("inc", lambda x: x + 1, "bigint")
        one.range(5).createOrReplaceTempView("five")
        df = one.readStream.format("rate-micro-batch").option("rowsPerBatch", 10).load().selectExpr("inc(value) AS v")
        counted = df.groupBy((df.v % 3).alias("k")).count().writeStream.outputMode("complete")
        queries.append(counted.format("memory").queryName(f"q{number}").start())
    deadline = time.monotonic() + TIMEOUT_S
    while front.pool.recycled < 6:
        assert time.monotonic() < deadline
        assert [one.table("five").count() for one in sessions] == [5, 5]
    for number, (one, query) in enumerate(zip(sessions, queries, strict=True)):
        query.stop()
        assert query.exception() is None
        total = one.table(f"q{number}").groupBy().sum("count").collect()[0][0]
        assert total == (query.lastProgress.batchId + 1) * 10
        one.stop()
