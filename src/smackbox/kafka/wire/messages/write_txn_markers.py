"""WriteTxnMarkers (key 27), versions 1 to 2."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bool, Int8, Int16, Int32, Int64, Message, Since, String


class WritableTxnMarkerTopic(Message):
    """An entry of `WritableTxnMarker.topics`."""

    name: String = ""
    partition_indexes: list[Int32] = msgspec.field(default_factory=list)


class WritableTxnMarker(Message):
    """An entry of `WriteTxnMarkersRequest.markers`."""

    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    transaction_result: Bool = False
    topics: list[WritableTxnMarkerTopic] = msgspec.field(default_factory=list)
    coordinator_epoch: Int32 = 0
    transaction_version: Annotated[Int8, Since(2)] = 0


class WriteTxnMarkersRequest(Message):
    """The request of API key 27: versions 1 to 2, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 2)
    FLEXIBLE: ClassVar[int] = 1

    markers: list[WritableTxnMarker] = msgspec.field(default_factory=list)


class WritableTxnMarkerPartitionResult(Message):
    """An entry of `WritableTxnMarkerTopicResult.partitions`."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


class WritableTxnMarkerTopicResult(Message):
    """An entry of `WritableTxnMarkerResult.topics`."""

    name: String = ""
    partitions: list[WritableTxnMarkerPartitionResult] = msgspec.field(default_factory=list)


class WritableTxnMarkerResult(Message):
    """An entry of `WriteTxnMarkersResponse.markers`."""

    producer_id: Int64 = 0
    topics: list[WritableTxnMarkerTopicResult] = msgspec.field(default_factory=list)


class WriteTxnMarkersResponse(Message):
    """The response of API key 27: versions 1 to 2, flexible from 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 2)
    FLEXIBLE: ClassVar[int] = 1

    markers: list[WritableTxnMarkerResult] = msgspec.field(default_factory=list)
