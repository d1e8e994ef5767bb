"""Streams over Spark Connect from end to end: file and rate sources, the simple sinks, what clients ask of a query."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it
from pyspark.sql.streaming import StreamingQueryListener

from smackbox.spark.structured.checkpoint import Checkpoint

TIMEOUT_S = 60
SCHEMA = "a int, k string"
LINES = ('{"a":1,"k":"x"}', '{"a":2,"k":"y"}', '{"a":3,"k":"x"}')


def drained(writer: Any) -> Any:
    query = writer.start()
    try:
        query.processAllAvailable()
    finally:
        query.stop()
    return query


def test_rows_of_files_reach_a_memory_table(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    json_folder('{"a":4,"k":"z"}')
    df = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).json(str(folder))
    assert df.isStreaming
    assert df.schema.simpleString() == "struct<a:int,k:string>"
    doubled = df.filter("a > 1").select((F.col("a") * 2).alias("b"))
    query = drained(doubled.writeStream.format("memory").queryName("doubled"))
    assert [row.b for row in spark.table("doubled").orderBy("b").collect()] == [4, 6, 8]
    assert spark.sql("SELECT sum(b) AS s FROM doubled").collect()[0].s == 18
    assert [(one.batchId, one.numInputRows) for one in query.recentProgress] == [(0, 3), (1, 1)]


def test_progress_has_what_spark_tells(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    df = spark.readStream.schema(SCHEMA).json(str(folder)).dropDuplicates(["k"])
    query = drained(df.writeStream.format("memory").queryName("told"))
    progress = json.loads(query.lastProgress.json)
    assert progress["name"] == "told"
    assert progress["id"] == query.id and progress["runId"] == query.runId
    assert progress["sources"][0]["description"] == f"FileStreamSource[file:{folder}]"
    assert json.loads(query.lastProgress.sources[0].endOffset) == {"logOffset": 0}
    assert query.lastProgress.sources[0].numInputRows == 3
    assert query.lastProgress.sink.description == "MemorySink"
    assert query.lastProgress.sink.numOutputRows == 2
    operator = query.lastProgress.stateOperators[0]
    assert (operator.operatorName, operator.numRowsTotal, operator.numRowsUpdated) == ("dedupe", 2, 2)
    assert {"addBatch", "getBatch", "latestOffset", "triggerExecution", "walCommit"} <= set(progress["durationMs"])


def test_foreach_batch_gets_each_batch_as_a_dataframe_of_the_session(
    spark: Any, json_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = json_folder(*LINES)
    json_folder('{"a":4,"k":"x"}')
    out = tmp_path / "out"
    spark.createDataFrame([("x", 10), ("y", 20)], ["k", "factor"]).createOrReplaceTempView("factors")

    def scale(batch: Any, number: int) -> None:
        factors = batch.sparkSession.table("factors")
        batch.join(factors, "k").selectExpr("a * factor AS scaled").write.json(f"{out}/{number}")

    df = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).json(str(folder))
    drained(df.writeStream.foreachBatch(scale))
    assert sorted(row.scaled for row in spark.read.json(f"{out}/0").collect()) == [10, 30, 40]
    assert [row.scaled for row in spark.read.json(f"{out}/1").collect()] == [40]


def test_foreach_gets_rows_and_the_batch(spark: Any, json_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = json_folder(*LINES)
    seen = tmp_path / "seen"

    class Writer:
        def open(self, partition: int, epoch: int) -> bool:
            self.file = seen.open("a")
            self.file.write(f"open {epoch}\n")
            return True

        def process(self, row: Any) -> None:
            self.file.write(f"{row.a}{row.k}\n")

        def close(self, error: Exception | None) -> None:
            self.file.write(f"close {error}\n")
            self.file.close()

    drained(spark.readStream.schema(SCHEMA).json(str(folder)).writeStream.foreach(Writer()))
    assert seen.read_text().split("\n") == ["open 0", "1x", "2y", "3x", "close None", ""]


def test_the_console_shows_batches_as_spark_does(
    spark: Any, json_folder: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = json_folder(*LINES[:1])
    drained(spark.readStream.schema(SCHEMA).json(str(folder)).writeStream.format("console"))
    line = "-" * 43
    assert (
        f"{line}\nBatch: 0\n{line}\n+---+---+\n|  a|  k|\n+---+---+\n|  1|  x|\n+---+---+\n\n" in capfd.readouterr().out
    )


@pytest.mark.parametrize("kind", ["json", "csv", "parquet"])
def test_files_are_written_once_and_named_by_their_batch(
    spark: Any, json_folder: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    folder = json_folder(*LINES)
    out, checkpoint = tmp_path / "out", tmp_path / "checkpoint"

    def run() -> Any:
        df = spark.readStream.schema(SCHEMA).json(str(folder))
        writer = df.writeStream.format(kind).option("checkpointLocation", str(checkpoint)).trigger(availableNow=True)
        query = writer.start(str(out))
        assert query.awaitTermination(TIMEOUT_S)
        return query

    first = run()
    json_folder('{"a":4,"k":"z"}')
    second = run()
    assert first.id == second.id and first.runId != second.runId
    assert spark.read.schema(SCHEMA).format(kind).load(str(out)).count() == 4
    names = [f"part-00000-{first.id}-batch-{number}" for number in (0, 1)]
    assert sorted(path.name.split(".")[0] for path in out.iterdir()) == names


def test_columns_of_directories_are_read_with_their_types(spark: Any, tmp_path: Path) -> None:
    folder = tmp_path / "k=in"
    for name in ("k=x/n=1", "k=a%20b/n=2", "k=__HIVE_DEFAULT_PARTITION__/n=3"):
        (folder / name).mkdir(parents=True)
        (folder / name / "rows.json").write_text('{"a":7}')
    df = spark.readStream.schema("n bigint, a int, k string").json(str(folder))
    drained(df.writeStream.format("memory").queryName("leveled"))
    rows = spark.table("leveled").orderBy("n").collect()
    assert list(map(tuple, rows)) == [(1, 7, "x"), (2, 7, "a b"), (3, 7, None)]


def test_two_queries_write_into_one_directory(spark: Any, json_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = json_folder(*LINES)
    out = tmp_path / "out"

    def run(checkpoint: str) -> None:
        df = spark.readStream.schema(SCHEMA).json(str(folder))
        writer = df.writeStream.partitionBy("k").option("checkpointLocation", str(tmp_path / checkpoint))
        assert writer.trigger(availableNow=True).start(str(out)).awaitTermination(TIMEOUT_S)

    run("one")
    run("two")
    assert spark.read.parquet(str(out)).count() == 2 * len(LINES)
    # the commit of a batch is lost: it is repeated, and replaces its own files alone
    checkpoint = Checkpoint(tmp_path / "two")
    lost = checkpoint._store.batch()
    for key, _ in list(checkpoint._store.items(family="commits")):
        lost.delete(key, checkpoint._store.family("commits"))
    checkpoint._store.write(lost)
    checkpoint.close()
    run("two")
    assert spark.read.parquet(str(out)).count() == 2 * len(LINES)


def test_partitioned_files_are_in_directories_of_their_values(
    spark: Any, json_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = json_folder(*LINES)
    out = tmp_path / "out"
    df = spark.readStream.schema(SCHEMA).json(str(folder))
    writer = df.writeStream.partitionBy("k").format("json").option("checkpointLocation", str(tmp_path / "c"))
    query = writer.trigger(availableNow=True).start(str(out))
    assert query.awaitTermination(TIMEOUT_S)
    assert sorted(path.name for path in out.iterdir()) == ["k=x", "k=y"]


@pytest.mark.parametrize(("kind", "text"), [("csv", "1,x\n2,y\n"), ("text", "one\ntwo\n")])
def test_other_formats_are_read_as_well(spark: Any, tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / f"a.{kind}").write_text(text)
    reader = spark.readStream.format(kind)
    df = (reader.schema(SCHEMA) if kind == "csv" else reader).load(str(tmp_path))
    drained(df.writeStream.format("memory").queryName(f"of_{kind}"))
    found = [tuple(row) for row in spark.table(f"of_{kind}").collect()]
    assert found == ([(1, "x"), (2, "y")] if kind == "csv" else [("one",), ("two",)])


def test_the_rate_source_counts(spark: Any) -> None:
    df = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 10).load()
    query = df.writeStream.format("memory").queryName("counted").trigger(availableNow=True).start()
    assert query.awaitTermination(TIMEOUT_S)
    assert [row.value for row in spark.table("counted").collect()] == list(range(10))


def test_lines_come_from_a_socket(spark: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            peer, _ = server.accept()
            peer.sendall(b"one\ntwo\n")
            peer.recv(1)
            peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        df = spark.readStream.format("socket").option("host", "127.0.0.1").option("port", port).load()
        query = df.writeStream.format("memory").queryName("lines").start()
        deadline = time.monotonic() + TIMEOUT_S
        while spark.table("lines").count() < 2:
            assert time.monotonic() < deadline
        query.stop()
        thread.join(TIMEOUT_S)
    assert [row.value for row in spark.table("lines").collect()] == ["one", "two"]


def test_a_stream_joins_a_table(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    names = spark.createDataFrame([("x", "ex")], ["k", "name"])
    df = spark.readStream.schema(SCHEMA).json(str(folder)).join(names, "k", "left")
    drained(df.writeStream.format("memory").queryName("joined"))
    assert sorted((row.a, row.name) for row in spark.table("joined").collect()) == [(1, "ex"), (2, None), (3, "ex")]


def test_sql_reads_a_view_of_a_stream(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    spark.readStream.schema(SCHEMA).json(str(folder)).createOrReplaceTempView("incoming")
    df = spark.sql("SELECT a + 1 AS next FROM incoming WHERE k = 'x'")
    assert df.isStreaming
    drained(df.writeStream.format("memory").queryName("nexts"))
    assert sorted(row.next for row in spark.table("nexts").collect()) == [2, 4]


def test_sql_aggregates_a_view_of_a_stream(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    json_folder('{"a":4,"k":"x"}')
    df = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).json(str(folder))
    df.createOrReplaceTempView("summed")
    totals = spark.sql("SELECT upper(k) AS big, count(*) AS n, sum(a + 1) s FROM summed WHERE a <> 2 GROUP BY upper(k)")
    drained(totals.writeStream.outputMode("complete").format("memory").queryName("sums"))
    assert [tuple(row) for row in spark.table("sums").collect()] == [("X", 3, 11)]


def test_a_memory_table_is_a_view_that_can_be_dropped_and_replaced(
    spark: Any, json_folder: Callable[..., Path]
) -> None:
    folder = json_folder(*LINES)
    df = spark.readStream.schema(SCHEMA).json(str(folder))
    drained(df.writeStream.format("memory").queryName("kept"))
    assert spark.catalog.tableExists("kept")
    spark.range(2).createOrReplaceTempView("kept")
    assert spark.table("kept").count() == 2
    drained(df.writeStream.format("memory").queryName("dropped"))
    assert spark.catalog.dropTempView("dropped")
    assert not spark.catalog.tableExists("dropped")


def test_queries_are_known_by_id_while_they_run(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    df = spark.readStream.schema(SCHEMA).json(str(folder))
    query = df.writeStream.format("memory").queryName("known").start()
    assert "known" in [one.name for one in spark.streams.active]
    assert spark.streams.get(query.id).runId == query.runId
    assert query.isActive
    query.processAllAvailable()
    assert not query.status["isDataAvailable"]
    assert query.awaitTermination(0.01) is False
    query.stop()
    assert not query.isActive
    assert query.status["message"] == "Stopped"
    assert query.awaitTermination(TIMEOUT_S)
    assert spark.streams.get(query.id) is None
    assert spark.table("known").count() == 3


def test_a_failed_function_ends_its_query_with_sparks_error(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)

    def broken(batch: Any, number: int) -> None:
        raise ValueError("no such luck")

    spark.streams.resetTerminated()
    query = spark.readStream.schema(SCHEMA).json(str(folder)).writeStream.foreachBatch(broken).start()
    with pytest.raises(StreamingQueryException, match="no such luck") as raised:
        query.awaitTermination()
    assert raised.value.getCondition() == "STREAM_FAILED"
    assert "FOREACH_BATCH_USER_FUNCTION_ERROR" in str(query.exception())
    with pytest.raises(StreamingQueryException, match="no such luck"):
        spark.streams.awaitAnyTermination()
    spark.streams.resetTerminated()
    assert spark.streams.awaitAnyTermination(0.01) is False


def test_listeners_get_the_events_of_a_query(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    events: list[str] = []
    ended = threading.Event()

    class Listener(StreamingQueryListener):
        def onQueryStarted(self, event: Any) -> None:
            events.append(f"started {event.name}")

        def onQueryProgress(self, event: Any) -> None:
            events.append(f"progress {event.progress.batchId}")

        def onQueryTerminated(self, event: Any) -> None:
            events.append(f"terminated {event.exception}")
            ended.set()

    listener = Listener()
    spark.streams.addListener(listener)
    drained(spark.readStream.schema(SCHEMA).json(str(folder)).writeStream.format("memory").queryName("heard"))
    assert ended.wait(TIMEOUT_S)
    spark.streams.removeListener(listener)
    assert events == ["started heard", "progress 0", "terminated None"]


def test_a_query_that_is_started_again_replaces_its_active_run(
    spark: Any, json_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = json_folder(*LINES)

    def start() -> Any:
        df = spark.readStream.schema(SCHEMA).json(str(folder))
        return df.writeStream.format("noop").option("checkpointLocation", str(tmp_path / "c")).start()

    first = start()
    first.processAllAvailable()
    second = start()
    second.processAllAvailable()
    assert not first.isActive and second.isActive
    assert second.recentProgress == []  # all was read by the first
    second.stop()


def test_a_processing_time_trigger_waits_for_its_interval(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    df = spark.readStream.schema(SCHEMA).json(str(folder))
    query = df.writeStream.format("noop").trigger(processingTime="1 hour").start()
    deadline = time.monotonic() + TIMEOUT_S
    while not query.recentProgress:
        assert time.monotonic() < deadline
    json_folder('{"a":4,"k":"z"}')
    assert not query.awaitTermination(0.1)
    assert len(query.recentProgress) == 1
    query.stop()


def test_once_reads_everything_in_one_batch(spark: Any, json_folder: Callable[..., Path]) -> None:
    folder = json_folder(*LINES)
    json_folder('{"a":4,"k":"z"}')
    df = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).json(str(folder))
    query = df.writeStream.format("noop").trigger(once=True).start()
    assert query.awaitTermination(TIMEOUT_S)
    assert [one.numInputRows for one in query.recentProgress] == [4]
