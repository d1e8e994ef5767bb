"""Static files, streamed from disk by a thread, with their type, entity tag, ranges, and 304 for an unchanged one."""

from __future__ import annotations

import asyncio
import mimetypes
import stat
from collections.abc import AsyncIterator
from email.utils import formatdate
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from smackbox.akka.http.ranges import with_range_support
from smackbox.akka.http.route import BINARY, Rejected, RequestContext, Result, Route, StreamedResponse
from smackbox.net.http import HttpResponse

PIECE = 64 * 1024
"""Bytes read and sent at once."""

_NOT_FOUND = Rejected()


def get_from_file(path: str | Path) -> Route:
    """Answer GET and HEAD with a file. Rejects (not found) where there is no such plain file."""
    chosen = Path(path)
    return with_range_support(Route(lambda context: _file(context, chosen)))


def get_from_directory(directory: str | Path) -> Route:
    """Answer with the file that the rest of the path names under `directory`.

    A path that leads out of it, also by a link, is not found.
    """
    root = Path(directory).resolve()

    async def run(context: RequestContext) -> Result:
        name = unquote(context.unmatched).lstrip("/")
        if "\0" in name or "\\" in name:
            return _NOT_FOUND
        chosen = await asyncio.to_thread((root / name).resolve)
        return await _file(context, chosen) if chosen.is_relative_to(root) else _NOT_FOUND

    return with_range_support(Route(run))


async def _file(context: RequestContext, path: Path) -> Result:
    request = context.request
    if request.method not in {"GET", "HEAD"}:
        return _NOT_FOUND
    try:
        found = await asyncio.to_thread(path.stat)
    except (OSError, ValueError):
        return _NOT_FOUND
    if not stat.S_ISREG(found.st_mode):
        return _NOT_FOUND
    tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    headers = {"ETag": tag, "Last-Modified": formatdate(found.st_mtime, usegmt=True)}
    if tag in request.headers.get("if-none-match", ""):
        return HttpResponse(304, headers=headers)
    kind, encoding = mimetypes.guess_type(path.name)
    if kind is None or encoding is not None:
        kind = BINARY
    elif kind.startswith("text/"):
        kind += "; charset=UTF-8"
    part = partial(_pieces, path)
    size = found.st_size
    return StreamedResponse(part(0, size), kind, headers=headers, length=size, part=part)


async def _pieces(path: Path, first: int, end: int) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        if first:
            file.seek(first)
        while first < end and (piece := await asyncio.to_thread(file.read, min(PIECE, end - first))):
            first += len(piece)
            yield piece
    finally:
        file.close()
