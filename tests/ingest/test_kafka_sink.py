"""The endpoint in front of a Kafka: what got a 202 is in the log, and a broker that is away costs a 503, not memory."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from smackbox.ingest.kafka_sink import KafkaSink, make_topics
from smackbox.ingest.sink import Failure
from smackbox.net.listener import free_port
from smackbox.net.service import ServiceThread

TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    if real := os.environ.get("SMACK_REAL_KAFKA"):
        yield real
        return
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    with ServiceThread(KafkaServer(KafkaSettings())) as server:
        yield server.url


def read_topic(kafka: str, topic: str, count: int) -> list[Any]:
    """Every record of a topic, at least `count` of them."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": uuid.uuid4().hex, "enable.partition.eof": False})
    try:
        partitions = consumer.list_topics(topic, TIMEOUT_S).topics[topic].partitions
        ends = {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), TIMEOUT_S)[1] for number in partitions
        }
        assert sum(ends.values()) >= count
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        records: list[Any] = []
        while len(records) < sum(ends.values()):
            got = consumer.consume(min(1000, sum(ends.values()) - len(records)), TIMEOUT_S)
            assert got, f"{len(records)} of {ends}"
            for record in got:
                assert record.error() is None
                records.append(record)
        return records
    finally:
        consumer.close()


@pytest.fixture
def ingest(kafka: str, make_ingest: Callable[..., Any]) -> Iterator[Any]:
    with make_ingest(kafka=kafka) as one:
        yield one


def test_accepted_events_are_in_their_topic_with_key_and_bytes(ingest: Any, kafka: str) -> None:
    event = ingest.event(7, note="ä")
    body = ingest.encode(event)
    assert ingest.client().post(body).json == {"accepted": 1}
    (record,) = read_topic(kafka, ingest.topic, 1)
    assert record.value() == body
    assert record.key() == event["id"].encode()


def test_topics_are_made_with_their_partitions(ingest: Any, kafka: str) -> None:
    topics = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=TIMEOUT_S).topics
    assert len(topics[ingest.topic].partitions) == 3
    assert len(topics[ingest.dead_letter].partitions) == 1


def test_a_bad_original_is_in_the_dead_letter_topic_with_its_error(ingest: Any, kafka: str) -> None:
    body = b'{"id":"x"}'
    assert ingest.client().post(body).status == 400
    (record,) = read_topic(kafka, ingest.dead_letter, 1)
    assert record.value() == body
    assert dict(record.headers())["error.path"] == b"$.id"


def test_a_large_body_of_lines_is_in_the_log_once(ingest: Any, kafka: str) -> None:
    lines = [ingest.encode(ingest.event(number)) for number in range(5000)]
    assert ingest.client().post(b"\n".join(lines)).json == {"accepted": 5000}
    records = read_topic(kafka, ingest.topic, 5000)
    assert sorted(record.value() for record in records) == sorted(lines)
    assert {record.partition() for record in records} == {0, 1, 2}


def test_without_a_broker_the_endpoint_starts_and_answers_503(make_ingest: Callable[..., Any]) -> None:
    with make_ingest(kafka=f"127.0.0.1:{free_port('127.0.0.1')}", topics_timeout_s=0.1) as ingest:
        client = ingest.client()
        answer = client.post(ingest.encode(ingest.event()))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        client.send(ingest.request(b"", "/healthz", "GET"))
        assert client.read().json["status"] == "degraded"


@pytest.fixture
def broker(tmp_path: Path) -> Callable[[], ServiceThread]:
    """A broker of the test's own, on the same port and directory each time it is started."""
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    port = free_port("127.0.0.1")
    return lambda: ServiceThread(KafkaServer(KafkaSettings(port=port, dir=tmp_path)))


def test_a_broker_that_comes_back_is_found(
    make_ingest: Callable[..., Any], broker: Callable[[], ServiceThread]
) -> None:
    with broker() as kafka:
        url = kafka.url
    with make_ingest(kafka=url, topics_timeout_s=0.1, delivery_timeout_s=TIMEOUT_S) as ingest:
        client = ingest.client()
        first, second = (ingest.encode(ingest.event(number)) for number in (1, 2))
        assert client.post(first).status == 503
        with broker():
            while client.post(first).status != 202:
                pass
        client.send(ingest.request(second))
        with broker():
            assert client.read().status == 202
            assert sorted(record.value() for record in read_topic(url, ingest.topic, 2)) == [first, second]


