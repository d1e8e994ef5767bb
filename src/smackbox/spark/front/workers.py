"""The threads that answer gRPC calls: daemons, made when they are needed.

`ThreadPoolExecutor` takes no work while the interpreter ends, and a client in this process that says good-bye then
would wait for its answer forever.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

IDLE_S = 30.0
"""A thread without work for so long ends."""

log = logging.getLogger(__name__)


class Workers(Executor):
    """At most `limit` threads; work beyond that waits for the first that is free."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:  # noqa: BLE001 - it is the future's
                    future.set_exception(error)

        with self._lock:
            starts = self._idle == 0 and self._threads < self._limit
            if starts:
                self._threads += 1
            else:
                self._idle -= 1
        self._work.put(run)
        if starts:
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        return future

    def _serve(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._idle <= 0:
                        continue  # work is on its way
                    self._idle -= 1
                    self._threads -= 1
                return
            work()
            with self._lock:
                self._idle += 1
