"""ListPartitionReassignments (key 46), version 0: none is ever in progress."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)


def handle(broker: Broker, call: Call, _: ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse:
    """Answer ListPartitionReassignments. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.DESCRIBE)
    return ListPartitionReassignmentsResponse(error_message=None)
