"""Compaction: the last record of each key stays; a tombstone stays for `delete.retention.ms` after it was first
cleaned.

A `Cleaning` takes the closed segments of one partition, writes copies beside them (in one of the server's threads, as
it reads only files that no longer change), and is installed by renaming. Offsets are kept, with gaps. Adjacent segments
that have become small are merged into one file.

    plan       is there enough dirt (`min.cleanable.dirty.ratio`, `max.compaction.lag.ms`), and up to which segment
    run        pass 1: the last offset of each key in the dirty part; pass 2: write what stays to `N.log.cleaned`
    install    rename, drop the old segments

A tombstone's time is stored as in Kafka: the batch's base timestamp is its delete horizon (attribute bit 6).
Simplified: records of aborted transactions are removed, the markers stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from smackbox.kafka.state.aborted_transactions import AbortedTransaction
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.segment import Segment
from smackbox.kafka.wire.compression import compress
from smackbox.kafka.wire.record_batch import (
    BatchHeader,
    Record,
    encode_records,
    records,
    seal,
)
from smackbox.store.fs import FileSystem

CLEANED = ".cleaned"
DELETE_HORIZON = 0x40
KEYS_LIMIT = 5_000_000
NO_HORIZON = -1


@dataclass(slots=True)
class Cleaning:
    """One pass over one partition."""

    partition: Partition
    segments: list[Segment]
    dirty_from: int
    now_ms: int
    delete_retention_ms: int
    segment_bytes: int
    aborted: list[AbortedTransaction]
    groups: list[list[Segment]] = field(default_factory=list)
    end_offset: int = 0

    def run(self, fs: FileSystem) -> None:
        """Write the cleaned copies. Raises `StorageError`, or `ProtocolError` for a batch that does not parse."""
        latest = self._latest_offsets()
        for group in self._grouped():
            path = _cleaned_path(group[0])
            fs.remove(path)
            file = fs.open(path)
            try:
                for segment in group:
                    for position, header in segment.scan(0):
                        kept = self._kept(segment.read_batch(position, header), header, latest)
                        if kept is not None:
                            file.append(kept)
                file.sync()
            finally:
                file.close()
            self.groups.append(group)

    def _latest_offsets(self) -> dict[bytes, int]:
        """The last offset of each key in the dirty part, for `KEYS_LIMIT` keys at most."""
        latest: dict[bytes, int] = {}
        for segment in self.segments:
            for position, header in segment.scan(0):
                self.end_offset = header.next_offset
                if header.next_offset <= self.dirty_from or header.control:
                    continue
                for record in records(segment.read_batch(position, header), header):
                    if record.key is None or self._is_aborted(header, record.offset):
                        continue
                    if record.key not in latest and len(latest) == KEYS_LIMIT:
                        self.end_offset = record.offset
                        return latest
                    latest[record.key] = record.offset
        return latest

    def _grouped(self) -> list[list[Segment]]:
        groups: list[list[Segment]] = []
        size = 0
        for segment in self.segments:
            near = groups and segment.base_offset - groups[-1][0].base_offset < 2**31 - 1
            if near and size + segment.size <= self.segment_bytes:
                groups[-1].append(segment)
                size += segment.size
            else:
                groups.append([segment])
                size = segment.size
        return groups

    def _kept(self, batch: bytes, header: BatchHeader, latest: dict[bytes, int]) -> bytes | bytearray | None:
        """What remains of a batch: the batch itself, a smaller one, or None."""
        if header.control or header.base_offset >= self.end_offset:
            return batch
        every = records(batch, header)
        horizon = header.base_timestamp if header.attributes & DELETE_HORIZON else NO_HORIZON
        stays = [record for record in every if self._stays(record, header, horizon, latest)]
        if not stays:
            return None
        if horizon == NO_HORIZON and any(record.value is None for record in stays):
            horizon = self.now_ms + self.delete_retention_ms
        elif len(stays) == len(every):
            return batch
        return _rebuilt(stays, header, horizon)

    def _stays(self, record: Record, header: BatchHeader, horizon: int, latest: dict[bytes, int]) -> bool:
        if record.key is None or self._is_aborted(header, record.offset):
            return False
        if record.offset < latest.get(record.key, -1):
            return False
        return record.value is not None or horizon == NO_HORIZON or self.now_ms < horizon

    def _is_aborted(self, header: BatchHeader, offset: int) -> bool:
        return header.transactional and any(
            entry.producer_id == header.producer_id and entry.first_offset <= offset <= entry.last_offset
            for entry in self.aborted
        )

    def install(self) -> None:
        """Replace the segments that still exist with their copies. Raises `StorageError`."""
        for group in self.groups:
            if all(segment in self.partition.log.segments[:-1] for segment in group):
                self.partition.log.replace_segments(group, _cleaned_path(group[0]))
            else:
                self.partition.log.discard(_cleaned_path(group[0]))
        self.partition.cleaned_to = max(self.partition.cleaned_to, self.end_offset)


def plan(partition: Partition, now_ms: int) -> Cleaning | None:
    """A cleaning of this partition, when there is enough to clean."""
    config = partition.config
    if not config.compacted or partition.uncleanable:
        return None
    closed = []
    for segment in partition.log.segments[:-1]:
        segment.load()
        too_young = config.min_compaction_lag_ms > 0 and segment.max_timestamp > now_ms - config.min_compaction_lag_ms
        if too_young or partition.next_offset_of(segment) > partition.last_stable_offset:
            break
        closed.append(segment)
    dirty = [segment for segment in closed if partition.next_offset_of(segment) > partition.cleaned_to]
    if not dirty:
        return None
    total = sum(segment.size for segment in closed)
    overdue = any(
        segment.first_timestamp >= 0 and now_ms - segment.first_timestamp > config.max_compaction_lag_ms
        for segment in dirty
    )
    if not overdue and sum(segment.size for segment in dirty) < config.min_cleanable_ratio * total:
        return None
    return Cleaning(
        partition,
        closed,
        partition.cleaned_to,
        now_ms,
        config.delete_retention_ms,
        config.segment_bytes,
        partition.aborted.between(0, partition.log_end_offset),
    )


def _rebuilt(stays: list[Record], header: BatchHeader, horizon: int) -> bytearray:
    """The batch with only these records; its offsets and producer are kept."""
    base_timestamp = header.base_timestamp if horizon == NO_HORIZON else horizon
    attributes = header.attributes if horizon == NO_HORIZON else header.attributes | DELETE_HORIZON
    body = bytes(encode_records(stays, header.base_offset, base_timestamp))
    if header.compression:
        body = compress(header.compression, body)
    return seal(
        body,
        base_offset=header.base_offset,
        leader_epoch=header.partition_leader_epoch,
        attributes=attributes,
        last_offset_delta=header.last_offset_delta,
        base_timestamp=base_timestamp,
        max_timestamp=max(record.timestamp for record in stays),
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        record_count=len(stays),
    )


def _cleaned_path(segment: Segment) -> Path:
    return segment.path("log" + CLEANED)
