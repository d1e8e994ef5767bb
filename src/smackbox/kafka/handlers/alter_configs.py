"""AlterConfigs (key 33), versions 0 to 2: replaces all overrides of a topic or of the broker."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.config_resources import alter
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.config_change import SET, Change
from smackbox.kafka.wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)


def handle(broker: Broker, call: Call, request: AlterConfigsRequest) -> AlterConfigsResponse:
    """Answer AlterConfigs. Each resource has its own error code: one that is rejected does not keep back the others."""
    responses = []
    for resource in request.resources:
        kind, name = resource.resource_type, resource.resource_name
        changes = [Change(config.name, SET, config.value) for config in resource.configs]
        code, message = alter(broker, call, kind, name, changes, replace=True, validate_only=request.validate_only)
        responses.append(AlterConfigsResourceResponse(code, message, kind, name))
    return AlterConfigsResponse(responses=responses)
