"""The kafka data source: ranges, columns, options as in Spark's own, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from smackbox.base.errors import SettingError
from smackbox.net.service import ServiceThread
from smackbox.spark import session
from smackbox.spark.kafka_client import client_settings
from smackbox.spark.kafka_source import KafkaReader


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    one = session()
    yield one
    one.stop()


@pytest.fixture
def read(spark: Any, topic: Any) -> Any:
    def frame(**options: Any) -> Any:
        chosen = {"kafka.bootstrap.servers": topic.kafka, **{name: str(value) for name, value in options.items()}}
        if not {"assign", "subscribePattern", "subscribe"} & set(options):
            chosen["subscribe"] = topic.name
        return spark.read.format("kafka").options(**chosen).load()

    return frame


def values(frame: Any) -> list[bytes]:
    return sorted(row["value"] for row in frame.toArrow().to_pylist())


def test_every_column_of_a_record(read: Any, topic: Any) -> None:
    producer = Producer({"bootstrap.servers": topic.kafka})
    headers = [("h", b"1"), ("h", None)]
    producer.produce(topic.name, b"value", b"key", headers=headers, timestamp=1_443_700_800_123)
    producer.produce(topic.name, None, None, timestamp=1)
    assert producer.flush(20) == 0
    assert "headers" not in read().columns
    first, second = sorted(read(includeHeaders=True).toArrow().to_pylist(), key=lambda row: row["offset"])
    moment = datetime(2015, 10, 1, 12, tzinfo=UTC) + timedelta(milliseconds=123)
    assert first == {
        "key": b"key",
        "value": b"value",
        "topic": topic.name,
        "partition": 0,
        "offset": 0,
        "timestamp": moment,
        "timestampType": 0,
        "headers": [{"key": "h", "value": b"1"}, {"key": "h", "value": None}],
    }
    assert (second["key"], second["value"], second["headers"]) == (None, None, None)


def test_ranges_are_cut_by_the_rows_limit_and_read_whole(read: Any, make_topic: Any) -> None:
    topic = make_topic(3)
    topic.put(*(b"%d" % number for number in range(1000)))
    options = {"kafka.bootstrap.servers": topic.kafka, "subscribe": topic.name, "maxRecordsPerPartition": "100"}
    ranges = KafkaReader(options).partitions()
    assert len(ranges) == 12
    assert values(read(subscribe=topic.name, maxRecordsPerPartition=100)) == sorted(b"%d" % n for n in range(1000))


def test_offsets_as_json(read: Any, topic: Any) -> None:
    topic.put(*(b"%d" % number for number in range(10)))
    start, end = ({topic.name: {"0": offset}} for offset in (2, 5))
    assert values(read(startingOffsets=json.dumps(start), endingOffsets=json.dumps(end))) == [b"2", b"3", b"4"]
    words = ({topic.name: {"0": offset}} for offset in (-2, -1))
    start, end = words
    assert len(values(read(startingOffsets=json.dumps(start), endingOffsets=json.dumps(end)))) == 10
    assert values(read(startingOffsets="latest")) == []


def test_the_source_has_a_name_that_spark_has_not_taken(spark: Any, topic: Any) -> None:
    topic.put(b"x")
    options = {"kafka.bootstrap.servers": topic.kafka, "subscribe": topic.name}
    assert spark.read.format("smack_kafka").options(**options).load().count() == 1


def test_topics_by_pattern_and_by_assignment(read: Any, make_topic: Any) -> None:
    one, two = make_topic(2), make_topic(2)
    one.put(b"a", partition=0)
    one.put(b"b", partition=1)
    two.put(b"c", partition=0)
    assert values(read(subscribePattern=f"{one.name}|{two.name}")) == [b"a", b"b", b"c"]
    assert values(read(subscribe=f"{one.name},{two.name}")) == [b"a", b"b", b"c"]
    assert values(read(assign=json.dumps({one.name: [1]}))) == [b"b"]


def test_aborted_records_are_not_read_and_the_range_still_ends(read: Any, topic: Any) -> None:
    topic.put(b"before")
    producer = Producer({"bootstrap.servers": topic.kafka, "transactional.id": topic.name})
    producer.init_transactions(20)
    for value, finish in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic.name, value)
        finish(20)
    assert values(read()) == [b"before", b"committed"]


def test_lost_offsets_are_an_error_unless_told_otherwise(read: Any, topic: Any) -> None:
    topic.put(b"x")
    end = json.dumps({topic.name: {"0": 100}})
    with pytest.raises(Exception, match="holds offsets 0 to 1, not 0 to 100"):
        read(endingOffsets=end).count()
    assert read(endingOffsets=end, failOnDataLoss="false").count() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subscribe": "no-such-topic"}, "there is no topic 'no-such-topic'"),
        ({"startingOffset": "earliest"}, "no option 'startingoffset'.*did you mean 'startingOffsets'"),
        ({"assign": "{}", "subscribe": "x"}, "needs one of the options"),
        ({"startingOffsets": "tomorrow"}, "must be earliest, latest or JSON"),
        ({"startingTimestamp": "tomorrow"}, "startingTimestamp must be a number"),
        ({"startingOffsetsByTimestamp": "{}"}, "startingOffsetsByTimestamp must be JSON .*milliseconds"),
        ({"startingOffsetsByTimestampStrategy": "first"}, "must be error or latest, not 'first'"),
        ({"kafka.value.deserializer": "x"}, "decides kafka.value.deserializer itself"),
    ],
)
def test_options_that_cannot_be_are_errors(read: Any, options: dict[str, str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        read(**options).count()


def test_offsets_by_time(read: Any, make_topic: Any) -> None:
    topic = make_topic(2)
    producer = Producer({"bootstrap.servers": topic.kafka})
    for number in range(10):
        producer.produce(topic.name, b"%d" % number, partition=number % 2, timestamp=1_000 * (number + 1))
    assert producer.flush(20) == 0
    of = {"subscribe": topic.name}
    assert values(read(**of, startingTimestamp=3_500, endingTimestamp=6_000)) == [b"3", b"4"]
    start = json.dumps({topic.name: {"0": 9_000, "1": -2}})
    end = json.dumps({topic.name: {"0": 99_000, "1": 4_000}})
    found = read(**of, startingOffsetsByTimestamp=start, endingOffsetsByTimestamp=end)
    assert values(found) == [b"1", b"8"]
    # the time goes before offsets, as in Spark
    assert len(values(read(**of, startingTimestamp=10_000, startingOffsets="earliest",
                           startingOffsetsByTimestampStrategy="latest"))) == 1  # fmt: skip
    with pytest.raises(Exception, match="no record at or after 10000 ms"):
        read(**of, startingTimestamp=10_000).count()


def test_a_least_number_of_partitions(make_topic: Any) -> None:
    topic = make_topic(2)
    topic.put(*(b"x" for _ in range(100)))
    options = {"kafka.bootstrap.servers": topic.kafka, "subscribe": topic.name, "minPartitions": "7"}
    ranges = KafkaReader(options).partitions()
    assert len(ranges) >= 7
    assert sum(span.end - span.start for span in ranges) == 100


def test_records_are_written_and_read_back(spark: Any, read: Any, make_topic: Any) -> None:
    one, two = make_topic(2), make_topic(2)
    rows = [(f"k{n}", b"v%d" % n, one.name if n % 2 else two.name, n % 4 // 2, [("h", b"%d" % n)]) for n in range(500)]
    frame = spark.createDataFrame(
        [*rows, ("gone", None, one.name, 0, None)],
        "key string, value binary, topic string, partition int, headers array<struct<key: string, value: binary>>",
    )
    writer = frame.write.format("kafka").option("kafka.bootstrap.servers", one.kafka)
    writer.option("includeHeaders", "true").save()
    found = read(subscribe=f"{one.name},{two.name}", includeHeaders=True).toArrow().to_pylist()
    assert sorted(
        (r["key"], r["topic"], r["partition"], [*r["headers"][0].values()]) for r in found if r["value"]
    ) == sorted((key.encode(), topic, partition, list(headers[0])) for key, _, topic, partition, headers in rows)
    assert [(row["key"], row["headers"]) for row in found if row["value"] is None] == [(b"gone", None)]
    texts = spark.sql("SELECT CAST(id AS STRING) AS value FROM range(300)")
    texts.write.format("smack_kafka").options(**{"kafka.bootstrap.servers": one.kafka, "TOPIC": two.name}).mode(
        "append"
    ).save()
    assert read(subscribe=two.name).where("key IS NULL").count() == 300


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("SELECT 1 AS value", {"topic": "t"}, "the column value has the type int32"),
        ("SELECT 'x' AS valu", {"topic": "t"}, "no column 'valu' .did you mean 'value'"),
        ("SELECT 'x' AS value", {}, "needs the option topic or a column topic"),
        ("SELECT 'x' AS value, CAST(NULL AS STRING) AS topic", {}, "null topic"),
        ("SELECT 'x' AS value", {"topik": "t"}, "no option 'topik' .did you mean 'topic'"),
        ("SELECT repeat('x', 3000000) AS value", {"topic": "t"}, "MSG_SIZE_TOO_LARGE|too large"),
    ],
)
def test_what_makes_no_record_is_refused(
    spark: Any, kafka: str, query: str, options: dict[str, str], message: str
) -> None:
    writer = spark.sql(query).write.format("kafka").option("kafka.bootstrap.servers", kafka)
    with pytest.raises(Exception, match=message):
        writer.options(**options).save()


def test_a_topic_is_not_overwritten(spark: Any, topic: Any) -> None:
    writer = spark.sql("SELECT 'x' AS value").write.format("kafka").option("kafka.bootstrap.servers", topic.kafka)
    with pytest.raises(Exception, match="not overwritten"):
        writer.option("topic", topic.name).mode("overwrite").save()


def test_gaps_of_compaction_are_exact() -> None:
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    config = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    with ServiceThread(KafkaServer(KafkaSettings(log_cleaner_backoff_ms=100))) as server:
        admin = AdminClient({"bootstrap.servers": server.url})
        admin.create_topics([NewTopic("t", 1, 1, config=config)])["t"].result(20)
        producer = Producer({"bootstrap.servers": server.url, "linger.ms": 0})
        options = {"kafka.bootstrap.servers": server.url, "subscribe": "t", "maxRecordsPerPartition": "7"}
        reader = KafkaReader(options)
        count, found = 0, []
        deadline = time.monotonic() + 60
        # until the cleaner has been there: some offsets are missing, and none of the last of each key
        while len(found) == count:
            assert time.monotonic() < deadline, "nothing was compacted"
            for _ in range(30):
                producer.produce("t", b"%d" % count, b"%d" % (count % 3))
                count += 1
            assert producer.flush(20) == 0
            found = [row for span in reader.partitions() for batch in reader.read(span) for row in batch.to_pylist()]
    assert [row["offset"] for row in found] == sorted({int(row["value"]) for row in found})
    assert all(int(row["value"]) == row["offset"] for row in found)
    assert {count - 1, count - 2, count - 3} <= {row["offset"] for row in found}


def test_a_jaas_line_becomes_user_and_password() -> None:
    line = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="a\\"b";'
    assert client_settings({"sasl.jaas.config": line, "max.poll.records": "5", "sasl.mechanism": "PLAIN"}) == {
        "sasl.username": "u",
        "sasl.password": 'a"b',
        "sasl.mechanism": "PLAIN",
    }
    with pytest.raises(SettingError, match=r"give kafka\.sasl\.username"):
        client_settings({"sasl.jaas.config": "com.sun.security.auth.module.Krb5LoginModule required;"})
    with pytest.raises(SettingError, match="PEM"):
        client_settings({"ssl.truststore.location": "/x.jks"})
