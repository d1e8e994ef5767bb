"""Files of a multipart form as streams, read while they arrive: for files that are larger than the memory may hold.

    @(path("photos") & post & with_size_limit(10 << 30) & store_uploaded_file("photo", chosen_path))
    async def stored(file: FileInfo, place: Path) -> Route:
        return complete({"name": file.file_name, "bytes": place.stat().st_size})

The client sends as fast as the file is read (64 KiB wait). The whole body has the server's `body_limit`, unless
`with_size_limit` gives it another one, and each file the `limit` of its directive: 413 beyond either. What is before
the file in the form is read over, and so is what comes after it, when the file was read to its end.

A form is read once: where a directive before one of these has read it whole (`form_field`, `file_upload`), they give
its files from the memory. An alternative after one of these cannot read the form again.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import weakref
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import multipart  # type: ignore[import-untyped, unused-ignore]

from smackbox.akka.http.bodies import EntityStreamError, arriving
from smackbox.akka.http.forms import (
    FIELDS_LIMIT,
    MULTIPART,
    FileInfo,
    Form,
    UploadedFile,
    boundary_of,
    file_info,
    form_of,
)
from smackbox.akka.http.rejections import (
    MalformedRequestContentRejection,
    MissingFormFieldRejection,
    UnsupportedRequestContentTypeRejection,
)
from smackbox.akka.http.route import BINARY, Directive, Inner, Rejected, RequestContext, Result
from smackbox.akka.stream.connectors.files import Files
from smackbox.akka.stream.source import Source

PIECE = 64 * 1024
"""Bytes read from a temporary file at once."""


@dataclass(frozen=True, slots=True)
class StreamedFile:
    """A file of a form whose content is a stream; of one that still arrives, to be run once."""

    info: FileInfo
    source: Source[bytes, None]


Destination = Callable[[FileInfo], Path]


def streamed_file_upload(name: str, limit: int | None = None) -> Directive:
    """Extract the first file of that field as a `StreamedFile` (`fileUpload` of Pekko HTTP).

    Rejects a form without it and a malformed one (400), and another type of body (415). The stream fails with
    `EntityStreamError` where the file has more than `limit` bytes (413), or what comes is malformed (400).
    """

    async def apply(context: RequestContext, inner: Inner) -> Result:
        form = await _read_already(context)
        if form is None:
            try:
                parts = FormParts(context)
                info = await parts.next_file(name)
            except _Unreadable as unreadable:
                return unreadable.rejected
            if info is None:
                return Rejected((MissingFormFieldRejection(name),))
            source = Source.from_async_iterator(lambda: parts.content(limit, is_last=True))
            return await inner(context, (StreamedFile(info, source),))
        if isinstance(form, Rejected):
            return form
        if name not in form.files:
            return Rejected((MissingFormFieldRejection(name),))
        return await inner(context, (_of_memory(form.files[name][0], limit),))

    return Directive(apply)


def streamed_file_upload_all(name: str, limit: int | None = None) -> Directive:
    """Extract all files of that field, a list of `StreamedFile`s, each to be run any number of times.

    They wait in one temporary file until all have come (`fileUploadAll` of Pekko HTTP). Rejects a form without one;
    more than `limit` bytes in one of them are 413.
    """

    async def apply(context: RequestContext, inner: Inner) -> Result:
        form = await _read_already(context)
        if isinstance(form, Rejected):
            return form
        if form is not None:
            files = [_of_memory(file, limit) for file in form.files.get(name, ())]
        else:
            files = []
            spool = await asyncio.to_thread(_Spool)
            try:
                parts = FormParts(context)
                while (info := await parts.next_file(name)) is not None:
                    files.append(StreamedFile(info, await spool.keep(parts.content(limit))))
            except _Unreadable as unreadable:
                return unreadable.rejected
        if not files:
            return Rejected((MissingFormFieldRejection(name),))
        return await inner(context, (files,))

    return Directive(apply)


def store_uploaded_file(name: str, destination: Destination, limit: int | None = None) -> Directive:
    """Write the first file of that field to `destination(info)` while it arrives, and extract its `FileInfo` and path.

    The file is there when it is whole, or not at all. Rejects as `streamed_file_upload`; more than `limit` bytes are
    413.
    """

    async def apply(context: RequestContext, inner: Inner) -> Result:
        async def store(context: RequestContext, values: tuple[Any, ...]) -> Result:
            stored = await _store(values[0], destination, context)
            return await inner(context, stored)

        return await streamed_file_upload(name, limit).apply(context, store)

    return Directive(apply)


def store_uploaded_files(name: str, destination: Destination, limit: int | None = None) -> Directive:
    """Write all files of that field, and extract a list of pairs of `FileInfo` and path.

    Files that were written before one that fails are left to the route's owner: they are whole.
    """

    async def apply(context: RequestContext, inner: Inner) -> Result:
        stored: list[tuple[FileInfo, Path]] = []
        form = await _read_already(context)
        if isinstance(form, Rejected):
            return form
        if form is not None:
            for file in form.files.get(name, ()):
                stored.append(await _store(_of_memory(file, limit), destination, context))  # noqa: PERF401
        else:
            try:
                parts = FormParts(context)
                while (info := await parts.next_file(name)) is not None:
                    source = Source.from_async_iterator(lambda: parts.content(limit))
                    stored.append(await _store(StreamedFile(info, source), destination, context))
            except _Unreadable as unreadable:
                return unreadable.rejected
        if not stored:
            return Rejected((MissingFormFieldRejection(name),))
        return await inner(context, (stored,))

    return Directive(apply)


class FormParts:
    """The parts of the form that a request brings, one after another, while they arrive."""

    def __init__(self, context: RequestContext) -> None:
        """Raises `_Unreadable` for another type of body, or one without a boundary."""
        assert context.body is not None
        sent = context.request.headers.get("content-type", BINARY)
        try:
            boundary = boundary_of(sent)
        except TypeError:
            raise _Unreadable(UnsupportedRequestContentTypeRejection(MULTIPART, sent)) from None
        except ValueError as error:
            raise _Unreadable(MalformedRequestContentRejection(str(error))) from error
        self._chunks = arriving(context.body)
        self._parser = multipart.PushMultipartParser(boundary, max_segment_count=FIELDS_LIMIT)
        self._events: deque[Any] = deque()
        self._has_ended = False

    async def next_file(self, name: str) -> FileInfo | None:
        """Read on to the next file of that field; None at the end of the form.

        Raises `_Unreadable` for a malformed form, and `EntityStreamError` and `EntityTruncatedError`.
        """
        try:
            while not self._has_ended:
                segment = await self._event()
                if not isinstance(segment, multipart.MultipartSegment):
                    continue  # what is left of the part before
                if segment.name == name and segment.filename is not None:
                    return file_info(segment)
        except EntityStreamError as error:
            if error.status == 400:
                raise _Unreadable(MalformedRequestContentRejection(str(error))) from error
            raise
        return None

    async def content(self, limit: int | None, *, is_last: bool = False) -> AsyncGenerator[bytes, None]:
        """The content of the part, once. `is_last`: after it, the rest of the form is read over.

        Raises `EntityStreamError` (400, 413), and `EntityTruncatedError` where the client is gone.
        """
        size = 0
        is_read = False
        try:
            while (event := await self._event()) is not None:
                size += len(event)
                if limit is not None and size > limit:
                    raise _too_large(limit)
                yield bytes(event)
            while is_last and not self._has_ended:
                await self._event()
            is_read = True
        finally:
            if not is_read:
                await self._chunks.aclose()

    async def _event(self) -> Any:
        """A segment's head, bytes of it, or None at its end, and at the end of the form."""
        while not self._events:
            if self._has_ended:
                return None
            chunk = await anext(self._chunks, None)
            try:
                if chunk is None:
                    self._has_ended = True
                    self._parser.close()
                elif chunk:
                    self._events.extend(self._parser.parse(chunk))
            except multipart.MultipartError as error:
                self._has_ended = True
                await self._chunks.aclose()
                raise EntityStreamError(400, f"the form is malformed: {error}") from error
        return self._events.popleft()


