"""ListPartitionReassignments (key 46), version 0: there is never one going on."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)


def handle(_: Broker, __: Call, ___: ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse:
    return ListPartitionReassignmentsResponse(error_message=None)
