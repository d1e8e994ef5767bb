# ruff: noqa: B027 - an input overrides what it has
"""Where a stream's batches come from. An input plans a batch as JSON, so that it can be run again exactly."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.rdd import RDD

LINES_LIMIT = 100_000
"""Lines of a socket that wait for a batch; beyond that nothing is read, so that the sender waits."""
CONNECT_TIMEOUT_S = 10.0


class Input(ABC):
    """One source of batches."""

    is_replayable = True
    """Whether a planned batch can be read again after a restart."""

    def open(self, seconds: float) -> None:
        """Connect. A batch is made each so many seconds."""

    @abstractmethod
    def plan(self) -> Any:
        """What has come, as JSON; None where nothing has."""

    @abstractmethod
    def rdd(self, plan: Any) -> RDD:
        """The records of a plan, which may be one of an earlier process."""

    def done(self, plan: Any) -> None:
        """The batch of that plan is finished."""

    def state(self) -> Any:
        """Where the next batch begins, as JSON."""
        return None

    def restore(self, state: Any) -> None:
        """Go on where an earlier process was."""

    def close(self) -> None:
        """Release what it holds."""


class QueueInput(Input):
    """RDDs of a queue, one each batch or all at once; `default` when it is empty."""

    is_replayable = False

    def __init__(self, sc: SparkContext, rdds: Sequence[Any], one_at_a_time: bool, default: Any) -> None:
        self._sc = sc
        self._queue = rdds if isinstance(rdds, list) else deque(rdds)
        self._one_at_a_time = one_at_a_time
        self._default = default

    def plan(self) -> Any:
        return None if not self._queue and self._default is None else {}

    def rdd(self, plan: Any) -> RDD:
        count = 1 if self._one_at_a_time else len(self._queue)
        taken = [
            self._queue.pop(0) if isinstance(self._queue, list) else self._queue.popleft()
            for _ in range(min(count, len(self._queue)))
        ]
        rdds = [each if isinstance(each, RDD) else self._sc.parallelize(each) for each in taken or [self._default]]
        return rdds[0] if len(rdds) == 1 else self._sc.union(rdds)


class FilesInput(Input):
    """Lines of files that appear in a directory, each file once. A file must appear whole: move it there."""

    def __init__(self, sc: SparkContext, directory: str) -> None:
        self._sc = sc
        self._directory = Path(directory)
        self._seen: set[str] = set()

    def open(self, seconds: float) -> None:
        if not self._seen:
            self._seen = set(self._names())

    def plan(self) -> Any:
        return sorted(set(self._names()) - self._seen) or None

    def rdd(self, plan: Any) -> RDD:
        return self._sc.textFile(",".join(str(self._directory / name) for name in plan))

    def done(self, plan: Any) -> None:
        self._seen.update(plan)

    def state(self) -> Any:
        return sorted(self._seen)

    def restore(self, state: Any) -> None:
        self._seen = set(state)

    def _names(self) -> list[str]:
        if not self._directory.is_dir():
            return []
        return [
            file.name for file in self._directory.iterdir() if file.is_file() and not file.name.startswith((".", "_"))
        ]


class SocketInput(Input):
    """Lines of text from a socket. What came and was not finished is lost with the process, as in Spark."""

    is_replayable = False

    def __init__(self, sc: SparkContext, host: str, port: int) -> None:
        self._sc = sc
        self._address = (host, port)
        self._lines: deque[str] = deque()
        self._room = threading.Semaphore(LINES_LIMIT)
        self._socket: socket.socket | None = None

    def open(self, seconds: float) -> None:
        self._socket = socket.create_connection(self._address, CONNECT_TIMEOUT_S)
        self._socket.settimeout(None)
        threading.Thread(target=self._read, args=(self._socket,), name="dstream-socket", daemon=True).start()

    def plan(self) -> Any:
        return len(self._lines) or None

    def rdd(self, plan: Any) -> RDD:
        return self._sc.parallelize([self._lines.popleft() for _ in range(plan)])

    def done(self, plan: Any) -> None:
        self._room.release(plan)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _read(self, connection: socket.socket) -> None:
        try:
            with connection.makefile(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    self._room.acquire()
                    self._lines.append(line.rstrip("\r\n"))
        except (OSError, ValueError):
            return  # it was closed
