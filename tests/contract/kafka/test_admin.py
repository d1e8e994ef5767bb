"""What an administrator does: partitions, configurations, records, log directories, leaders, features."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)
from tests.contract.kafka.conftest import WAIT_LIMIT_S, wait_for
from tests.contract.kafka.test_confluent import MakeTopic, consumer, read, send
from tests.kafka.client import RawClient

from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages import (
    alter_partition_reassignments,
    create_partitions,
    delete_records,
    describe_log_dirs,
    describe_quorum,
    describe_topic_partitions,
    elect_leaders,
    incremental_alter_configs,
    list_config_resources,
    list_partition_reassignments,
    metadata,
    offset_for_leader_epoch,
    update_features,
)

pytestmark = pytest.mark.contract

TOPIC, BROKER = 2, 4


def test_partitions_are_added(admin: AdminClient, make_topic: MakeTopic, kafka_bootstrap: str) -> None:
    topic = make_topic()
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(WAIT_LIMIT_S)
    wait_for(lambda: len(admin.list_topics(topic, timeout=WAIT_LIMIT_S).topics[topic].partitions) == 3)
    send(kafka_bootstrap, topic, [b"x"], partition=2)
    with RawClient(kafka_bootstrap) as client:
        asked = [(topic, 3, None), (topic, 1, None), ("no-such-topic", 2, None), (topic, 5, [[1]])]
        codes = []
        for name, count, assignments in asked:
            wanted = None
            if assignments is not None:
                wanted = [create_partitions.CreatePartitionsAssignment(ids) for ids in assignments]
            request = create_partitions.CreatePartitionsRequest(
                [create_partitions.CreatePartitionsTopic(name, count, wanted)], 10_000, False
            )
            codes.append(client.ask(request, 3).results[0].error_code)
    assert codes == [
        errors.INVALID_PARTITIONS,
        errors.INVALID_PARTITIONS,
        errors.UNKNOWN_TOPIC_OR_PARTITION,
        errors.INVALID_REPLICA_ASSIGNMENT,
    ]


def config_of(admin: AdminClient, topic: str, name: str) -> Any:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return admin.describe_configs([resource])[resource].result(WAIT_LIMIT_S)[name]


def test_configurations_are_changed_one_by_one(admin: AdminClient, make_topic: MakeTopic) -> None:
    topic = make_topic(configs={"retention.ms": "60000"})

    def alter(name: str, value: str, operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(name, value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result(WAIT_LIMIT_S)

    alter("max.message.bytes", "5000", AlterConfigOpType.SET)
    wait_for(lambda: config_of(admin, topic, "max.message.bytes").value == "5000")
    assert config_of(admin, topic, "retention.ms").value == "60000"
    alter("cleanup.policy", "compact", AlterConfigOpType.APPEND)
    wait_for(lambda: config_of(admin, topic, "cleanup.policy").value == "delete,compact")
    alter("cleanup.policy", "delete", AlterConfigOpType.SUBTRACT)
    wait_for(lambda: config_of(admin, topic, "cleanup.policy").value == "compact")
    alter("max.message.bytes", "", AlterConfigOpType.DELETE)
    wait_for(lambda: config_of(admin, topic, "max.message.bytes").is_default)


@pytest.mark.parametrize(
    ("kind", "name", "config", "operation", "value", "code"),
    [
        (TOPIC, None, "retention.ms", 0, "-5", errors.INVALID_CONFIG),
        (TOPIC, None, "retention.ms", 2, "5", errors.INVALID_CONFIG),
        (TOPIC, None, "no.such.config", 0, "5", errors.INVALID_CONFIG),
        (TOPIC, "no-such-topic", "retention.ms", 0, "5", errors.UNKNOWN_TOPIC_OR_PARTITION),
        (BROKER, "9", "log.retention.bytes", 0, "5", errors.INVALID_REQUEST),
        (3, "x", "retention.ms", 0, "5", errors.INVALID_REQUEST),
    ],
)
def test_changes_that_are_refused(
    kafka_bootstrap: str,
    make_topic: MakeTopic,
    kind: int,
    name: str | None,
    config: str,
    operation: int,
    value: str,
    code: int,
) -> None:
    change = incremental_alter_configs.AlterableConfig(config, operation, value)
    resource = incremental_alter_configs.AlterConfigsResource(kind, name or make_topic(), [change])
    with RawClient(kafka_bootstrap) as client:
        answer = client.ask(incremental_alter_configs.IncrementalAlterConfigsRequest([resource]), 1)
    assert answer.responses[0].error_code == code


def test_records_are_deleted_up_to_an_offset(admin: AdminClient, make_topic: MakeTopic, kafka_bootstrap: str) -> None:
    topic = make_topic()
    send(kafka_bootstrap, topic, [b"%d" % i for i in range(10)])
    where = TopicPartition(topic, 0, 4)
    assert admin.delete_records([where])[where].result(WAIT_LIMIT_S).low_watermark == 4
    assert read(kafka_bootstrap, topic, 6) == [b"%d" % i for i in range(4, 10)]
    client = consumer(kafka_bootstrap)
    assert client.get_watermark_offsets(TopicPartition(topic, 0), WAIT_LIMIT_S) == (4, 10)
    client.close()
    asked = [(0, -1), (0, 50), (3, 0)]
    with RawClient(kafka_bootstrap) as raw:
        answers = []
        for index, offset in asked:
            partition = delete_records.DeleteRecordsPartition(index, offset)
            request = delete_records.DeleteRecordsRequest(
                [delete_records.DeleteRecordsTopic(topic, [partition])], 10_000
            )
            (answer,) = raw.ask(request, 2).topics[0].partitions
            answers.append((answer.error_code, answer.low_watermark))
    assert answers == [(0, 10), (errors.OFFSET_OUT_OF_RANGE, -1), (errors.UNKNOWN_TOPIC_OR_PARTITION, -1)]


def test_a_compacted_topic_takes_no_record_without_a_key(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    from confluent_kafka import Producer

    topic = make_topic(configs={"cleanup.policy": "compact"})
    failures: list[KafkaError] = []
    client = Producer({"bootstrap.servers": kafka_bootstrap, "log_level": 2})
    client.produce(topic, b"no key", on_delivery=lambda error, _: failures.append(error))
    client.produce(topic, b"key", b"key", on_delivery=lambda error, _: failures.append(error))
    client.flush(WAIT_LIMIT_S)
    assert failures[0] is not None
    assert failures[0].code() in {KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}


def test_append_time_is_the_brokers(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    from confluent_kafka import OFFSET_BEGINNING, Producer

    topic = make_topic(configs={"message.timestamp.type": "LogAppendTime"})
    client = Producer({"bootstrap.servers": kafka_bootstrap, "log_level": 2})
    client.produce(topic, b"x", timestamp=1000)
    assert client.flush(WAIT_LIMIT_S) == 0
    reader = consumer(kafka_bootstrap)
    reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    (message,) = reader.consume(1, WAIT_LIMIT_S)
    kind, timestamp = message.timestamp()
    assert kind == 2
    assert timestamp > 1_600_000_000_000
    reader.close()


# --- asked over the bare wire, for no client has a call for it


@pytest.fixture
def topic_of_two(make_topic: MakeTopic) -> str:
    return make_topic(partitions=2)


def test_topics_by_id(kafka_bootstrap: str, topic_of_two: str) -> None:
    with RawClient(kafka_bootstrap) as client:
        by_name = client.ask(
            metadata.MetadataRequest([metadata.MetadataRequestTopic(name=topic_of_two)], False, False, True), 12
        ).topics[0]
        assert by_name.topic_authorized_operations == 3576
        by_id = client.ask(
            metadata.MetadataRequest([metadata.MetadataRequestTopic(by_name.topic_id, None)], False), 12
        ).topics[0]
        unknown = client.ask(
            metadata.MetadataRequest([metadata.MetadataRequestTopic(uuid.uuid4().bytes, None)], False), 12
        ).topics[0]
    assert by_id.name == topic_of_two
    assert unknown.error_code == errors.UNKNOWN_TOPIC_ID


def test_topic_partitions_come_in_pages(kafka_bootstrap: str, topic_of_two: str) -> None:
    dtp = describe_topic_partitions
    with RawClient(kafka_bootstrap) as client:
        first = client.ask(dtp.DescribeTopicPartitionsRequest([dtp.TopicRequest(topic_of_two)], 1), 0)
        assert [p.partition_index for p in first.topics[0].partitions] == [0]
        assert (first.next_cursor.topic_name, first.next_cursor.partition_index) == (topic_of_two, 1)
        asked = [dtp.TopicRequest(topic_of_two)]
        second = client.ask(dtp.DescribeTopicPartitionsRequest(asked, 10, first.next_cursor), 0)
        assert [p.partition_index for p in second.topics[0].partitions] == [1]
        assert second.next_cursor is None
        unknown = client.ask(dtp.DescribeTopicPartitionsRequest([dtp.TopicRequest("no-such-topic")], 10), 0)
        assert unknown.topics[0].error_code == errors.UNKNOWN_TOPIC_OR_PARTITION


def test_the_log_directory_has_the_partitions(kafka_bootstrap: str, topic_of_two: str) -> None:
    send(kafka_bootstrap, topic_of_two, [b"x"], partition=1)
    asked = [describe_log_dirs.DescribableLogDirTopic(topic_of_two, [0, 1, 9])]
    with RawClient(kafka_bootstrap) as client:
        (found,) = client.ask(describe_log_dirs.DescribeLogDirsRequest(asked), 4).results
    (topic,) = found.topics
    sizes = {partition.partition_index: partition.partition_size for partition in topic.partitions}
    assert sizes.keys() == {0, 1}
    assert sizes[0] == 0
    assert sizes[1] > 60
    assert found.total_bytes > found.usable_bytes > 0


def test_the_only_replica_leads_and_stays(kafka_bootstrap: str, topic_of_two: str) -> None:
    el, apr = elect_leaders, alter_partition_reassignments
    with RawClient(kafka_bootstrap) as client:
        asked = [el.TopicPartitions(topic_of_two, [0, 9]), el.TopicPartitions("no-such-topic", [0])]
        results = client.ask(el.ElectLeadersRequest(0, asked, 1000), 2).replica_election_results
        codes = [partition.error_code for topic in results for partition in topic.partition_result]
        assert codes == [
            errors.ELECTION_NOT_NEEDED,
            errors.UNKNOWN_TOPIC_OR_PARTITION,
            errors.UNKNOWN_TOPIC_OR_PARTITION,
        ]
        moves = [
            apr.ReassignablePartition(0, [1]),
            apr.ReassignablePartition(1, None),
            apr.ReassignablePartition(5, [1]),
        ]
        request = apr.AlterPartitionReassignmentsRequest(1000, True, [apr.ReassignableTopic(topic_of_two, moves)])
        (answer,) = client.ask(request, 1).responses
        assert [partition.error_code for partition in answer.partitions] == [
            0,
            errors.NO_REASSIGNMENT_IN_PROGRESS,
            errors.UNKNOWN_TOPIC_OR_PARTITION,
        ]
        elsewhere = apr.ReassignableTopic(topic_of_two, [apr.ReassignablePartition(0, [77])])
        (answer,) = client.ask(apr.AlterPartitionReassignmentsRequest(1000, True, [elsewhere]), 1).responses
        assert answer.partitions[0].error_code == errors.INVALID_REPLICA_ASSIGNMENT
        listed = client.ask(list_partition_reassignments.ListPartitionReassignmentsRequest(1000, None), 0)
        assert (listed.error_code, listed.topics) == (0, [])


def test_where_an_epoch_ends(kafka_bootstrap: str, topic_of_two: str) -> None:
    ole = offset_for_leader_epoch
    send(kafka_bootstrap, topic_of_two, [b"x", b"y"])
    asked = [ole.OffsetForLeaderPartition(0, -1, 0), ole.OffsetForLeaderPartition(0, 5, 0)]
    asked.append(ole.OffsetForLeaderPartition(1, -1, 5))
    with RawClient(kafka_bootstrap) as client:
        request = ole.OffsetForLeaderEpochRequest(-1, [ole.OffsetForLeaderTopic(topic_of_two, asked)])
        (topic,) = client.ask(request, 4).topics
    assert [(p.error_code, p.leader_epoch, p.end_offset) for p in topic.partitions] == [
        (0, 0, 2),
        (errors.UNKNOWN_LEADER_EPOCH, -1, -1),
        (0, -1, -1),
    ]


def test_the_quorum_is_this_broker(kafka_bootstrap: str) -> None:
    dq = describe_quorum
    asked = [dq.RequestedTopic("__cluster_metadata", [dq.RequestedPartition(0)])]
    with RawClient(kafka_bootstrap) as client:
        answer = client.ask(dq.DescribeQuorumRequest(asked), 2)
    (partition,) = answer.topics[0].partitions
    assert (answer.error_code, partition.error_code, partition.leader_id) == (0, 0, 1)
    assert [voter.replica_id for voter in partition.current_voters] == [1]
    assert [node.node_id for node in answer.nodes] == [1]


def test_features_stand_where_they_are(kafka_bootstrap: str) -> None:
    uf = update_features
    with RawClient(kafka_bootstrap) as client:
        for feature, level, code in (
            ("transaction.version", 2, 0),
            ("no.such.feature", 1, errors.INVALID_UPDATE_VERSION),
        ):
            update = uf.FeatureUpdateKey(feature, level, upgrade_type=1)
            assert client.ask(uf.UpdateFeaturesRequest(1000, [update], True), 2).error_code == code


def test_what_has_configurations(kafka_bootstrap: str, topic_of_two: str) -> None:
    with RawClient(kafka_bootstrap) as client:
        found = client.ask(list_config_resources.ListConfigResourcesRequest([]), 1).config_resources
    names = {(resource.resource_type, resource.resource_name) for resource in found}
    assert {(TOPIC, topic_of_two), (BROKER, "1")} <= names


def test_a_brokers_configuration_reaches_its_topics(
    admin: AdminClient, make_topic: MakeTopic, unique: Callable[[str], str]
) -> None:
    topic = make_topic()
    entry = ConfigEntry("log.cleaner.min.compaction.lag.ms", "7", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(WAIT_LIMIT_S)
    wait_for(lambda: config_of(admin, topic, "min.compaction.lag.ms").value == "7")
    entry = ConfigEntry("log.cleaner.min.compaction.lag.ms", "", incremental_operation=AlterConfigOpType.DELETE)
    resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(WAIT_LIMIT_S)
    wait_for(lambda: config_of(admin, topic, "min.compaction.lag.ms").value == "0")
    with pytest.raises(KafkaException):
        entry = ConfigEntry("no.such.config", "1", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, unique("none"), incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result(WAIT_LIMIT_S)
