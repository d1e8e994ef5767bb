"""The committed offsets of one group, including those of open transactions, and the records that store them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from smackbox.kafka.state.coordinator_log import KeyedRecord, key_bytes, value_bytes
from smackbox.kafka.wire.messages.group_records import OffsetCommitKey, OffsetCommitValue

OFFSET_KEY_TYPE = 1
OFFSET_VALUE_VERSION = 3

TopicPartition = tuple[str, int]


class CommittedOffset(NamedTuple):
    """A committed offset of one partition."""

    offset: int
    leader_epoch: int
    metadata: str
    commit_timestamp: int


def offset_record(group_id: str, where: TopicPartition, committed: CommittedOffset | None) -> KeyedRecord:
    """The record of one committed offset; a tombstone for None."""
    key = key_bytes(OFFSET_KEY_TYPE, OffsetCommitKey(group_id, where[0], where[1]))
    if committed is None:
        return key, None
    value = OffsetCommitValue(committed.offset, committed.leader_epoch, committed.metadata, committed.commit_timestamp)
    return key, value_bytes(OFFSET_VALUE_VERSION, value)


@dataclass(slots=True)
class GroupOffsets:
    """`pending` holds, by producer id, the offsets of open transactions."""

    committed: dict[TopicPartition, CommittedOffset] = field(default_factory=dict)
    pending: dict[int, dict[TopicPartition, CommittedOffset]] = field(default_factory=dict)

    def is_pending(self, where: TopicPartition) -> bool:
        """Whether an open transaction has an offset for that partition."""
        return any(where in offsets for offsets in self.pending.values())

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """Make the transaction's offsets visible, or discard them."""
        offsets = self.pending.pop(producer_id, None)
        if commit and offsets:
            self.committed.update(offsets)

    def __bool__(self) -> bool:
        return bool(self.committed or self.pending)
