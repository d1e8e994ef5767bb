"""Files: `parquet`, `json`, `csv`, `text`, `orc` in a directory, each batch once, its files named by query and batch.

Sail writes a batch into a directory whose name begins with `_`, which readers pass over; then its files are moved into
place as `part-NNNNN-QUERY-batch-BATCH.EXT`, where QUERY is the query's id, which a checkpoint keeps. A batch that is
repeated replaces its own files; other queries may write to the same directory. With `partitionBy`, files are in
`key=value` directories. There is no `_spark_metadata`: a reader may see a part of a batch while its files are moved.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError
from smackbox.spark.front.messages import commands_pb2
from smackbox.spark.structured.batch import BatchRun, Rows
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.sinks.sink import UNKNOWN_ROWS, Sink

FORMATS = frozenset({"parquet", "json", "csv", "text", "orc"})
_OWN_OPTIONS = frozenset({"path", "checkpointlocation"})
_OVERWRITE: Any = 2


class FileSink(Sink):
    """Rows of a batch as files below `path`."""

    def __init__(
        self,
        kind: str,
        path: str,
        options: Mapping[str, str],
        partition_by: Sequence[str],
        sail: Sail,
        query_id: str,
    ) -> None:
        parsed = urlparse(path)
        if parsed.scheme not in {"", "file"}:
            raise SparkError(f"the file sink writes to this machine, not to {path!r}", classes=ILLEGAL_ARGUMENT)
        self._folder = Path(unquote(parsed.path) if parsed.scheme else path).absolute()
        self._kind = kind
        self._options = {key: value for key, value in options.items() if key.lower() not in _OWN_OPTIONS}
        self._partition_by = list(partition_by)
        self._sail = sail
        self._query_id = query_id
        self.description = f"FileSink[file:{self._folder}]"

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{self._query_id}-batch-{batch}"
        made = self._folder / f"_{name}"
        shutil.rmtree(made, ignore_errors=True)
        self._forget(name)
        command = commands_pb2.Command()
        write = command.write_operation
        write.input.CopyFrom(run.relation(rows))
        write.source = self._kind
        write.path = str(made)
        write.mode = _OVERWRITE
        write.options.update(self._options)
        write.partitioning_columns.extend(self._partition_by)
        self._sail.write(command)
        files = sorted(path for path in made.rglob("*") if path.is_file() and not path.name.startswith(("_", ".")))
        for number, file in enumerate(files):
            place = self._folder / file.parent.relative_to(made)
            place.mkdir(parents=True, exist_ok=True)
            file.replace(place / f"part-{number:05d}-{name}{''.join(file.suffixes)}")
        shutil.rmtree(made, ignore_errors=True)
        return UNKNOWN_ROWS

    def stop(self) -> None: ...

    def _forget(self, name: str) -> None:
        """Remove what an earlier attempt moved into place. `os.walk` passes over directories that others remove."""
        for folder, below, files in os.walk(self._folder):
            below[:] = [one for one in below if not one.startswith("_")]
            for former in files:
                if f"-{name}." in former:
                    Path(folder, former).unlink()
