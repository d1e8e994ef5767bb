"""Transactions: commit, abort, fencing, offsets inside, what readers of committed records see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from tests.contract.kafka.conftest import WAIT_LIMIT_S, wait_for
from tests.contract.kafka.test_confluent import MakeTopic, consumer, send

pytestmark = pytest.mark.contract


def transactional(bootstrap: str, transactional_id: str, **configs: object) -> Producer:
    client = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": transactional_id,
            "linger.ms": 5,
            "log_level": 2,
            **configs,
        }
    )
    client.init_transactions(WAIT_LIMIT_S)
    return client


def read_to_end(bootstrap: str, topic: str, isolation: str, partition: int = 0) -> list[bytes]:
    """All values that this isolation level shows, up to its end of the partition."""
    client = consumer(bootstrap, **{"isolation.level": isolation, "enable.partition.eof": True})
    client.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    values: list[bytes] = []
    at_end = False

    def done() -> bool:
        nonlocal at_end
        for message in client.consume(100, 0.2):
            if message.error() is None:
                values.append(message.value())
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF
                at_end = True
        return at_end

    wait_for(done)
    client.close()
    return values


def test_committed_and_aborted_records(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic = make_topic()
    client = transactional(kafka_bootstrap, unique("txn"))
    for outcome in ("commit", "abort", "commit"):
        client.begin_transaction()
        for i in range(3):
            client.produce(topic, f"{outcome} {i}".encode(), partition=0)
        if outcome == "commit":
            client.commit_transaction(WAIT_LIMIT_S)
        else:
            assert client.flush(WAIT_LIMIT_S) == 0
            client.abort_transaction(WAIT_LIMIT_S)
    commits = [b"commit 0", b"commit 1", b"commit 2"]
    aborts = [b"abort 0", b"abort 1", b"abort 2"]
    assert read_to_end(kafka_bootstrap, topic, "read_committed") == commits + commits
    assert read_to_end(kafka_bootstrap, topic, "read_uncommitted") == commits + aborts + commits


def test_an_open_transaction_holds_back_what_is_behind_it(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic = make_topic()
    send(kafka_bootstrap, topic, [b"before"])
    client = transactional(kafka_bootstrap, unique("txn"))
    client.begin_transaction()
    client.produce(topic, b"inside", partition=0)
    assert client.flush(WAIT_LIMIT_S) == 0
    send(kafka_bootstrap, topic, [b"after"])
    assert read_to_end(kafka_bootstrap, topic, "read_committed") == [b"before"]
    assert read_to_end(kafka_bootstrap, topic, "read_uncommitted") == [b"before", b"inside", b"after"]
    client.commit_transaction(WAIT_LIMIT_S)
    assert read_to_end(kafka_bootstrap, topic, "read_committed") == [b"before", b"inside", b"after"]


def test_interleaved_transactions_over_several_partitions(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic = make_topic(partitions=2)
    first, second = (transactional(kafka_bootstrap, unique("txn")) for _ in range(2))
    for client in (first, second):
        client.begin_transaction()
    for i in range(3):
        for name, client in (("first", first), ("second", second)):
            for partition in (0, 1):
                client.produce(topic, f"{name} {i}".encode(), partition=partition)
            assert client.flush(WAIT_LIMIT_S) == 0
    first.abort_transaction(WAIT_LIMIT_S)
    second.commit_transaction(WAIT_LIMIT_S)
    for partition in (0, 1):
        seen = read_to_end(kafka_bootstrap, topic, "read_committed", partition)
        assert seen == [b"second 0", b"second 1", b"second 2"]


def test_a_new_producer_fences_the_old_one_and_aborts_its_transaction(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic, name = make_topic(), unique("txn")
    old = transactional(kafka_bootstrap, name)
    old.begin_transaction()
    old.produce(topic, b"old", partition=0)
    assert old.flush(WAIT_LIMIT_S) == 0
    new = transactional(kafka_bootstrap, name)
    with pytest.raises(KafkaException) as raised:
        old.commit_transaction(WAIT_LIMIT_S)
    assert raised.value.args[0].fatal()
    assert raised.value.args[0].code() in {KafkaError._FENCED, KafkaError.PRODUCER_FENCED}
    new.begin_transaction()
    new.produce(topic, b"new", partition=0)
    new.commit_transaction(WAIT_LIMIT_S)
    assert read_to_end(kafka_bootstrap, topic, "read_committed") == [b"new"]


def group_offset(admin: AdminClient, group: str, topic: str, *, stable: bool = False) -> int:
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
    found = admin.list_consumer_group_offsets([asked], require_stable=stable)[group].result(WAIT_LIMIT_S)
    offset: int = found.topic_partitions[0].offset
    return offset


def test_offsets_are_committed_with_the_transaction(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str], admin: AdminClient
) -> None:
    source, target, group = make_topic(), make_topic(), unique("group")
    send(kafka_bootstrap, source, [b"%d" % i for i in range(10)])
    reader: Consumer = consumer(kafka_bootstrap, group)
    reader.subscribe([source])
    messages: list[object] = []
    wait_for(lambda: messages.extend(reader.consume(10 - len(messages), 0.2)) or len(messages) == 10)
    client = transactional(kafka_bootstrap, unique("txn"))
    for outcome, offset in (("abort", 4), ("commit", 7)):
        client.begin_transaction()
        client.produce(target, outcome.encode(), partition=0)
        client.send_offsets_to_transaction(
            [TopicPartition(source, 0, offset)], reader.consumer_group_metadata(), WAIT_LIMIT_S
        )
        assert group_offset(admin, group, source) == -1001
        if outcome == "abort":
            client.abort_transaction(WAIT_LIMIT_S)
            assert group_offset(admin, group, source) == -1001
        else:
            client.commit_transaction(WAIT_LIMIT_S)
    # Kafka answers the commit when it is decided, and writes the markers a moment later
    wait_for(lambda: group_offset(admin, group, source, stable=True) == 7)
    assert read_to_end(kafka_bootstrap, target, "read_committed") == [b"commit"]
    reader.close()


def test_many_transactions_of_one_producer(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic = make_topic()
    client = transactional(kafka_bootstrap, unique("txn"))
    for i in range(50):
        client.begin_transaction()
        client.produce(topic, b"%d" % i, partition=0)
        if i % 3:
            client.commit_transaction(WAIT_LIMIT_S)
        else:
            client.abort_transaction(WAIT_LIMIT_S)
    assert read_to_end(kafka_bootstrap, topic, "read_committed") == [b"%d" % i for i in range(50) if i % 3]
