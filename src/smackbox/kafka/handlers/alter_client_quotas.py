"""AlterClientQuotas (key 49), versions 0 and 1: quotas are not enforced, so none can be set."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntryResult,
)


def handle(broker: Broker, call: Call, request: AlterClientQuotasRequest) -> AlterClientQuotasResponse:
    """Answer AlterClientQuotas. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.ALTER_CONFIGS)
    message = "This broker enforces no client quotas."
    return AlterClientQuotasResponse(
        entries=[
            EntryResult(0, None, entry.entity)
            if all(operation.remove for operation in entry.ops)
            else EntryResult(errors.POLICY_VIOLATION, message, entry.entity)
            for entry in request.entries
        ]
    )
