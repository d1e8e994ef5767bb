"""Timed work: session expiry, node expiry, snapshots, and recovery from disk errors."""

from __future__ import annotations

import asyncio
import logging

from smackbox.base.clock import Clock
from smackbox.base.errors import StorageError
from smackbox.zookeeper.server.parts import Parts

TICKS_A_TICK_TIME = 4

log = logging.getLogger(__name__)


class Upkeep:
    """The timed work of one server, four times each `tick_time_ms`, from its creation to `end`.

    Sessions do not expire while the log cannot be written, and their timeouts restart when it can.
    """

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._last_sweep_ms = clock.monotonic_ms()
        self._timer = asyncio.get_running_loop().call_soon(self._tick)

    def end(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def _tick(self) -> None:
        more = False
        try:
            if not self._parts.replies.refusing:
                more = self._keep_house()
            elif self._parts.replies.try_again():
                self._begin_sessions_anew()
        finally:
            delay_s = 0 if more else self._parts.settings.tick_time_ms / TICKS_A_TICK_TIME / 1_000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _keep_house(self) -> bool:
        """Do the work that is due; returns whether a snapshot is in progress."""
        database, replies = self._parts.database, self._parts.replies
        for session_id in database.expire_sessions():
            for client in [client for client in replies.clients if client.session_id == session_id]:
                client.close()
        if self._clock.monotonic_ms() - self._last_sweep_ms >= self._parts.settings.sweep_interval_ms:
            self._last_sweep_ms = self._clock.monotonic_ms()
            database.sweep()
        replies.release()
        try:
            return not replies.refusing and database.snapshot_step()
        except StorageError as error:
            log.error("no snapshot could be written: %s", error)
            return False

    def _begin_sessions_anew(self) -> None:
        database = self._parts.database
        for session in database.sessions.all():
            database.sessions.touch(session, database.monotonic_ms())
