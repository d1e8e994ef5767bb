"""DescribeConfigs (key 32), versions 1 to 4: topics, groups and this broker, with sources and synonyms."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster, check_group, check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.broker_config import effective_broker_configs
from smackbox.kafka.state.client_metrics_config import effective_client_metrics_configs
from smackbox.kafka.state.config_docs import documentation
from smackbox.kafka.state.config_source import ConfigValue, effective_topic_configs
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_config import effective_group_configs
from smackbox.kafka.state.topic import check_name
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32


def handle(broker: Broker, call: Call, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    """Answer DescribeConfigs: each entry has its own error code."""
    results = []
    for asked in request.resources:
        try:
            configs = _configs(broker, call, asked)
        except KafkaError as error:
            results.append(
                DescribeConfigsResult(error.code, error.message, asked.resource_type, asked.resource_name, [])
            )
            continue
        keys = asked.configuration_keys
        results.append(
            DescribeConfigsResult(
                0,
                None,
                asked.resource_type,
                asked.resource_name,
                [_config(config, request) for config in configs if keys is None or config.name in keys],
            )
        )
    return DescribeConfigsResponse(results=results)


def _configs(broker: Broker, call: Call, asked: DescribeConfigsResource) -> list[ConfigValue]:
    name = asked.resource_name
    if asked.resource_type == TOPIC:
        check_topic(broker, call, Operation.DESCRIBE_CONFIGS, name)
        check_name(name)
        return effective_topic_configs(broker.catalog, broker.catalog.topic(name).overrides)
    if asked.resource_type == BROKER:
        check_cluster(broker, call, Operation.DESCRIBE_CONFIGS)
        if name not in {"", str(NODE_ID)}:
            raise KafkaError(
                errors.INVALID_REQUEST, f"Unexpected broker id, expected {NODE_ID} or empty string, but received {name}"
            )
        return effective_broker_configs(broker.catalog, dynamic_default_only=not name)
    if asked.resource_type == GROUP:
        check_group(broker, call, Operation.DESCRIBE_CONFIGS, name)
        if not name:
            raise KafkaError(errors.INVALID_REQUEST, "Group name must not be empty")
        return effective_group_configs(broker.settings, broker.catalog.group_overrides.get(name, {}))
    if asked.resource_type == CLIENT_METRICS:
        check_cluster(broker, call, Operation.DESCRIBE_CONFIGS)
        if not name:
            raise KafkaError(errors.INVALID_REQUEST, "Client metrics subscription name must not be empty")
        return effective_client_metrics_configs(broker.catalog.metrics_overrides.get(name, {}))
    raise KafkaError(errors.INVALID_REQUEST, f"Unsupported resource type: {asked.resource_type}")


def _config(config: ConfigValue, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    return DescribeConfigsResourceResult(
        config.name,
        None if config.sensitive else config.value,
        config.read_only,
        config.source,
        config.sensitive,
        [DescribeConfigsSynonym(*synonym) for synonym in config.synonyms] if request.include_synonyms else [],
        config.kind,
        documentation(config.name) if request.include_documentation else None,
    )
