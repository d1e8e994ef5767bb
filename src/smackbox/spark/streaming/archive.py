"""The archive of a topic: every record in a file of a folder or bucket, each file put once and whole.

A batch goes through three steps, and a runner killed between any two of them comes to the same files:

    plan       the offset ranges of the batch, written ahead
    put        its files (`archive_files`), named by their first offsets
    commit     the next offsets

Killed after the plan, the next run reads exactly these ranges again and finds the files there that it would put.

A file of a name that is there with another content is not this batch's: the topic was restored from a back-up, and
offsets mean other records since then. It stays, and this batch's is put beside it with `-2`: nothing is lost of either.

While Kafka or the store do not answer, a step is tried again with growing pauses; nothing is skipped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from smackbox.base.archive_name import ArchiveName, beside
from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StorageError
from smackbox.spark.streaming.archive_files import ArchiveFile, files_of, pack, unpack
from smackbox.spark.streaming.checkpoint import Checkpoint
from smackbox.spark.streaming.errors import AwayError, StoppedError
from smackbox.spark.streaming.opened import Opened
from smackbox.spark.streaming.source import KafkaSource, Ranges
from smackbox.store.objects import MissingObjectError, Objects, open_objects

MAX_ROWS = 100_000
MAX_BYTES = 64 * 1024 * 1024
"""A file is put before its time when so much has come: what a runner keeps in memory."""

READ_TIMEOUT_S = 30.0
RETRY_FIRST_S = 0.1
RETRY_LONGEST_S = 5.0
MOST_BESIDE = 100
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """From `topic` on `kafka` into files named by the template `to`, one a partition and hour each `every_s`.

    `checkpoint_dir` holds the offsets; one runner at a time holds it. `group` is the one under which they show.
    """

    name: str
    kafka: str
    topic: str
    to: str
    checkpoint_dir: Path
    group: str
    every_s: float
    sync: bool = False
    metrics_port: int | None = None
    on_data_loss: str = "fail"


class ArchiveRunner(Opened):
    """One archive. `at` is called with the name of each step done, where tests kill the process.

    Use it as a context manager, or call `run`.
    """

    def __init__(
        self, settings: ArchiveSettings, *, clock: Clock | None = None, at: Callable[[str], None] | None = None
    ) -> None:
        self.name = f"archive {settings.name}"
        self._settings = settings
        self._names = ArchiveName(settings.to)
        self._clock = clock or SystemClock()
        self._at = at or (lambda _step: None)
        self._stop = threading.Event()
        self._closing = ExitStack()
        self._metrics: Any = None

    @property
    def metrics_url(self) -> str | None:
        """Where Prometheus' metrics are; None without a port for them."""
        return self._metrics.url if self._metrics is not None else None

    def open(self) -> None:
        """Take the checkpoint and connect; waits for a Kafka that does not answer yet.

        Raises `StartError` when another runner holds the checkpoint, `StreamError` for lost offsets, `StoppedError`.
        """
        settings, closing = self._settings, self._closing
        self._checkpoint = Checkpoint.open(
            settings.checkpoint_dir, stream=settings.name, topic=settings.topic, unique_horizon=1, sync=settings.sync
        )
        closing.callback(self._checkpoint.close)
        if settings.metrics_port is not None:
            from smackbox.spark.streaming.metrics import StreamMetrics

            self._metrics = StreamMetrics(settings.name, settings.metrics_port)
            closing.callback(self._metrics.close)
        self._objects: Objects = open_objects(self._names.place)
        self._source = KafkaSource(
            settings.kafka,
            settings.topic,
            settings.group,
            starting="earliest",
            on_data_loss=settings.on_data_loss,
            read_timeout_s=READ_TIMEOUT_S,
            options={},
        )
        closing.callback(self._source.close)
        self._retry(lambda: self._source.assign(self._checkpoint.offsets))

    def stop_with(self, stop: threading.Event) -> None:
        self._stop = stop

    def step(self, wait_s: float | None = None) -> list[str]:
        """Put the files of what arrives within `wait_s` (default: `every_s`), or of a planned batch; their names."""
        plan = self._checkpoint.plan()
        if plan is not None:
            ranges = plan.ranges
            messages = self._retry(lambda: self._source.read(ranges, self._stop.is_set))
            if self._stop.is_set():
                raise StoppedError("a planned batch may be read in part")
        else:
            began = self._source.next_offsets
            deadline = time.monotonic() + (self._settings.every_s if wait_s is None else wait_s)
            messages = self._source.collect(deadline, MAX_ROWS, MAX_BYTES, self._stop.is_set)
            if self._metrics is not None:
                self._metrics.lag.set(self._source.lag())
            if not messages:
                return []
            ranges = {
                number: (began.get(number, 0), offset)
                for number, offset in self._source.next_offsets.items()
                if offset != began.get(number)
            }
        return self._archive(messages, ranges)

    def close(self) -> None:
        """Release everything; a batch under way stays planned."""
        self._closing.close()
        self._metrics = None

    def _archive(self, messages: Sequence[Any], ranges: Ranges) -> list[str]:
        plan = self._checkpoint.write_plan(ranges, self._clock.wall_us(), len(messages))
        self._at("planned")
        keys = []
        for file in files_of(messages):
            keys.append(self._retry(lambda file=file: self._put(file)))  # type: ignore[misc]
            self._at("put")
        offsets = {number: last for number, (_, last) in ranges.items()}
        self._checkpoint.commit(plan, offsets, {}, [])
        self._at("committed")
        self._source.show_progress(offsets)
        if self._metrics is not None:
            self._metrics.rows.inc(len(messages))
            self._metrics.batch.set(plan.batch)
        return keys

    def _put(self, file: ArchiveFile) -> str:
        """Put a file where none of its name and content is; its key. Raises `AwayError`."""
        key = first = self._names.key(self._settings.topic, file.hour_ms, file.partition, file.first)
        data = pack(file.lines, key)
        try:
            for number in range(2, MOST_BESIDE):
                try:
                    present = self._objects.get(key)
                except MissingObjectError:
                    self._objects.put(key, data)
                    self._objects.sync()
                    return key
                if present == data or unpack(present, key) == unpack(data, key):
                    return key
                log.warning("%s is there with another content: the topic was restored since then", key)
                key = beside(first, number)
        except StorageError as error:
            raise AwayError(str(error)) from error
        raise AwayError(f"{first} is there {MOST_BESIDE} times with another content")

    def _retry(self, work: Callable[[], T]) -> T:
        pause_s = RETRY_FIRST_S
        while True:
            try:
                return work()
            except AwayError as error:
                log.warning("archive %s tries again in %.1f s: %s", self._settings.name, pause_s, error)
                if self._metrics is not None:
                    self._metrics.retries.inc()
                if self._stop.wait(pause_s):
                    raise StoppedError(str(error)) from error
                pause_s = min(RETRY_LONGEST_S, pause_s * 2)
