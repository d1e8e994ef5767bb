"""A file or an object as a stream of bytes, by path or URL; compressed if its name ends in `.gz` or `.zst`.

The written content appears whole when the block succeeds, and not at all when it fails: a file is written under a
temporary name, synced and renamed; an object is uploaded in parts that the store joins at the end.
"""

from __future__ import annotations

import gzip
import io
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import zstandard

from smackbox.base.errors import StorageError, UserError
from smackbox.store.fs import Disk
from smackbox.store.objects import failures, folder_of, is_url, open_bucket, reason, with_options

READ_AHEAD_BYTES = 1 << 20
PACKED_CHUNK_BYTES = 64 * 1024
ZSTD_LEVEL = 3
GZIP_LEVEL = 6
PACKED = (".gz", ".zst")


def suffix_of(place: str) -> str:
    """The suffix of a name without `.gz` and `.zst`: `.csv` of `s3://bucket/rows.csv.gz`."""
    name = PurePosixPath(place.partition("?")[0]) if is_url(place) else PurePosixPath(place)
    while name.suffix in PACKED:
        name = name.with_suffix("")
    return name.suffix.lower()


@contextmanager
def writing(place: str) -> Iterator[IO[bytes]]:
    """A stream that writes the file or object from the start. Raises `UserError` if that is refused."""
    with ExitStack() as stack:
        plain = stack.enter_context(_object(place) if is_url(place) else _file(folder_of(place)))
        name = place.partition("?")[0]
        if name.endswith(".gz"):
            # no name and no time in the header: the same content gives the same object
            yield stack.enter_context(
                cast("IO[bytes]", gzip.GzipFile("", "wb", compresslevel=GZIP_LEVEL, fileobj=plain, mtime=0))
            )
        elif name.endswith(".zst"):
            packing = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
            yield stack.enter_context(cast("IO[bytes]", packing.stream_writer(plain, closefd=False)))
        else:
            yield plain


@contextmanager
def reading(place: str) -> Iterator[IO[bytes]]:
    """A stream that reads it; an uncompressed one can seek. Raises `UserError` if it is missing or incomplete."""
    with ExitStack() as stack:
        try:
            if is_url(place):
                plain: IO[bytes] = _opened(place)
            else:
                plain = folder_of(place).open("rb")
            stack.enter_context(plain)
            name = place.partition("?")[0]
            if name.endswith(".gz"):
                yield stack.enter_context(cast("IO[bytes]", gzip.GzipFile(fileobj=plain)))
            elif name.endswith(".zst"):
                yield stack.enter_context(io.BufferedReader(_ZstdReader(plain), READ_AHEAD_BYTES))
            else:
                yield plain
        except _broken(place) as error:
            raise UserError(f"cannot read {place}: {getattr(error, 'strerror', None) or reason(error)}") from error


@contextmanager
def writing_text(place: str) -> Iterator[IO[str]]:
    """The same as UTF-8 text; line ends are written unchanged."""
    with writing(place) as plain:
        text = io.TextIOWrapper(cast("Any", plain), encoding="utf-8", newline="")
        yield text
        text.detach()  # flush, and leave closing to `writing`


@contextmanager
def reading_text(place: str) -> Iterator[IO[str]]:
    """The same as UTF-8 text; line ends are read unchanged. Raises `UserError` for invalid UTF-8 too."""
    with reading(place) as plain:
        try:
            yield io.TextIOWrapper(cast("Any", plain), encoding="utf-8", newline="")
        except UnicodeDecodeError as error:
            raise UserError(f"{place} is not UTF-8: {error}") from error


class ObjectReader(io.RawIOBase):
    """`obstore`'s reader as a raw file."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        """It is readable."""
        return True

    def seekable(self) -> bool:
        """It is seekable."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with as much as is available."""
        data = memoryview(self._reader.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        return int(self._reader.seek(offset, whence))

    def tell(self) -> int:
        """The current position."""
        return int(self._reader.tell())


class _ZstdReader(io.RawIOBase):
    """Decompresses zstd frames. Raises `EOFError` if the last one is truncated, which zstandard's own reader
    does not.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._frame: Any = None
        self._packed = b""
        self._content = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._content:
            packed = self._packed or self._source.read(PACKED_CHUNK_BYTES)
            if not packed:
                if self._frame is not None:
                    raise EOFError("the last frame is cut")
                return 0
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._content = memoryview(self._frame.decompress(packed))
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        taken = min(len(buffer), len(self._content))
        buffer[:taken] = self._content[:taken]
        self._content = self._content[taken:]
        return taken


class _ObjectWriter(io.RawIOBase):
    """`obstore`'s writer as a raw file; the object exists after `finish`."""

    def __init__(self, writer: Any, place: str) -> None:
        self._writer = writer
        self._place = place
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            self._writer.write(bytes(data))
        except failures() as error:
            raise UserError(f"cannot write {self._place}: {reason(error)}") from error
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def finish(self) -> None:
        try:
            self._writer.close()
        except failures() as error:
            raise UserError(f"cannot write {self._place}: {reason(error)}") from error


def _broken(place: str) -> tuple[type[Exception], ...]:
    return (*(failures() if is_url(place) else (OSError,)), EOFError, zstandard.ZstdError)


@contextmanager
def _object(place: str) -> Iterator[IO[bytes]]:
    import obstore

    url, options = with_options(place)
    store, key = open_bucket(url, options)
    writer = _ObjectWriter(obstore.open_writer(store, key), url)
    yield cast("IO[bytes]", writer)
    writer.finish()


def _opened(place: str) -> IO[bytes]:
    import obstore

    url, options = with_options(place)
    store, key = open_bucket(url, options)
    try:
        return cast("IO[bytes]", io.BufferedReader(ObjectReader(obstore.open_reader(store, key)), READ_AHEAD_BYTES))
    except failures() as error:
        raise UserError(f"cannot read {url}: {reason(error)}") from error


@contextmanager
def _file(path: Path) -> Iterator[IO[bytes]]:
    unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        file = unfinished.open("wb")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Disk().rename(unfinished, path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if isinstance(error, (OSError, StorageError)):
            raise UserError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
        raise
