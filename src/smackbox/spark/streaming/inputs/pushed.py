"""Events that a peer pushes: lines of a socket, messages of a WebSocket or of MQTT, read by a thread.

A plan holds the events themselves, so what is planned is processed once, also by another process. At most
`WAITING_LIMIT` wait for a batch; then nothing more is read, so that the peer waits.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections import deque
from typing import Any

from smackbox.spark.streaming.errors import StreamError
from smackbox.spark.streaming.inputs.input import Bounds, Done, Known, OwnRecord, Stopped, Taken

WAITING_LIMIT = 50_000
EVENT_BYTES = 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
RECONNECT_S = 0.5
WAIT_S = 0.05
PLAN_ENCODING = "latin-1"
"""A character for each byte, so that an event comes back from its plan as it was, whatever it is."""


class PushedInput:
    """A subclass connects and reads in `_read`, until `_stopping` is set; `part` names its peer.

    An error that `_read` raises ends the stream: `take` raises it as `StreamError`.
    """

    strict = True

    def __init__(self, name: str, part: str) -> None:
        self.name = name
        self._part = part
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._count = 0

    def open(self, saved: Any, known: Known) -> Any:
        self._count = saved["lines"] if saved else 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"source-{self.name}", daemon=True)
            self._thread.start()
        return {"lines": self._count}

    def take(self, bounds: Bounds, stopped: Stopped) -> Taken | None:
        events: list[bytes] = []
        size = 0
        while len(events) < bounds.rows and size < bounds.size:
            with self._changed:
                left_s = bounds.deadline - time.monotonic()
                if not self._waiting and left_s > 0:
                    self._changed.wait(min(WAIT_S, left_s))
                while self._waiting and len(events) < bounds.rows and size < bounds.size:
                    event = self._waiting.popleft()
                    size += len(event)
                    events.append(event)
                self._changed.notify_all()
            if left_s <= 0 or stopped() or (events and bounds.eager):
                break
        if not events:
            if self._error is not None:
                raise StreamError(
                    f"source {self.name} cannot be read from {self._part}: {self._error or type(self._error).__name__}"
                ) from self._error
            return None
        plan = {"first": self._count, "lines": [event.decode(PLAN_ENCODING) for event in events]}
        return Taken(self.again(plan, stopped), plan)

    def again(self, plan: Any, stopped: Stopped) -> list[Any]:
        return [
            OwnRecord(event.encode(PLAN_ENCODING), self.name, self._part, plan["first"] + number)
            for number, event in enumerate(plan["lines"])
        ]

    def done(self, plan: Any) -> Done:
        self._count = plan["first"] + len(plan["lines"])
        return Done({"lines": self._count})

    def lag(self) -> int | None:
        return len(self._waiting)

    def close(self) -> None:
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._disconnect()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _push(self, event: bytes) -> None:
        """Add an event, once there is room."""
        with self._changed:
            while len(self._waiting) >= WAITING_LIMIT and not self._stopping.is_set():
                self._changed.wait(RECONNECT_S)
            self._waiting.append(event)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._read()
                self._stopping.wait(RECONNECT_S)
        except Exception as error:  # noqa: BLE001 - `take` raises it, for a stream without its source must not go on
            self._error = error

    @abstractmethod
    def _read(self) -> None:
        """Connect, and push what comes, until the connection ends; it is called again then. Raises nothing for that."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Have `_read` return."""
