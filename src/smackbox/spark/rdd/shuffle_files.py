"""One file for each map task of a shuffle.

    chunk …             pickled lists of (key, value), each of one bucket
    index               pickled: bucket -> [(offset, length), …], in the order of writing
    8 bytes             the index's offset, big-endian

A chunk is written when `flush_rows` rows wait in all buckets together, so that a map task holds a bounded number of
rows; the bound follows the size of the rows.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from smackbox.spark.rdd.errors import FetchFailedError

BLOCKS_SCHEME = "blocks://"
"""Files of another machine's executor: `blocks://host:port/name`, read from its block server."""
FLUSH_ROWS = 100_000
MIN_FLUSH_ROWS = 100
FLUSH_BYTES = 16 << 20
_TAIL = struct.Struct(">Q")


def write_shuffle(path: Path, rows: Iterable[Any], partitions: int, partition_of: Callable[[Any], int]) -> None:
    """Deal `rows`, pairs of key and value, out to the buckets `partition_of(key) % partitions`."""
    index: dict[int, list[tuple[int, int]]] = {}
    buckets: dict[int, list[Any]] = {}
    waiting, flush_rows = 0, FLUSH_ROWS
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with draft.open("wb") as file:
        for row in rows:
            bucket = partition_of(row[0]) % partitions
            held = buckets.get(bucket)
            if held is None:
                buckets[bucket] = [row]
            else:
                held.append(row)
            waiting += 1
            if waiting >= flush_rows:
                written = _flush(file, buckets, index)
                flush_rows = max(MIN_FLUSH_ROWS, min(FLUSH_ROWS, flush_rows * FLUSH_BYTES // max(written, 1)))
                waiting = 0
        _flush(file, buckets, index)
        offset = file.tell()
        file.write(pickle.dumps(index, pickle.HIGHEST_PROTOCOL))
        file.write(_TAIL.pack(offset))
    draft.replace(path)


def _flush(file: BinaryIO, buckets: dict[int, list[Any]], index: dict[int, list[tuple[int, int]]]) -> int:
    written = 0
    for bucket, rows in buckets.items():
        chunk = pickle.dumps(rows, pickle.HIGHEST_PROTOCOL)
        index.setdefault(bucket, []).append((file.tell(), len(chunk)))
        file.write(chunk)
        written += len(chunk)
    buckets.clear()
    return written


def read_shuffle(shuffle_id: int, paths: list[str | None], bucket: int) -> Iterator[Any]:
    """The rows of one bucket, map task by map task. Raises `FetchFailedError` for a file that is not there."""
    for map_index, path in enumerate(paths):
        if path is None:
            raise FetchFailedError(shuffle_id, map_index)
        try:
            for chunk in _chunks(path, bucket):
                yield from pickle.loads(chunk)  # noqa: S301 - our own bytes
        except FileNotFoundError as error:
            raise FetchFailedError(shuffle_id, map_index) from error


def read_bucket(path: Path, bucket: int) -> Iterator[bytes]:
    """The chunks of a bucket of a map task's file. Raises `FileNotFoundError`."""
    with path.open("rb") as file:
        file.seek(-_TAIL.size, os.SEEK_END)
        end = file.tell()
        (start,) = _TAIL.unpack(file.read(_TAIL.size))
        file.seek(start)
        index = pickle.loads(file.read(end - start))  # noqa: S301 - our own bytes
        for offset, length in index.get(bucket, ()):
            file.seek(offset)
            yield file.read(length)


def remove_files(paths: Iterable[str]) -> None:
    """Delete files of this machine."""
    for path in paths:
        Path(path).unlink(missing_ok=True)


def fetch_by(fetch: Callable[[str, int], Iterator[bytes]]) -> None:
    """In an executor of a cluster: how the chunks of a bucket are read from another executor."""
    global _fetch
    _fetch = fetch


def _chunks(path: str, bucket: int) -> Iterator[bytes]:
    if path.startswith(BLOCKS_SCHEME):
        return _fetch(path, bucket)
    return read_bucket(Path(path), bucket)


def _nowhere(path: str, _bucket: int) -> Iterator[bytes]:
    raise FileNotFoundError(f"{path} is on a cluster, and this process is not")


_fetch = _nowhere
