"""The broker's background work: timers, group commits, compaction, and the removal of deleted topics."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from smackbox.base.clock import Clock
from smackbox.base.errors import ProtocolError, StorageError
from smackbox.kafka.state.broker import Broker, Commit
from smackbox.kafka.state.compaction import Cleaning
from smackbox.store.fs import FileSystem
from smackbox.store.group_commit import GroupCommit

log = logging.getLogger(__name__)


class Upkeep:
    """The background work of one broker on the running loop, between `begin` and `end`. Blocking work runs in
    threads.
    """

    def __init__(self, broker: Broker, fs: FileSystem, clock: Clock) -> None:
        self._broker = broker
        self._fs = fs
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._commit: GroupCommit[Commit] = GroupCommit("kafka", broker.take_commit, _synced, broker.finish_commit)
        self._cleaning: asyncio.Task[None] | None = None
        self._removal: asyncio.Task[None] | None = None
        self._ending = False

    def begin(self) -> None:
        """Connect the broker's requests (timers, commits, compaction) to the loop."""
        broker = self._broker
        broker.timers.changed = self._arm
        broker.commit_wanted = self._commit.want
        broker.cleaning_wanted = self._start_cleaning
        broker.catalog.deleted = self._remove_deleted
        self._arm()
        self._remove_deleted()

    async def end(self) -> None:
        """Start nothing more, and wait for work in progress."""
        self._ending = True
        self._broker.timers.changed = None
        if self._timer is not None:
            self._timer.cancel()
        await self._commit.settle()
        for task in (self._cleaning, self._removal):
            if task is not None:
                await task

    # --- time

    def _arm(self) -> None:
        """Schedule a wake-up for the broker's next deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_ms = self._broker.timers.next_deadline_ms()
        if deadline_ms is None:
            return
        delay_s = max(deadline_ms - self._clock.monotonic_ms(), 0) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self._broker.tick()
        finally:
            self._arm()

    # --- compaction

    def _start_cleaning(self) -> None:
        """Compact the partitions that need it, one after another, unless this is already running."""
        if self._cleaning is None:
            self._cleaning = asyncio.get_running_loop().create_task(self._clean())

    async def _clean(self) -> None:
        try:
            while not self._ending and (cleaning := self._broker.next_cleaning()) is not None:
                await self._clean_one(cleaning)
        finally:
            self._cleaning = None

    async def _clean_one(self, cleaning: Cleaning) -> None:
        """Compact one partition. A partition that fails is set aside, so that the others are still compacted
        (KIP-346).
        """
        partition = cleaning.partition
        catalog = self._broker.catalog
        try:
            await asyncio.get_running_loop().run_in_executor(None, cleaning.run, self._fs)
            if not self._ending and catalog.holds(partition):
                cleaning.install()
        except (StorageError, ProtocolError) as error:
            if catalog.holds(partition):  # else its topic was deleted while it was compacted
                partition.uncleanable = True
                log.error(
                    "kafka: %s-%d will not be compacted until a restart: %s", partition.topic, partition.index, error
                )

    # --- deleted topics

    def _remove_deleted(self) -> None:
        """Delete the directories of deleted topics off the loop, unless this is already running."""
        if self._removal is None and (paths := self._broker.catalog.take_deleted()):
            self._removal = asyncio.get_running_loop().create_task(self._remove(paths))

    async def _remove(self, paths: list[Path]) -> None:
        while paths:
            await asyncio.get_running_loop().run_in_executor(None, self._remove_all, paths)
            paths = self._broker.catalog.take_deleted()
        self._removal = None

    def _remove_all(self, paths: list[Path]) -> None:
        for path in paths:
            try:
                self._fs.remove_tree(path)
            except StorageError:
                log.exception("kafka could not remove %s", path)


async def _synced(commit: Commit) -> None:
    await asyncio.get_running_loop().run_in_executor(None, _sync_all, commit)


def _sync_all(commit: Commit) -> None:
    for file in commit.files:
        file.sync()
