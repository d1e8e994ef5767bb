"""The log of one partition: segments in a directory `TOPIC-N`, in Kafka's on-disk format.

    NNNNNNNNNNNNNNNNNNNN.{log,index,timeindex,txnindex,snapshot}
    leader-epoch-checkpoint     version, count, then "epoch start_offset" lines
    partition.metadata          version and topic id
    log-start-offset-checkpoint (in the data directory) after records were deleted

Appends go to the last segment, with one write each. A start after a clean stop trusts sizes and indexes. Any other
start scans the last segment and truncates incomplete batches; all other segments were synced and closed when they were
rolled.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from smackbox.base.errors import StorageError
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.segment import Segment, file_name
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.record_batch import NO_TIMESTAMP, BatchHeader
from smackbox.store.fs import Buffer, FileSystem

MAX_SEGMENT_OFFSETS = 2**31 - 1


class LogLimits(NamedTuple):
    """The settings that a log takes from its topic's configuration."""

    segment_bytes: int
    segment_ms: int
    index_interval_bytes: int


class Log:
    """Segments by base offset. A log knows bytes and offsets, but no producers or transactions."""

    __slots__ = (
        "_active",
        "_bases",
        "_fs",
        "before_roll",
        "directory",
        "end_offset",
        "limits",
        "segments",
        "start_offset",
        "unsynced",
    )

    def __init__(self, fs: FileSystem, directory: Path, limits: LogLimits) -> None:
        self._fs = fs
        self.directory = directory
        self.limits = limits
        self.segments: list[Segment] = []
        self._bases: list[int] = []
        self.start_offset = 0
        self.end_offset = 0
        self.unsynced: list[Segment] = []
        self.before_roll: Callable[[int], None] | None = None

    # --- opening and closing

    def create(self, now_ms: int) -> None:
        """Create an empty log."""
        self._add_segment(0, now_ms)

    def open(self, start_offset: int, *, clean: bool, now_ms: int, visit: Callable[[BatchHeader], None]) -> None:
        """Open the log in the directory. `visit` is called with the header of each batch of the recovered segment.

        Raises `StorageError` when the directory cannot be read.
        """
        bases = sorted(
            int(entry.name[:-4])
            for entry in self._fs.entries(self.directory)
            if entry.name.endswith(".log") and entry.name[:-4].isdigit()
        )
        for base in bases or [0]:
            self._add_segment(base, now_ms)
        if clean:
            self._active.load()
            self.end_offset = self._end_of(self._active)
        else:
            self.end_offset = self._active.base_offset
            for header in self._active.recover():
                visit(header)
                self.end_offset = header.next_offset
        self.start_offset = min(max(start_offset, bases[0] if bases else 0), self.end_offset)

    def _end_of(self, segment: Segment) -> int:
        """The offset after the last batch, read from the last index entry on."""
        end = segment.base_offset
        for _, header in segment.scan(segment.last_indexed_position()):
            end = header.next_offset
            segment.max_timestamp = max(segment.max_timestamp, header.max_timestamp)
        return end

    def close(self) -> None:
        """Flush the indexes and close the files: after this the next start may trust them. Raises `StorageError`."""
        try:
            for segment in self.segments:
                segment.flush_indexes(closing=segment is self._active)
        finally:
            for segment in self.segments:
                segment.close()

    def flush_indexes(self) -> None:
        """Write the pending index entries, so that a start after a crash has less to scan."""
        self._active.flush_indexes()

    def _add_segment(self, base_offset: int, now_ms: int) -> None:
        segment = Segment(
            self._fs,
            self.directory,
            base_offset,
            index_interval_bytes=self.limits.index_interval_bytes,
            created_ms=now_ms,
        )
        if segment.size == 0:
            try:
                for suffix in ("index", "timeindex"):
                    self._fs.open(segment.path(suffix)).close()
            except StorageError:
                segment.close()
                raise
        self.segments.append(segment)
        self._bases.append(base_offset)
        self._active = segment

    # --- appending

    @property
    def active(self) -> Segment:
        """The segment that is appended to."""
        return self._active

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    def append(self, batch: Buffer, last_offset: int, max_timestamp: int, now_ms: int) -> None:
        """Append one batch that begins at `end_offset`. Raises `StorageError` and leaves the log unchanged."""
        active = self._active
        size = active.file.size
        if size and (
            size + len(batch) > self.limits.segment_bytes
            or active.age_ms(max_timestamp, now_ms) > self.limits.segment_ms
            or last_offset - active.base_offset > MAX_SEGMENT_OFFSETS
        ):
            self.roll(now_ms)
            active = self._active
        active.append(batch, self.end_offset, last_offset, max_timestamp)
        self.end_offset = last_offset + 1

    def roll(self, now_ms: int) -> None:
        """Start a new segment at the end offset. The caller of `unsynced` must sync the old one."""
        old = self._active
        if old.size == 0:
            return
        if self.before_roll is not None:
            self.before_roll(self.end_offset)
        old.flush_indexes(closing=True)
        self._add_segment(self.end_offset, now_ms)
        self.unsynced.append(old)

    # --- reading

    def segment_of(self, offset: int) -> Segment:
        """The segment that holds `offset`, or the next one."""
        return self.segments[max(bisect_right(self._bases, offset) - 1, 0)]

    def read(self, offset: int, max_bytes: int, bound: int, *, min_one_batch: bool) -> bytes:
        """Whole batches, starting with the one that holds `offset`, in at most `max_bytes`, all below offset `bound`.

        With `min_one_batch` the first batch is returned even if it is larger. The last batch may be truncated, as in
        Kafka. Raises `KafkaError` when the offset is out of range.
        """
        if offset < self.start_offset or offset > self.end_offset:
            raise KafkaError(
                errors.OFFSET_OUT_OF_RANGE, f"offset {offset} is not in {self.start_offset}..{self.end_offset}"
            )
        if offset >= bound:
            return b""
        index = max(bisect_right(self._bases, offset) - 1, 0)
        while True:
            segment = self.segments[index]
            position = segment.position_of(offset)
            behind = index + 1
            if position < segment.size:
                break
            if behind == len(self.segments):  # compaction may leave nothing after the offset
                return b""
            index = behind
        next_base = self._bases[behind] if behind < len(self._bases) else self.end_offset
        end = segment.size if bound >= next_base else segment.position_of(bound)
        if end - position > max_bytes:
            limit = segment.cut_before(position, position + max_bytes)
            if min_one_batch and limit == position + max_bytes:
                limit = max(limit, position + segment.first_batch_size(position))
            end = min(limit, end)
        if end <= position:
            return b""
        return segment.file.read(end - position, position)

    def bytes_between(self, offset: int, bound: int) -> int:
        """Roughly how many bytes a read of `offset`..`bound` would return: what a parked fetch waits for."""
        first = max(bisect_right(self._bases, offset) - 1, 0)
        segment = self.segments[first]
        if segment is self._active:
            end = segment.size if bound >= self.end_offset else segment.position_of(bound)
            return max(end - segment.position_of(offset), 0)
        return sum(other.size for other in self.segments[first + 1 :]) + segment.size - segment.position_of(offset)

    # --- look-ups by time

    def batches_at(self, timestamp: int, start: int, bound: int) -> Iterator[tuple[BatchHeader, bytes]]:
        """The batches between the offsets `start` and `bound` with a timestamp at or after `timestamp`, each with its
        bytes.
        """
        for segment in self.segments:
            if segment.max_timestamp == NO_TIMESTAMP:
                segment.load()
            if segment.max_timestamp < timestamp:
                continue
            for position, header in segment.batches_at(timestamp):
                if header.base_offset >= bound:
                    return
                if header.last_offset >= start:
                    yield header, segment.read_batch(position, header)

    def max_timestamp(self) -> tuple[int, int]:
        """The largest timestamp and the offset of a record with it; (-1, -1) when there is none."""
        best = (NO_TIMESTAMP, -1)
        for segment in self.segments:
            segment.load()
            if segment.max_timestamp > best[0]:
                best = (segment.max_timestamp, segment.max_timestamp_offset)
        return best

    # --- deletion

    def advance_start(self, offset: int) -> None:
        """Remove the records below `offset`; segments that hold nothing else are removed."""
        self.start_offset = max(self.start_offset, offset)
        while len(self.segments) > 1 and self._bases[1] <= self.start_offset:
            self.drop_first_segment()

    def drop_first_segment(self) -> None:
        """Remove the oldest segment; the active one stays."""
        assert len(self.segments) > 1, "the active segment stays"
        segment = self.segments.pop(0)
        self._bases.pop(0)
        if segment in self.unsynced:
            self.unsynced.remove(segment)
        self.start_offset = max(self.start_offset, self._bases[0])
        segment.remove()

    def replace_segments(self, group: list[Segment], cleaned: Path) -> None:
        """Replace these adjacent closed segments with the file `cleaned`. Raises `StorageError`."""
        first = group[0]
        at = self.segments.index(first)
        for segment in group:
            segment.close()
        index_bytes = b"".join(self._fs.read(segment.path("txnindex")) for segment in group)
        self._fs.rename(cleaned, first.path("log"))
        for segment in group[1:]:
            segment.remove()
        if index_bytes:
            self._fs.replace(first.path("txnindex"), index_bytes)
        made = Segment(
            self._fs,
            self.directory,
            first.base_offset,
            index_interval_bytes=self.limits.index_interval_bytes,
            created_ms=first.created_ms,
        )
        for _ in made.recover():
            pass
        made.flush_indexes(closing=True)
        self.segments[at : at + len(group)] = [made]
        self._bases = [segment.base_offset for segment in self.segments]
        self.unsynced = [segment for segment in self.unsynced if segment not in group]

    def discard(self, path: Path) -> None:
        """Remove a file that is no longer needed."""
        self._fs.remove(path)

    def snapshot_path(self, offset: int) -> Path:
        """The file of the producer state at that offset."""
        return self.directory / file_name(offset, "snapshot")
