"""Ranges of bytes (RFC 9110, 14): 206 for a part of a body whose length is known, 416 for what lies beyond it.

A `Range` that cannot be parsed, of another unit, of an answer whose length is not known, or after an `If-Range` of
another version, is ignored, as the RFC allows. Several ranges are sorted, those that overlap or lie nearer together
than their heads would cost are joined (Pekko's `range-coalescing-threshold`), and the body is read once.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from smackbox.akka.http.rejections import TooManyRangesRejection, UnsatisfiableRangeRejection
from smackbox.akka.http.route import (
    Directive,
    Inner,
    Rejected,
    RequestContext,
    Response,
    Result,
    StreamedResponse,
    UpgradeResponse,
    chunks_of,
)
from smackbox.net.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem

RANGES_LIMIT = 16
"""Ranges of one request; more are answered with 416."""
COALESCING = 80
"""Bytes between two ranges that are sent rather than a head of their own."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`first` to `last`, both included; without `first` the last `last` bytes, without `last` all from `first`."""

    first: int | None
    last: int | None

    def within(self, length: int) -> tuple[int, int] | None:
        """First byte and the one after the last, of a body so long; None where there is none."""
        if self.first is None:
            suffix = min(self.last or 0, length)
            return (length - suffix, length) if suffix else None
        if self.first >= length:
            return None
        return self.first, length if self.last is None else min(self.last + 1, length)


def parse_ranges(field: str) -> list[ByteRange] | None:
    """The ranges of a `Range` field; None where it is of another unit or malformed, and so to be ignored."""
    unit, equals, specs = field.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    ranges: list[ByteRange] = []
    for spec in specs.split(","):
        spec = spec.strip()
        if not spec:
            continue  # a list may have empty elements (RFC 9110, 5.6.1)
        first, dash, last = spec.partition("-")
        if not dash or not _is_number(first) or not _is_number(last) or not (first or last):
            return None
        found = ByteRange(int(first) if first else None, int(last) if last else None)
        if found.first is not None and found.last is not None and found.last < found.first:
            return None
        ranges.append(found)
    return ranges or None


def coalesced(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, and joined where no more than `COALESCING` bytes lie between."""
    joined: list[tuple[int, int]] = []
    for first, end in sorted(parts):
        if joined and first - joined[-1][1] <= COALESCING:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((first, end))
    return joined


async def _with_range_support(context: RequestContext, inner: Inner) -> Result:
    request = context.request
    if request.method != "GET":
        return await inner(context, ())
    ranges = parse_ranges(request.headers["range"]) if "range" in request.headers else None
    if ranges is not None and len(ranges) > RANGES_LIMIT:
        return Rejected((TooManyRangesRejection(RANGES_LIMIT),))
    result = await inner(context, ())
    return result if isinstance(result, Rejected) else ranged(result, request, ranges, context.system)


with_range_support = Directive(_with_range_support)
"""Answer requests for ranges from what the inner route answers with 200."""


def ranged(response: Response, request: HttpRequest, ranges: list[ByteRange] | None, system: ActorSystem) -> Result:
    """What of `response` a GET for `ranges` gets. Rejects where none of them can be satisfied (416)."""
    if isinstance(response, UpgradeResponse) or response.status != 200:
        return response
    length = len(response.body) if isinstance(response, HttpResponse) else response.length
    if length is None:
        return response
    response = replace(response, headers={**response.headers, "Accept-Ranges": "bytes"})
    if ranges is None or not _is_same_version(request.headers.get("if-range"), response.headers):
        return response
    parts = [part for one in ranges if (part := one.within(length)) is not None]
    if not parts:
        return Rejected((UnsatisfiableRangeRejection(request.headers["range"], length),))
    if len(ranges) > 1 and len(parts) > 1:
        parts = coalesced(parts)
    if len(parts) == 1:
        return _single(response, parts[0], length, system)
    return _multipart(response, parts, length, system)


def _single(response: Response, part: tuple[int, int], length: int, system: ActorSystem) -> Response:
    first, end = part
    headers = {**response.headers, "Content-Range": f"bytes {first}-{end - 1}/{length}"}
    if isinstance(response, HttpResponse):
        return replace(response, status=206, body=response.body[first:end], headers=headers)
    assert isinstance(response, StreamedResponse)
    source = _Parts(response, [(b"", part)], b"", system)
    return replace(response, status=206, headers=headers, source=source, length=end - first, part=None)


def _multipart(response: Response, parts: list[tuple[int, int]], length: int, system: ActorSystem) -> Response:
    boundary = secrets.token_hex(12)
    kind = f"multipart/byteranges; boundary={boundary}"
    headed = [
        (
            f"\r\n--{boundary}\r\nContent-Type: {response.content_type}\r\n"
            f"Content-Range: bytes {first}-{end - 1}/{length}\r\n\r\n".encode("latin-1"),
            (first, end),
        )
        for first, end in parts
    ]
    last = f"\r\n--{boundary}--\r\n".encode()
    if isinstance(response, HttpResponse):
        body = b"".join(head + response.body[first:end] for head, (first, end) in headed) + last
        return replace(response, status=206, body=body, content_type=kind)
    assert isinstance(response, StreamedResponse)
    size = sum(len(head) + end - first for head, (first, end) in headed) + len(last)
    source = _Parts(response, headed, last, system)
    return replace(response, status=206, content_type=kind, source=source, length=size, part=None)


class _Parts:
    """Ranges of a streamed body, in their order, each after its head."""

    def __init__(
        self, response: StreamedResponse, parts: list[tuple[bytes, tuple[int, int]]], last: bytes, system: ActorSystem
    ) -> None:
        self._response = response
        self._parts = parts
        self._last = last
        self._system = system

    async def __aiter__(self) -> AsyncIterator[bytes]:
        part = self._response.part
        cutter = None if part is not None else _Cutter(chunks_of(self._response.source, self._system))
        try:
            for head, (first, end) in self._parts:
                if head:
                    yield head
                pieces = part(first, end) if part is not None else cutter.cut(first, end)  # type: ignore[union-attr]
                async for piece in pieces:
                    yield piece
            if self._last:
                yield self._last
        finally:
            if cutter is not None:
                await cutter.close()


class _Cutter:
    """Takes ranges, one after the other, out of a body that is read once."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks: Any = chunks
        self._position = 0
        self._rest = b""

    async def cut(self, first: int, end: int) -> AsyncIterator[bytes]:
        while self._position < end:
            if not self._rest:
                self._rest = await anext(self._chunks, b"")
                if not self._rest:
                    return
            skipped = min(max(0, first - self._position), len(self._rest))
            taken = self._rest[skipped : skipped + end - max(first, self._position)]
            self._position += skipped + len(taken)
            self._rest = self._rest[skipped + len(taken) :]
            if taken:
                yield taken

    async def close(self) -> None:
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()


def _is_same_version(if_range: str | None, headers: dict[str, str]) -> bool:
    """Whether the condition holds (RFC 9110, 13.1.5): strong tags and dates are compared as they are written."""
    if if_range is None:
        return True
    condition = if_range.strip()
    if condition.startswith("W/"):
        return False
    return condition == headers.get("ETag" if condition.startswith('"') else "Last-Modified")


def _is_number(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and len(text) <= 19)
