"""The broker's whole state, advanced by requests and by `tick`. One task owns it, so there are no locks.

`when_durable` delays an answer until the disk has the data: without `--sync` it is due at once, with it after the next
group commit, which the server runs in a thread (`take_commit`, `finish_commit`).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from smackbox.base.clock import Clock
from smackbox.base.errors import StorageError
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state import compaction, retention
from smackbox.kafka.state.catalog import Catalog
from smackbox.kafka.state.compaction import Cleaning
from smackbox.kafka.state.coordinator_log import Done
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.fetch_sessions import FetchSessions
from smackbox.kafka.state.group_coordinator import GroupCoordinator
from smackbox.kafka.state.metrics import BrokerMetrics
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.state.security import Security
from smackbox.kafka.state.timers import Timers
from smackbox.kafka.state.topic import OFFSETS_TOPIC, TRANSACTIONS_TOPIC, Topic
from smackbox.kafka.state.transactions import TransactionCoordinator
from smackbox.kafka.wire import error_codes as errors
from smackbox.store.fs import File, FileSystem

_COORDINATOR_CONFIGS = {"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"}
PRODUCER_ID_BLOCK = 1000

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Commit:
    """One group commit: the files to sync, the offset that this makes durable in each partition, and the answers that
    wait for it.
    """

    files: list[File]
    ends: list[tuple[Partition, int]]
    waiting: list[Done] = field(default_factory=list)


class Broker:
    """The state that all connections share."""

    def __init__(
        self, fs: FileSystem, directory: Path, settings: KafkaSettings, clock: Clock, new_id: Callable[[], uuid.UUID]
    ) -> None:
        self.fs = fs
        self.directory = directory
        self.settings = settings
        self.clock = clock
        self.new_id = new_id
        self.timers = Timers()
        self.metrics = BrokerMetrics()
        self.catalog = Catalog(fs, directory, settings, clock, new_id)
        self.security = Security(self.catalog, settings)
        self.groups = GroupCoordinator(self)
        self.transactions = TransactionCoordinator(self, self.groups)
        self.parked_fetches = 0
        self.fetch_sessions = FetchSessions(lambda: new_id().int & 0x7FFFFFFF)
        self.commit_wanted: Callable[[], None] | None = None
        self.cleaning_wanted: Callable[[], None] | None = None
        self._touched: dict[Partition, None] = {}
        self._uncommitted: dict[Partition, None] = {}
        self._waiting: list[Done] = []
        self._next_producer_id = 0
        self._producer_ids_end = 0

    # --- life

    def open(self) -> None:
        """Read the data directory. Raises `StorageError`."""
        self.catalog.open()
        self.security.open()
        self._next_producer_id = self._producer_ids_end = self.catalog.memory.get("producer_ids", 0)
        self.groups.open()
        self._every(self.settings.log_retention_check_interval_ms, self.enforce_retention)
        self._every(self.settings.log_cleaner_backoff_ms, self._want_cleaning)
        self.transactions.open()

    def close(self) -> None:
        """Leave everything on disk in the form that the next start expects. Raises `StorageError`."""
        self.transactions.close()
        self.groups.close()
        self.catalog.close()

    def tick(self) -> None:
        """Run what is due at this time."""
        self.timers.tick(self.clock.monotonic_ms())
        self.wake_fetches()

    # --- topics

    def create_topic_automatically(self, name: str) -> Topic:
        """Create a topic on its first use. Raises `KafkaError`."""
        settings = self.settings
        if name == OFFSETS_TOPIC:
            partitions, overrides = settings.offsets_topic_num_partitions, _COORDINATOR_CONFIGS
        elif name == TRANSACTIONS_TOPIC:
            partitions, overrides = settings.transaction_state_log_num_partitions, _COORDINATOR_CONFIGS
        else:
            partitions, overrides = settings.num_partitions, {}
        return self.catalog.create(name, partitions, dict(overrides))

    def delete_topic(self, topic: Topic) -> None:
        """Delete a topic and the state kept for it."""
        self.catalog.delete(topic)
        self.groups.topic_deleted(topic.name)

    # --- periodic work

    def _every(self, interval_ms: int, action: Callable[[], None]) -> None:
        def go_off() -> None:
            self.timers.at(self.clock.monotonic_ms() + interval_ms, go_off)
            try:
                action()
            except StorageError as error:
                log.error("kafka: background work waits for the disk: %s", error)

        self.timers.at(self.clock.monotonic_ms() + interval_ms, go_off)

    def enforce_retention(self) -> None:
        """Delete what is past its topic's retention, and forget producers that have long been idle."""
        now_ms = self.clock.wall_ms()
        dropped = 0
        for partition in self.catalog.partitions():
            gone = retention.enforce(partition, now_ms)
            if gone:
                self.touched(partition)
            dropped += gone
            partition.producers.expire(now_ms - self.settings.producer_id_expiration_ms)
            partition.log.flush_indexes()
        if dropped:
            self.catalog.checkpoint()

    def _want_cleaning(self) -> None:
        if self.cleaning_wanted is not None and any(p.config.compacted for p in self.catalog.partitions()):
            self.cleaning_wanted()

    def next_cleaning(self) -> Cleaning | None:
        """The next compaction that is needed; None when there is none."""
        now_ms = self.clock.wall_ms()
        plans = (compaction.plan(partition, now_ms) for partition in self.catalog.partitions())
        return next((plan for plan in plans if plan is not None), None)

    # --- producer ids

    def next_producer_id(self) -> int:
        """An id that was never handed out before, even across restarts: ids are taken from the catalog in blocks."""
        if self._next_producer_id == self._producer_ids_end:
            self.catalog.remember("producer_ids", self._producer_ids_end + PRODUCER_ID_BLOCK)
            self._producer_ids_end += PRODUCER_ID_BLOCK
        self._next_producer_id += 1
        return self._next_producer_id - 1

    # --- waking parked fetches

    def touched(self, partition: Partition) -> None:
        """Mark that there is more to read in this partition."""
        if partition.waiters:
            self._touched[partition] = None

    def wake_fetches(self) -> None:
        """Re-evaluate the fetches that wait for touched partitions."""
        while self._touched:
            touched, self._touched = self._touched, {}
            for partition in touched:
                partition.wake()

    # --- durability

    def when_durable(self, partitions: Iterable[Partition], done: Done) -> None:
        """Call `done` when what was appended to `partitions` is as durable as the settings require."""
        if not self.settings.sync:
            done(None)
            return
        for partition in partitions:
            self._uncommitted[partition] = None
        self._waiting.append(done)
        if self.commit_wanted is not None:
            self.commit_wanted()

    def take_commit(self) -> Commit | None:
        """The work of the next group commit; None when no answer waits for one."""
        if not self._waiting:
            return None
        partitions, self._uncommitted = self._uncommitted, {}
        waiting, self._waiting = self._waiting, []
        files: list[File] = []
        ends = []
        for partition in partitions:
            log = partition.log
            files += [segment.file for segment in log.unsynced]
            log.unsynced.clear()
            files.append(log.active.file)
            ends.append((partition, log.end_offset))
        return Commit(files, ends, waiting)

    def finish_commit(self, commit: Commit, error: StorageError | None) -> None:
        """The commit succeeded or failed; on failure every answer that waited reports it."""
        if error is None:
            for partition, end in commit.ends:
                partition.advance_high_watermark(end)
                self.touched(partition)
        failure = None if error is None else KafkaError(errors.KAFKA_STORAGE_ERROR, str(error))
        for done in commit.waiting:
            done(failure)
        self.wake_fetches()
