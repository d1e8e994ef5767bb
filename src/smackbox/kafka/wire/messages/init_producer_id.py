"""InitProducerId (key 22), versions 0 to 6."""

from __future__ import annotations

from typing import Annotated, ClassVar

from smackbox.kafka.wire.schema import Bool, Int16, Int32, Int64, Message, NullableString, Since


class InitProducerIdRequest(Message):
    """The request of API key 22: versions 0 to 6, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 6)
    FLEXIBLE: ClassVar[int] = 2

    transactional_id: NullableString = ""
    transaction_timeout_ms: Int32 = 0
    producer_id: Annotated[Int64, Since(3)] = -1
    producer_epoch: Annotated[Int16, Since(3)] = -1
    enable2_pc: Annotated[Bool, Since(6)] = False
    keep_prepared_txn: Annotated[Bool, Since(6)] = False


class InitProducerIdResponse(Message):
    """The response of API key 22: versions 0 to 6, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 6)
    FLEXIBLE: ClassVar[int] = 2

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Int64 = -1
    producer_epoch: Int16 = 0
    ongoing_txn_producer_id: Annotated[Int64, Since(6)] = -1
    ongoing_txn_producer_epoch: Annotated[Int16, Since(6)] = -1
