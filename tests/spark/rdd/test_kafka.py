"""RDDs of exact offset ranges."""

from __future__ import annotations

import json
from typing import Any

import pytest
from confluent_kafka import Producer

from smackbox.base.errors import SettingError
from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.kafka import KafkaMessage, OffsetRange

TIMEOUT_S = 20.0


def produced(kafka: str, topic: str, records: list[tuple[str | None, str | None]], **options: Any) -> None:
    producer = Producer({"bootstrap.servers": kafka, **options})
    if "transactional.id" in options:
        producer.init_transactions(TIMEOUT_S)
    for outcome in ("abort", "commit") if "transactional.id" in options else ("",):
        if outcome:
            producer.begin_transaction()
        for key, value in records:
            producer.produce(topic, value, key, partition=0)
        producer.flush(TIMEOUT_S)
        if outcome == "abort":
            producer.abort_transaction(TIMEOUT_S)
        elif outcome:
            producer.commit_transaction(TIMEOUT_S)


@pytest.fixture(params=["local[1]", "local[2]"])
def sc(request: pytest.FixtureRequest) -> Any:
    with SparkContext(request.param) as context:
        yield context


def test_records_of_a_range_by_partition(sc: SparkContext, kafka: str, make_topic: Any) -> None:
    topic = make_topic(1).name
    produced(kafka, topic, [(f"k{number}", json.dumps(number)) for number in range(10)])
    ranges = [OffsetRange(topic, 0, 2, 5), OffsetRange(topic, 0, 5, 5), OffsetRange(topic, 0, 8, 10)]
    params = {"bootstrap.servers": kafka}
    rdd = sc.kafkaRDD(params, ranges, valueDecoder=json.loads)
    assert rdd.glom().collect() == [[("k2", 2), ("k3", 3), ("k4", 4)], [], [("k8", 8), ("k9", 9)]]
    assert rdd.offsetRanges() == ranges
    told = sc.kafkaRDD(params, ranges[:1], messageHandler=lambda record: (record.offset, record.key))
    assert told.collect() == [(2, "k2"), (3, "k3"), (4, "k4")]
    assert KafkaMessage._fields == ("topic", "partition", "offset", "key", "message")


def test_what_a_transaction_took_back_is_not_read(sc: SparkContext, kafka: str, make_topic: Any) -> None:
    """Offsets 0 to 2 were aborted, 3 is the marker: a range over them is exact, and ends where it ends."""
    topic = make_topic(1).name
    produced(kafka, topic, [("a", "1"), ("b", None), (None, "3")], **{"transactional.id": topic})
    rdd = sc.kafkaRDD({"bootstrap.servers": kafka}, [OffsetRange(topic, 0, 0, 8)])
    assert rdd.collect() == [("a", "1"), ("b", None), (None, "3")]


def test_a_range_that_is_not_there_fails_the_job(sc: SparkContext, kafka: str, make_topic: Any) -> None:
    topic = make_topic(1).name
    produced(kafka, topic, [("a", "1")])
    with pytest.raises(JobError, match="these records are not there"):
        sc.kafkaRDD({"bootstrap.servers": kafka}, [OffsetRange(topic, 0, 5, 9)]).collect()
    with pytest.raises(SettingError, match="no range of offsets"):
        OffsetRange(topic, 0, 5, 4)
    with pytest.raises(SettingError, match="needs bootstrap.servers"):
        sc.kafkaRDD({}, [])
