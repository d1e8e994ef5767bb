"""Retention: old segments are deleted by `retention.ms` and `retention.bytes`, whole segments at a time, oldest first.

A segment's age is that of its youngest record, or of its file if no record has a timestamp. The active segment is also
deleted when all of it is too old: a new, empty segment replaces it, and the offsets continue.
"""

from __future__ import annotations

from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.segment import Segment


def enforce(partition: Partition, now_ms: int) -> int:
    """Delete what is past its retention; returns how many segments were deleted. Raises `StorageError`."""
    config = partition.config
    log = partition.log
    if not config.deleted:
        return 0
    dropped = 0
    if config.retention_ms >= 0:
        before = now_ms - config.retention_ms
        while log.active.size or len(log.segments) > 1:
            segment = log.segments[0]
            if not _is_older(segment, before) or partition.next_offset_of(segment) > partition.high_watermark:
                break
            if segment is log.active:
                log.roll(now_ms)
            log.drop_first_segment()
            dropped += 1
    if config.retention_bytes >= 0:
        excess = log.size - config.retention_bytes
        while len(log.segments) > 1 and excess >= log.segments[0].size:
            excess -= log.segments[0].size
            log.drop_first_segment()
            dropped += 1
    if dropped:
        partition.aborted.forget_before(log.start_offset)
    return dropped


def _is_older(segment: Segment, before: int) -> bool:
    segment.load()
    youngest = segment.max_timestamp
    return (youngest if youngest >= 0 else segment.modified_ms()) < before
