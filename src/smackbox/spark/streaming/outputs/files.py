"""Files of a folder or a bucket as a target: `batch-NUMBER-CHECKPOINT.jsonl` or `.parquet`, each put once and whole.

A file of a batch that is there already stays: it has the same rows. On this machine it is written under a hidden name
and renamed, in a store it is one PUT, so that no reader sees a part of it. A batch without rows makes no file.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from smackbox.base.errors import StartError, StorageError
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.files import Storage, exists, is_remote, local, write_whole
from smackbox.spark.streaming.errors import AwayError, StreamError
from smackbox.spark.streaming.outputs.output import OutputBatch, as_dict, as_json
from smackbox.store.fs import Disk

OutputFormat = Literal["json", "parquet"]
Compression = Literal["none", "gz", "zst"]
_SUFFIX = {"none": "", "gz": ".gz", "zst": ".zst"}


class FileOutput:
    """Below `url`, named with `prefix` where several streams write into one folder."""

    def __init__(
        self, url: str, kind: OutputFormat, compression: Compression, storage: Storage = (), prefix: str = "batch"
    ) -> None:
        self._url = url.rstrip("/")
        self._kind = kind
        self._compression = compression
        self._storage = storage
        self._prefix = prefix

    def open(self, checkpoint: str) -> None:
        if not is_remote(self._url):
            try:
                local(self._url).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StreamError(f"the folder {self._url} cannot be made: {error.strerror}") from error

    def put(self, batch: OutputBatch) -> None:
        if not batch.rows:
            return
        name = f"{self._prefix}-{batch.number:010d}-{batch.checkpoint}"
        parquet = self._kind == "parquet"
        suffix = ".parquet" if parquet else f".jsonl{_SUFFIX[self._compression]}"
        data = parquet_bytes(batch.rows, self._compression) if parquet else self._lines(batch.rows)
        if is_remote(self._url):
            self._put_object(f"{self._url}/{name}{suffix}", data)
        else:
            self._put_file(local(self._url), name + suffix, data)

    def close(self) -> None: ...

    def _lines(self, rows: Sequence[Any]) -> bytes:
        data = b"\n".join(map(as_json, rows)) + b"\n"
        if self._compression == "gz":
            return gzip.compress(data, mtime=0)
        if self._compression == "zst":
            import zstandard

            return zstandard.compress(data)
        return data

    def _put_file(self, folder: Path, name: str, data: bytes) -> None:
        hidden, disk = folder / f".{name}", Disk()
        try:
            if (folder / name).exists():
                hidden.unlink(missing_ok=True)
                return
            disk.replace(hidden, data, sync=True)
            disk.rename(hidden, folder / name)
        except (OSError, StorageError) as error:
            raise AwayError(f"{folder / name} cannot be written: {error}") from error

    def _put_object(self, url: str, data: bytes) -> None:
        try:
            if not exists(url, self._storage):
                write_whole(url, data, self._storage)
        except JobError as error:
            raise StreamError(str(error)) from error
        except StartError:
            raise
        except Exception as error:
            raise AwayError(f"{url} cannot be put: {type(error).__name__}: {error}") from error


def parquet_bytes(rows: Sequence[Any], compression: Compression) -> bytes:
    """Rows as one Parquet file. Raises `StreamError` for values that have no column type."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise StartError("Parquet needs pyarrow: pip install 'smackbox[spark]'") from error
    from smackbox.spark.arrow_schema import events_to_arrow

    try:
        if isinstance(rows[0], dict):
            table = pa.Table.from_pylist([as_dict(row) for row in rows])
        else:
            table = events_to_arrow(type(rows[0]), list(rows))
    except (pa.ArrowInvalid, ValueError, TypeError) as error:
        raise StreamError(f"the rows do not fit a Parquet file: {error}") from error
    file = io.BytesIO()
    pq.write_table(table, file, compression={"none": "none", "gz": "gzip", "zst": "zstd"}[compression])
    return file.getvalue()
