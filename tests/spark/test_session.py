"""Sessions: embedded and by URL, light imports, the server, and a stream's function on them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from smackbox.base.errors import StartError
from smackbox.net.service import ServiceThread
from smackbox.spark import session
from smackbox.spark.connect import embedded_url
from smackbox.spark.server import SparkServer
from smackbox.spark.settings import SparkSettings
from smackbox.spark.streaming.errors import StreamError

TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with_sources = session(app_name="test")
    yield with_sources
    with_sources.stop()


def test_importing_the_room_is_light() -> None:
    script = "import sys, smackbox.spark, smackbox.spark.streaming; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert not {"pyspark", "pyarrow", "pysail", "confluent_kafka", "cassandra"} & set(out.stdout.split())


def test_an_embedded_session_answers(spark: Any) -> None:
    assert spark.sql("SELECT 1 + 1 AS two").toArrow().to_pylist() == [{"two": 2}]


def test_sessions_share_the_embedded_server_and_nothing_else(spark: Any) -> None:
    other = session()
    spark.range(1).createOrReplaceTempView("mine")
    assert not other.catalog.tableExists("mine")
    assert spark.catalog.tableExists("mine")
    other.stop()


def test_the_server_serves_sessions_by_its_url() -> None:
    with ServiceThread(SparkServer(SparkSettings())) as server:
        assert server.url.startswith("sc://127.0.0.1:")
        spark = session(server.url)
        assert spark.range(5).count() == 5
        spark.stop()


def test_a_taken_port_is_one_clear_error(spark: Any) -> None:
    port = int(embedded_url().rpartition(":")[2])
    with pytest.raises(StartError, match=f"cannot listen on 127.0.0.1:{port}"):
        ServiceThread(SparkServer(SparkSettings(port=port))).start()


def test_the_server_does_not_open_itself_to_the_world() -> None:
    with pytest.raises(StartError, match="without authentication"):
        ServiceThread(SparkServer(SparkSettings(host="0.0.0.0"))).start()


def count(batch: Any) -> Any:
    from pyspark.sql.functions import count, when

    return batch.groupBy("campaign").agg(
        count(when(batch.type == "view", 1)).alias("views"), count(when(batch.type == "click", 1)).alias("clicks")
    )


def test_a_function_makes_totals(streams: Any, topic: Any) -> None:
    table = streams.total_table()
    with streams.runner(table, count, unique="id", max_rows_per_batch=40) as runner:
        topic.put(*(streams.event(number) for number in range(90)), streams.event(1))
        reports = streams.drain(runner, 91)
    assert len(reports) == 3
    assert table.rows == {"c0": (22, 8), "c1": (22, 8), "c2": (23, 7)}


def test_a_function_that_fails_stops_the_stream_and_its_batch_stays_planned(streams: Any, topic: Any) -> None:
    def broken(batch: Any) -> Any:
        return batch.select("nothing")

    topic.put(streams.event(1))
    table = streams.total_table()
    with streams.runner(table, broken) as runner:
        with pytest.raises(StreamError, match="the function of stream stream failed"):
            runner.step()
        assert runner.checkpoint.plan() is not None
    with streams.runner(table, count) as runner:
        streams.drain(runner, 1)
    assert table.rows == {"c1": (1, 0)}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda _: 5, "must return a DataFrame, not int"),
        (lambda batch: batch.select("id"), "lacks 'campaign'"),
        (lambda batch: batch.selectExpr("campaign", "amount"), "'amount', which is no column of ks.t"),
        (lambda batch: batch.selectExpr("campaign", "'x' AS views"), "does not fit the table|refuses a row"),
    ],
)
def test_a_result_that_does_not_fit_names_what_is_wrong(streams: Any, topic: Any, function: Any, message: str) -> None:
    topic.put(streams.event(1), streams.event(1))
    with streams.runner(streams.total_table(), function) as runner, pytest.raises(StreamError, match=message):
        runner.step()


@pytest.mark.filterwarnings("ignore:.RETRIES_EXCEEDED")
def test_a_spark_that_is_gone_is_waited_for(streams: Any, topic: Any) -> None:
    table = streams.total_table()
    topic.put(streams.event(1))
    first = ServiceThread(SparkServer(SparkSettings()))
    first.start()
    port = int(first.url.rpartition(":")[2])
    second = ServiceThread(SparkServer(SparkSettings(port=port)))
    starting: list[threading.Thread] = []

    def at(step: str) -> None:
        if step == "planned" and not starting:
            first.stop()
            starting.append(threading.Timer(0.5, second.start))
            starting[0].start()

    with streams.runner(table, count, at=at, spark=first.url) as runner:
        streams.drain(runner, 1)
    second.stop()
    assert table.rows == {"c1": (1, 0)}
