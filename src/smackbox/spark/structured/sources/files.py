"""`json`, `csv`, `parquet`, `text`, `orc`: the files of a directory, each once, in the order of their times.

Options: `maxFilesPerTrigger`, `latestFirst`, `pathGlobFilter`; all others are the format's. The
path may have wildcards, and its directories `key=value` levels. Names beginning with `.` or `_` are not looked at.
What a batch reads is kept in the checkpoint under its number, as the file source's log in Spark; an offset is such a
number. The rows are read by Sail.
"""

from __future__ import annotations

import fnmatch
import glob
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa

from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError
from smackbox.spark.front.messages import relations_pb2
from smackbox.spark.structured.checkpoint import SourceLog
from smackbox.spark.structured.sources.source import Batch, Source, lower_case, positive

FORMATS = frozenset({"json", "csv", "parquet", "text", "orc"})
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""The directory of rows whose partition column is null."""
TEXT_SCHEMA = "value string"
_OWN_OPTIONS = frozenset(
    {"maxfilespertrigger", "latestfirst", "path", "maxfileage", "filenameonly", "cleansource", "pathglobfilter"}
    | {"recursivefilelookup", "sourcearchivedir"}
)


def check(kind: str, schema: str, paths: list[str]) -> str:
    """The schema of such a stream. Raises `SparkError` as Spark does where schema or path are missing."""
    if not paths:
        raise SparkError("'path' is not specified.", condition="_LEGACY_ERROR_TEMP_2047", classes=ILLEGAL_ARGUMENT)
    if schema:
        return schema
    if kind == "text":
        return TEXT_SCHEMA
    raise SparkError(
        "Schema must be specified when creating a streaming source DataFrame. If some files already exist in the "
        "directory, then depending on the file format you may be able to create a static DataFrame on that directory "
        "with 'spark.read.load(directory)' and infer schema from it.",
        condition="_LEGACY_ERROR_TEMP_2048",
        classes=ILLEGAL_ARGUMENT,
    )


def paths_of(read: Any) -> list[str]:
    """The paths of a `Read.DataSource`: given to `load`, or as an option."""
    options = lower_case(read.options)
    return [*read.paths, *([options["path"]] if "path" in options else [])]


class FileSource(Source):
    """Finds files, remembers which batch has which, and has Sail read them. `columns` gives those of a relation."""

    def __init__(self, read: Any, log: SourceLog, columns: Callable[[Any], pa.Schema]) -> None:
        options = lower_case(read.options)
        self._kind = read.format.lower()
        self._schema = check(self._kind, read.schema, paths_of(read))
        self._paths = [_local(path) for path in paths_of(read)]
        self._options = {key: value for key, value in read.options.items() if key.lower() not in _OWN_OPTIONS}
        self._limit = positive(options, "maxFilesPerTrigger", 1) if "maxfilespertrigger" in options else None
        self._latest_first = options.get("latestfirst", "false").lower() == "true"
        self._glob = options.get("pathglobfilter")
        self._log = log
        self._columns = columns
        self._frozen: set[str] | None = None
        self._seen: set[str] = set()
        self._last = -1
        for key, value in log.items(b"batch"):
            self._last = int.from_bytes(key.removeprefix(b"batch"), "big")
            self._seen.update(json.loads(value))
        self.description = f"FileStreamSource[file:{self._paths[0]}]"

    def initial(self) -> None:
        return None

    def latest(self, start: dict[str, int] | None, *, limited: bool) -> dict[str, int] | None:
        at = -1 if start is None else start["logOffset"]
        if at < self._last:
            # planned before and not read yet: the batch after `start` is already known
            return {"logOffset": at + 1}
        files = [path for path in self._find() if path not in self._seen]
        if self._frozen is not None:
            files = [path for path in files if path in self._frozen]
        if limited and self._limit is not None:
            files = files[: self._limit]
        if not files:
            return start
        self._last += 1
        self._log.put(b"batch" + self._last.to_bytes(8, "big"), json.dumps(files).encode())
        self._seen.update(files)
        return {"logOffset": self._last}

    def freeze(self) -> None:
        self._frozen = set(self._find())

    def batch(self, start: dict[str, int] | None, end: dict[str, int] | None) -> Batch:
        first = 0 if start is None else start["logOffset"] + 1
        last = -1 if end is None else end["logOffset"]
        files: list[str] = []
        for number in range(first, last + 1):
            kept = self._log.get(b"batch" + number.to_bytes(8, "big"))
            if kept is None:
                raise SparkError(f"{self.description}: the checkpoint does not have the files of batch {number}")
            files.extend(json.loads(kept))
        relation = relations_pb2.Relation()
        relation.local_relation.schema = self._schema
        if not files:
            return Batch(relation=relation, rows=0)
        groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for file in files:
            groups.setdefault(self._levels(file), []).append(file)
        types = {}
        if any(groups):
            types = {field.name: _type(field) for field in self._columns(relation)}
        return Batch(relation=_union([self._part(levels, found, types) for levels, found in groups.items()]))

    def commit(self, end: Any) -> None: ...

    def stop(self) -> None: ...

    def _levels(self, file: str) -> tuple[tuple[str, str], ...]:
        """The `key=value` directories of a file below the path that was given."""
        parts = Path(file).parts
        for path in self._paths:
            depth = len(Path(path).parts)
            if fnmatch.fnmatch(str(Path(*parts[:depth])), path) or str(Path(*parts[:depth])) == path:
                levels = (part.partition("=") for part in parts[depth:-1] if "=" in part)
                return tuple((unquote(key), value) for key, _, value in levels)
        return ()

    def _part(self, levels: tuple[tuple[str, str], ...], files: list[str], types: Mapping[str, str]) -> Any:
        """The rows of files in the same directory; Sail gives columns of single files' directories as null."""
        relation = relations_pb2.Relation()
        source = relation.read.data_source
        source.format = self._kind
        source.schema = self._schema
        source.options.update(self._options)
        source.paths.extend(files)
        known = [(key, value) for key, value in levels if key in types]
        if not known:
            return relation
        whole = relations_pb2.Relation()
        whole.with_columns.input.CopyFrom(relation)
        for key, value in known:
            column = whole.with_columns.aliases.add(name=[key])
            column.expr.cast.type_str = types[key]
            if value == NO_VALUE:
                column.expr.cast.expr.literal.null.null.SetInParent()
            else:
                column.expr.cast.expr.literal.string = unquote(value)
        return whole

    def _find(self) -> list[str]:
        found: list[tuple[int, str]] = []
        for pattern in self._paths:
            for place in sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]:  # noqa: PTH207 - patterns of whole paths
                path = Path(place)
                files = _below(path) if path.is_dir() else [path] if path.exists() else []
                found.extend(
                    (file.stat().st_mtime_ns, str(file))
                    for file in files
                    if self._glob is None or fnmatch.fnmatch(file.name, self._glob)
                )
        found.sort(reverse=self._latest_first)
        return [path for _, path in found]


def _type(field: pa.Field) -> str:
    from pyspark.sql.pandas.types import from_arrow_type

    return from_arrow_type(field.type).simpleString()  # type: ignore[no-any-return]


def _union(parts: list[Any]) -> Any:
    """All rows of the parts, in a tree that is not deep."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    relation = relations_pb2.Relation()
    operation = relation.set_op
    operation.left_input.CopyFrom(_union(parts[:half]))
    operation.right_input.CopyFrom(_union(parts[half:]))
    operation.set_op_type = operation.SET_OP_TYPE_UNION
    operation.is_all = True
    return relation


def _below(folder: Path) -> list[Path]:
    files: list[Path] = []
    for entry in os.scandir(folder):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            files.extend(_below(Path(entry.path)))
        else:
            files.append(Path(entry.path))
    return files


def _local(path: str) -> str:
    """A path of this machine, given as one or as a `file:` URL."""
    parsed = urlparse(path)
    if parsed.scheme not in {"", "file"}:
        raise SparkError(f"the file source reads this machine's files, not {path!r}", classes=ILLEGAL_ARGUMENT)
    return str(Path(unquote(parsed.path) if parsed.scheme else path).absolute())
