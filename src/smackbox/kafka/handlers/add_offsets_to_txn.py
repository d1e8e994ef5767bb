"""AddOffsetsToTxn (key 25), versions 0 to 4: add a group's offsets to a producer's transaction."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_group, check_transactional_id
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse

FENCED_SINCE = 2


def handle(broker: Broker, call: Call, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse | Parked:
    """Answer AddOffsetsToTxn, at once or on completion. Raises `KafkaError` when the whole request is rejected."""

    def added(error: KafkaError | None) -> None:
        call.respond(AddOffsetsToTxnResponse(error_code=error.code if error else 0))

    check_transactional_id(broker, call, Operation.WRITE, request.transactional_id)
    check_group(broker, call, Operation.READ, request.group_id)
    try:
        transaction = broker.transactions.of_producer(
            request.transactional_id, request.producer_id, request.producer_epoch
        )
        partition = broker.groups.log.partition_for(request.group_id)
        broker.transactions.add(transaction, {(partition.topic, partition.index)}, 1, added)
    except KafkaError as error:
        code = error.code
        if code == errors.PRODUCER_FENCED and call.version < FENCED_SINCE:
            code = errors.INVALID_PRODUCER_EPOCH
        return AddOffsetsToTxnResponse(error_code=code)
    return PARKED
