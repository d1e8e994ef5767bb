"""The records of `__transaction_state`."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int8, Int16, Int32, Int64, Message, Since, String, Tag


class TransactionLogKey(Message):
    """The key of a record of TransactionLog: version 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)

    transactional_id: String = ""


class PartitionsSchema(Message):
    """An entry of `TransactionLogValue.transaction_partitions`."""

    topic: String = ""
    partition_ids: list[Int32] = msgspec.field(default_factory=list)


class TransactionLogValue(Message):
    """The value of a record of TransactionLog: versions 0 to 1, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)
    FLEXIBLE: ClassVar[int] = 1

    producer_id: Int64 = 0
    previous_producer_id: Annotated[Int64, Tag(0), Since(1)] = -1
    next_producer_id: Annotated[Int64, Tag(1), Since(1)] = -1
    producer_epoch: Int16 = 0
    next_producer_epoch: Annotated[Int16, Tag(3), Since(1)] = -1
    transaction_timeout_ms: Int32 = 0
    transaction_status: Int8 = 0
    transaction_partitions: list[PartitionsSchema] | None = msgspec.field(default_factory=list)
    transaction_last_update_timestamp_ms: Int64 = 0
    transaction_start_timestamp_ms: Int64 = 0
    client_transaction_version: Annotated[Int16, Tag(2), Since(1)] = 0
