"""Metadata (key 3), versions 0 to 13."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import (
    NO_UUID,
    Bool,
    Int16,
    Int32,
    Message,
    NullableSince,
    NullableString,
    Since,
    String,
    Until,
    Uuid,
)


class MetadataRequestTopic(Message):
    """An entry of `MetadataRequest.topics`."""

    topic_id: Annotated[Uuid, Since(10)] = NO_UUID
    name: Annotated[NullableString, NullableSince(10)] = ""


class MetadataRequest(Message):
    """The request of API key 3: versions 0 to 13, flexible from 9."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 13)
    FLEXIBLE: ClassVar[int] = 9

    topics: Annotated[list[MetadataRequestTopic] | None, NullableSince(1)] = msgspec.field(default_factory=list)
    allow_auto_topic_creation: Annotated[Bool, Since(4)] = True
    include_cluster_authorized_operations: Annotated[Bool, Since(8), Until(10)] = False
    include_topic_authorized_operations: Annotated[Bool, Since(8)] = False


class MetadataResponseBroker(Message):
    """An entry of `MetadataResponse.brokers`."""

    node_id: Int32 = 0
    host: String = ""
    port: Int32 = 0
    rack: Annotated[NullableString, Since(1)] = None


class MetadataResponsePartition(Message):
    """An entry of `MetadataResponseTopic.partitions`."""

    error_code: Int16 = 0
    partition_index: Int32 = 0
    leader_id: Int32 = 0
    leader_epoch: Annotated[Int32, Since(7)] = -1
    replica_nodes: list[Int32] = msgspec.field(default_factory=list)
    isr_nodes: list[Int32] = msgspec.field(default_factory=list)
    offline_replicas: Annotated[list[Int32], Since(5)] = msgspec.field(default_factory=list)


class MetadataResponseTopic(Message):
    """An entry of `MetadataResponse.topics`."""

    error_code: Int16 = 0
    name: Annotated[NullableString, NullableSince(12)] = ""
    topic_id: Annotated[Uuid, Since(10)] = NO_UUID
    is_internal: Annotated[Bool, Since(1)] = False
    partitions: list[MetadataResponsePartition] = msgspec.field(default_factory=list)
    topic_authorized_operations: Annotated[Int32, Since(8)] = -2147483648


class MetadataResponse(Message):
    """The response of API key 3: versions 0 to 13, flexible from 9."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 13)
    FLEXIBLE: ClassVar[int] = 9

    throttle_time_ms: Annotated[Int32, Since(3)] = 0
    brokers: list[MetadataResponseBroker] = msgspec.field(default_factory=list)
    cluster_id: Annotated[NullableString, Since(2)] = None
    controller_id: Annotated[Int32, Since(1)] = -1
    topics: list[MetadataResponseTopic] = msgspec.field(default_factory=list)
    cluster_authorized_operations: Annotated[Int32, Since(8), Until(10)] = -2147483648
    error_code: Annotated[Int16, Since(13)] = 0
