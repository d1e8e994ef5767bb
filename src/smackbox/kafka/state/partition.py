"""A partition: its log, its producers and transactions, its offsets, and the fetches that wait for it.

Offsets: `log_start_offset` <= `last_stable_offset` <= `high_watermark` <= `log_end_offset`. The replica set is this one
broker, so the high watermark is the end offset; with `--sync` it follows the fsync, so that no consumer sees a record
that a power failure could undo.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from smackbox.base.errors import StorageError
from smackbox.kafka.state.aborted_transactions import ENTRY as ABORTED_ENTRY
from smackbox.kafka.state.aborted_transactions import AbortedTransaction, AbortedTransactions
from smackbox.kafka.state.batch_check import checked_header, prepared
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.log import Log, LogLimits
from smackbox.kafka.state.producers import NO_OFFSET, ProducerTable
from smackbox.kafka.state.segment import Segment
from smackbox.kafka.state.topic_config import TopicConfig
from smackbox.kafka.wire import control_record
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.record_batch import NO_TIMESTAMP, BatchHeader, assign, read_header, records
from smackbox.store.fs import FileSystem

LEADER_EPOCH = 0
SNAPSHOTS_KEPT = 2
EPOCH_CHECKPOINT = "leader-epoch-checkpoint"
METADATA_FILE = "partition.metadata"

log = logging.getLogger(__name__)


class Partition:
    """One partition of one topic."""

    __slots__ = (
        "_fs",
        "_unwritten_aborted",
        "aborted",
        "cleaned_to",
        "config",
        "directory",
        "high_watermark",
        "index",
        "last_stable_offset",
        "log",
        "producers",
        "synced",
        "topic",
        "topic_id",
        "uncleanable",
        "waiters",
    )

    def __init__(
        self, fs: FileSystem, data_directory: Path, topic: str, topic_id: bytes, index: int, config: TopicConfig
    ) -> None:
        self._fs = fs
        self.topic = topic
        self.topic_id = topic_id
        self.index = index
        self.config = config
        self.directory = data_directory / f"{topic}-{index}"
        self.log = Log(fs, self.directory, _limits(config))
        self.log.before_roll = self._snapshot
        self.producers = ProducerTable()
        self.aborted = AbortedTransactions()
        self._unwritten_aborted: list[AbortedTransaction] = []
        self.cleaned_to = 0  # everything below this offset was compacted since this broker started
        self.uncleanable = False  # its compaction failed, and is not retried before a restart
        self.high_watermark = 0
        self.last_stable_offset = 0
        self.synced = True  # whether the high watermark follows the end offset immediately
        self.waiters: set[Callable[[], None]] = set()

    # --- life

    def create(self, now_ms: int) -> None:
        """Create the directory and an empty log. Raises `StorageError`."""
        self._fs.remove_tree(self.directory)  # of a deleted topic of that name, or of a failed attempt
        self._fs.make_directory(self.directory)
        self._fs.replace(self.directory / METADATA_FILE, _partition_metadata(self.topic_id))
        self._fs.replace(self.directory / EPOCH_CHECKPOINT, f"0\n1\n{LEADER_EPOCH} 0\n".encode())
        self.log.create(now_ms)

    def open(self, start_offset: int, *, clean: bool, now_ms: int) -> None:
        """Open the directory after a clean stop or a crash."""
        self._fs.make_directory(self.directory)
        replayed: list[BatchHeader] = []
        self.log.open(start_offset, clean=clean, now_ms=now_ms, visit=replayed.append)
        self._restore_producers(replayed)
        self.high_watermark = self.log.end_offset
        self._update_stable_offset()

    def _restore_producers(self, replayed: list[BatchHeader]) -> None:
        """Load the newest intact snapshot, and replay the log after it."""
        for segment in self.log.segments[:-1]:
            self.aborted.load(self._fs.read(segment.path("txnindex")))
        active = self.log.active
        since = self.log.segments[0].base_offset
        for offset in reversed(self._snapshot_offsets()):
            if offset > self.log.end_offset:
                continue
            table = ProducerTable.from_snapshot(self._fs.read(self.log.snapshot_path(offset)))
            if table is not None:
                self.producers, since = table, offset
                break
        self.aborted.load(
            b"".join(
                entry.pack()
                for entry in _aborted_entries(self._fs.read(active.path("txnindex")))
                if entry.last_offset < since
            )
        )
        for segment in self.log.segments:
            if segment.base_offset >= since or segment is active:
                headers = replayed if segment is active and replayed else [h for _, h in segment.scan(0)]
                for header in headers:
                    if header.base_offset >= since:
                        self._replay(segment.base_offset, header)
        if replayed:
            self._fs.remove(active.path("txnindex"))
            for entry in self.aborted.between(active.base_offset, self.log.end_offset):
                if entry.last_offset >= active.base_offset:
                    self._append_aborted(entry)

    def _replay(self, segment_base: int, header: BatchHeader) -> None:
        if header.producer_id < 0:
            return
        if not header.control:
            self.producers.note(header, header.base_offset)
            return
        segment = self.log.segment_of(segment_base)
        position = segment.position_of(header.base_offset)
        marker = control_record.parse(records(segment.read_batch(position, header), header)[0])
        self._end_transaction(header.producer_id, header.producer_epoch, marker, header, write=False)

    def close(self) -> None:
        """Close the files so that the next start may trust them. Raises `StorageError`."""
        try:
            self._snapshot(self.log.end_offset)
        finally:
            self.log.close()

    def _snapshot(self, offset: int) -> None:
        """Write the producers as of `offset`, and the aborted transactions that have not been written yet.

        The two newest snapshots are kept. Raises `StorageError`.
        """
        self._write_aborted()
        if not self.producers.states:
            return
        self._fs.replace(self.log.snapshot_path(offset), self.producers.snapshot())
        for old in self._snapshot_offsets()[:-SNAPSHOTS_KEPT]:
            self._fs.remove(self.log.snapshot_path(old))

    def _snapshot_offsets(self) -> list[int]:
        return sorted(
            int(entry.name[:-9])
            for entry in self._fs.entries(self.directory)
            if entry.name.endswith(".snapshot") and entry.name[:-9].isdigit()
        )

    def reconfigure(self, config: TopicConfig) -> None:
        """The topic's configuration has changed."""
        self.config = config
        self.log.limits = _limits(config)

    # --- offsets

    @property
    def log_start_offset(self) -> int:
        """The first readable offset."""
        return self.log.start_offset

    @property
    def log_end_offset(self) -> int:
        """The offset of the next record."""
        return self.log.end_offset

    def advance_high_watermark(self, offset: int) -> None:
        """Records below `offset` are as durable as required."""
        if offset > self.high_watermark:
            self.high_watermark = offset
            self._update_stable_offset()

    def _update_stable_offset(self) -> None:
        first_open = self.producers.first_open_offset()
        self.last_stable_offset = self.high_watermark if first_open < 0 else min(first_open, self.high_watermark)

    def next_offset_of(self, segment: Segment) -> int:
        """The offset after a segment."""
        at = self.log.segments.index(segment) + 1
        return self.log.segments[at].base_offset if at < len(self.log.segments) else self.log.end_offset

    # --- appending

    def produce(self, batch: memoryview, now_ms: int, *, allow_zstd: bool = True) -> tuple[int, int]:
        """Check a client's batch, assign its offset and append it; returns `(base offset, log append time or -1)`.

        The bytes are patched in place, unless they must be rewritten (`batch_check`). A duplicate of a producer's
        recent batch is not appended: the offset of the first one is returned. Raises `KafkaError`.
        """
        header = checked_header(batch, self.config, allow_zstd=allow_zstd)
        if header.producer_id >= 0:
            kept = self.producers.check(header)
            if kept is not None:
                return kept.first_offset, NO_TIMESTAMP
        batch, header = prepared(batch, header, self.config, now_ms)
        return self.append(batch, header, now_ms), now_ms if self.config.log_append_time else NO_TIMESTAMP

    def append(self, batch: bytearray | memoryview, header: BatchHeader, now_ms: int) -> int:
        """Append a checked batch; returns its base offset. Raises `KafkaError` when the disk rejects the write."""
        base_offset = self.log.end_offset
        assign(batch, 0, base_offset, LEADER_EPOCH)
        try:
            self.log.append(batch, base_offset + header.last_offset_delta, header.max_timestamp, now_ms)
        except StorageError as error:
            raise KafkaError(errors.KAFKA_STORAGE_ERROR, str(error)) from error
        if header.producer_id >= 0 and not header.control:
            self.producers.note(header, base_offset)
        if self.synced:
            self.high_watermark = self.log.end_offset
            if header.transactional or self.last_stable_offset != base_offset:
                self._update_stable_offset()
            else:
                self.last_stable_offset = self.log.end_offset
        return base_offset

    # --- transactions

    def check_marker(self, producer_id: int, epoch: int, marker: control_record.Marker) -> None:
        """Check that a marker from elsewhere may be written. Raises `KafkaError`."""
        state = self.producers.states.get(producer_id)
        if state is None:
            return
        if epoch < state.epoch:
            raise KafkaError(errors.INVALID_PRODUCER_EPOCH)
        if marker.coordinator_epoch < state.coordinator_epoch:
            raise KafkaError(errors.TRANSACTION_COORDINATOR_FENCED)

    def write_marker(self, producer_id: int, epoch: int, marker: control_record.Marker, now_ms: int) -> int:
        """Append the control record that ends a producer's transaction here; returns its offset."""
        batch = control_record.build_marker(producer_id, epoch, marker, now_ms)
        header = read_header(batch)
        offset = self.append(batch, header, now_ms)
        self._end_transaction(producer_id, epoch, marker, header._replace(base_offset=offset), write=True)
        self._update_stable_offset()
        return offset

    def _end_transaction(
        self, producer_id: int, epoch: int, marker: control_record.Marker, header: BatchHeader, *, write: bool
    ) -> None:
        first = self.producers.end_transaction(producer_id, epoch, marker.coordinator_epoch, header.max_timestamp)
        if marker.commit or first == NO_OFFSET:
            return
        still_open = self.producers.first_open_offset()
        stable = header.next_offset if still_open < 0 else still_open
        entry = AbortedTransaction(producer_id, first, header.base_offset, stable)
        self.aborted.add(entry)
        if write:
            self._append_aborted(entry)

    def _append_aborted(self, entry: AbortedTransaction) -> None:
        """Write it to its file, or later if the disk rejects the write: no segment is closed before, and after a crash
        the marker is enough to restore it.
        """
        self._unwritten_aborted.append(entry)
        try:
            self._write_aborted()
        except StorageError as error:
            log.warning("an aborted transaction of %s waits for its file: %s", self.directory.name, error)

    def _write_aborted(self) -> None:
        while self._unwritten_aborted:
            entry = self._unwritten_aborted[0]
            file = self._fs.open(self.log.segment_of(entry.last_offset).path("txnindex"))
            try:
                if torn := file.size % ABORTED_ENTRY.size:
                    file.truncate(file.size - torn)
                file.append(entry.pack())
            finally:
                file.close()
            del self._unwritten_aborted[0]

    # --- reading

    def bound(self, *, committed: bool) -> int:
        """The offset after the last record that a consumer may see."""
        return self.last_stable_offset if committed else self.high_watermark

    def find_timestamp(self, timestamp: int, *, committed: bool) -> tuple[int, int]:
        """`(timestamp, offset)` of the first record at or after `timestamp`; (-1, -1) when there is none.

        Looks inside the one batch that holds it. If the library for that batch's compression is not installed, returns
        the batch's first offset, which is at or before the right one.
        """
        return self._find(timestamp, self.bound(committed=committed), self.log.start_offset)

    def find_max_timestamp(self) -> tuple[int, int]:
        """`(timestamp, offset)` of the first record with the largest timestamp; (-1, -1) when there is none.

        As in Kafka it may be below the log start offset, in a segment that still exists.
        """
        timestamp, _ = self.log.max_timestamp()
        return self._find(timestamp, self.high_watermark, 0)

    def _find(self, timestamp: int, bound: int, start_offset: int) -> tuple[int, int]:
        for header, batch in self.log.batches_at(timestamp, start_offset, bound):
            for record in records(batch, header):
                if record.timestamp >= timestamp and record.offset >= start_offset:
                    return record.timestamp, record.offset
        return NO_TIMESTAMP, -1

    # --- deletion

    def delete_records(self, offset: int) -> None:
        """Hide the records below `offset`; the active segment stays until it is closed.

        Raises `KafkaError` when the offset is beyond the high watermark.
        """
        if offset < 0 or offset > self.high_watermark:
            raise KafkaError(errors.OFFSET_OUT_OF_RANGE, f"offset {offset} is not in 0..{self.high_watermark}")
        if offset <= self.log.start_offset:
            return
        try:
            self.log.advance_start(offset)
        except StorageError as error:
            raise KafkaError(errors.KAFKA_STORAGE_ERROR, str(error)) from error
        self.aborted.forget_before(offset)

    def wake(self) -> None:
        """Notify parked fetches that there is more to read."""
        for waiter in list(self.waiters):
            waiter()


def _limits(config: TopicConfig) -> LogLimits:
    return LogLimits(config.segment_bytes, config.segment_ms, config.index_interval_bytes)


def _partition_metadata(topic_id: bytes) -> bytes:
    from base64 import urlsafe_b64encode

    return f"version: 0\ntopic_id: {urlsafe_b64encode(topic_id).decode().rstrip('=')}".encode()


def _aborted_entries(data: bytes) -> list[AbortedTransaction]:
    loaded = AbortedTransactions()
    loaded.load(data)
    return loaded.between(0, 2**63 - 1)
