"""What OffsetCommit and TxnOffsetCommit share: the offsets in the request, and the answer to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from smackbox.kafka.handlers.access import may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.group_offsets import CommittedOffset, TopicPartition
from smackbox.kafka.wire import error_codes as errors


class AskedPartition(Protocol):
    """One partition of a request."""

    partition_index: int
    committed_offset: int
    committed_leader_epoch: int
    committed_metadata: str | None


class AnsweredPartition(Protocol):
    """One partition of an answer."""

    partition_index: int
    error_code: int


P = TypeVar("P", bound=AnsweredPartition)
T = TypeVar("T")


class AskedOffsets(Generic[P, T]):
    """`offsets` are those that may be committed so far; `partitions` has the answer to each one in the request."""

    def __init__(
        self,
        broker: Broker,
        call: Call,
        partition: Callable[[int, int], P],
        topic: Callable[[str, bytes, list[P]], T],
        *,
        by_id: bool,
    ) -> None:
        self._broker = broker
        self._call = call
        self._partition = partition
        self._topic = topic
        self._by_id = by_id
        self.offsets: dict[TopicPartition, CommittedOffset] = {}
        self.partitions: list[tuple[TopicPartition, P]] = []
        self.topics: list[T] = []

    def take(self, name: str, topic_id: bytes, partitions: Iterable[AskedPartition]) -> None:
        """Look up one topic of the request. Its answer carries its name if that is known, whatever the version."""
        catalog = self._broker.catalog
        topic = catalog.by_id.get(topic_id) if self._by_id else catalog.topics.get(name)
        name = topic.name if topic is not None else name
        allowed = may(self._broker, self._call, Operation.READ, ResourceType.TOPIC, name)
        now_ms = self._broker.clock.wall_ms()
        answers = []
        for asked in partitions:
            where = (name, asked.partition_index)
            code = 0
            if not allowed:
                code = errors.TOPIC_AUTHORIZATION_FAILED
            elif topic is None:
                code = errors.UNKNOWN_TOPIC_ID if self._by_id else errors.UNKNOWN_TOPIC_OR_PARTITION
            elif not 0 <= asked.partition_index < len(topic.partitions):
                code = errors.UNKNOWN_TOPIC_OR_PARTITION
            else:
                self.offsets[where] = CommittedOffset(
                    asked.committed_offset, asked.committed_leader_epoch, asked.committed_metadata or "", now_ms
                )
            answers.append(self._partition(asked.partition_index, code))
            self.partitions.append((where, answers[-1]))
        self.topics.append(self._topic(name, topic_id, answers))

    def drop_large_metadata(self) -> None:
        """Reject offsets whose metadata is larger than `offset.metadata.max.bytes`."""
        limit = self._broker.settings.offset_metadata_max_bytes
        for where, answer in self.partitions:
            offset = self.offsets.get(where)
            if offset is not None and len(offset.metadata) > limit:
                del self.offsets[where]
                answer.error_code = errors.OFFSET_METADATA_TOO_LARGE

    def answered(self, code: int) -> list[T]:
        """The answers, with `code` for each partition that has no other error."""
        for _, answer in self.partitions:
            answer.error_code = answer.error_code or code
        return self.topics
