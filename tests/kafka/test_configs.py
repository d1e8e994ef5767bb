"""Broker configurations: what is shown, and that no secret is."""

from __future__ import annotations

from tests.kafka.client import RawClient
from tests.kafka.conftest import StartKafka

from smackbox.kafka.state.config_docs import WITHOUT_EFFECT, documentation
from smackbox.kafka.state.group_config import EFFECTIVE as GROUP_EFFECTIVE
from smackbox.kafka.state.topic_config import EFFECTIVE
from smackbox.kafka.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from smackbox.kafka.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from smackbox.kafka.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

BROKER, GROUP = 4, 32


def test_the_brokers_configurations_hold_no_secret(start_kafka: StartKafka) -> None:
    kafka = start_kafka(num_partitions=3, sasl_plain_users={"alice": "very-secret"})
    with RawClient(kafka.url) as client:
        request = DescribeConfigsRequest([DescribeConfigsResource(BROKER, "1", None)], True)
        (result,) = client.ask(request, 4).results
    configs = {config.name: config for config in result.configs}
    assert configs["num.partitions"].value == "3"
    assert configs["num.partitions"].config_source == 4
    assert configs["node.id"].read_only
    assert not configs["log.retention.ms"].read_only
    assert "very-secret" not in repr(result)
    assert "alice" not in repr(result)


def test_what_has_an_effect_is_documented_and_the_rest_says_that_it_has_none(start_kafka: StartKafka) -> None:
    with RawClient(start_kafka().url) as client:
        request = DescribeConfigsRequest([DescribeConfigsResource(BROKER, "1", None)], False, True)
        (result,) = client.ask(request, 4).results
    said = {config.name: config.documentation for config in result.configs}
    assert said["log.retention.ms"] == "For topics that do not say: How long records are kept."
    assert said["num.io.threads"] == WITHOUT_EFFECT
    assert [name for name in EFFECTIVE | GROUP_EFFECTIVE if documentation(name) == WITHOUT_EFFECT] == []


def test_a_shorter_session_of_a_group_and_fewer_connections_take_effect(start_kafka: StartKafka) -> None:
    kafka = start_kafka()
    with RawClient(kafka.url) as client:
        configs = [AlterableConfig("consumer.heartbeat.interval.ms", 0, "7000")]
        asked = IncrementalAlterConfigsRequest([AlterConfigsResource(GROUP, "g", configs)])
        assert client.ask(asked, 1).responses[0].error_code == 0
        beat = ConsumerGroupHeartbeatRequest(
            "g", "m", 0, rebalance_timeout_ms=5000, subscribed_topic_names=["t"], topic_partitions=[]
        )
        assert client.ask(beat, 1).heartbeat_interval_ms == 7000
        configs = [AlterableConfig("max.connections", 0, "1")]
        asked = IncrementalAlterConfigsRequest([AlterConfigsResource(BROKER, "1", configs)])
        assert client.ask(asked, 1).responses[0].error_code == 0
        with RawClient(kafka.url) as other:
            assert other.is_closed_by_peer()
