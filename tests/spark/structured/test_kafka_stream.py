"""The kafka source and sink of streams, on our broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812 - as everyone writes it

from smackbox.spark.structured.sources.kafka import share

TIMEOUT_S = 60


def source(spark: Any, topic: Any, **options: Any) -> Any:
    known = {"kafka.bootstrap.servers": topic.kafka, "subscribe": topic.name, "startingOffsets": "earliest"}
    return spark.readStream.format("kafka").options(**{**known, **options}).load()


def read(spark: Any, df: Any, name: str) -> tuple[list[Any], Any]:
    query = df.writeStream.format("memory").queryName(name).trigger(availableNow=True).start()
    assert query.awaitTermination(TIMEOUT_S)
    return spark.table(name).collect(), query


def numbers(count: int, start: int = 0) -> list[bytes]:
    return [str(number).encode() for number in range(start, start + count)]


def test_records_come_once_with_sparks_columns(spark: Any, make_topic: Callable[..., Any]) -> None:
    topic = make_topic(3)
    topic.put(*numbers(10))
    df = source(spark, topic, includeHeaders="true")
    assert df.columns == ["key", "value", "topic", "partition", "offset", "timestamp", "timestampType", "headers"]
    rows, query = read(spark, df, "records")
    assert sorted(int(row.value) for row in rows) == list(range(10))
    assert {row.topic for row in rows} == {topic.name}
    assert json.loads(query.lastProgress.sources[0].endOffset) == {topic.name: {"0": 4, "1": 3, "2": 3}}
    assert query.lastProgress.sources[0].description == f"KafkaV2[Subscribe[{topic.name}]]"


def test_batches_are_bounded_from_the_first_on(spark: Any, make_topic: Callable[..., Any]) -> None:
    topic = make_topic(2)
    topic.put(*numbers(25))
    rows, query = read(spark, source(spark, topic, maxOffsetsPerTrigger=10), "bounded")
    counts = [one.numInputRows for one in query.recentProgress]
    assert sum(counts) == 25 and max(counts) <= 10 and len(counts) == 3
    assert sorted(int(row.value) for row in rows) == list(range(25))


def test_a_running_stream_gets_what_arrives(spark: Any, make_topic: Callable[..., Any]) -> None:
    topic = make_topic(2)
    topic.put(*numbers(4))
    writer = source(spark, topic, startingOffsets="latest").writeStream.format("memory").queryName("arriving")
    query = writer.start()
    query.processAllAvailable()
    for start in (4, 8):
        topic.put(*numbers(4, start))
        query.processAllAvailable()
    query.stop()
    assert sorted(int(row.value) for row in spark.table("arriving").collect()) == list(range(4, 12))


def test_starting_offsets_by_partition(spark: Any, make_topic: Callable[..., Any]) -> None:
    topic = make_topic(3)
    topic.put(*numbers(9))
    offsets = json.dumps({topic.name: {"0": -2, "1": 2, "2": -1}})
    rows, _ = read(spark, source(spark, topic, startingOffsets=offsets), "offsets")
    assert sorted(int(row.value) for row in rows) == [0, 3, 6, 7]


@pytest.mark.parametrize("by", ["subscribePattern", "assign"])
def test_topics_by_pattern_and_partitions_by_number(spark: Any, make_topic: Callable[..., Any], by: str) -> None:
    topic = make_topic(2)
    topic.put(*numbers(4))
    value = f"{topic.name[:-1]}." if by == "subscribePattern" else json.dumps({topic.name: [1]})
    options = {"kafka.bootstrap.servers": topic.kafka, by: value, "startingOffsets": "earliest"}
    df = spark.readStream.format("kafka").options(**options).load()
    rows, _ = read(spark, df, f"by_{by}")
    assert sorted(int(row.value) for row in rows) == ([0, 1, 2, 3] if by == "subscribePattern" else [1, 3])


def test_json_of_records_is_aggregated_by_window(spark: Any, make_topic: Callable[..., Any]) -> None:
    topic = make_topic(1)
    topic.put(*(json.dumps({"at": f"2026-01-01 00:00:{s:02d}", "n": s}).encode() for s in (1, 2, 12, 40)))
    parsed = source(spark, topic).select(F.from_json(F.col("value").cast("string"), "at timestamp, n int").alias("j"))
    marked = parsed.select("j.*").withWatermark("at", "10 seconds")
    df = marked.groupBy(F.window("at", "10 seconds")).agg(F.sum("n").alias("s"))
    rows, _ = read(spark, df, "windowed")
    assert sorted((row.window.start.second, row.s) for row in rows) == [(0, 3), (10, 12)]


def test_rows_are_written_with_key_topic_and_headers(spark: Any, make_topic: Callable[..., Any], tmp_path: Any) -> None:
    topic, out = make_topic(1), make_topic(1)
    topic.put(*numbers(3))
    shaped = source(spark, topic).select(
        F.concat(F.lit("k"), F.col("value").cast("string")).alias("key"),
        "value",
        F.lit(out.name).alias("topic"),
        F.array(F.struct(F.lit("h").alias("key"), F.col("value"))).alias("headers"),
    )
    writer = shaped.writeStream.format("kafka").option("kafka.bootstrap.servers", topic.kafka)
    query = writer.option("checkpointLocation", str(tmp_path)).trigger(availableNow=True).start()
    assert query.awaitTermination(TIMEOUT_S)
    rows, _ = read(spark, source(spark, out, includeHeaders="true"), "written")
    assert [(bytes(row.key), bytes(row.value)) for row in rows] == [(b"k0", b"0"), (b"k1", b"1"), (b"k2", b"2")]
    assert bytes(rows[2].headers[0].value) == b"2"


def test_new_partitions_are_read_from_their_beginning(
    spark: Any, make_topic: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewPartitions

    monkeypatch.setattr("smackbox.spark.structured.sources.kafka.TOPICS_CHECK_S", 0.0)
    topic = make_topic(1)
    topic.put(*numbers(2))
    query = source(spark, topic).writeStream.format("memory").queryName("grown").start()
    query.processAllAvailable()
    admin = AdminClient({"bootstrap.servers": topic.kafka})
    (future,) = admin.create_partitions([NewPartitions(topic.name, 2)]).values()
    future.result(TIMEOUT_S)
    producer = Producer({"bootstrap.servers": topic.kafka})  # one that knows the new partition
    for value in numbers(2, 2):
        producer.produce(topic.name, value, partition=1)
    assert producer.flush(TIMEOUT_S) == 0
    query.processAllAvailable()
    query.stop()
    assert sorted(int(row.value) for row in spark.table("grown").collect()) == [0, 1, 2, 3]
    assert json.loads(query.lastProgress.sources[0].endOffset) == {topic.name: {"0": 2, "1": 2}}


def test_a_topic_that_was_made_again_is_data_loss(spark: Any, topic: Any, tmp_path: Any) -> None:
    def run(**options: Any) -> Any:
        writer = source(spark, topic, **options).writeStream.format("noop")
        query = writer.option("checkpointLocation", str(tmp_path)).trigger(availableNow=True).start()
        query.awaitTermination(TIMEOUT_S)
        return query

    topic.put(*numbers(5))
    run()
    topic.make_anew()
    topic.put(*numbers(2))
    with pytest.raises(PySparkException, match="Some data may have been lost.*was changed from 5 to 2"):
        run()
    assert run(failOnDataLoss="false").lastProgress is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"startingOffset": "x"}, "has no option 'startingoffset'.*startingoffsets"),
        ({"assign": "{}"}, "Only one of the following options"),
        ({"startingOffsets": "soon"}, "startingOffsets must be"),
        ({"subscribe": "no-such-topic"}, "there is no topic 'no-such-topic'"),
    ],
)
def test_options_that_cannot_be(spark: Any, topic: Any, options: dict[str, str], message: str) -> None:
    with pytest.raises(PySparkException, match=message):
        query = source(spark, topic, **options).writeStream.format("noop").trigger(availableNow=True).start()
        query.awaitTermination(TIMEOUT_S)


def test_a_sink_without_value_is_refused(spark: Any, topic: Any, tmp_path: Any) -> None:
    writer = source(spark, topic).select("key").writeStream.format("kafka").option("topic", "t")
    with pytest.raises(PySparkException, match="Required attribute 'value' not found"):
        writer.option("kafka.bootstrap.servers", topic.kafka).option("checkpointLocation", str(tmp_path)).start()


def test_a_limit_is_shared_by_what_partitions_hold() -> None:
    begin = {("t", 0): 0, ("t", 1): 0, ("t", 2): 5}
    ends = {("t", 0): 90, ("t", 1): 10, ("t", 2): 5}
    assert share(begin, ends, 10) == {("t", 0): 9, ("t", 1): 1, ("t", 2): 5}
    assert share(begin, ends, 1_000) == ends
    assert share({("t", 0): 0, ("t", 1): 0}, {("t", 0): 1_000, ("t", 1): 1}, 10)["t", 1] == 1
