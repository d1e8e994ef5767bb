# ruff: noqa: N802, N803 - PySpark's names
"""Writing an RDD to a directory: `part-NNNNN` for each partition, and `_SUCCESS` when all are there."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.files import Storage, exists, is_remote, local, put_file, write_whole
from smackbox.spark.rdd.lineage import write_rows

GZIP_CODEC = "org.apache.hadoop.io.compress.GzipCodec"


class SaveOperations:
    """Mixed into `RDD`."""

    ctx: Any
    _run: Callable[..., list[Any]]

    def saveAsTextFile(self, path: str, compressionCodecClass: str | None = None) -> None:
        """Rows as lines of text, `str(row)` each, in a directory or below a URL. Raises `JobError` when it is there."""
        if compressionCodecClass not in (None, GZIP_CODEC):
            raise JobError(f"{compressionCodecClass} is not a codec that is there: {GZIP_CODEC}")
        zipped = compressionCodecClass is not None
        storage = self.ctx._storage
        if is_remote(path):
            if exists(path.rstrip("/"), storage):
                raise JobError(f"Output directory {path} already exists")
            base = path.rstrip("/")
            self._run(lambda index, rows: put_partition(base, index, rows, storage, zipped=zipped))
            write_whole(f"{base}/_SUCCESS", b"", storage)
            return
        directory = _new_directory(path)
        self._run(lambda index, rows: write_partition(directory, index, rows, zipped=zipped))
        (directory / "_SUCCESS").touch()

    def saveAsPickleFile(self, path: str, batchSize: int = 10) -> None:
        """Rows as pickled lists in a directory, for `pickleFile`. Raises `JobError` when it is there."""
        directory = _new_directory(path)
        self._run(lambda index, rows: write_partition(directory, index, rows, pickled=True))
        (directory / "_SUCCESS").touch()


def put_partition(base: str, index: int, rows: Iterator[Any], storage: Storage, *, zipped: bool) -> None:
    """A task's part as one object: a task tried again replaces it."""
    with tempfile.TemporaryDirectory(prefix="smack-put-") as directory:
        name = _part(index, zipped)
        write_partition(Path(directory), index, rows, zipped=zipped)
        put_file(f"{base}/{name}", Path(directory) / name, storage)


def _part(index: int, zipped: bool) -> str:
    return f"part-{index:05}{'.gz' if zipped else ''}"


def write_partition(
    directory: Path, index: int, rows: Iterator[Any], *, pickled: bool = False, zipped: bool = False
) -> None:
    """A task's part: a draft that gets its name when it is whole, so that a task tried again leaves one file."""
    path = directory / _part(index, zipped)
    if pickled:
        write_rows(path, rows)
        return
    draft = path.with_name(f".{path.name}.draft")
    with gzip.open(draft, "wb") if zipped else draft.open("wb") as file:
        file.writelines(_lines(rows))
    draft.replace(path)


def _lines(rows: Iterable[Any]) -> Iterator[bytes]:
    for row in rows:
        line = row if isinstance(row, bytes) else str(row).encode("utf-8")
        yield line + b"\n"


def _new_directory(path: str) -> Path:
    directory = local(path)
    try:
        directory.mkdir(parents=True)
    except FileExistsError as error:
        raise JobError(f"Output directory {path} already exists") from error
    return directory
