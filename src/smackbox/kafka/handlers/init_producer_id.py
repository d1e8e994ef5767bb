"""InitProducerId (key 22), versions 0 to 5: an id for an idempotent producer, or a transactional one's next epoch."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse


def handle(broker: Broker, _: Call, request: InitProducerIdRequest) -> InitProducerIdResponse:
    if request.transactional_id is None:
        return InitProducerIdResponse(producer_id=broker.next_producer_id(), producer_epoch=0)
    return InitProducerIdResponse(error_code=errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
