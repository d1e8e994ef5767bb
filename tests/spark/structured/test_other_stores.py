"""Streams to and from other stores: Python data sources of the client, and Cassandra as sink and as the static side."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql.datasource import (
    DataSource,
    DataSourceStreamReader,
    DataSourceStreamWriter,
    InputPartition,
    SimpleDataSourceStreamReader,
    WriterCommitMessage,
)

from smackbox.net.service import ServiceThread

TIMEOUT_S = 60


class Span(InputPartition):
    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end


class CountingReader(DataSourceStreamReader):
    """Ten rows a batch, up to a limit."""

    def __init__(self, options: dict[str, str]) -> None:
        self.limit = int(options["rows"])

    def initialOffset(self) -> dict[str, int]:
        return {"at": 0}

    def latestOffset(self, start: dict[str, int], limit: Any) -> dict[str, int]:
        return {"at": min(self.limit, start["at"] + 10)}

    def partitions(self, start: dict[str, int], end: dict[str, int]) -> list[Span]:
        middle = (start["at"] + end["at"]) // 2
        return [Span(start["at"], middle), Span(middle, end["at"])]

    def read(self, partition: Span) -> Iterator[Any]:
        yield from ((number, f"n{number}") for number in range(partition.start, partition.end))


class Counting(DataSource):
    @classmethod
    def name(cls) -> str:
        return "counting"

    def schema(self) -> str:
        return "number int, name string"

    def streamReader(self, schema: Any) -> CountingReader:
        return CountingReader(self.options)


class SimpleReader(SimpleDataSourceStreamReader):
    def initialOffset(self) -> dict[str, int]:
        return {"at": 0}

    def read(self, start: dict[str, int]) -> tuple[Iterator[Any], dict[str, int]]:
        end = min(start["at"] + 3, 7)
        return iter([(number,) for number in range(start["at"], end)]), {"at": end}

    def readBetweenOffsets(self, start: dict[str, int], end: dict[str, int]) -> Iterator[Any]:
        return iter([(number,) for number in range(start["at"], end["at"])])


class Simple(DataSource):
    @classmethod
    def name(cls) -> str:
        return "simple"

    def schema(self) -> str:
        return "number int"

    def simpleStreamReader(self, schema: Any) -> SimpleReader:
        return SimpleReader()


class Written(WriterCommitMessage):
    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows


class NotingWriter(DataSourceStreamWriter):
    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, iterator: Iterator[Any]) -> Written:
        return Written([row.number for row in iterator])

    def commit(self, messages: list[Any], batchId: int) -> None:
        with Path(self.path).open("a") as file:
            file.write(f"{batchId}: {[row for message in messages for row in message.rows]}\n")


class Noting(DataSource):
    @classmethod
    def name(cls) -> str:
        return "noting"

    def streamWriter(self, schema: Any, overwrite: bool) -> NotingWriter:
        return NotingWriter(self.options["path"])


def test_a_python_source_is_read_by_its_offsets(spark: Any) -> None:
    spark.dataSource.register(Counting)
    df = spark.readStream.format("counting").option("rows", 25).load()
    assert df.schema.simpleString() == "struct<number:int,name:string>"
    query = df.writeStream.format("memory").queryName("counting").start()
    query.processAllAvailable()
    query.stop()
    assert [row.number for row in spark.table("counting").collect()] == list(range(25))
    assert [one.numInputRows for one in query.recentProgress] == [10, 10, 5]


def test_a_simple_python_source_is_read_once(spark: Any) -> None:
    spark.dataSource.register(Simple)
    query = spark.readStream.format("simple").load().writeStream.format("memory").queryName("simple").start()
    query.processAllAvailable()
    query.stop()
    assert [row.number for row in spark.table("simple").collect()] == list(range(7))


def test_a_python_writer_commits_batches(spark: Any, tmp_path: Path) -> None:
    spark.dataSource.register(Counting)
    spark.dataSource.register(Noting)
    df = spark.readStream.format("counting").option("rows", 12).load()
    writer = df.writeStream.format("noting").option("checkpointLocation", str(tmp_path / "c"))
    query = writer.option("path", str(tmp_path / "noted")).start()
    query.processAllAvailable()
    query.stop()
    assert (tmp_path / "noted").read_text() == f"0: {list(range(10))}\n1: [10, 11]\n"


@pytest.fixture(scope="module")
def cassandra() -> Iterator[str]:
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings
    from smackbox.spark.cql_sessions import close_shared_sessions

    with ServiceThread(CassandraServer(CassandraSettings())) as server:
        yield server.url
        close_shared_sessions()


def test_rows_are_upserted_into_cassandra_and_joined_from_it(
    spark: Any, cassandra: str, json_folder: Callable[..., Path], tmp_path: Path
) -> None:
    from smackbox.spark.cql_session import CqlSession

    keyspace = f"ks_{uuid.uuid4().hex}"
    cql = CqlSession(cassandra)
    cql.session.execute(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    )
    cql.session.execute(f"CREATE TABLE {keyspace}.factors (k text PRIMARY KEY, factor int)")
    cql.session.execute(f"CREATE TABLE {keyspace}.totals (k text PRIMARY KEY, s bigint)")
    cql.session.execute(f"INSERT INTO {keyspace}.factors (k, factor) VALUES ('x', 10)")
    folder = json_folder('{"a":1,"k":"x"}', '{"a":2,"k":"y"}')
    json_folder('{"a":3,"k":"x"}')
    options = {"contact": cassandra, "keyspace": keyspace}
    factors = spark.read.format("cassandra").options(**options, table="factors").load()
    df = spark.readStream.schema("a int, k string").option("maxFilesPerTrigger", 1).json(str(folder))
    totals = df.join(factors, "k").selectExpr("k", "a * factor AS v").groupBy("k").agg({"v": "sum"}).toDF("k", "s")
    writer = totals.writeStream.outputMode("update").format("cassandra").options(**options, table="totals")
    query = writer.option("checkpointLocation", str(tmp_path)).trigger(availableNow=True).start()
    assert query.awaitTermination(TIMEOUT_S)
    assert [tuple(row) for row in cql.session.execute(f"SELECT k, s FROM {keyspace}.totals")] == [("x", 40)]
    cql.close()


def test_arrow_batches_of_a_python_source(spark: Any) -> None:
    class ArrowReader(CountingReader):
        def read(self, partition: Span) -> Iterator[Any]:
            numbers = list(range(partition.start, partition.end))
            yield pa.RecordBatch.from_pydict({"number": pa.array(numbers, pa.int32()), "name": [""] * len(numbers)})

    class Arrow(Counting):
        @classmethod
        def name(cls) -> str:
            return "arrow_counting"

        def streamReader(self, schema: Any) -> ArrowReader:
            return ArrowReader(self.options)

    spark.dataSource.register(Arrow)
    df = spark.readStream.format("arrow_counting").option("rows", 4).load()
    query = df.writeStream.format("memory").queryName("arrow_counting").start()
    query.processAllAvailable()
    query.stop()
    assert [row.number for row in spark.table("arrow_counting").collect()] == [0, 1, 2, 3]
