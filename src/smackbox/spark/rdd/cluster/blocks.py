"""Shuffle files and files of the driver's, between machines.

A client asks `(bucket, name, number)` or `(file, path)`. The answer is `missing`, or `found` and the parts, an empty
one as the end. A connection serves one request after another; one that was not read to the end is closed.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from smackbox.spark.rdd.cluster.channel import IO_TIMEOUT_S, Listener, connect, receive, send
from smackbox.spark.rdd.shuffle_files import BLOCKS_SCHEME, fetch_by, read_bucket

PART_BYTES = 1 << 20
IDLE_LIMIT = 64
"""Connections that a process keeps for later requests."""
TRIES = 3
RETRY_S = 0.3

_secret = b""
_own: tuple[str, Path] = ("", Path())
_idle: OrderedDict[str, list[Connection]] = OrderedDict()
_lock = threading.Lock()


class BlockServer:
    """Serves the shuffle files in an executor's directory."""

    def __init__(self, host: str, secret: bytes, directory: Path, port: int = 0) -> None:
        self._directory = directory
        self._listener = Listener(host, port, secret, self._serve)

    @property
    def port(self) -> int:
        return self._listener.port

    def close(self) -> None:
        self._listener.close()

    def _serve(self, connection: Connection) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            while True:
                kind, name, bucket = receive(connection)
                if kind == "bucket" and "/" not in name:
                    _send_parts(connection, read_bucket(self._directory / name, bucket))
                else:
                    send(connection, "missing")


def serve_files(connection: Connection, request: Any, may_read: Callable[[Path], bool]) -> None:
    """Answer this request for a file and those that follow, until the other end leaves."""
    with connection, contextlib.suppress(OSError, EOFError):
        while True:
            path = Path(request[1]).resolve()
            if request[0] == "file" and may_read(path):
                _send_parts(connection, _parts(path))
            else:
                send(connection, "missing")
            request = receive(connection)


def _send_parts(connection: Connection, parts: Iterator[bytes]) -> None:
    try:
        first = next(parts, b"")
    except (FileNotFoundError, IsADirectoryError):
        send(connection, "missing")
        return
    send(connection, "found")
    connection.send_bytes(first)
    if first:
        for part in parts:
            connection.send_bytes(part)
        connection.send_bytes(b"")


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part


def use(secret: bytes, location: str, directory: Path) -> None:
    """In an executor: how to reach others, and which location is its own."""
    global _secret, _own
    _secret, _own = secret, (location, directory)
    fetch_by(fetch_bucket)


def fetch_bucket(path: str, bucket: int) -> Iterator[bytes]:
    """The chunks of a bucket of `blocks://host:port/name`. Raises `FileNotFoundError` where it cannot be read."""
    location, _, name = path.rpartition("/")
    if f"{location}/" == _own[0]:
        return read_bucket(_own[1] / name, bucket)
    return _fetch(location.removeprefix(BLOCKS_SCHEME), ("bucket", name, bucket))


def fetch_file(address: str, path: Path, target: Path) -> None:
    """Copy a file of the driver's. Raises `FileNotFoundError`."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with draft.open("wb") as file:
            for part in _fetch(address, ("file", str(path))):
                file.write(part)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _fetch(address: str, request: tuple[object, ...]) -> Iterator[bytes]:
    """The parts of an answer. A connection is tried again until its first part has come."""
    for attempt in range(TRIES):
        try:
            connection = _take(address, fresh=attempt > 0)
            send(connection, request)
            is_found = receive(connection, IO_TIMEOUT_S) == "found"
            break
        except (OSError, EOFError) as error:
            if attempt == TRIES - 1:
                raise FileNotFoundError(f"{address} does not answer: {error}") from error
            time.sleep(RETRY_S * attempt)
    if not is_found:
        _give_back(address, connection)
        raise FileNotFoundError(f"{address} does not have {request[1]}")
    is_whole = False
    try:
        while part := connection.recv_bytes():
            yield part
        is_whole = True
    except (OSError, EOFError) as error:
        raise FileNotFoundError(f"{address} went away: {error}") from error
    finally:
        if is_whole:
            _give_back(address, connection)
        else:
            connection.close()


def _take(address: str, *, fresh: bool) -> Connection:
    with _lock:
        kept = _idle.get(address)
        if kept and not fresh:
            return kept.pop()
    return connect(address, _secret)


def _give_back(address: str, connection: Connection) -> None:
    with _lock:
        _idle.setdefault(address, []).append(connection)
        _idle.move_to_end(address)
        while sum(map(len, _idle.values())) > IDLE_LIMIT:
            oldest, kept = next(iter(_idle.items()))
            if kept:
                kept.pop(0).close()
            if not kept:
                del _idle[oldest]
