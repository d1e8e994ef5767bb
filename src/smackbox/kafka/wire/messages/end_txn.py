"""EndTxn (key 26), versions 0 to 5."""

from __future__ import annotations

from typing import Annotated, ClassVar

from smackbox.kafka.wire.schema import Bool, Int16, Int32, Int64, Message, Since, String


class EndTxnRequest(Message):
    """The request of API key 26: versions 0 to 5, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 3

    transactional_id: String = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    committed: Bool = False


class EndTxnResponse(Message):
    """The response of API key 26: versions 0 to 5, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 3

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Annotated[Int64, Since(5)] = -1
    producer_epoch: Annotated[Int16, Since(5)] = -1
