"""The bytes that consumers of the classic protocol embed in JoinGroup and SyncGroup."""

from __future__ import annotations

from collections.abc import Mapping

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire.messages.consumer_protocol import (
    AssignedTopicPartition,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from smackbox.kafka.wire.schema import read, write


def subscribed_topics(metadata: bytes) -> list[str]:
    """The subscribed topics. Raises `ProtocolError` when the bytes are not a consumer's subscription."""
    return subscription(metadata).topics


def subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    """The subscription. Raises `ProtocolError` when the bytes are not a consumer's subscription."""
    known = min(version_of(metadata), ConsumerProtocolSubscription.VERSIONS[1])
    return read(ConsumerProtocolSubscription, known, metadata, 2)[0]


def assignment(data: bytes) -> ConsumerProtocolAssignment:
    """The assignment. Raises `ProtocolError` when the bytes are not a consumer's assignment."""
    known = min(version_of(data), ConsumerProtocolAssignment.VERSIONS[1])
    return read(ConsumerProtocolAssignment, known, data, 2)[0]


def encoded_assignment(partitions: Mapping[str, set[int]], version: int) -> bytes:
    """Partition numbers by topic, encoded as in SyncGroup, in a version that the consumer supports."""
    known = min(version, ConsumerProtocolAssignment.VERSIONS[1])
    out = bytearray(known.to_bytes(2, "big"))
    topics = [AssignedTopicPartition(topic, sorted(indexes)) for topic, indexes in sorted(partitions.items())]
    write(ConsumerProtocolAssignment(topics), known, out)
    return bytes(out)


def version_of(data: bytes) -> int:
    """The version in the first two bytes. Raises `ProtocolError`."""
    if len(data) < 2:
        raise ProtocolError("a subscription or an assignment is cut short")
    version = int.from_bytes(data[:2], "big", signed=True)
    if version < 0:
        raise ProtocolError(f"a subscription or an assignment of version {version}")
    return version
