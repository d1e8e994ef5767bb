"""FindCoordinator (key 10), versions 0 to 6: this broker coordinates every group and every transaction.

Before version 4 a request has one key, from version 4 on several. Keys of share groups (type 2) are not supported.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group, check_transactional_id
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

GROUP, TRANSACTION, SHARE = 0, 1, 2
NO_NODE = -1


def handle(broker: Broker, call: Call, request: FindCoordinatorRequest) -> FindCoordinatorResponse:
    """Answer FindCoordinator."""
    keys = request.coordinator_keys if call.version >= 4 else [request.key]
    coordinators = [_find(broker, call, key, request.key_type) for key in keys]
    if call.version >= 4:
        return FindCoordinatorResponse(coordinators=coordinators)
    only = coordinators[0]
    return FindCoordinatorResponse(0, only.error_code, only.error_message, only.node_id, only.host, only.port)


def _find(broker: Broker, call: Call, key: str, key_type: int) -> Coordinator:
    if key_type not in {GROUP, TRANSACTION} or (key_type == TRANSACTION and not key):
        return Coordinator(key, NO_NODE, "", -1, errors.INVALID_REQUEST, "no coordinator for such a key")
    try:
        if key_type == TRANSACTION:
            check_transactional_id(broker, call, Operation.DESCRIBE, key)
        else:
            check_group(broker, call, Operation.DESCRIBE, key)
    except KafkaError as error:
        return Coordinator(key, NO_NODE, "", -1, error.code, error.message)
    host, port = call.connection.advertised
    return Coordinator(key, NODE_ID, host, port, 0, None)
