"""AddOffsetsToTxn (key 25), versions 0 to 4."""

from __future__ import annotations

from typing import ClassVar

from smackbox.kafka.wire.schema import Int16, Int32, Int64, Message, String


class AddOffsetsToTxnRequest(Message):
    """The request of API key 25: versions 0 to 4, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 4)
    FLEXIBLE: ClassVar[int] = 3

    transactional_id: String = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    group_id: String = ""


class AddOffsetsToTxnResponse(Message):
    """The response of API key 25: versions 0 to 4, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 4)
    FLEXIBLE: ClassVar[int] = 3

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
