"""The producer for actors and routes: acknowledged, refused, bounded, closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from smackbox.akka import ActorSystem
from smackbox.akka.stream.connectors.kafka import KafkaStreamError
from smackbox.akka.stream.connectors.kafka_producer import KafkaProducer, ProducerSettings
from smackbox.akka.stream.errors import BufferOverflowError
from smackbox.testing.fixtures import SmackKafka
from tests.akka.stream.connectors.test_kafka import topic

TIMEOUT_S = 60
NOWHERE = "127.0.0.1:1"


def run(work: Callable[[ActorSystem], Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S), ActorSystem("producer") as system:
            await work(system)

    asyncio.run(main())


def read(broker: SmackKafka, name: str, count: int) -> list[tuple[Any, Any, Any]]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "read", "auto.offset.reset": "earliest"})
    try:
        consumer.assign([TopicPartition(name, 0, 0)])
        found = [consumer.poll(TIMEOUT_S) for _ in range(count)]
        return [(message.key(), message.value(), message.headers()) for message in found if message is not None]
    finally:
        consumer.close()


def test_a_record_is_in_the_log_when_its_future_is_done(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "sent", 1)

    async def work(system: ActorSystem) -> None:
        producer = KafkaProducer(system, ProducerSettings(smack_kafka.bootstrap, {"linger.ms": 0}))
        await producer.send("sent", b"first", b"key", [("a", b"b")])
        assert await asyncio.to_thread(read, smack_kafka, "sent", 1) == [(b"key", b"first", [("a", b"b")])]
        await asyncio.gather(*(producer.send("sent", str(number)) for number in range(500)))
        assert producer.in_flight == 0
        values = [value for _, value, _ in await asyncio.to_thread(read, smack_kafka, "sent", 501)]
        assert values == [b"first", *(b"%d" % number for number in range(500))]
        producer.send("sent", None, "tombstone")  # nobody waits: the end of the system does

    run(work)
    assert read(smack_kafka, "sent", 502)[-1] == (b"tombstone", None, None)


def test_what_is_refused_raises_or_fails(smack_kafka: SmackKafka) -> None:
    topic(smack_kafka, "refused", 1)

    async def work(system: ActorSystem) -> None:
        producer = KafkaProducer(system, ProducerSettings(smack_kafka.bootstrap, {"message.max.bytes": 2000}))
        with pytest.raises(KafkaStreamError, match="refused: .*Message size too large"):
            producer.send("refused", bytes(3000))
        cancelled = producer.send("refused", b"cancelled")
        cancelled.cancel()
        await producer.send("refused", b"after")
        await producer.close()
        with pytest.raises(KafkaStreamError, match="is closed"):
            producer.send("refused", b"late")

    run(work)


def test_a_broker_that_is_away_bounds_what_waits_and_fails_it_in_time() -> None:
    async def work(system: ActorSystem) -> None:
        properties = {"queue.buffering.max.messages": 10, "message.timeout.ms": 300, "log_level": 0}
        producer = KafkaProducer(system, ProducerSettings(NOWHERE, properties))
        waiting = [producer.send("away", b"x") for _ in range(10)]
        with pytest.raises(BufferOverflowError, match="10 records wait"):
            producer.send("away", b"y")
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(outcome, KafkaStreamError) for outcome in outcomes)
        assert producer.in_flight == 0

    run(work)
