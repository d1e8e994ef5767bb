"""DescribeTransactions (key 65), versions 0 to 0."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Int32, Int64, Message, String


class DescribeTransactionsRequest(Message):
    """The request of API key 65: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    transactional_ids: list[String] = msgspec.field(default_factory=list)


class TopicData(Message):
    """An entry of `TransactionState.topics`."""

    topic: String = ""
    partitions: list[Int32] = msgspec.field(default_factory=list)


class TransactionState(Message):
    """An entry of `DescribeTransactionsResponse.transaction_states`."""

    error_code: Int16 = 0
    transactional_id: String = ""
    transaction_state: String = ""
    transaction_timeout_ms: Int32 = 0
    transaction_start_time_ms: Int64 = 0
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    topics: list[TopicData] = msgspec.field(default_factory=list)


class DescribeTransactionsResponse(Message):
    """The response of API key 65: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    transaction_states: list[TransactionState] = msgspec.field(default_factory=list)
