"""Bytes from and to files and object stores, in pieces.

    Files.source("events.json.gz").via(Compression.gunzip()).via(Framing.lines())
    lines.via(Compression.gzip()).run_with(Files.sink("s3://bucket/events.json.gz"), system)     by fsspec
    Objects.source(store, "2026/11/events.json")            by obstore (S3, memory, …)

Reads and writes that block run on a thread. A local file is written beside its place and moved there at the end, and an
object is there when its upload is complete: a stream that fails leaves neither.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from smackbox.akka.stream.flow import Flow
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source

if TYPE_CHECKING:
    from smackbox.akka.stream.materializer import Out, Part

PIECE = 64 * 1024
PART_BYTES = 8 * 1024 * 1024
"""Of an upload; S3 takes no smaller ones but the last."""


class _Writer(Protocol):
    async def write(self, data: bytes) -> None: ...

    async def finish(self) -> None: ...

    async def give_up(self) -> None: ...


class Files:
    """Sources and sinks of files of this machine, and by fsspec's paths."""

    @staticmethod
    def source(path: str | Path, piece: int = PIECE) -> Source[bytes, None]:
        """The bytes of a file, or of what `fsspec` opens by a URL. A missing one fails the stream."""
        return Source.from_async_iterator(lambda: _read(path, piece))

    @staticmethod
    def sink(path: str | Path) -> Sink[bytes, asyncio.Future[int]]:
        """Materializes the number of bytes, when the file is there as a whole."""
        return _writing(lambda: _FileWriter(path))


class Objects:
    """Sources and sinks of object stores."""

    @staticmethod
    def source(store: Any, path: str, piece: int = PIECE) -> Source[bytes, None]:
        """The bytes of an object in a store of `obstore`, as they come."""
        return Source.from_async_iterator(lambda: _get(store, path, piece))

    @staticmethod
    def sink(store: Any, path: str) -> Sink[bytes, asyncio.Future[int]]:
        """Uploads by parts of 8 MiB. Materializes the number of bytes, when the object is there."""
        return _writing(lambda: _ObjectWriter(store, path))

    @staticmethod
    def listing(store: Any, prefix: str = "") -> Source[str, None]:
        """The paths of the objects under `prefix`."""
        return Source.from_async_iterator(lambda: _list(store, prefix))


class _FileWriter:
    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._is_url = "://" in str(path)
        self._beside = Path(f"{path}.part")
        self._file: Any = None

    async def write(self, data: bytes) -> None:
        await asyncio.to_thread(self._write, data)

    async def finish(self) -> None:
        await asyncio.to_thread(self._finish)

    async def give_up(self) -> None:
        await asyncio.to_thread(self._give_up)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = _open(self._path, "wb") if self._is_url else self._beside.open("wb")
        self._file.write(data)

    def _finish(self) -> None:
        self._write(b"")
        self._file.close()
        if not self._is_url:
            self._beside.replace(self._path)

    def _give_up(self) -> None:
        if self._file is None:
            return
        discard = getattr(self._file, "discard", None)
        if discard is not None:
            discard()
        with contextlib.suppress(OSError):
            self._file.close()
        if not self._is_url:
            self._beside.unlink(missing_ok=True)


class _ObjectWriter:
    def __init__(self, store: Any, path: str) -> None:
        import obstore

        self._writer: Any = obstore.open_writer_async(store, path, buffer_size=PART_BYTES)

    async def write(self, data: bytes) -> None:
        await self._writer.write(data)

    async def finish(self) -> None:
        await self._writer.close()

    async def give_up(self) -> None:
        """What is not closed never becomes an object."""


def _writing(make: Callable[[], _Writer]) -> Sink[bytes, asyncio.Future[int]]:
    def attach(part: Part, out: Out) -> asyncio.Future[int]:
        writer = make()

        async def write(total: int, data: bytes) -> int:
            await writer.write(data)
            return total + len(data)

        flow: Flow[bytes, bytes, None] = Flow()
        done = flow.fold_async(0, write).to_mat(Sink.head(), lambda _, done: done).attach(part, out)
        loop: asyncio.AbstractEventLoop = cast("Any", part.system.dispatcher).loop
        task = loop.create_task(_finished(done, writer))
        task.add_done_callback(lambda finished: finished.cancelled() or finished.exception())
        return task

    return Sink(attach)


async def _finished(done: Awaitable[int], writer: _Writer) -> int:
    try:
        written = await done
        await writer.finish()
    except BaseException:
        await writer.give_up()
        raise
    return written


async def _read(path: str | Path, piece: int) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(_open, path, "rb")
    try:
        while data := await asyncio.to_thread(file.read, piece):
            yield data
    finally:
        file.close()


async def _get(store: Any, path: str, piece: int) -> AsyncIterator[bytes]:
    import obstore

    found = await obstore.get_async(store, path)
    async for data in found.stream(min_chunk_size=piece):
        yield bytes(data)


async def _list(store: Any, prefix: str) -> AsyncIterator[str]:
    import obstore

    async for page in obstore.list(store, prefix):
        for entry in page:
            yield entry["path"]


def _open(path: str | Path, mode: str) -> Any:
    if "://" not in str(path):
        return Path(path).open(mode)
    try:
        fsspec: Any = import_module("fsspec")
    except ImportError as error:
        raise RuntimeError(
            f"{path} is a URL, and fsspec, which opens it, is not installed: pip install fsspec"
        ) from error
    return fsspec.open(str(path), mode).open()
