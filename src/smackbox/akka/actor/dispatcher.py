"""Runs actors: a queue of actors with messages, processed in turns on the event loop.

An actor in the queue handles up to `THROUGHPUT` messages and then goes to the end of the queue, so that none starves
the others. After `TURN_MESSAGES` the event loop gets control, so that sockets and timers are not starved either.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from smackbox.akka.actor.processing import ProcessingTimes

THROUGHPUT = 50
TURN_MESSAGES = 5_000


class Runnable(Protocol):
    """An actor, as the dispatcher sees it."""

    instance: Any

    def run(self, quantum: int, /) -> int:
        """Handle up to `quantum` messages. Returns their number."""
        ...


class Cancellable(Protocol):
    def cancel(self) -> object: ...


class Dispatcher:
    """The queue. A subclass schedules its turns and provides the time."""

    def __init__(self) -> None:
        self._ready: deque[Runnable] = deque()
        self._awake = False
        self.processing: ProcessingTimes | None = None
        """Where times are gathered, once somebody wants them."""

    def enqueue(self, cell: Runnable) -> None:
        """Add `cell` to the queue. May be called from any thread."""
        self._ready.append(cell)
        if not self._awake:
            self._awake = True
            self._wake()

    def turn(self) -> None:
        """Let actors run until all are idle or the turn's messages are used up."""
        ready = self._ready
        left = TURN_MESSAGES
        try:
            if self.processing is not None and ready:
                left -= self._run_timed(ready.popleft(), self.processing) + 1
            while ready and left > 0:
                left -= ready.popleft().run(THROUGHPUT) + 1
        finally:
            self._awake = False
            if ready:
                self._awake = True
                self._wake()

    def _run_timed(self, cell: Runnable, times: ProcessingTimes) -> int:
        began_s = time.perf_counter()
        handled = cell.run(THROUGHPUT)
        if handled:
            times.add(type(cell.instance).__name__, handled, time.perf_counter() - began_s)
        return handled

    def _wake(self) -> None:
        """Schedule a call of `turn`."""
        raise NotImplementedError

    def now_s(self) -> float:
        raise NotImplementedError

    def call_later(self, delay_s: float, call: Callable[..., None], *arguments: Any) -> Cancellable:
        raise NotImplementedError

    def on_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call at once on the loop's thread; from another thread, schedule the call there."""
        raise NotImplementedError


class LoopDispatcher(Dispatcher):
    """A dispatcher on a running asyncio loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop
        self._thread = threading.get_ident()

    def _wake(self) -> None:
        if threading.get_ident() == self._thread:
            self.loop.call_soon(self.turn)
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.turn)

    def now_s(self) -> float:
        return self.loop.time()

    def call_later(self, delay_s: float, call: Callable[..., None], *arguments: Any) -> Cancellable:
        return self.loop.call_later(delay_s, call, *arguments)

    def on_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        if threading.get_ident() == self._thread:
            call(*arguments)
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(call, *arguments)