def test_a_record_that_is_not_acknowledged_in_time_is_a_503(
    make_ingest: Callable[..., Any], broker: Callable[[], ServiceThread]
) -> None:
    with broker() as kafka:
        ingest = make_ingest(kafka=kafka.url, delivery_timeout_s=0.3)
        one = ingest.__enter__()
        client = one.client()
        assert client.post(one.encode(one.event(1))).status == 202
    try:
        assert client.post(one.encode(one.event(2))).status == 503
        sink = one.server._sink
        assert sink.queued_events == sink.queued_bytes == 0
    finally:
        ingest.__exit__(None, None, None)


def sink_for(kafka: str, **changes: Any) -> KafkaSink:
    settings: dict[str, Any] = {
        "queue_events_limit": 10,
        "queue_bytes_limit": 1000,
        "record_limit": 1000,
        "delivery_timeout_s": TIMEOUT_S,
        "topics_timeout_s": TIMEOUT_S,
        "linger_ms": 0,
    }
    return KafkaSink(kafka, **{**settings, **changes})


def test_the_queue_is_bounded_in_events_and_in_bytes(kafka: str, unique_topic: Callable[[], str]) -> None:
    topic = unique_topic()

    async def scenario() -> None:
        sink = sink_for(kafka)
        await sink.start({topic: 1})
        done: list[Failure | None] = []
        all_done = asyncio.Event()

        def finished(failure: Failure | None) -> None:
            done.append(failure)
            if len(done) == 2:
                all_done.set()

        record = (topic, b"x", None, None)
        assert sink.offer([record] * 8, finished) is None
        assert sink.offer([record] * 3, finished) is Failure.FULL
        assert sink.offer([(topic, b"x" * 1000, None, None)], finished) is Failure.FULL
        assert sink.offer([record] * 2, finished) is None
        assert (sink.queued_events, sink.queued_bytes) == (10, 10)
        await asyncio.wait_for(all_done.wait(), TIMEOUT_S)
        assert done == [None, None]
        assert (sink.queued_events, sink.queued_bytes) == (0, 0)
        await sink.stop(1.0)
        assert sink.offer([record], finished) is Failure.AWAY

    asyncio.run(scenario())
    assert len(read_topic(kafka, topic, 10)) == 10


def test_a_record_over_the_brokers_limit_is_too_large(kafka: str, unique_topic: Callable[[], str]) -> None:
    topic = unique_topic()

    async def scenario() -> Failure | None:
        sink = sink_for(kafka, queue_bytes_limit=10_000_000, record_limit=4_000_000)
        await sink.start({topic: 1})
        answer: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()
        assert sink.offer([(topic, os.urandom(3_000_000), None, None)], answer.set_result) is None
        try:
            return await asyncio.wait_for(answer, TIMEOUT_S)
        finally:
            await sink.stop(1.0)

    assert asyncio.run(scenario()) is Failure.TOO_LARGE


def test_stopping_with_records_that_cannot_be_sent_fails_them(broker: Callable[[], ServiceThread]) -> None:
    async def scenario() -> list[Failure | None]:
        kafka = await asyncio.to_thread(broker().__enter__)
        sink = sink_for(kafka.url)
        await sink.start({"events": 1})
        await asyncio.to_thread(kafka.stop)
        done: list[Failure | None] = []
        assert sink.offer([("events", b"x", None, None)], done.append) is None
        await sink.stop(0.01)
        return done

    assert asyncio.run(scenario()) == [Failure.AWAY]


def test_making_topics_tells_what_is_wrong(kafka: str, unique_topic: Callable[[], str]) -> None:
    topic = unique_topic()
    client = {"bootstrap.servers": kafka}
    assert make_topics(client, {topic: 2}) is None
    assert make_topics(client, {topic: 2}) is None
    assert "no/such" in (make_topics(client, {"no/such": 1}) or "")
    assert make_topics(client, {}) is None
