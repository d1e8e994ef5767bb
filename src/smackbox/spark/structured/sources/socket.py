"""`socket`: lines of text from a TCP server (`host`, `port`, `includeTimestamp`), for tests: nothing can be read again.

An offset is the number of the last line read, -1 before the first, as in Spark.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping

import pyarrow as pa

from smackbox.spark.front.errors import SPARK, SparkError
from smackbox.spark.structured.sources.source import Batch, Source, lower_case

CONNECT_TIMEOUT_S = 10.0
LINES_LIMIT = 1_000_000
"""Lines that wait for a batch; the reader waits beyond."""


def schema(options: Mapping[str, str]) -> pa.Schema:
    """Raises `SparkError` for missing options."""
    options = lower_case(options)
    for key, condition in (("host", "_LEGACY_ERROR_TEMP_1295"), ("port", "_LEGACY_ERROR_TEMP_1296")):
        if key not in options:
            raise SparkError(f'Set a {key} to read from with option("{key}", ...).', condition=condition)
    stamped = options.get("includetimestamp", "false").lower() == "true"
    stamp = [("timestamp", pa.timestamp("us", tz="UTC"))] if stamped else []
    return pa.schema([("value", pa.string()), *stamp])


class SocketSource(Source):
    """A thread reads lines until the peer closes."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._schema = schema(options)
        options = lower_case(options)
        self._lines: list[tuple[str, int]] = []
        self._first = 0
        self._lock = threading.Condition()
        self._frozen: int | None = None
        self._stopped = False
        self.description = f"TextSocketV2[host: {options['host']}, port: {options['port']}]"
        try:
            self._socket = socket.create_connection((options["host"], int(options["port"])), CONNECT_TIMEOUT_S)
        except OSError as error:
            raise SparkError(f"{self.description} does not answer: {error}", classes=SPARK) from error
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._read, name="spark-socket-source", daemon=True)
        self._thread.start()

    def initial(self) -> int:
        return -1

    def latest(self, start: int, *, limited: bool) -> int:
        with self._lock:
            end = self._first + len(self._lines) - 1
        return end if self._frozen is None else min(end, self._frozen)

    def freeze(self) -> None:
        self._frozen = self.latest(-1, limited=False)

    def batch(self, start: int, end: int) -> Batch:
        with self._lock:
            if start + 1 < self._first or end >= self._first + len(self._lines):
                raise SparkError(f"{self.description}: lines {start + 1} to {end} cannot be read again", classes=SPARK)
            lines = self._lines[start + 1 - self._first : end + 1 - self._first]
        columns = [pa.array([line for line, _ in lines], pa.string())]
        if len(self._schema) > 1:
            columns.append(pa.array([stamp for _, stamp in lines], self._schema.types[1]))
        return Batch(pa.table(columns, schema=self._schema), rows=len(lines))

    def commit(self, end: int) -> None:
        with self._lock:
            del self._lines[: end + 1 - self._first]
            self._first = max(self._first, end + 1)
            self._lock.notify_all()

    def stop(self) -> None:
        self._stopped = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            self._lock.notify_all()
        self._thread.join()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._socket.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                with self._lock:
                    while len(self._lines) >= LINES_LIMIT and not self._stopped:
                        self._lock.wait()
                    self._lines.append((line.rstrip("\r\n"), time.time_ns() // 1000))
