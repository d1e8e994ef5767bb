"""The pure-Python clients: aiokafka, which speaks old versions, and kafka-python, which speaks new ones."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from tests.contract.kafka.conftest import WAIT_LIMIT_S

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its schemas in a deprecated way
    from kafka import KafkaConsumer, KafkaProducer
    from kafka import TopicPartition as KafkaTopicPartition
    from kafka.admin import KafkaAdminClient, NewTopic

pytestmark = [pytest.mark.contract, pytest.mark.filterwarnings("ignore::DeprecationWarning:kafka")]

MakeTopic = Callable[..., str]


def test_aiokafka_produces_and_consumes_in_a_group(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic, group = make_topic(partitions=2), unique("group")

    async def scenario() -> set[bytes]:
        async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True) as producer:
            for i in range(100):
                await producer.send_and_wait(topic, b"%d" % i, partition=i % 2)
        values: set[bytes] = set()
        async with AIOKafkaConsumer(
            topic, bootstrap_servers=kafka_bootstrap, group_id=group, auto_offset_reset="earliest"
        ) as consumer:
            while len(values) < 100:
                message = await asyncio.wait_for(consumer.getone(), WAIT_LIMIT_S)
                values.add(message.value)
            await consumer.commit()
            for partition in consumer.assignment():
                assert await consumer.committed(partition) == 50
        return values

    assert asyncio.run(scenario()) == {b"%d" % i for i in range(100)}


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd", "snappy"])
def test_kafka_python_produces_and_consumes(
    kafka_bootstrap: str, make_topic: MakeTopic, compression: str | None
) -> None:
    topic = make_topic()
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, compression_type=compression)
    sent = [producer.send(topic, b"%d" % i) for i in range(100)]
    assert [future.get(WAIT_LIMIT_S).offset for future in sent] == list(range(100))
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
    where = KafkaTopicPartition(topic, 0)
    consumer.assign([where])
    assert consumer.end_offsets([where]) == {where: 100}
    values = [next(consumer).value for _ in range(100)]
    consumer.close()
    assert values == [b"%d" % i for i in range(100)]


def test_kafka_python_in_a_group(kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]) -> None:
    topic, group = make_topic(), unique("group")
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for i in range(10):
        producer.send(topic, b"%d" % i).get(WAIT_LIMIT_S)
    producer.close()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=kafka_bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    assert [next(consumer).value for _ in range(10)] == [b"%d" % i for i in range(10)]
    consumer.commit()
    assert consumer.committed(KafkaTopicPartition(topic, 0)) == 10
    consumer.close()


def test_kafka_python_admin(kafka_bootstrap: str, unique: Callable[[str], str]) -> None:
    topic = unique("admin")
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics([NewTopic(topic, 2, 1)])
    assert topic in admin.list_topics()
    admin.delete_topics([topic])
    admin.close()
