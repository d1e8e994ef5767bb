"""A topic as a source while its broker is away."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from tests.kafka.test_crash import KilledBroker

from smackbox.spark.streaming.errors import SourceAwayError
from smackbox.spark.streaming.source import KafkaSource

LIMIT_S = 60.0


def put(broker: KilledBroker, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    producer.produce("events", value)
    assert producer.flush(LIMIT_S) == 0


def test_a_broker_that_does_not_answer_is_no_silent_topic(tmp_path: Path) -> None:
    broker = KilledBroker(tmp_path, sync=False)
    broker.start()
    try:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        admin.create_topics([NewTopic("events", 1, 1)])["events"].result(LIMIT_S)
        put(broker, b"1")
        source = KafkaSource(
            broker.bootstrap, "events", "g", starting="earliest", on_data_loss="fail", read_timeout_s=10.0, options={}
        )
        source.assign({})
        deadline = time.monotonic() + LIMIT_S

        def collect() -> list[bytes]:
            return [message.value() for message in source.collect(time.monotonic() + 0.2, 10, 10_000, lambda: False)]

        found = []
        while not found and time.monotonic() < deadline:
            found = collect()
        assert found == [b"1"]
        assert collect() == [], "silence"
        broker.kill()
        with pytest.raises(SourceAwayError, match="no broker answers for events|Kafka does not answer"):
            while time.monotonic() < deadline:
                assert collect() == []
        broker.start()
        put(broker, b"2")
        while found == [b"1"] and time.monotonic() < deadline:
            try:
                found += collect()
            except SourceAwayError:
                continue
        assert found == [b"1", b"2"]
        source.close()
    finally:
        broker.kill()
