"""Broker configurations: what is shown, and that no secret is."""

from __future__ import annotations

from tests.kafka.client import RawClient
from tests.kafka.conftest import StartKafka

from smackbox.kafka.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

BROKER = 4


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
