"""A plain pyspark client on `smack spark serve`, over the network: reattachable calls, Spark's own example programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

from smackbox.net.service import ServiceThread
from smackbox.spark.connect import quiet
from smackbox.spark.server import SparkServer
from smackbox.spark.settings import SparkSettings

TIMEOUT_S = 60


def connected(url: str) -> Any:
    with quiet():
        from pyspark.sql.connect.session import SparkSession
    return SparkSession.Builder().remote(url).create()


@pytest.fixture(scope="module")
def plain() -> Iterator[Any]:
    with ServiceThread(SparkServer(SparkSettings())) as server:
        spark = connected(server.url)
        yield spark
        spark.stop()


def test_structured_network_word_count(plain: Any) -> None:
    """Spark's `structured_network_wordcount.py`, to a memory table."""
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            peer.sendall(b"apache spark\napache hadoop\n")
            peer.recv(1)
            peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        host, port = server.getsockname()
        lines = plain.readStream.format("socket").option("host", host).option("port", port).load()
        words = lines.select(F.explode(F.split(lines.value, " ")).alias("word"))
        query = words.groupBy("word").count().writeStream.outputMode("complete").format("memory").queryName("w").start()
        deadline = time.monotonic() + TIMEOUT_S
        while plain.table("w").groupBy().sum("count").collect()[0][0] != 4:
            assert time.monotonic() < deadline
        query.stop()
        thread.join(TIMEOUT_S)
    assert {row.word: row["count"] for row in plain.table("w").collect()} == {"apache": 2, "spark": 1, "hadoop": 1}


def test_foreach_batch_runs_in_a_session_of_the_server(
    plain: Any, json_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = json_folder('{"a":1}', '{"a":2}')
    plain.udf.register("twice", lambda x: 2 * x, "int")
    out = str(tmp_path / "out")

    def write(batch: Any, number: int) -> None:
        batch.createOrReplaceTempView("batch")
        batch.sparkSession.sql("SELECT twice(a) AS b FROM batch").write.mode("append").parquet(out)

    query = plain.readStream.schema("a int").json(str(folder)).writeStream.foreachBatch(write).start()
    query.processAllAvailable()
    query.stop()
    assert sorted(row.b for row in plain.read.parquet(out).collect()) == [2, 4]


def test_a_query_ends_with_the_session_that_started_it(json_folder: Callable[..., Path]) -> None:
    folder = json_folder('{"a":1}')
    server = SparkServer(SparkSettings())
    with ServiceThread(server):
        spark = connected(server.url)
        spark.readStream.schema("a int").json(str(folder)).writeStream.format("noop").start().processAllAvailable()
        front = server.running.front
        (query,) = [query for _, query in front.streams._queries.values()]
        spark.stop()
        assert query.ended
