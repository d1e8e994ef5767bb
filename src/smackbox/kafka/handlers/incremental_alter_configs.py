"""IncrementalAlterConfigs (key 44), versions 0 and 1: set, delete, append to or subtract from single configurations."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.config_resources import alter
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.config_change import Change
from smackbox.kafka.wire.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


def handle(broker: Broker, call: Call, request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse:
    """Answer IncrementalAlterConfigs. Each resource has its own error code: one that is rejected does not keep back the
    others.
    """
    responses = []
    for resource in request.resources:
        kind, name = resource.resource_type, resource.resource_name
        changes = [Change(config.name, config.config_operation, config.value) for config in resource.configs]
        code, message = alter(broker, call, kind, name, changes, replace=False, validate_only=request.validate_only)
        responses.append(AlterConfigsResourceResponse(code, message, kind, name))
    return IncrementalAlterConfigsResponse(responses=responses)
