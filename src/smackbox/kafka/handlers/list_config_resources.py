"""ListConfigResources (key 74), versions 0 and 1: the resources that have configurations. Version 0 lists client
metrics only.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
KNOWN = (TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP)


def handle(broker: Broker, call: Call, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse:
    """Answer ListConfigResources. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.DESCRIBE_CONFIGS)
    kinds = (request.resource_types or KNOWN) if call.version >= 1 else (CLIENT_METRICS,)
    if not set(kinds) <= set(KNOWN):
        return ListConfigResourcesResponse(error_code=errors.UNSUPPORTED_VERSION)
    resources = [ConfigResource(str(NODE_ID), kind) for kind in (BROKER_LOGGER, BROKER) if kind in kinds]
    if TOPIC in kinds:
        resources += [ConfigResource(name, TOPIC) for name in broker.catalog.topics]
    if CLIENT_METRICS in kinds:
        resources += [ConfigResource(name, CLIENT_METRICS) for name in broker.catalog.metrics_overrides]
    if GROUP in kinds:
        resources += [ConfigResource(name, GROUP) for name in broker.catalog.group_overrides]
    return ListConfigResourcesResponse(config_resources=resources)
