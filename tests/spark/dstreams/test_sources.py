"""Direct streams of Kafka and of Kinesis: ranges, rates, restarts, kills."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest
from confluent_kafka import Producer

from smackbox.base.errors import SettingError
from smackbox.kinesis.aggregated import UserRecord, aggregate
from smackbox.spark.dstreams import (
    InitialPositionInStream,
    KafkaUtils,
    KinesisUtils,
    StreamingContext,
    TopicAndPartition,
)
from smackbox.spark.rdd.context import SparkContext

PROGRAM = Path(__file__).with_name("direct_program.py")
BATCH_S = 0.05
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def sc() -> Iterator[SparkContext]:
    with SparkContext("local[1]") as context:
        yield context


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def produce(kafka: str, topic: str, records: list[tuple[str, str]]) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for key, value in records:
        producer.produce(topic, value, key)
    producer.flush(TIMEOUT_S)


def test_records_once_and_their_ranges(sc: SparkContext, kafka: str, make_topic: Any) -> None:
    topic = make_topic(2).name
    produce(kafka, topic, [(f"k{number}", str(number)) for number in range(20)])
    ssc = StreamingContext(sc, BATCH_S)
    params = {"metadata.broker.list": kafka, "auto.offset.reset": "smallest"}
    stream = KafkaUtils.createDirectStream(ssc, [topic], params, valueDecoder=lambda data: int(data or b"0"))
    found: list[Any] = []
    offsets: list[int] = []

    def take(rdd: Any) -> None:
        if not rdd.isEmpty():
            offsets.append(sum(part.count for part in rdd.offsetRanges()))
        found.extend(rdd.collect())

    stream.foreachRDD(take)
    ssc.start()
    until(lambda: len(found) >= 20)
    produce(kafka, topic, [("late", "99")])
    until(lambda: len(found) >= 21)
    ssc.stop(stopSparkContext=False)
    assert sorted(found) == sorted([*((f"k{number}", number) for number in range(20)), ("late", 99)])
    assert sum(offsets) == 21


def test_a_stream_begins_where_it_is_told(sc: SparkContext, kafka: str, make_topic: Any) -> None:
    topic = make_topic(1).name
    produce(kafka, topic, [("k", str(number)) for number in range(10)])
    for options, expected in (({"auto.offset.reset": "latest"}, ["10"]), ({}, ["7", "8", "9", "10", "10"])):
        ssc = StreamingContext(sc, BATCH_S)
        start = {} if options else {TopicAndPartition(topic, 0): 7}
        stream = KafkaUtils.createDirectStream(ssc, [topic], {"bootstrap.servers": kafka, **options}, start)
        found: list[str] = []
        stream.foreachRDD(lambda rdd, found=found: found.extend(rdd.values().collect()))  # type: ignore[misc]
        ssc.start()
        produce(kafka, topic, [("k", "10")])
        until(lambda found=found, expected=expected: len(found) >= len(expected))  # type: ignore[misc]
        ssc.stop(stopSparkContext=False)
        assert found == expected


def test_every_batch_is_bounded_by_the_rate_the_first_too(kafka: str, make_topic: Any) -> None:
    """spark#18672, #19431: the first batch took all that was there."""
    topic = make_topic(1).name
    produce(kafka, topic, [("k", str(number)) for number in range(50)])
    with SparkContext("local[1]", conf={"spark.streaming.kafka.maxRatePerPartition": "200"}) as limited:
        ssc = StreamingContext(limited, BATCH_S)  # 10 records a batch
        params = {"bootstrap.servers": kafka, "auto.offset.reset": "earliest"}
        batches: list[int] = []
        KafkaUtils.createDirectStream(ssc, [topic], params).foreachRDD(lambda rdd: batches.append(rdd.count()))
        ssc.start()
        until(lambda: sum(batches) >= 50)
        ssc.stop(stopSparkContext=False)
    assert [count for count in batches if count] == [10] * 5


