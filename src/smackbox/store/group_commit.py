"""Commit, then answer: everything that waits for the disk, or for a remote store, is committed together.

Code with something to commit calls `want`. Everything that is pending at the end of this loop iteration is committed as
one batch; when that is done, its answers are sent. What arrives meanwhile waits for the next batch: the slower the
disk, the larger the batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from smackbox.base.errors import StorageError

B = TypeVar("B")
log = logging.getLogger(__name__)


class GroupCommit(Generic[B]):
    """The commits of one log, on the running loop.

    `take` returns the batch to commit, or None; `commit` returns when it is durable, and raises `StorageError`;
    `finish` is called at the end of each batch, with the error if there was one.
    """

    def __init__(
        self,
        name: str,
        take: Callable[[], B | None],
        commit: Callable[[B], Awaitable[None]],
        finish: Callable[[B, StorageError | None], None],
    ) -> None:
        self._name = name
        self._take = take
        self._commit = commit
        self._finish = finish
        self._task: asyncio.Task[None] | None = None

    def want(self) -> None:
        """There is something to commit: start, unless a commit is running; its end starts the next."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def settle(self) -> None:
        """Wait until no commit is running."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            await asyncio.sleep(0)  # everything of this loop iteration shares the commit
            while (batch := self._take()) is not None:
                error: StorageError | None = None
                try:
                    await self._commit(batch)
                except StorageError as failure:
                    error = failure
                    log.error("%s: %s", self._name, failure)
                self._finish(batch, error)
        finally:
            self._task = None
