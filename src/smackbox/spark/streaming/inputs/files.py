"""Files that appear in a folder or a bucket, each once, by globs: `s3://bucket/2015/*/*.gz`.

State: {"file": the one that is read, or null, "row": the next one of it}; files that were read to their end are items
that are not taken again, by their names. A plan: [[file, first row, end row, whether the file ends there], …]. A file
must appear whole: move it there, or put it as an object. Hidden names (`.`, `_`) are not looked at, so that a file may
be written under such a name first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from smackbox.base.errors import SettingError, UserError
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.files import Storage, alternatives, expand, is_remote, open_binary
from smackbox.spark.streaming.errors import AwayError, DataLossError, SourceAwayError, StreamError
from smackbox.spark.streaming.inputs.file_rows import FileFormat, UnreadableRowError, format_of, rows_of
from smackbox.spark.streaming.inputs.input import Bounds, Done, Known, OwnRecord, Stopped, Taken

LIST_INTERVAL_S = 0.2
LIST_REMOTE_INTERVAL_S = 2.0


class _OpenFile:
    """A file at some row."""

    def __init__(self, path: str, kind: FileFormat, storage: Storage, row: int) -> None:
        self.path = path
        self.row = 0
        self._file: IO[bytes] = open_binary(path, storage)
        self._rows = rows_of(self._file, path, kind)
        while self.row < row and self.next() is not None:
            pass

    def next(self) -> bytes | UnreadableRowError | None:
        """The next row; None at the end."""
        found = next(self._rows, None)
        if found is not None:
            self.row += 1
        return found

    def close(self) -> None:
        """It is not read on."""
        self._rows.close()
        self._file.close()


class FilesInput:
    """The files of `url` (globs, several with commas), in the order of their names at each look."""

    def __init__(
        self,
        name: str,
        url: str,
        kind: FileFormat | None,
        storage: Storage = (),
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.strict = _is_strict(kind, url)
        self._url = url
        self._kind = kind
        self._storage = storage
        self._pause = pause
        self._interval_s = LIST_REMOTE_INTERVAL_S if is_remote(url) else LIST_INTERVAL_S
        self._known: Known = lambda items: [False] * len(items)
        self._open: _OpenFile | None = None
        self._place: tuple[str, int] | None = None
        """The file that is read on, and the row."""
        self._waiting: list[str] = []
        self._ended: set[str] = set()
        """Read to the end in a batch that is not committed yet."""
        self._list_due_s = 0.0

    def open(self, saved: Any, known: Known) -> Any:
        self.close()
        self._known = known
        self._place = (saved["file"], saved["row"]) if saved and saved["file"] is not None else None
        self._waiting, self._ended = [], set()
        self._list_due_s = 0.0
        return saved or {"file": None, "row": 0}

    def take(self, bounds: Bounds, stopped: Stopped) -> Taken | None:
        records: list[Any] = []
        plan: list[list[Any]] = []
        size = 0
        while len(records) < bounds.rows and size < bounds.size and not stopped():
            try:
                current = self._current()
            except (AwayError, StreamError):
                if plan:
                    break  # it is met again when what was read is processed
                raise
            if current is None:
                left_s = bounds.deadline - time.monotonic()
                if records or left_s <= 0:
                    break
                self._pause(min(self._interval_s, left_s))
                continue
            size += self._read(current, records, plan, bounds)
        return Taken(records, plan) if plan else None

    def again(self, plan: Any, stopped: Stopped) -> list[Any]:
        records: list[Any] = []
        for path, first, end, _ in plan:
            file = self._opened(path, first)
            try:
                while file.row < end and (row := self._next(file)) is not None:
                    records.append(self._record(row, path, file.row - 1))
                if file.row != end:
                    raise DataLossError(
                        f"{path} has {file.row} rows, the batch that was under way reads it up to {end}: put the file "
                        "back as it was, or remove the checkpoint to begin again"
                    )
            finally:
                file.close()
        return records

    def done(self, plan: Any) -> Done:
        items = [path.encode() for path, _, _, is_end in plan if is_end]
        path, _, end, is_end = plan[-1]
        if self._open is None:
            self._place = None if is_end else (path, end)
        self._ended -= {path for path, _, _, is_end in plan if is_end}
        return Done({"file": None, "row": 0} if is_end else {"file": path, "row": end}, items)

    def lag(self) -> int | None:
        return None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _read(self, file: _OpenFile, records: list[Any], plan: list[list[Any]], bounds: Bounds) -> int:
        """Rows of one file until the batch is full, or the file ends. The bytes that came."""
        first = file.row
        size = 0
        is_end = False
        while len(records) < bounds.rows and size < bounds.size:
            try:
                row = self._next(file)
            except AwayError:
                if not records:
                    raise
                break  # the file is opened again at this row
            if row is None:
                is_end = True
                break
            record = self._record(row, file.path, file.row - 1)
            size += len(record.data)
            records.append(record)
        plan.append([file.path, first, file.row, is_end])
        self._place = (file.path, file.row)
        if is_end:
            self._ended.add(file.path)
            file.close()
            self._open = self._place = None
        return size

    def _next(self, file: _OpenFile) -> bytes | UnreadableRowError | None:
        try:
            return file.next()
        except UserError:
            raise
        except Exception as error:
            self.close()
            raise _as_away(error, file.path) from error

    def _current(self) -> _OpenFile | None:
        """The file that is read on, or the next one."""
        if self._open is not None:
            return self._open
        if self._place is not None:
            self._open = self._opened(*self._place)
            return self._open
        if not self._waiting and time.monotonic() >= self._list_due_s:
            self._waiting = self._listed()[::-1]
            self._list_due_s = time.monotonic() + self._interval_s
        while self._waiting:
            with suppress(FileNotFoundError):  # it was taken away since it was listed
                self._open = self._opened(self._waiting[-1], 0, may_be_gone=True)
            self._waiting.pop()
            if self._open is not None:
                return self._open
        return None

    def _listed(self) -> list[str]:
        found: dict[str, None] = {}  # patterns may overlap, and one may have no file yet
        for pattern in alternatives(self._url):
            try:
                found |= dict.fromkeys(file.path for file in expand(pattern, self._storage))
            except JobError as error:
                if "does not exist" not in str(error):
                    raise StreamError(str(error)) from error
            except UserError:
                raise
            except Exception as error:
                raise _as_away(error, pattern) from error
        paths = list(found)
        known = self._known([path.encode() for path in paths])
        return [path for path, old in zip(paths, known, strict=True) if not old and path not in self._ended]

    def _opened(self, path: str, row: int, *, may_be_gone: bool = False) -> _OpenFile:
        try:
            kind = self._kind or format_of(path)
            return _OpenFile(path, kind, self._storage, row)
        except FileNotFoundError as error:
            if may_be_gone:
                raise
            raise DataLossError(
                f"{path} was read up to row {row} and is gone: put it back, or remove the checkpoint to begin again"
            ) from error
        except SettingError as error:
            raise StreamError(str(error)) from error
        except UserError:
            raise
        except Exception as error:
            raise _as_away(error, path) from error

    def _record(self, row: bytes | UnreadableRowError, path: str, number: int) -> OwnRecord:
        if isinstance(row, UnreadableRowError):
            return OwnRecord(path.encode(), self.name, path, number, problem=str(row))
        return OwnRecord(row, self.name, path, number)


def _is_strict(kind: FileFormat | None, url: str) -> bool:
    """Whether no file can be a CSV, in which numbers are text."""
    if kind is not None:
        return kind != "csv"
    try:
        return format_of(url) != "csv"
    except SettingError:
        return False


def _as_away(error: Exception, path: str) -> SourceAwayError:
    return SourceAwayError(f"{path} cannot be read: {type(error).__name__}: {error}")
