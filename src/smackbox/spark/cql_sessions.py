"""Driver sessions shared by the tasks of a process: connecting costs more than a small read.

A session is kept for a few seconds after its last user has left, then closed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smackbox.spark.cql_session import CqlSession

KEPT_S = 5.0

_lock = threading.Lock()
_shared: dict[tuple[Any, ...], _Shared] = {}


class _Shared:
    def __init__(self) -> None:
        self.ready = threading.Lock()
        self.cql: CqlSession | None = None
        self.users = 0
        self.timer: threading.Timer | None = None


@contextmanager
def shared_session(address: str, **options: Any) -> Iterator[CqlSession]:
    """A session of this process with these options, connected when there is none yet.

    Users must not set its `timestamp_us`. Raises the driver's `NoHostAvailable` when no node answers.
    """
    key = (address, *sorted(options.items(), key=lambda item: item[0]))
    with _lock:
        shared = _shared.setdefault(key, _Shared())
        shared.users += 1
        if shared.timer is not None:
            shared.timer.cancel()
            shared.timer = None
    try:
        with shared.ready:
            if shared.cql is None:
                shared.cql = CqlSession(address, **options)
        yield shared.cql
    finally:
        _leave(key, shared)


def close_shared_sessions() -> None:
    """Close every session that nobody uses at this moment."""
    with _lock:
        idle = [(key, shared) for key, shared in _shared.items() if not shared.users]
    for key, shared in idle:
        _close(key, shared)


def _leave(key: tuple[Any, ...], shared: _Shared) -> None:
    with _lock:
        shared.users -= 1
        if shared.users:
            return
        shared.timer = threading.Timer(KEPT_S, _close, (key, shared))
        shared.timer.daemon = True
        shared.timer.start()


def _close(key: tuple[Any, ...], shared: _Shared) -> None:
    with _lock:
        if shared.users or _shared.get(key) is not shared:
            return
        del _shared[key]
        if shared.timer is not None:
            shared.timer.cancel()
    if shared.cql is not None:
        shared.cql.close()
