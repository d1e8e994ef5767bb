"""EndTxn (key 26), versions 0 to 5: commit or abort.

Answered when the markers are written. From version 5 on (transaction version 2) the answer includes the producer's next
epoch.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_transactional_id
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.end_txn import EndTxnRequest, EndTxnResponse

FENCED_SINCE = 2
BUMP_SINCE = 5


def handle(broker: Broker, call: Call, request: EndTxnRequest) -> EndTxnResponse | Parked:
    """Answer EndTxn, at once or on completion. Raises `KafkaError` when the whole request is rejected."""
    check_transactional_id(broker, call, Operation.WRITE, request.transactional_id)
    bump = call.version >= BUMP_SINCE
    ended: list[KafkaError | None] = []

    def done(error: KafkaError | None) -> None:
        ended.append(error)
        if len(ended) == 2:
            failed = ended[0] or ended[1]
            call.respond(
                EndTxnResponse(error_code=failed.code)
                if failed is not None
                else EndTxnResponse(producer_id=transaction.producer_id, producer_epoch=transaction.epoch)
            )

    try:
        transaction = broker.transactions.end(
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            commit=request.committed,
            bump=bump,
            done=done,
        )
    except KafkaError as error:
        code = error.code
        if code == errors.PRODUCER_FENCED and call.version < FENCED_SINCE:
            code = errors.INVALID_PRODUCER_EPOCH
        return EndTxnResponse(error_code=code)
    done(None)  # both have happened: the end is durable, and the producer's next epoch is known
    return PARKED
