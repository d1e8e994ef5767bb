"""The rows of a file, one after the other, as the JSON of an event: JSON lines, CSV with a header, Parquet.

`.gz` and `.zst` are unpacked on the way, several members or frames one after the other. A row comes as bytes; what
cannot be read (a torn file, a line beyond `LINE_BYTES`) comes as an `UnreadableRowError`, and a torn file ends with it.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import IO, Any, Literal, TypeVar

import msgspec

from smackbox.base.errors import SettingError, StartError

FileFormat = Literal["json", "csv", "parquet"]
LINE_BYTES = 16 * 1024 * 1024
PARQUET_BATCH = 5_000
_SUFFIXES: dict[str, FileFormat] = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
_PACKED = (".gz", ".zst")
T = TypeVar("T")


class UnreadableRowError(ValueError):
    """Why a row, or the rest of a file, cannot be read."""


def format_of(path: str) -> FileFormat:
    """What a file holds, by its name. Raises `SettingError` for a name that does not tell."""
    name = path.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    for suffix, kind in _SUFFIXES.items():
        if name.endswith(suffix):
            return kind
    raise SettingError(f"{path}: its name does not tell the format; say format='json', 'csv' or 'parquet'")


def rows_of(file: IO[bytes], path: str, kind: FileFormat) -> Generator[bytes | UnreadableRowError]:
    """The rows of an open file, named `path`. Raises nothing for bad content, and what the file raises for others."""
    if kind == "parquet":
        yield from _parquet_rows(file)
        return
    try:
        unpacked = _unpacked(file, path)
        yield from _csv_rows(unpacked) if kind == "csv" else _lines(unpacked)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield UnreadableRowError(f"the file ends in the middle, or is not what its name says: {error}")
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        yield UnreadableRowError(f"the file ends in the middle, or is not what its name says: {error}")


def _unpacked(file: IO[bytes], path: str) -> IO[bytes]:
    if path.lower().endswith(".gz"):
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
    if path.lower().endswith(".zst"):
        return _ZstdFile(file)
    return file


class _ZstdFile(io.BufferedReader):
    """Reads zstandard frames; unlike the library's own reader, a frame that is cut off is an error."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(_ZstdStream(file))


class _ZstdStream(io.RawIOBase):
    def __init__(self, file: IO[bytes]) -> None:
        import zstandard

        self._file = file
        self._unpacker = zstandard.ZstdDecompressor()
        self._frame: Any = None
        self._ready = memoryview(b"")
        self._packed = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if not self._packed:
                self._packed = self._file.read(64 * 1024)
                if not self._packed:
                    if self._frame is not None:
                        raise EOFError("a frame is cut off")
                    return 0
            if self._frame is None:
                self._frame = self._unpacker.decompressobj()
            self._ready = memoryview(self._frame.decompress(self._packed))
            self._packed = b""
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame = None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


def _lines(file: IO[bytes]) -> Iterator[bytes | UnreadableRowError]:
    while line := file.readline(LINE_BYTES + 1):
        if len(line) > LINE_BYTES and not line.endswith(b"\n"):
            while (rest := file.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield UnreadableRowError(f"a line is longer than {LINE_BYTES} bytes")
        elif line := line.strip():
            yield line.removeprefix(b"\xef\xbb\xbf")


def _csv_rows(file: IO[bytes]) -> Iterator[bytes | UnreadableRowError]:
    """An empty field is null, as in Spark."""
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
    try:
        reader = csv.reader(_csv_lines(text), strict=True)
        try:
            names = next(reader, None)
        except (csv.Error, UnreadableRowError) as error:
            yield UnreadableRowError(f"the header is not CSV, and so no row has names: {error}")
            return
        while names is not None:
            try:
                values = next(reader, None)
            except csv.Error as error:
                yield UnreadableRowError(f"not CSV: {error}")
                continue
            except UnreadableRowError as error:
                yield error
                return
            if values is None:
                return
            if len(values) == len(names):
                yield msgspec.json.encode({name: value or None for name, value in zip(names, values, strict=True)})
            elif values:
                yield UnreadableRowError(f"the row has {len(values)} fields, the header {len(names)}")
    finally:
        text.detach()  # the file is its owner's to close


def _csv_lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LINE_BYTES + 1):
        if len(line) > LINE_BYTES and not line.endswith(("\n", "\r")):
            raise UnreadableRowError(f"a line is longer than {LINE_BYTES} characters; the rest of the file is not read")
        yield line


class _Watched:
    """A file that notes what reading it raised: pyarrow's errors about what is in it are `OSError`s as well."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failure: Exception | None = None
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        return self._noting(lambda: self._file.read(size))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._noting(lambda: self._file.seek(offset, whence))

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None: ...

    def _noting(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:
            self.failure = error
            raise


def _parquet_rows(file: IO[bytes]) -> Iterator[bytes | UnreadableRowError]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise StartError("Parquet needs pyarrow: pip install 'smackbox[spark]'") from error
    watched = _Watched(file)
    try:
        for batch in pq.ParquetFile(watched).iter_batches(PARQUET_BATCH):
            for row in batch.to_pylist():
                yield msgspec.json.encode(row)
    except (pa.ArrowException, OSError) as error:
        if watched.failure is not None:
            raise watched.failure from None
        yield UnreadableRowError(f"not a whole Parquet file: {error}")
