"""Runs the state machine's timers on the event loop, with one handle for the next timer that is due."""

from __future__ import annotations

import asyncio

from smackbox.mesos.agent.state.timers import Timers


class LoopTimers:
    """Runs `timers` as they fall due, until `close`."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._handle: asyncio.TimerHandle | None = None
        timers.changed = self._arm

    def close(self) -> None:
        """Disarm all timers."""
        self._timers.changed = lambda: None
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        next_ms = self._timers.next_ms()
        self._handle = None
        if next_ms is not None:
            self._handle = asyncio.get_running_loop().call_later(next_ms / 1_000, self._run)

    def _run(self) -> None:
        self._handle = None
        try:
            self._timers.run_due()
        finally:
            self._arm()
