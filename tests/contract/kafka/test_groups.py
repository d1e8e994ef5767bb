"""Groups in depth: static members, cooperative assignors, KIP-848, and what the admin sees and deletes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from tests.contract.kafka.conftest import WAIT_LIMIT_S, wait_for
from tests.contract.kafka.test_confluent import MakeTopic, consumer, send

pytestmark = pytest.mark.contract

CONSUMER_PROTOCOL = {"group.protocol": "consumer"}


def assigned(member: Consumer) -> list[int]:
    member.poll(0.02)
    return sorted(p.partition for p in member.assignment())


def next_generation(bootstrap: str, group: str, **configs: object) -> Consumer:
    """A member of a KIP-848 group."""
    defaults = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 2}
    return Consumer({"bootstrap.servers": bootstrap, **defaults, **CONSUMER_PROTOCOL, **configs})


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_members_come_and_go(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str], strategy: str
) -> None:
    topic, group = make_topic(partitions=6), unique("group")
    configs = {"partition.assignment.strategy": strategy, "heartbeat.interval.ms": 200}
    members = [consumer(kafka_bootstrap, group, **configs) for _ in range(3)]
    for count in (1, 2, 3):
        members[count - 1].subscribe([topic])
        wait_for(lambda count=count: [len(assigned(m)) for m in members[:count]] == [6 // count] * count)
    assert sorted(p for member in members for p in assigned(member)) == list(range(6))
    members.pop().close()
    wait_for(lambda: [len(assigned(m)) for m in members] == [3, 3])
    for member in members:
        member.close()


def test_a_static_member_comes_back_to_its_partitions_without_a_rebalance(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic, group = make_topic(partitions=4), unique("group")
    rebalances: list[str] = []
    configs = {"heartbeat.interval.ms": 200}
    stays = consumer(kafka_bootstrap, group, **configs, **{"group.instance.id": "stays"})
    leaves = consumer(kafka_bootstrap, group, **configs, **{"group.instance.id": "leaves"})
    stays.subscribe(
        [topic], on_assign=lambda *_: rebalances.append("assign"), on_revoke=lambda *_: rebalances.append("revoke")
    )
    leaves.subscribe([topic])
    wait_for(lambda: len(assigned(stays)) == len(assigned(leaves)) == 2)
    before, count = assigned(leaves), len(rebalances)
    leaves.close()
    again = consumer(kafka_bootstrap, group, **configs, **{"group.instance.id": "leaves"})
    again.subscribe([topic])
    wait_for(lambda: stays.poll(0.02) or assigned(again) == before)
    assert len(assigned(stays)) == 2
    assert len(rebalances) == count
    again.close()
    stays.close()


def test_a_second_static_member_of_the_same_name_fences_the_first(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic, group = make_topic(), unique("group")
    configs = {"group.instance.id": "same", "heartbeat.interval.ms": 200}
    errors: list[KafkaError] = []
    first = consumer(kafka_bootstrap, group, **configs, error_cb=errors.append)
    first.subscribe([topic])
    wait_for(lambda: assigned(first) == [0])
    second = consumer(kafka_bootstrap, group, **configs)
    second.subscribe([topic])
    wait_for(lambda: assigned(second) == [0])

    def fenced() -> bool:
        try:
            message = first.poll(0.02)
        except KafkaException as error:
            errors.append(error.args[0])
            message = None
        if message is not None and message.error() is not None:
            errors.append(message.error())
        return any(error.code() in {KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID} for error in errors)

    wait_for(fenced)
    second.close()
    first.close()


# --- KIP-848


@pytest.mark.parametrize("assignor", ["uniform", "range"])
def test_the_broker_assigns(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str], assignor: str
) -> None:
    topic, group = make_topic(partitions=4), unique("group")
    send(kafka_bootstrap, topic, [b"%d" % i for i in range(10)], partition=3)
    member = next_generation(kafka_bootstrap, group, **{"group.remote.assignor": assignor})
    member.subscribe([topic])
    values: list[bytes] = []
    wait_for(lambda: values.extend(m.value() for m in member.consume(10, 0.2)) or len(values) == 10)
    assert assigned(member) == [0, 1, 2, 3]
    member.commit(asynchronous=False)
    assert member.committed([TopicPartition(topic, 3)], WAIT_LIMIT_S)[0].offset == 10
    member.close()


def test_the_broker_takes_partitions_from_one_member_for_another(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str], admin: AdminClient
) -> None:
    topic, group = make_topic(partitions=4), unique("group")
    first, second = (next_generation(kafka_bootstrap, group) for _ in range(2))
    first.subscribe([topic])
    wait_for(lambda: len(assigned(first)) == 4)
    second.subscribe([topic])
    wait_for(lambda: len(assigned(first)) == len(assigned(second)) == 2)
    assert sorted(assigned(first) + assigned(second)) == [0, 1, 2, 3]
    described = admin.describe_consumer_groups([group])[group].result(WAIT_LIMIT_S)
    assert described.state == ConsumerGroupState.STABLE
    assert sorted(p.partition for m in described.members for p in m.assignment.topic_partitions) == [0, 1, 2, 3]
    second.close()
    wait_for(lambda: len(assigned(first)) == 4)
    first.close()


# --- what the admin sees


def test_groups_are_listed_described_and_deleted(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str], admin: AdminClient
) -> None:
    topic, group = make_topic(partitions=2), unique("group")
    member = consumer(kafka_bootstrap, group)
    member.subscribe([topic])
    wait_for(lambda: assigned(member) == [0, 1])
    member.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    listed = admin.list_consumer_groups().result(WAIT_LIMIT_S)
    assert group in {found.group_id for found in listed.valid}
    described = admin.describe_consumer_groups([group])[group].result(WAIT_LIMIT_S)
    assert described.state == ConsumerGroupState.STABLE
    assert described.partition_assignor == "range"
    (only,) = described.members
    assert sorted(p.partition for p in only.assignment.topic_partitions) == [0, 1]
    with pytest.raises(KafkaException) as raised:
        admin.delete_consumer_groups([group])[group].result(WAIT_LIMIT_S)
    assert raised.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    member.close()
    described = admin.describe_consumer_groups([group])[group].result(WAIT_LIMIT_S)
    assert described.state == ConsumerGroupState.EMPTY
    admin.delete_consumer_groups([group])[group].result(WAIT_LIMIT_S)
    with pytest.raises(KafkaException) as raised:
        admin.delete_consumer_groups([group])[group].result(WAIT_LIMIT_S)
    assert raised.value.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
    found = admin.list_consumer_group_offsets([asked])[group].result(WAIT_LIMIT_S)
    assert found.topic_partitions[0].offset == -1001


# --- from one protocol to the other, while records are consumed


@pytest.mark.parametrize("way", ["upgrade", "downgrade"])
def test_a_group_changes_its_protocol_one_member_at_a_time(
    kafka_bootstrap: str, make_topic: MakeTopic, unique: Callable[[str], str], way: str
) -> None:
    """As a rolling restart does it: three members, each replaced by one of the other protocol, nothing read twice."""
    topic, group = make_topic(partitions=6), unique("group")

    def classic() -> Consumer:
        configs = {"heartbeat.interval.ms": 200, "partition.assignment.strategy": "cooperative-sticky"}
        return consumer(kafka_bootstrap, group, **configs)

    makers = [classic, lambda: next_generation(kafka_bootstrap, group)]
    old, new = makers if way == "upgrade" else reversed(makers)
    values: list[bytes] = []

    def poll(members: list[Consumer]) -> bool:
        for member in members:
            values.extend(message.value() for message in member.consume(50, 0.05))
        return sorted(index for member in members for index in assigned(member)) == list(range(6))

    members = [old() for _ in range(3)]
    for member in members:
        member.subscribe([topic])
    wait_for(lambda: poll(members) and all(len(assigned(member)) == 2 for member in members))
    sent = 0
    for place in range(3):
        for partition in range(6):
            send(kafka_bootstrap, topic, [b"%d" % (sent + i) for i in range(10)], partition=partition)
            sent += 10
        wait_for(lambda sent=sent: poll(members) and len(values) >= sent)
        for member in members:
            member.commit(asynchronous=False)
        members[place].close()
        members[place] = new()
        members[place].subscribe([topic])
        wait_for(lambda: poll(members) and all(len(assigned(member)) == 2 for member in members))
    assert sorted(values, key=int) == [b"%d" % i for i in range(sent)], "each record once"
    for member in members:
        member.close()
