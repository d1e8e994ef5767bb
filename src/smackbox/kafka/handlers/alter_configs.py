"""AlterConfigs (key 33), versions 0 to 2: replaces all overrides of a topic or of the broker."""

from __future__ import annotations

from smackbox.kafka.handlers.access import TOPIC_RESOURCE, check_cluster, check_group, check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.config_change import GROUP, SET, Change, change
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)


def handle(broker: Broker, call: Call, request: AlterConfigsRequest) -> AlterConfigsResponse:
    responses = []
    for resource in request.resources:
        code, message = 0, None
        try:
            if resource.resource_type == TOPIC_RESOURCE:
                check_topic(broker, call, Operation.ALTER_CONFIGS, resource.resource_name)
            elif resource.resource_type == GROUP:
                check_group(broker, call, Operation.ALTER_CONFIGS, resource.resource_name)
            else:
                check_cluster(broker, call, Operation.ALTER_CONFIGS)
            change(
                broker.catalog,
                resource.resource_type,
                resource.resource_name,
                [Change(config.name, SET, config.value) for config in resource.configs],
                replace=True,
                validate_only=request.validate_only,
            )
        except KafkaError as error:
            code, message = error.code, error.message
        responses.append(AlterConfigsResourceResponse(code, message, resource.resource_type, resource.resource_name))
    return AlterConfigsResponse(responses=responses)
