"""DescribeCluster (key 60), versions 0 to 2: one broker, which is also the controller."""

from __future__ import annotations

from smackbox.kafka.handlers.access import authorized_operations
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.metadata import CLUSTER_OPERATIONS
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

BROKERS = 1


def handle(broker: Broker, call: Call, request: DescribeClusterRequest) -> DescribeClusterResponse:
    """Answer DescribeCluster."""
    if request.endpoint_type != BROKERS:
        return DescribeClusterResponse(
            error_code=errors.MISMATCHED_ENDPOINT_TYPE
            if request.endpoint_type == BROKERS + 1
            else errors.UNSUPPORTED_ENDPOINT_TYPE,
            error_message="this listener is a broker's",
        )
    host, port = call.connection.advertised
    return DescribeClusterResponse(
        endpoint_type=BROKERS,
        cluster_id=broker.catalog.cluster_id,
        controller_id=NODE_ID,
        brokers=[DescribeClusterBroker(NODE_ID, host, port)],
        cluster_authorized_operations=authorized_operations(broker, call, CLUSTER_OPERATIONS, ResourceType.CLUSTER)
        if request.include_cluster_authorized_operations
        else -2147483648,
    )