class _Unreadable(Exception):  # noqa: N818 - the way to a rejection
    def __init__(self, *rejections: Any) -> None:
        super().__init__(*rejections)
        self.rejected = Rejected(rejections)


class _Spool:
    """A temporary file that has no name, and is gone with the last of its sources."""

    def __init__(self) -> None:
        descriptor, name = tempfile.mkstemp(prefix="smackbox-upload-")
        os.unlink(name)  # noqa: PTH108 - a name that is never a Path
        self._descriptor = descriptor
        self._size = 0
        weakref.finalize(self, os.close, descriptor)

    async def keep(self, content: AsyncGenerator[bytes, None]) -> Source[bytes, None]:
        """Write it to the end; a source of what was written."""
        first = self._size
        try:
            async for piece in content:
                left = memoryview(piece)
                while left:
                    written = await asyncio.to_thread(self._write, left)
                    self._size += written
                    left = left[written:]
        finally:
            await content.aclose()
        end = self._size
        return Source.from_async_iterator(lambda: self._read(first, end))

    async def _read(self, at: int, end: int) -> AsyncIterator[bytes]:
        while at < end:
            piece = await asyncio.to_thread(self._read_piece, at, end)
            at += len(piece)
            yield piece

    # bound methods: while one is on a thread the descriptor stays open, though its request was cancelled; the number
    # would else be another file's

    def _write(self, piece: memoryview) -> int:
        return os.pwrite(self._descriptor, piece, self._size)

    def _read_piece(self, at: int, end: int) -> bytes:
        return os.pread(self._descriptor, min(PIECE, end - at), at)


async def _read_already(context: RequestContext) -> Form | Rejected | None:
    """The form where the request is whole; None where its body still arrives."""
    return None if context.body is not None else (await form_of(context))[0]


def _of_memory(file: UploadedFile, limit: int | None) -> StreamedFile:
    if limit is not None and len(file.content) > limit:
        raise _too_large(limit)
    source: Source[bytes, None] = Source.single(file.content) if file.content else Source.empty()
    return StreamedFile(FileInfo(file.field_name, file.file_name, file.content_type), source)


def _too_large(limit: int) -> EntityStreamError:
    return EntityStreamError(413, f"a file of the form is larger than {limit} bytes")


async def _store(file: StreamedFile, destination: Destination, context: RequestContext) -> tuple[FileInfo, Path]:
    path = destination(file.info)
    await file.source.run_with(Files.sink(path), context.system)
    return file.info, path
