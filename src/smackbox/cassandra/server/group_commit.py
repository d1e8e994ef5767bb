"""Applies the writes of a pass and sends its answers; with `sync`, once the writes are on the disk.

One fsync covers all answers that arrived during the previous one.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from smackbox.base.errors import StorageError
from smackbox.cassandra.server.server_clock import ServerClock
from smackbox.cassandra.state.engine import Engine
from smackbox.store import group_commit
from smackbox.store.rocks import RocksStore


class Recipient(Protocol):
    """The connection that the answers are for."""

    def send_now(self, answers: bytes) -> None:
        """Send answers that do not depend on the disk."""
        ...

    def hold(self, size: int) -> None:
        """Answers of `size` bytes wait for the disk."""
        ...

    def release(self, answers: bytes) -> None:
        """Send the held answers: their writes are on the disk."""
        ...

    def fail(self, reason: str) -> None:
        """Drop the held answers: their writes did not reach the disk."""
        ...


class GroupCommit:
    """The pending writes and answers of one server."""

    def __init__(self, store: RocksStore, engine: Engine, clock: ServerClock, *, sync: bool) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._sync = sync
        self._waiting: list[tuple[Recipient, bytes]] = []
        self._commits = group_commit.GroupCommit("cassandra", self._take, self._synced, self._finished)

    def flush(self) -> None:
        """Apply the writes of a pass. Raises `StorageError`."""
        self._engine.flush()
        if self._engine.is_untidy:
            self._engine.tidy(self._clock.now_s())

    def answer(self, recipient: Recipient, answers: bytes) -> None:
        """Send a pass's answers, with `sync` once the writes are on the disk."""
        if not self._sync:
            recipient.send_now(answers)
            return
        recipient.hold(len(answers))
        self._waiting.append((recipient, answers))
        self._commits.want()

    async def finish(self) -> None:
        """Wait for the running fsync, and apply the remaining writes."""
        await self._commits.settle()
        self.flush()

    def _take(self) -> list[tuple[Recipient, bytes]] | None:
        taken, self._waiting = self._waiting, []
        return taken or None

    async def _synced(self, _: list[tuple[Recipient, bytes]]) -> None:
        await asyncio.to_thread(self._store.sync)

    @staticmethod
    def _finished(batch: list[tuple[Recipient, bytes]], error: StorageError | None) -> None:
        for recipient, answers in batch:
            if error is None:
                recipient.release(answers)
            else:
                recipient.fail(str(error))
