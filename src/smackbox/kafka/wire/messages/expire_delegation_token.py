"""ExpireDelegationToken (key 40), versions 1 to 2."""

from __future__ import annotations

from typing import ClassVar

from smackbox.kafka.wire.schema import Bytes, Int16, Int32, Int64, Message


class ExpireDelegationTokenRequest(Message):
    """The request of API key 40: versions 1 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 2)
    FLEXIBLE: ClassVar[int] = 2

    hmac: Bytes = b""
    expiry_time_period_ms: Int64 = 0


class ExpireDelegationTokenResponse(Message):
    """The response of API key 40: versions 1 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 2)
    FLEXIBLE: ClassVar[int] = 2

    error_code: Int16 = 0
    expiry_timestamp_ms: Int64 = 0
    throttle_time_ms: Int32 = 0
