"""InitProducerId (key 22), versions 0 to 5: an id for an idempotent producer, or a transactional one's next epoch.

From version 3 on a producer sends its previous id and epoch (KIP-360). Before version 4 a fenced producer receives
INVALID_PRODUCER_EPOCH.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_transactional_id, may_write_anything
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

FENCED_SINCE = 4
NO_PRODUCER = -1


def handle(broker: Broker, call: Call, request: InitProducerIdRequest) -> InitProducerIdResponse | Parked:
    """Answer InitProducerId, at once or on completion. Raises `KafkaError` when the whole request is rejected."""
    if request.transactional_id is None:
        if not may_write_anything(broker, call):
            return _refused(call, errors.CLUSTER_AUTHORIZATION_FAILED)
        return InitProducerIdResponse(producer_id=broker.next_producer_id(), producer_epoch=0)
    check_transactional_id(broker, call, Operation.WRITE, request.transactional_id)
    expected = None
    if request.producer_id != NO_PRODUCER:
        expected = (request.producer_id, request.producer_epoch)
    outcome: list[KafkaError | None] = []

    def done(error: KafkaError | None) -> None:
        outcome.append(error)
        if len(outcome) == 2:
            answer()

    def answer() -> None:
        error = next((error for error in outcome if error is not None), None)
        if error is not None:
            call.respond(_refused(call, error.code))
            return
        call.respond(InitProducerIdResponse(producer_id=transaction.producer_id, producer_epoch=transaction.epoch))

    try:
        transaction = broker.transactions.init_producer(
            request.transactional_id, request.transaction_timeout_ms, expected, done
        )
    except KafkaError as error:
        return _refused(call, error.code)
    done(None)  # both have happened: the record is durable, and the transaction is known
    return PARKED


def _refused(call: Call, code: int) -> InitProducerIdResponse:
    if code == errors.PRODUCER_FENCED and call.version < FENCED_SINCE:
        code = errors.INVALID_PRODUCER_EPOCH
    return InitProducerIdResponse(error_code=code)
