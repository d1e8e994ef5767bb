"""The state that one partition keeps of its idempotent and transactional producers.

For each producer id: its epoch, its last five batches (so that a retry is answered with the offset of the first attempt
and not appended twice), and the first offset of its open transaction. The rules are those of Kafka's
`ProducerAppendInfo`:

    epoch below the known one                          INVALID_PRODUCER_EPOCH
    same epoch, one of the last five batches again     a duplicate: its old offsets
    same epoch, not the sequence after the last one    OUT_OF_ORDER_SEQUENCE_NUMBER
    higher epoch, sequence not 0                       OUT_OF_ORDER_SEQUENCE_NUMBER
    unknown producer                                   any sequence is accepted

The state is kept in `NNN.snapshot` files in Kafka's format beside the log (version i16 = 1, CRC-32C u32, then the
entries), written when a segment is rolled and on a clean stop; later batches are replayed from their headers.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from crc32c import crc32c

from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.record_batch import NO_SEQUENCE, BatchHeader, increment_sequence

BATCHES_KEPT = 5
NO_EPOCH = -1
NO_OFFSET = -1

_SNAPSHOT_HEAD = struct.Struct(">hIi")
_SNAPSHOT_ENTRY = struct.Struct(">qhiqiqiq")
_SNAPSHOT_VERSION = 1


class KeptBatch(NamedTuple):
    """A batch that a producer may retry."""

    first_sequence: int
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def first_offset(self) -> int:
        """The offset of its first record."""
        return self.last_offset - self.offset_delta


@dataclass(slots=True)
class ProducerState:
    """The state of one producer on one partition."""

    producer_id: int
    epoch: int = NO_EPOCH
    batches: deque[KeptBatch] = field(default_factory=lambda: deque(maxlen=BATCHES_KEPT))
    transaction_first_offset: int = NO_OFFSET
    coordinator_epoch: int = -1
    last_timestamp: int = -1

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record, `NO_SEQUENCE` before the first."""
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    @property
    def last_offset(self) -> int:
        """The offset of the last record, `NO_OFFSET` before the first."""
        return self.batches[-1].last_offset if self.batches else NO_OFFSET


class ProducerTable:
    """The producers of one partition."""

    __slots__ = ("states",)

    def __init__(self) -> None:
        self.states: dict[int, ProducerState] = {}

    def check(self, header: BatchHeader) -> KeptBatch | None:
        """None when the batch may be appended, the earlier batch when it is a duplicate. Raises `KafkaError`."""
        state = self.states.get(header.producer_id)
        if state is None:
            return None
        epoch, first = header.producer_epoch, header.base_sequence
        if epoch < state.epoch:
            raise KafkaError(
                errors.INVALID_PRODUCER_EPOCH, f"producer {header.producer_id} has epoch {state.epoch}, not {epoch}"
            )
        if epoch > state.epoch:
            if first != 0 and state.epoch != NO_EPOCH:
                raise KafkaError(
                    errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"producer {header.producer_id} begins epoch {epoch} with sequence {first}, not 0",
                )
            return None
        last = header.last_sequence
        for kept in state.batches:
            if kept.first_sequence == first and kept.last_sequence == last:
                return kept
        expected = state.last_sequence
        if first != increment_sequence(expected, 1):
            raise KafkaError(
                errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {header.producer_id} sent sequence {first} after {expected}",
            )
        return None

    def note(self, header: BatchHeader, base_offset: int) -> None:
        """Record that a producer's batch was appended at `base_offset`."""
        state = self.states.get(header.producer_id)
        if state is None:
            state = self.states[header.producer_id] = ProducerState(header.producer_id)
        if state.epoch != header.producer_epoch:
            state.batches.clear()
            state.epoch = header.producer_epoch
        if header.base_sequence != NO_SEQUENCE:  # the group coordinator's own batches have none
            state.batches.append(
                KeptBatch(
                    header.base_sequence,
                    header.last_sequence,
                    base_offset + header.last_offset_delta,
                    header.last_offset_delta,
                    header.max_timestamp,
                )
            )
        state.last_timestamp = header.max_timestamp
        if header.transactional and state.transaction_first_offset == NO_OFFSET:
            state.transaction_first_offset = base_offset

    def end_transaction(self, producer_id: int, epoch: int, coordinator_epoch: int, timestamp: int) -> int:
        """A control record ended the producer's transaction; returns its first offset, or -1 when none was open."""
        state = self.states.get(producer_id)
        if state is None:
            state = self.states[producer_id] = ProducerState(producer_id)
        if epoch != state.epoch:
            state.batches.clear()
            state.epoch = epoch
        first = state.transaction_first_offset
        state.transaction_first_offset = NO_OFFSET
        state.coordinator_epoch = coordinator_epoch
        state.last_timestamp = timestamp
        return first

    def first_open_offset(self) -> int:
        """The first offset of the oldest open transaction; -1 when none is open."""
        open_offsets = [s.transaction_first_offset for s in self.states.values() if s.transaction_first_offset >= 0]
        return min(open_offsets) if open_offsets else NO_OFFSET

    def expire(self, before_ms: int) -> None:
        """Forget producers without an open transaction that have written nothing since `before_ms`."""
        gone = [
            producer_id
            for producer_id, state in self.states.items()
            if state.transaction_first_offset < 0 and state.last_timestamp < before_ms
        ]
        for producer_id in gone:
            del self.states[producer_id]

    def snapshot(self) -> bytes:
        """The table as the bytes of a `.snapshot` file. Kafka keeps only the last batch of each producer in it."""
        entries = bytearray()
        for state in self.states.values():
            kept = state.batches[-1] if state.batches else None
            entries += _SNAPSHOT_ENTRY.pack(
                state.producer_id,
                state.epoch,
                kept.last_sequence if kept else NO_SEQUENCE,
                kept.last_offset if kept else NO_OFFSET,
                kept.offset_delta if kept else 0,
                state.last_timestamp,
                state.coordinator_epoch,
                state.transaction_first_offset,
            )
        body = struct.pack(">i", len(self.states)) + entries
        return struct.pack(">hI", _SNAPSHOT_VERSION, crc32c(body)) + body

    @classmethod
    def from_snapshot(cls, data: bytes) -> ProducerTable | None:
        """The table of a snapshot file; None when it is damaged, and the log must be replayed from its start."""
        if len(data) < _SNAPSHOT_HEAD.size:
            return None
        version, crc, count = _SNAPSHOT_HEAD.unpack_from(data)
        entries = data[_SNAPSHOT_HEAD.size :]
        if version != _SNAPSHOT_VERSION or crc32c(data[6:]) != crc or len(entries) != count * _SNAPSHOT_ENTRY.size:
            return None
        table = cls()
        for producer_id, epoch, sequence, offset, delta, timestamp, coordinator, first in _SNAPSHOT_ENTRY.iter_unpack(
            entries
        ):
            state = ProducerState(producer_id, epoch, coordinator_epoch=coordinator, last_timestamp=timestamp)
            if sequence != NO_SEQUENCE:
                first_sequence = (sequence - delta) & 0x7FFFFFFF
                state.batches.append(KeptBatch(first_sequence, sequence, offset, delta, timestamp))
            state.transaction_first_offset = first
            table.states[producer_id] = state
        return table
