"""The edge between two islands: a buffer that one fills and the other drains. Each wakes the other only when it waits.

The leaving end asks for elements while the buffer has room, and the arriving end gives them on. When half of the
buffer has been taken the leaving end is woken, so that a message is paid for half a buffer and not for each element.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from smackbox.akka.stream.errors import STAGE_WAS_COMPLETED
from smackbox.akka.stream.stage import Stage


class _Shared:
    """Both ends, and what is between them. All islands of a system are on one thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.buffer: deque[Any] = deque()
        self.ended = False
        self.failure: BaseException | None = None
        self.cause: BaseException | None = None
        self.leaving: Leaving
        self.arriving: Arriving


def join(size: int) -> tuple[Leaving, Arriving]:
    """The two stages of an asynchronous boundary, with a buffer of `size` between them."""
    shared = _Shared(size)
    shared.leaving, shared.arriving = Leaving(shared), Arriving(shared)
    return shared.leaving, shared.arriving


class Leaving(Stage):
    """The boundary's stage in the island upstream."""

    outs = 0
    reports_failure = False

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._waits = False
        self._started = False

    def pre_start(self) -> None:
        self._started = True
        if self._shared.cause is not None:
            self.inlet.cancel(self._shared.cause)
        else:
            self.inlet.try_pull()

    def on_push(self) -> None:
        shared = self._shared
        shared.buffer.append(self.inlet.grab())
        if len(shared.buffer) < shared.size:
            self.inlet.pull()
        else:
            self._waits = True
        shared.arriving.poke()

    def on_upstream_finish(self) -> None:
        self._end(None)

    def on_upstream_failure(self, error: BaseException) -> None:
        self._end(error)

    def post_stop(self) -> None:
        if not self._shared.ended and self._shared.cause is None:
            self._end(self.interpreter.aborted)

    def _end(self, error: BaseException | None) -> None:
        self._shared.ended = True
        self._shared.failure = error
        self._shared.arriving.poke()

    # -- from the other end

    def taken(self) -> None:
        """Half of the buffer is empty."""
        if self._waits:
            self._waits = False
            self.interpreter.calls.append((self, self.inlet.try_pull, ()))
            self.interpreter.wake()

    def cancelled(self) -> None:
        """From the other island: it wants no more."""
        self.interpreter.calls.append((self, self._cancel, ()))
        self.interpreter.wake()

    def _cancel(self) -> None:
        if self._started:
            cause = self._shared.cause
            assert cause is not None
            self.inlet.cancel(cause)


class Arriving(Stage):
    """The boundary's stage in the island downstream."""

    ins = 0
    reports_failure = False

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._poked = False

    @property
    def waiting(self) -> int:
        return len(self._shared.buffer)

    def pre_start(self) -> None:
        self._check()

    def on_pull(self) -> None:
        shared = self._shared
        buffer = shared.buffer
        if buffer:
            self.outlet.push(buffer.popleft())
            if len(buffer) * 2 <= shared.size:
                shared.leaving.taken()
        if shared.ended and not buffer:
            self._check()

    def on_downstream_finish(self, cause: BaseException) -> None:
        self._shared.cause = cause
        self._shared.buffer.clear()
        if not self._shared.ended:
            self._shared.leaving.cancelled()

    def post_stop(self) -> None:
        if not self._shared.ended and self._shared.cause is None:
            self.on_downstream_finish(self.interpreter.aborted or STAGE_WAS_COMPLETED)

    # -- from the other end

    def poke(self) -> None:
        """Elements, or the end, are there."""
        if not self._poked and (self._shared.ended or self.outlet.is_wanted):
            self._poked = True
            self.interpreter.calls.append((self, self._check, ()))
            self.interpreter.wake()

    def _check(self) -> None:
        self._poked = False
        shared = self._shared
        if shared.failure is not None:
            self.fail_stage(shared.failure)
        elif shared.ended and not shared.buffer:
            self.complete_stage()
        elif self.outlet.is_wanted:
            self.on_pull()
