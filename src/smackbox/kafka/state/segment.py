"""One segment of a partition's log: record batches in a file, and two sparse indexes beside it.

On disk, in Kafka's format (`NNNNNNNNNNNNNNNNNNNN` is the base offset):

    N.log         record batches, one after another
    N.index       (relative offset i32, position i32): the last offset of a batch and where that batch starts,
                  for the first batch after every `index.interval.bytes`
    N.timeindex   (timestamp i64, relative offset i32): the largest timestamp so far and the offset that has it
    N.txnindex    aborted transactions (see `aborted_transactions`)

The indexes are kept in memory while the segment is open and are flushed after the log, as they can be rebuilt from it:
a start after a crash scans the log and rewrites them. The first offset of an indexed batch is kept in memory as well,
so that a consumer that continues where the last answer ended finds its position without a scan.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path

from smackbox.kafka.wire.record_batch import (
    HEADER_SIZE,
    LOG_OVERHEAD,
    NO_TIMESTAMP,
    BatchHeader,
    crc_matches,
    read_header,
)
from smackbox.store.fs import Buffer, File, FileSystem

SCAN_CHUNK_BYTES = 1024 * 1024
LOOKUP_CHUNK_BYTES = 8 * 1024
UNKNOWN = -1

_INDEX_ENTRY = struct.Struct(">ii")
_TIME_ENTRY = struct.Struct(">qi")
_INT64 = struct.Struct(">q")


def file_name(base_offset: int, suffix: str) -> str:
    """Kafka's name of a segment's file: the base offset in 20 digits."""
    return f"{base_offset:020d}.{suffix}"


class Segment:
    """An open segment; only the last one of a log is appended to."""

    __slots__ = (
        "_bases",
        "_fs",
        "_index_flushed",
        "_interval_bytes",
        "_lasts",
        "_positions",
        "_time_flushed",
        "_time_offsets",
        "_times",
        "_unindexed_bytes",
        "base_offset",
        "created_ms",
        "directory",
        "file",
        "first_timestamp",
        "loaded",
        "max_timestamp",
        "max_timestamp_offset",
    )

    def __init__(
        self, fs: FileSystem, directory: Path, base_offset: int, *, index_interval_bytes: int, created_ms: int = 0
    ) -> None:
        self._fs = fs
        self.directory = directory
        self.base_offset = base_offset
        self.file: File = fs.open(directory / file_name(base_offset, "log"))
        self.created_ms = created_ms
        self.first_timestamp = NO_TIMESTAMP
        self.max_timestamp = NO_TIMESTAMP
        self.max_timestamp_offset = base_offset
        self.loaded = self.file.size == 0
        self._interval_bytes = index_interval_bytes
        self._unindexed_bytes = 0
        self._bases = array("i")
        self._lasts = array("i")
        self._positions = array("i")
        self._times = array("q")
        self._time_offsets = array("i")
        self._index_flushed = 0
        self._time_flushed = 0

    @property
    def size(self) -> int:
        """Bytes of its log."""
        return self.file.size

    def age_ms(self, timestamp: int, now_ms: int) -> int:
        """How long the segment has been active, as Kafka counts it: by the records' timestamps if they have any."""
        if self.first_timestamp >= 0 and timestamp >= 0:
            return timestamp - self.first_timestamp
        return now_ms - self.created_ms

    def modified_ms(self) -> int:
        """The time of the last append, in milliseconds since 1970."""
        return self._fs.modified_ms(self.path("log"))

    def path(self, suffix: str) -> Path:
        """The path of its file with that suffix."""
        return self.directory / file_name(self.base_offset, suffix)

    # --- appending

    def append(self, batch: Buffer, base_offset: int, last_offset: int, max_timestamp: int) -> None:
        """Write one batch (or several as one) at the end. Raises `StorageError` and leaves the segment unchanged."""
        position = self.file.size
        self.file.append(batch)
        self._note(position, len(batch), base_offset, last_offset, max_timestamp)

    def _note(self, position: int, length: int, base_offset: int, last_offset: int, max_timestamp: int) -> None:
        if self.first_timestamp == NO_TIMESTAMP:
            self.first_timestamp = max_timestamp
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
            self.max_timestamp_offset = last_offset
        if self._unindexed_bytes > self._interval_bytes:
            self._bases.append(base_offset - self.base_offset)
            self._lasts.append(last_offset - self.base_offset)
            self._positions.append(position)
            self._note_time()
            self._unindexed_bytes = 0
        self._unindexed_bytes += length

    def _note_time(self) -> None:
        if not self._times or self.max_timestamp > self._times[-1]:
            self._times.append(self.max_timestamp)
            self._time_offsets.append(self.max_timestamp_offset - self.base_offset)

    def flush_indexes(self, *, closing: bool = False) -> None:
        """Append pending entries to the index files. A closed segment's time index ends with its maximum."""
        if not self.loaded:
            return
        if closing and self.max_timestamp != NO_TIMESTAMP:
            self._note_time()
        if self._index_flushed < len(self._lasts):
            pairs = zip(self._lasts[self._index_flushed :], self._positions[self._index_flushed :], strict=True)
            entries = b"".join(_INDEX_ENTRY.pack(*pair) for pair in pairs)
            self._append_to("index", self._index_flushed * _INDEX_ENTRY.size, entries)
            self._index_flushed = len(self._lasts)
        if self._time_flushed < len(self._times):
            times = zip(self._times[self._time_flushed :], self._time_offsets[self._time_flushed :], strict=True)
            entries = b"".join(_TIME_ENTRY.pack(*time) for time in times)
            self._append_to("timeindex", self._time_flushed * _TIME_ENTRY.size, entries)
            self._time_flushed = len(self._times)

    def _append_to(self, suffix: str, size: int, data: bytes) -> None:
        """`size` is the file's recorded size: anything after it is an incomplete write."""
        file = self._fs.open(self.path(suffix))
        try:
            if file.size > size:
                file.truncate(size)
            file.append(data)
        finally:
            file.close()

    def sync(self) -> None:
        """Return when the data are on the disk. Raises `StorageError`."""
        self.file.sync()

    def close(self) -> None:
        """Close its files."""
        self.file.close()

    def remove(self) -> None:
        """Close the segment and remove all of its files."""
        self.close()
        for suffix in ("log", "index", "timeindex", "txnindex", "snapshot"):
            self._fs.remove(self.path(suffix))

    # --- opening

    def load(self) -> None:
        """Read the indexes of a segment that was closed cleanly."""
        if self.loaded:
            return
        raw = array("i")
        data = self._fs.read(self.path("index"))
        raw.frombytes(data[: len(data) // _INDEX_ENTRY.size * _INDEX_ENTRY.size])
        if sys.byteorder == "little":
            raw.byteswap()
        self._lasts = raw[0::2]
        self._positions = raw[1::2]
        while self._positions and self._positions[-1] <= 0:  # Kafka preallocates index files with zeros
            self._positions.pop()
            self._lasts.pop()
        self._bases = array("i", [UNKNOWN]) * len(self._lasts)
        previous = NO_TIMESTAMP
        data = self._fs.read(self.path("timeindex"))
        for timestamp, relative in _TIME_ENTRY.iter_unpack(data[: len(data) // _TIME_ENTRY.size * _TIME_ENTRY.size]):
            if timestamp <= previous:
                break
            self._times.append(timestamp)
            self._time_offsets.append(relative)
            previous = timestamp
        if self._times:
            self.max_timestamp = self._times[-1]
            self.max_timestamp_offset = self.base_offset + self._time_offsets[-1]
        if self.size >= HEADER_SIZE:
            self.first_timestamp = read_header(self.file.read(HEADER_SIZE, 0)).max_timestamp
        self._index_flushed = len(self._lasts)
        self._time_flushed = len(self._times)
        self._unindexed_bytes = self.size - (self._positions[-1] if self._positions else 0)
        self.loaded = True

    def recover(self) -> Iterator[BatchHeader]:
        """Scan the log, truncate an incomplete or damaged tail, and rebuild the indexes; returns the header of every
        valid batch.
        """
        self._fs.remove(self.path("index"))
        self._fs.remove(self.path("timeindex"))
        valid = 0
        expected = self.base_offset
        for position, header in self.scan(0, check_crc=True):
            if header.base_offset < expected or header.last_offset_delta < 0:
                break
            self._note(position, header.size, header.base_offset, header.last_offset, header.max_timestamp)
            expected = header.next_offset
            valid = position + header.size
            yield header
        if valid < self.size:
            self.file.truncate(valid)
        self.loaded = True

    def scan(self, position: int, *, check_crc: bool = False) -> Iterator[tuple[int, BatchHeader]]:
        """Position and header of every whole batch from `position` (a batch's start) on."""
        size = self.size
        chunk = b""
        start = position
        while position + HEADER_SIZE <= size:
            offset = position - start
            if offset + HEADER_SIZE > len(chunk):
                chunk, start, offset = self.file.read(SCAN_CHUNK_BYTES, position), position, 0
                if len(chunk) < HEADER_SIZE:
                    return
            header = read_header(chunk, offset)
            if header.magic != 2 or header.size < HEADER_SIZE or position + header.size > size:
                return
            if check_crc:
                if offset + header.size > len(chunk):
                    length = max(SCAN_CHUNK_BYTES, header.size)
                    chunk, start, offset = self.file.read(length, position), position, 0
                if not crc_matches(chunk, header, offset):
                    return
            yield position, header
            position += header.size

    # --- look-ups

    def position_of(self, offset: int) -> int:
        """The position of the batch that holds `offset`, or of the next one; the segment's size when there is none."""
        if not self.loaded:
            self.load()
        relative = offset - self.base_offset
        entry = bisect_left(self._lasts, relative)
        if entry < len(self._lasts) and self._base_of(entry) <= relative:
            return self._positions[entry]
        position = self._positions[entry - 1] if entry else 0
        size = self.size
        chunk = b""
        start = position
        while position < size:
            at = position - start
            if at + HEADER_SIZE > len(chunk):
                chunk, start, at = self.file.read(LOOKUP_CHUNK_BYTES, position), position, 0
                if len(chunk) < HEADER_SIZE:
                    return size
            header = read_header(chunk, at)
            if header.last_offset >= offset:
                return position
            position += header.size
        return size

    def _base_of(self, entry: int) -> int:
        base = self._bases[entry]
        if base == UNKNOWN:
            base = _INT64.unpack(self.file.read(8, self._positions[entry]))[0] - self.base_offset
            self._bases[entry] = base
        return base

    def last_indexed_position(self) -> int:
        """The position of the last indexed batch."""
        return self._positions[-1] if self._positions else 0

    def cut_before(self, start: int, limit: int) -> int:
        """The end of the last indexed whole batch in `start`..`limit`; `limit` itself if the index has none."""
        entry = bisect_right(self._positions, limit) - 1
        if entry >= 0 and self._positions[entry] > start:
            return self._positions[entry]
        return limit

    def first_batch_size(self, position: int) -> int:
        """The size of the batch at `position`."""
        _, length = struct.unpack(">qi", self.file.read(LOG_OVERHEAD, position))
        return int(length) + LOG_OVERHEAD

    def batches_at(self, timestamp: int) -> Iterator[tuple[int, BatchHeader]]:
        """Position and header of each batch whose largest timestamp is at or after `timestamp`."""
        if not self.loaded:
            self.load()
        entry = bisect_left(self._times, timestamp) - 1
        position = self.position_of(self.base_offset + self._time_offsets[entry]) if entry >= 0 else 0
        for found, header in self.scan(position):
            if header.max_timestamp >= timestamp:
                yield found, header

    def read_batch(self, position: int, header: BatchHeader) -> bytes:
        """The bytes of the batch at `position`."""
        return self.file.read(header.size, position)
