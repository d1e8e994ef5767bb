"""AddPartitionsToTxn (key 24), versions 0 to 5."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int16, Int32, Int64, Message, Since, String, Until


class AddPartitionsToTxnTopic(Message):
    """An entry of `AddPartitionsToTxnTransaction.topics` and `AddPartitionsToTxnRequest.v3_and_below_topics`."""

    name: String = ""
    partitions: list[Int32] = msgspec.field(default_factory=list)


class AddPartitionsToTxnTransaction(Message):
    """An entry of `AddPartitionsToTxnRequest.transactions`."""

    transactional_id: Annotated[String, Since(4)] = ""
    producer_id: Annotated[Int64, Since(4)] = 0
    producer_epoch: Annotated[Int16, Since(4)] = 0
    verify_only: Annotated[Bool, Since(4)] = False
    topics: Annotated[list[AddPartitionsToTxnTopic], Since(4)] = msgspec.field(default_factory=list)


class AddPartitionsToTxnRequest(Message):
    """The request of API key 24: versions 0 to 5, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 3

    transactions: Annotated[list[AddPartitionsToTxnTransaction], Since(4)] = msgspec.field(default_factory=list)
    v3_and_below_transactional_id: Annotated[String, Until(3)] = ""
    v3_and_below_producer_id: Annotated[Int64, Until(3)] = 0
    v3_and_below_producer_epoch: Annotated[Int16, Until(3)] = 0
    v3_and_below_topics: Annotated[list[AddPartitionsToTxnTopic], Until(3)] = msgspec.field(default_factory=list)


class AddPartitionsToTxnPartitionResult(Message):
    """An entry of `AddPartitionsToTxnTopicResult.results_by_partition`."""

    partition_index: Int32 = 0
    partition_error_code: Int16 = 0


class AddPartitionsToTxnTopicResult(Message):
    """An entry of `AddPartitionsToTxnResult.topic_results` and others."""

    name: String = ""
    results_by_partition: list[AddPartitionsToTxnPartitionResult] = msgspec.field(default_factory=list)


class AddPartitionsToTxnResult(Message):
    """An entry of `AddPartitionsToTxnResponse.results_by_transaction`."""

    transactional_id: Annotated[String, Since(4)] = ""
    topic_results: Annotated[list[AddPartitionsToTxnTopicResult], Since(4)] = msgspec.field(default_factory=list)


class AddPartitionsToTxnResponse(Message):
    """The response of API key 24: versions 0 to 5, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 5)
    FLEXIBLE: ClassVar[int] = 3

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, Since(4)] = 0
    results_by_transaction: Annotated[list[AddPartitionsToTxnResult], Since(4)] = msgspec.field(default_factory=list)
    results_by_topic_v3_and_below: Annotated[list[AddPartitionsToTxnTopicResult], Until(3)] = msgspec.field(
        default_factory=list
    )
