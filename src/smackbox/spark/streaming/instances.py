"""A stream as several processes on one machine: each has some of the topic's partitions, and their state with them.

    DIR/division.json       how many partitions the state is divided by
    DIR/instances/ID        a file that its instance holds locked: so many locked files, so many instances
    DIR/partition-N/        the checkpoint of a partition, locked by the instance that has it

Each partition is a stream of its own, with offsets, totals, watermark and identities in its own checkpoint; it moves to
another instance by being closed here and opened there. Every instance counts the locked files, knows its fair share by
its place among them, closes what is beyond it and takes what is free. A lock is the kernel's: it is released when its
process dies, however it dies, and two processes never have one partition. Within a partition timestamps and
transactions fence what a dead process had on its way.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from smackbox.base.errors import StartError
from smackbox.spark.streaming.checkpoint import DIVISION_FILE
from smackbox.spark.streaming.engine import StreamEngine
from smackbox.spark.streaming.errors import SourceAwayError, StreamError
from smackbox.spark.streaming.opened import Opened
from smackbox.spark.streaming.patience import Patience
from smackbox.spark.streaming.runner import EAGER_WAIT_S, BatchReport, MicroBatchRunner, kafka_source
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.source import PARTITIONS_CHECK_S, KafkaSource
from smackbox.store.data_dir import LOCK_FILE, HeldError, try_lock
from smackbox.store.fs import Disk

BALANCE_INTERVAL_S = 0.5

log = logging.getLogger(__name__)
MakeRunner = Callable[[StreamSettings, int, StreamEngine, Any], MicroBatchRunner]
"""The runner of a partition: its settings, the partition, the shared engine, where its metrics go."""


class _Division(msgspec.Struct, frozen=True):
    partitions: int


class PartitionMetrics:
    """The metrics of one partition among those of its instance."""

    def __init__(self, shared: Any, lags: dict[int, int], partition: int) -> None:
        self._shared = shared
        self._lags = lags
        self._partition = partition
        self.retries = shared.retries

    def tell(self, report: BatchReport, now_ms: int) -> None:
        """Add a batch."""
        self._shared.tell(report, now_ms)

    def show_lag(self, records: int) -> None:
        """How many records wait in the partition."""
        self._lags[self._partition] = records
        self._shared.show_lag(sum(self._lags.values()))


class SharedRunner(Opened):
    """One instance. `keyed`: totals and state belong to keys, so that their partitions must stay as many as they were.

    The methods are those of `MicroBatchRunner`; all of it happens in the thread that calls `step` or `run`.
    """

    def __init__(self, settings: StreamSettings, make_runner: MakeRunner, *, keyed: bool) -> None:
        settings.check()
        self.name = f"stream {settings.name}"
        self._settings = settings
        self._make_runner = make_runner
        self._keyed = keyed
        self._patience = Patience(settings.name)
        self._engine = StreamEngine(settings.spark, settings.name)
        self._directory = settings.checkpoint_dir
        self._held: dict[int, MicroBatchRunner] = {}
        self._lags: dict[int, int] = {}
        self._partitions: list[int] = []
        self._topic: KafkaSource | None = None
        self._partitions_due_s = 0.0
        self._membership: _Membership | None = None
        self._metrics: Any = None
        self._balance_due_s = 0.0
        self._turn = 0

    def open(self) -> None:
        """Join the instances and take a share. Raises as `MicroBatchRunner.open` does."""
        if (self._directory / LOCK_FILE).exists():
            raise StreamError(
                f"stream {self._settings.name} ran as one process, and its totals are not divided by partition: leave "
                f"out instances=, or remove {self._directory} to begin again"
            )
        if self._settings.metrics_port is not None:
            from smackbox.spark.streaming.metrics import StreamMetrics

            self._metrics = self._patience.metrics = StreamMetrics(self._settings.name, self._settings.metrics_port)
        self._topic = kafka_source(self._settings)
        self._partitions = self._patience.retry(self._read_partitions)
        self._check_division()
        self._membership = _Membership(self._directory / "instances")
        self._balance()

    def stop_with(self, stop: threading.Event) -> None:
        self._patience.stop = stop

    def step(self, wait_s: float | None = None) -> BatchReport | None:
        """A batch of the next partition that has one; None when nothing came for any."""
        self._balance()
        if not self._held:
            self._patience.stop.wait(BALANCE_INTERVAL_S if wait_s is None else wait_s)
            return None
        if wait_s is None:
            wait_s = self._settings.every_s or EAGER_WAIT_S
        for _ in range(len(self._held)):
            numbers = sorted(self._held)
            self._turn += 1
            number = numbers[self._turn % len(numbers)]
            report = self._held[number].step(wait_s / len(numbers))
            if report is not None:
                return report
        return None

    def close(self) -> None:
        """Release the partitions, for others to take."""
        for number in list(self._held):
            self._release(number)
        if self._membership is not None:
            self._membership.leave()
            self._membership = None
        if self._topic is not None:
            self._topic.close()
            self._topic = None
        self._engine.close()
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = self._patience.metrics = None

    @property
    def held(self) -> dict[int, MicroBatchRunner]:
        """The runners of the partitions that this instance has."""
        return dict(self._held)

    @property
    def metrics_url(self) -> str | None:
        """Where the metrics of this instance are served."""
        return self._metrics.url if self._metrics is not None else None

    def _balance(self) -> None:
        """Keep the fair share, looked at every `BALANCE_INTERVAL_S`."""
        assert self._membership is not None, "open comes first"
        if time.monotonic() < self._balance_due_s:
            return
        self._balance_due_s = time.monotonic() + BALANCE_INTERVAL_S
        if time.monotonic() >= self._partitions_due_s:
            self._look_for_partitions()
        place, count = self._membership.place()
        share = len(self._partitions) // count + (place < len(self._partitions) % count)
        for number in sorted(self._held)[share:]:
            self._release(number)
        for number in self._partitions:
            if len(self._held) >= share:
                break
            if number not in self._held:
                self._take(number)

    def _take(self, number: int) -> None:
        directory = self._directory / f"partition-{number}"
        settings = msgspec.structs.replace(
            self._settings, checkpoint_dir=directory, partitions=frozenset({number}), metrics_port=None
        )
        metrics = PartitionMetrics(self._metrics, self._lags, number) if self._metrics is not None else None
        runner = self._make_runner(settings, number, self._engine, metrics)
        runner.stop_with(self._patience.stop)
        try:
            runner.open()
        except HeldError:
            runner.close()
            return
        except BaseException:
            runner.close()
            raise
        self._held[number] = runner
        log.info("stream %s has partition %d", self._settings.name, number)

    def _release(self, number: int) -> None:
        self._held.pop(number).close()
        self._lags.pop(number, None)

    def _read_partitions(self) -> list[int]:
        assert self._topic is not None
        found = sorted(self._topic.partitions())
        self._partitions_due_s = time.monotonic() + PARTITIONS_CHECK_S
        return found

    def _look_for_partitions(self) -> None:
        """New ones are read as well where nothing is kept by key, and end the stream where something is."""
        try:
            self._partitions = self._read_partitions()
        except SourceAwayError as error:
            self._partitions_due_s = time.monotonic() + PARTITIONS_CHECK_S
            log.debug("partitions are looked for later: %s", error)
            return
        self._check_division()

    def _check_division(self) -> None:
        file = self._directory / DIVISION_FILE
        try:
            known = msgspec.json.decode(file.read_bytes(), type=_Division).partitions
        except FileNotFoundError:
            known = len(self._partitions)
            self._directory.mkdir(parents=True, exist_ok=True)
            # under a name of its own first: several instances may be at it
            own = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
            Disk().replace(own, msgspec.json.encode(_Division(known)))
            Disk().rename(own, file)
        except (OSError, msgspec.MsgspecError) as error:
            raise StartError(f"{file} cannot be read: {error}") from error
        if self._keyed and known != len(self._partitions):
            raise StreamError(
                f"stream {self._settings.name}: its totals are divided by {known} partitions, {self._settings.topic} "
                f"has {len(self._partitions)}: a key's events now come to another partition than its total. Remove "
                f"{self._directory} to count again from the topic's beginning"
            )


class _Membership:
    """This instance's locked file among those of the others."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / uuid.uuid4().hex
        while True:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise StartError(f"cannot use {directory}: {error.strerror or error}") from error
            if try_lock(self._fd) and os.fstat(self._fd).st_nlink:
                return
            os.close(self._fd)  # another one took it for a dead one's before it was locked

    def place(self) -> tuple[int, int]:
        """This instance's place among the living, and how many they are. Files of the dead are removed."""
        living = [self._file.name]
        for file in self._file.parent.iterdir():
            if file == self._file:
                continue
            try:
                fd = os.open(file, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue  # another one has just removed it
            try:
                if try_lock(fd):
                    file.unlink(missing_ok=True)
                else:
                    living.append(file.name)
            finally:
                os.close(fd)
        return sorted(living).index(self._file.name), len(living)

    def leave(self) -> None:
        """It is no instance any more."""
        self._file.unlink(missing_ok=True)
        os.close(self._fd)