def test_what_is_not_there_is_named(sc: SparkContext, kafka: str) -> None:
    ssc = StreamingContext(sc, BATCH_S)
    with pytest.raises(SettingError, match="needs bootstrap.servers"):
        KafkaUtils.createDirectStream(ssc, ["t"], {})
    with pytest.raises(SettingError, match=r"not 'erliest' \(did you mean 'earliest'\?\)"):
        KafkaUtils.createDirectStream(ssc, ["t"], {"bootstrap.servers": kafka, "auto.offset.reset": "erliest"})
    KafkaUtils.createDirectStream(ssc, ["nothing"], {"bootstrap.servers": kafka}).pprint()
    with pytest.raises(SettingError, match="there is no topic 'nothing'"):
        ssc.start()
    ssc.stop(stopSparkContext=False)


def rounds_of_kills(kafka: str, topic: str, folder: Path, rounds: int) -> None:
    chance = random.Random(7)
    sent: dict[str, int] = {}
    for _ in range(rounds):
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), kafka, topic, str(folder)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            records = [(f"k{chance.randrange(5)}", str(chance.randrange(100))) for _ in range(40)]
            for key, value in records:
                sent[key] = sent.get(key, 0) + int(value)
            produce(kafka, topic, records)
            time.sleep(chance.random() / 4)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    process = subprocess.Popen([sys.executable, str(PROGRAM), kafka, topic, str(folder)], stdout=subprocess.DEVNULL)
    try:
        until(lambda: state_of(folder) == sent)
    finally:
        process.kill()
        process.wait()
    batches = [json.loads(path.read_text()) for path in (folder / "out").glob("1*.json")]
    totals: dict[str, int] = {}
    for key, value in (record for batch in batches for record in batch):
        totals[key] = totals.get(key, 0) + int(value)
    assert totals == sent


def state_of(folder: Path) -> Any:
    try:
        return json.loads((folder / "out" / "state.json").read_text())
    except (OSError, ValueError):
        return None


def test_totals_are_exact_when_the_program_is_killed(kafka: str, make_topic: Any, tmp_path: Path) -> None:
    """Each batch's file holds the batch; state and files agree with what was sent."""
    rounds_of_kills(kafka, make_topic(2).name, tmp_path, 3)


@pytest.mark.slow
def test_totals_are_exact_over_a_hundred_kills(kafka: str, make_topic: Any, tmp_path: Path) -> None:
    rounds_of_kills(kafka, make_topic(3).name, tmp_path, 100)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_kinesis_stream_over_a_split_and_a_restart(
    sc: SparkContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with moto.mock_aws():
        client = boto3.client("kinesis", region_name="eu-west-1")
        client.create_stream(StreamName="events", ShardCount=1)
        found: list[str] = []

        def started() -> StreamingContext:
            ssc = StreamingContext(sc, BATCH_S)
            ssc.checkpoint(str(tmp_path / "checkpoint"))
            stream = KinesisUtils.createStream(
                ssc,
                "app",
                "events",
                regionName="eu-west-1",
                initialPositionInStream=InitialPositionInStream.TRIM_HORIZON,
                client=client,
            )
            stream.foreachRDD(lambda rdd: found.extend(rdd.collect()))
            ssc.start()
            return ssc

        def put(first: int, last: int) -> None:
            for number in range(first, last):
                client.put_record(StreamName="events", Data=b"%d" % number, PartitionKey=f"k{number}")

        put(0, 10)
        both = aggregate([UserRecord("a", b"10"), UserRecord("b", b"11")])
        client.put_record(StreamName="events", Data=both, PartitionKey="x")
        ssc = started()
        until(lambda: len(found) >= 12)
        ssc.stop(stopSparkContext=False)
        client.split_shard(StreamName="events", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
        put(12, 30)
        ssc = started()
        until(lambda: len(found) >= 30)
        ssc.stop(stopSparkContext=False)
    assert sorted(map(int, found)) == list(range(30))
