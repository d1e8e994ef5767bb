"""librdkafka, as `confluent-kafka` has it: what it produces, consumes and asks must come out as on real Kafka."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from tests.contract.kafka.conftest import WAIT_LIMIT_S, wait_for

pytestmark = pytest.mark.contract

MakeTopic = Callable[..., str]


def producer(bootstrap: str, **configs: object) -> Producer:
    return Producer({"bootstrap.servers": bootstrap, "log_level": 2, "linger.ms": 5, **configs})


def consumer(bootstrap: str, group: str = "none", **configs: object) -> Consumer:
    defaults = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 2}
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, **defaults, **configs})


def send(bootstrap: str, topic: str, values: list[bytes], partition: int = 0, **configs: object) -> list[int]:
    """Produce to one partition; the offsets that were acknowledged, in the order of the values."""
    offsets: list[int] = []

    def delivered(error: KafkaError | None, message: object) -> None:
        assert error is None, error
        offsets.append(message.offset())  # type: ignore[attr-defined]

    client = producer(bootstrap, **configs)
    for value in values:
        client.produce(topic, value, b"key", partition, on_delivery=delivered)
    assert client.flush(WAIT_LIMIT_S) == 0
    return offsets


def read(bootstrap: str, topic: str, count: int, partition: int = 0, offset: int = OFFSET_BEGINNING) -> list[bytes]:
    client = consumer(bootstrap)
    client.assign([TopicPartition(topic, partition, offset)])
    values: list[bytes] = []

    def enough() -> bool:
        for message in client.consume(1000, 0.2):
            assert message.error() is None, message.error()
            values.append(message.value())
        return len(values) >= count

    wait_for(enough)
    client.close()
    return values


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_is_produced_is_consumed_in_order(kafka_bootstrap: str, make_topic: MakeTopic, compression: str) -> None:
    topic = make_topic()
    values = [b"value %d" % i for i in range(500)]
    assert send(kafka_bootstrap, topic, values, **{"compression.type": compression}) == list(range(500))
    assert read(kafka_bootstrap, topic, 500) == values


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_every_kind_of_acknowledgement(kafka_bootstrap: str, make_topic: MakeTopic, acks: str) -> None:
    topic = make_topic()
    send(kafka_bootstrap, topic, [b"a", b"b", b"c"], acks=acks)
    assert read(kafka_bootstrap, topic, 3) == [b"a", b"b", b"c"]


def test_headers_keys_and_timestamps_come_back(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic()
    client = producer(kafka_bootstrap)
    headers = [("one", b"1"), ("none", None), ("one", b"again")]
    client.produce(topic, None, b"key", 0, timestamp=1_700_000_000_123, headers=headers)
    assert client.flush(WAIT_LIMIT_S) == 0
    reader = consumer(kafka_bootstrap)
    reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    (message,) = reader.consume(1, WAIT_LIMIT_S)
    assert message.value() is None
    assert message.key() == b"key"
    assert message.timestamp() == (1, 1_700_000_000_123)
    assert message.headers() == headers
    reader.close()


def test_an_idempotent_producer_writes_each_record_once(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic()
    values = [b"%d" % i for i in range(2000)]
    offsets = send(kafka_bootstrap, topic, values, **{"enable.idempotence": True, "batch.num.messages": 50})
    assert offsets == list(range(2000))
    assert read(kafka_bootstrap, topic, 2000) == values


def test_large_records_come_in_pieces_smaller_than_a_batch(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic()
    values = [bytes([i]) * 300_000 for i in range(12)]
    send(kafka_bootstrap, topic, values)
    assert read(kafka_bootstrap, topic, 12) == values


def test_a_record_over_the_limit_is_refused(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic(configs={"max.message.bytes": "1000"})
    errors: list[KafkaError] = []
    client = producer(kafka_bootstrap)
    client.produce(topic, b"x" * 2000, on_delivery=lambda error, _: errors.append(error))
    client.flush(WAIT_LIMIT_S)
    assert [error.code() for error in errors] == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_producing_to_an_unknown_topic_makes_it(kafka_bootstrap: str, unique: Callable[[str], str]) -> None:
    topic = unique("auto")
    send(kafka_bootstrap, topic, [b"first"])
    assert read(kafka_bootstrap, topic, 1) == [b"first"]


def test_offsets_before_and_behind_the_log(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic()
    send(kafka_bootstrap, topic, [b"a", b"b"])
    client = consumer(kafka_bootstrap, **{"auto.offset.reset": "error"})
    client.assign([TopicPartition(topic, 0, 100)])
    message = client.poll(WAIT_LIMIT_S)
    assert message is not None
    assert message.error().code() == KafkaError._AUTO_OFFSET_RESET
    assert client.get_watermark_offsets(TopicPartition(topic, 0), WAIT_LIMIT_S) == (0, 2)
    client.close()


def test_a_consumer_waits_for_what_is_not_there_yet(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic()
    client = consumer(kafka_bootstrap, **{"fetch.wait.max.ms": 500})
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    assert client.poll(0.05) is None
    send(kafka_bootstrap, topic, [b"late"])
    message = client.poll(WAIT_LIMIT_S)
    assert message.value() == b"late"
    client.close()


def test_offsets_by_time(kafka_bootstrap: str, make_topic: MakeTopic, admin: AdminClient) -> None:
    topic = make_topic()
    client = producer(kafka_bootstrap, **{"compression.type": "lz4"})
    for i in range(100):
        client.produce(topic, b"%d" % i, None, 0, timestamp=1_700_000_000_000 + 1000 * i)
    assert client.flush(WAIT_LIMIT_S) == 0
    reader = consumer(kafka_bootstrap)
    asked = [
        TopicPartition(topic, 0, timestamp)
        for timestamp in (0, 1_700_000_050_000, 1_700_000_050_001, 1_800_000_000_000)
    ]
    found = [reader.offsets_for_times([where], WAIT_LIMIT_S)[0].offset for where in asked]
    reader.close()
    assert found == [0, 50, 51, -1]
    where = TopicPartition(topic, 0)
    for spec, expected in (
        (OffsetSpec.earliest(), 0),
        (OffsetSpec.latest(), 100),
        (OffsetSpec.max_timestamp(), 99),
    ):
        result = admin.list_offsets({where: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        assert result[where].result(WAIT_LIMIT_S).offset == expected


# --- topics


def test_topics_are_made_and_deleted(admin: AdminClient, make_topic: MakeTopic) -> None:
    topic = make_topic(partitions=3)
    assert sorted(admin.list_topics(topic, timeout=WAIT_LIMIT_S).topics[topic].partitions) == [0, 1, 2]
    with pytest.raises(KafkaException) as raised:
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(WAIT_LIMIT_S)
    assert raised.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    admin.delete_topics([topic])[topic].result(WAIT_LIMIT_S)
    wait_for(lambda: topic not in admin.list_topics(timeout=WAIT_LIMIT_S).topics)
    with pytest.raises(KafkaException) as raised:
        admin.delete_topics([topic])[topic].result(WAIT_LIMIT_S)
    assert raised.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.parametrize(
    ("name", "partitions", "replicas", "configs", "code"),
    [
        ("bad name", 1, 1, {}, KafkaError.TOPIC_EXCEPTION),
        ("x" * 250, 1, 1, {}, KafkaError.TOPIC_EXCEPTION),
        ("zero", 0, 1, {}, KafkaError.INVALID_PARTITIONS),
        ("replicas", 1, 3, {}, KafkaError.INVALID_REPLICATION_FACTOR),
        ("config", 1, 1, {"no.such.config": "1"}, KafkaError.INVALID_CONFIG),
        ("number", 1, 1, {"retention.ms": "soon"}, KafkaError.INVALID_CONFIG),
        ("policy", 1, 1, {"cleanup.policy": "shred"}, KafkaError.INVALID_CONFIG),
    ],
)
def test_topics_that_cannot_be_made(
    admin: AdminClient, name: str, partitions: int, replicas: int, configs: dict[str, str], code: int
) -> None:
    with pytest.raises(KafkaException) as raised:
        admin.create_topics([NewTopic(name, partitions, replicas, config=configs)])[name].result(WAIT_LIMIT_S)
    assert raised.value.args[0].code() == code


def test_validate_only_makes_nothing(admin: AdminClient, unique: Callable[[str], str]) -> None:
    topic = unique("validated")
    admin.create_topics([NewTopic(topic, 2, 1)], validate_only=True)[topic].result(WAIT_LIMIT_S)
    assert topic not in admin.list_topics(timeout=WAIT_LIMIT_S).topics


def test_the_configurations_of_a_topic(admin: AdminClient, make_topic: MakeTopic) -> None:
    topic = make_topic(configs={"retention.ms": "60000", "cleanup.policy": "compact"})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    configs = admin.describe_configs([resource])[resource].result(WAIT_LIMIT_S)
    assert configs["retention.ms"].value == "60000"
    assert configs["retention.ms"].source == 1
    assert configs["cleanup.policy"].value == "compact"
    assert configs["max.message.bytes"].value == "1048588"
    assert configs["max.message.bytes"].is_default
    assert "message.max.bytes" in configs["max.message.bytes"].synonyms


def test_the_cluster_is_one_broker(admin: AdminClient, kafka_bootstrap: str) -> None:
    cluster = admin.describe_cluster().result(WAIT_LIMIT_S)
    assert [f"{node.host}:{node.port}" for node in cluster.nodes] == [kafka_bootstrap]
    assert cluster.controller.id == cluster.nodes[0].id
    assert len(cluster.cluster_id) == 22


# --- groups


def test_a_group_goes_on_where_it_committed(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic, group = make_topic(), unique("group")
    send(kafka_bootstrap, topic, [b"%d" % i for i in range(10)])
    first = consumer(kafka_bootstrap, group)
    first.subscribe([topic])
    values: list[bytes] = []
    wait_for(lambda: values.extend(m.value() for m in first.consume(4 - len(values), 0.2)) or len(values) == 4)
    first.commit(asynchronous=False)
    first.close()
    second = consumer(kafka_bootstrap, group)
    second.subscribe([topic])
    wait_for(lambda: values.extend(m.value() for m in second.consume(10, 0.2)) or len(values) == 10)
    assert values == [b"%d" % i for i in range(10)]
    second.close()


def test_two_members_share_the_partitions(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic, group = make_topic(partitions=4), unique("group")
    members = [consumer(kafka_bootstrap, group) for _ in range(2)]
    for member in members:
        member.subscribe([topic])

    def balanced() -> bool:
        for member in members:
            member.poll(0.05)
        return sorted(len(member.assignment()) for member in members) == [2, 2]

    wait_for(balanced)
    assert sorted(p.partition for member in members for p in member.assignment()) == [0, 1, 2, 3]
    members[0].close()
    wait_for(lambda: members[1].poll(0.05) or len(members[1].assignment()) == 4)
    members[1].close()


def test_committed_offsets_without_a_group_member(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic, group = make_topic(partitions=2), unique("group")
    client = consumer(kafka_bootstrap, group)
    client.commit(offsets=[TopicPartition(topic, 0, 17, metadata="why")], asynchronous=False)
    committed = client.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)], WAIT_LIMIT_S)
    assert [(p.partition, p.offset) for p in committed] == [(0, 17), (1, -1001)]
    client.close()


def test_the_offsets_of_a_group_by_the_admin(
    admin: AdminClient, kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic, group = make_topic(), unique("group")
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 5)])
    admin.alter_consumer_group_offsets([asked])[group].result(WAIT_LIMIT_S)
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(WAIT_LIMIT_S)
    assert [(p.topic, p.partition, p.offset) for p in found.topic_partitions] == [(topic, 0, 5)]
