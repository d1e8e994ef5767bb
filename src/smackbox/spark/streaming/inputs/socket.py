"""Lines from a TCP server, an event each. A plan holds the lines themselves, so what is planned is processed once;
lines that wait for a batch are lost with the process, for a socket cannot be asked again.

At most `LINES_LIMIT` lines wait; then nothing more is read, so that the sender waits. When the peer closes, or is not
there yet, it is connected again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from typing import Any

from smackbox.spark.streaming.inputs.input import Bounds, Done, Known, OwnRecord, Stopped, Taken

LINES_LIMIT = 50_000
LINE_BYTES = 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
RECONNECT_S = 0.5
WAIT_S = 0.05
PLAN_ENCODING = "latin-1"
"""A character for each byte, so that a line comes back from its plan as it was, whatever it is."""


class SocketInput:
    """One connection, read by a thread."""

    strict = True

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self._address = (host, port)
        self._lines: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._count = 0

    def open(self, saved: Any, known: Known) -> Any:
        self._count = saved["lines"] if saved else 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, name=f"socket-{self.name}", daemon=True)
            self._thread.start()
        return {"lines": self._count}

    def take(self, bounds: Bounds, stopped: Stopped) -> Taken | None:
        lines: list[bytes] = []
        size = 0
        while len(lines) < bounds.rows and size < bounds.size:
            with self._changed:
                left_s = bounds.deadline - time.monotonic()
                if not self._lines and left_s > 0:
                    self._changed.wait(min(WAIT_S, left_s))
                while self._lines and len(lines) < bounds.rows and size < bounds.size:
                    line = self._lines.popleft()
                    size += len(line)
                    lines.append(line)
                self._changed.notify_all()
            if left_s <= 0 or stopped() or (lines and bounds.eager):
                break
        if not lines:
            return None
        plan = {"first": self._count, "lines": [line.decode(PLAN_ENCODING) for line in lines]}
        return Taken(self.again(plan, stopped), plan)

    def again(self, plan: Any, stopped: Stopped) -> list[Any]:
        return [
            OwnRecord(
                line.encode(PLAN_ENCODING), self.name, f"{self._address[0]}:{self._address[1]}", plan["first"] + number
            )
            for number, line in enumerate(plan["lines"])
        ]

    def done(self, plan: Any) -> Done:
        self._count = plan["first"] + len(plan["lines"])
        return Done({"lines": self._count})

    def lag(self) -> int | None:
        return len(self._lines)

    def close(self) -> None:
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _read(self) -> None:
        while not self._stopping.is_set():
            try:
                with socket.create_connection(self._address, CONNECT_TIMEOUT_S) as connection:
                    connection.settimeout(None)
                    self._socket = connection
                    if not self._stopping.is_set():
                        self._read_lines(connection)
            except OSError:
                pass  # not there, or cut off: it is connected again
            self._socket = None
            self._stopping.wait(RECONNECT_S)

    def _read_lines(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            while line := file.readline(LINE_BYTES):
                line = line.rstrip(b"\r\n")
                if not line:
                    continue
                with self._changed:
                    while len(self._lines) >= LINES_LIMIT and not self._stopping.is_set():
                        self._changed.wait(RECONNECT_S)
                    self._lines.append(line)
                    self._changed.notify_all()
