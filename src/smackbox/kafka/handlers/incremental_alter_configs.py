"""IncrementalAlterConfigs (key 44), versions 0 and 1: set, delete, append to or subtract from single configurations."""

from __future__ import annotations

from smackbox.kafka.handlers.access import TOPIC_RESOURCE, check_cluster, check_group, check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.config_change import GROUP, Change, change
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


def handle(broker: Broker, call: Call, request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse:
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
                [Change(config.name, config.config_operation, config.value) for config in resource.configs],
                replace=False,
                validate_only=request.validate_only,
            )
        except KafkaError as error:
            code, message = error.code, error.message
        responses.append(AlterConfigsResourceResponse(code, message, resource.resource_type, resource.resource_name))
    return IncrementalAlterConfigsResponse(responses=responses)
