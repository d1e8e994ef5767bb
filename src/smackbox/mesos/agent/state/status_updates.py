"""TaskStatus updates on their way to the framework: in order for each task, one at a time, retried until acknowledged.

The first is sent at once, then after 10 s, and at doubled intervals of up to 10 minutes. The next one is sent after the
acknowledgement. Unacknowledged statuses are sent again when the agent reconnects to a master.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from smackbox.mesos.agent.state.timers import Timer, Timers

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import TaskStatus


RETRY_MIN_MS = 10_000
RETRY_MAX_MS = 600_000
PENDING_LIMIT = 10_000
"""The maximum number of queued statuses of one task; beyond it the oldest is dropped that is neither first nor
terminal.
"""

TaskKey = tuple[str, str]
"""Framework and task."""


class UpdateStream:
    """The unacknowledged statuses of one task."""

    __slots__ = ("interval_ms", "pending", "timer")

    def __init__(self) -> None:
        self.pending: deque[TaskStatus] = deque()
        self.interval_ms = RETRY_MIN_MS
        self.timer: Timer | None = None


class StatusUpdates:
    """The streams of all tasks. `send(key, status)` sends one to the master, or drops it without a connection."""

    def __init__(self, timers: Timers, send: Callable[[TaskKey, TaskStatus], None]) -> None:
        self._timers = timers
        self._send = send
        self._streams: dict[TaskKey, UpdateStream] = {}

    def add(self, key: TaskKey, status: TaskStatus) -> None:
        """Queue a status for delivery."""
        stream = self._streams.setdefault(key, UpdateStream())
        stream.pending.append(status)
        if len(stream.pending) == 1:
            self._begin(key, stream)
        elif len(stream.pending) > PENDING_LIMIT:
            del stream.pending[1]

    def acknowledge(self, key: TaskKey, uuid: str) -> TaskStatus | None:
        """The acknowledged status; None when `uuid` is not that of the status that was sent."""
        stream = self._streams.get(key)
        if stream is None or not stream.pending or stream.pending[0]["uuid"] != uuid:
            return None
        status = stream.pending.popleft()
        if stream.timer is not None:
            stream.timer.cancel()
        if stream.pending:
            self._begin(key, stream)
        else:
            del self._streams[key]
        return status

    def is_pending(self, key: TaskKey) -> bool:
        """Whether a status of the task awaits acknowledgement."""
        return key in self._streams

    def head(self, key: TaskKey) -> TaskStatus | None:
        """The status that was sent last."""
        stream = self._streams.get(key)
        return stream.pending[0] if stream is not None and stream.pending else None

    def latest(self, key: TaskKey) -> TaskStatus | None:
        """The last queued status, or None."""
        stream = self._streams.get(key)
        return stream.pending[-1] if stream is not None and stream.pending else None

    def forget(self, key: TaskKey) -> None:
        """Stop delivery for that task."""
        stream = self._streams.pop(key, None)
        if stream is not None and stream.timer is not None:
            stream.timer.cancel()

    def resend(self) -> None:
        """A master has connected: send the first status of each stream at once, and restart its interval."""
        for key, stream in list(self._streams.items()):
            if stream.timer is not None:
                stream.timer.cancel()
            self._begin(key, stream)

    def _begin(self, key: TaskKey, stream: UpdateStream) -> None:
        stream.interval_ms = RETRY_MIN_MS
        self._transmit(key, stream)

    def _transmit(self, key: TaskKey, stream: UpdateStream) -> None:
        stream.timer = self._timers.after(stream.interval_ms, lambda: self._retry(key, stream))
        self._send(key, stream.pending[0])

    def _retry(self, key: TaskKey, stream: UpdateStream) -> None:
        stream.interval_ms = min(stream.interval_ms * 2, RETRY_MAX_MS)
        self._transmit(key, stream)
