"""Store first, then act: a framework's decisions become visible only after they are stored for its successor.

A state machine changes its state in memory and collects the effects: records to store, calls to send, events to
publish. The committer takes all collected effects, stores the records in one change, and only then runs the other
actions, in order. Meanwhile the machine continues and collects the next change. So nothing becomes visible that a
failover would lose, and no task is launched that the next leader does not know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from smackbox.base.errors import StorageError
from smackbox.election.state_store import ChangeTooLarge, Fenced, StateStore
from smackbox.mesos_framework.effects import Effects

RETRY_FIRST_S = 0.1
RETRY_LIMIT_S = 5.0
PIECE_BYTES = 500_000
"""The maximum bytes stored at once, for changes that may be stored in pieces."""

log = logging.getLogger(__name__)


class Committer:
    """One for each term of leadership. `fenced` is called when another leader has taken over; then no further actions
    run.
    """

    def __init__(self, store: StateStore, take: Callable[[], Effects], fenced: Callable[[], None]) -> None:
        self._store = store
        self._take = take
        self._fenced = fenced
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._task = asyncio.create_task(self._run(), name="commit")

    def wake(self) -> None:
        """There are new effects."""
        self._wanted.set()

    async def committed(self) -> None:
        """Wait until all previous effects are stored and have been run. Raises `StorageError` when the term ends."""
        if self._task.done():
            raise StorageError("this process does not lead any more")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._wanted.set()
        await future

    async def stop(self) -> None:
        """Stop at once; effects that are not stored do not run."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for future in self._waiting:
            if not future.done():
                future.set_exception(StorageError("this process does not lead any more"))

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            waiting, self._waiting = self._waiting, []
            try:
                for piece in self._take().pieces(PIECE_BYTES):
                    await self._commit(piece)
            except Fenced as error:
                self._waiting += waiting
                log.warning("nothing more is stored: %s", error)
                self._fenced()
                return
            except ChangeTooLarge as error:
                log.error("%s: it does not happen, and the term begins again with what is stored", error)
                for future in waiting:
                    future.set_exception(error)
                self._fenced()
                return
            except asyncio.CancelledError:
                self._waiting += waiting
                raise
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def _commit(self, piece: Effects) -> None:
        if piece.records:
            await self._stored(piece.records)
        for action in piece.actions:
            try:
                action()
            except Exception:
                log.exception("an action failed")

    async def _stored(self, records: dict[str, bytes | None]) -> None:
        delay_s = RETRY_FIRST_S
        while True:
            try:
                await self._store.store(records)
                return
            except (Fenced, ChangeTooLarge):
                raise
            except StorageError as error:
                log.warning("%s; again in %.1f s", error, delay_s)
            except Exception:
                log.exception("nothing could be stored; again in %.1f s", delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_LIMIT_S)
