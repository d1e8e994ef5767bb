"""The kafka data source: ranges, columns, options as in Spark's own, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Producer

from smackbox.spark import session
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
    first, second = sorted(read().toArrow().to_pylist(), key=lambda row: row["offset"])
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
        ({"startingOffset": "earliest"}, "no option 'startingoffset'.*did you mean 'startingoffsets'"),
        ({"assign": "{}", "subscribe": "x"}, "needs one of the options"),
        ({"startingOffsets": "tomorrow"}, "must be earliest, latest or JSON"),
    ],
)
def test_options_that_cannot_be_are_errors(read: Any, options: dict[str, str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        read(**options).count()
