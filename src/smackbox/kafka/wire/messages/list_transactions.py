"""ListTransactions (key 66), versions 0 to 2."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Int64, Message, NullableString, Since, String


class ListTransactionsRequest(Message):
    """The request of API key 66: versions 0 to 2, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 0

    state_filters: list[String] = msgspec.field(default_factory=list)
    producer_id_filters: list[Int64] = msgspec.field(default_factory=list)
    duration_filter: Annotated[Int64, Since(1)] = -1
    transactional_id_pattern: Annotated[NullableString, Since(2)] = None


class TransactionState(Message):
    """An entry of `ListTransactionsResponse.transaction_states`."""

    transactional_id: String = ""
    producer_id: Int64 = 0
    transaction_state: String = ""


class ListTransactionsResponse(Message):
    """The response of API key 66: versions 0 to 2, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    unknown_state_filters: list[String] = msgspec.field(default_factory=list)
    transaction_states: list[TransactionState] = msgspec.field(default_factory=list)
