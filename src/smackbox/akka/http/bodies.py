"""Bodies: `entity(as_(Event))` decodes one, `decode_request` unpacks it (gzip, deflate), both with limits.

`entity(as_(Source))` extracts a body as a stream, to be run once: its client sends as fast as it is read. Such a body
has the server's `body_limit` unless `with_size_limit` or `without_size_limit` give it another one.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from smackbox.akka.http.control import Body, UnreadRequest
from smackbox.akka.http.directives import extract
from smackbox.akka.http.rejections import (
    CancelRejections,
    MalformedRequestContentRejection,
    RequestEntityExpectedRejection,
    RequestTooLargeRejection,
    UnsupportedRequestContentTypeRejection,
    UnsupportedRequestEncodingRejection,
)
from smackbox.akka.http.route import BINARY, Directive, Inner, Rejected, RequestContext, Result
from smackbox.akka.stream.errors import StreamError
from smackbox.net.content_encoding import DEFLATE, GZIP, Unpacked, unpack
from smackbox.net.http import JSON, HttpRequest
from smackbox.net.request_body import RequestBodyError

if TYPE_CHECKING:
    from smackbox.akka.stream.source import Source

DECODED_LIMIT = 8 * 1024 * 1024
"""Bytes of an unpacked body (`decode-max-size` of Pekko HTTP)."""
PIECE = 64 * 1024
"""Bytes of a streamed body that are unpacked at once."""

_WINDOWS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": DEFLATE}
_SUPPORTED = "gzip or deflate or identity"
_SOURCE_MODULE = "smackbox.akka.stream.source"


@dataclass(frozen=True, slots=True)
class Unmarshaller:
    """How a body becomes a value. `decode` raises `ValueError` (msgspec's errors are) for a malformed one.

    `json_only`: take `application/json` and `application/…+json`, and no empty body.
    """

    decode: Callable[[HttpRequest], Any]
    json_only: bool = False
    streams: bool = False
    """The value is a `Source` of the body's bytes; `decode` is not called."""


def as_(kind: Any) -> Unmarshaller:
    """`bytes`, `str` (by the charset of the content type, else UTF-8), `Source`, or a type that msgspec decodes."""
    if kind is bytes:
        return Unmarshaller(lambda request: request.body)
    if kind is str:
        return Unmarshaller(_text)
    if getattr(kind, "__module__", None) == _SOURCE_MODULE:
        return Unmarshaller(lambda request: request.body, streams=True)
    decode = msgspec.json.Decoder(kind).decode
    return Unmarshaller(lambda request: decode(request.body), json_only=True)


def entity(unmarshaller: Unmarshaller) -> Directive:
    """Extract the body. Rejects another content type (415), an empty body and a malformed one (400)."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        if unmarshaller.streams:
            return await inner(context, (data_bytes(context),))
        if unmarshaller.json_only:
            if context.body is None and not context.request.body:
                return Rejected((RequestEntityExpectedRejection(),))
            sent = context.request.headers.get("content-type", BINARY)
            if not _is_json(sent):
                return Rejected((UnsupportedRequestContentTypeRejection(JSON, sent),))
        if context.body is not None:
            context = await context.whole()
        try:
            value = unmarshaller.decode(context.request)
        except ValueError as error:
            return Rejected((MalformedRequestContentRejection(str(error)),))
        result = await inner(context, (value,))
        if isinstance(result, Rejected):
            taken_back = CancelRejections(UnsupportedRequestContentTypeRejection)
            return Rejected((*result.rejections, taken_back))
        return result

    return Directive(apply)


@lru_cache(64)
def _is_json(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    return media == JSON or (media.startswith("application/") and media.endswith("+json"))


def data_bytes(context: RequestContext) -> Source[bytes, None]:
    """The body as a stream, to be run once; it fails with `RequestBodyError`, or `ConnectionResetError`."""
    from smackbox.akka.stream.source import Source

    body = context.body
    if body is not None:
        return Source.from_async_iterator(partial(arriving, body))
    content = context.request.body
    return Source.single(content) if content else Source.empty()


class EntityStreamError(RequestBodyError, StreamError):
    """What the stream of a body fails with: it is too large, late, or malformed."""


class EntityTruncatedError(ConnectionResetError, StreamError):
    """What the stream of a body fails with when its client is gone."""


async def arriving(body: Body) -> AsyncGenerator[bytes, None]:
    """A body in pieces, whose failures are those of streams: `EntityStreamError` and `EntityTruncatedError`."""
    chunks = body.chunks()
    try:
        async for chunk in chunks:
            yield chunk
    except RequestBodyError as error:
        raise EntityStreamError(error.status, str(error)) from error
    except ConnectionResetError as error:
        raise EntityTruncatedError(str(error)) from error
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]


extract_data_bytes = extract(data_bytes)


def with_size_limit(limit: int) -> Directive:
    """Take bodies of at most `limit` bytes (else 413), less or more than the server's limit."""
    return _with_limit(limit)


def _with_limit(limit: int | None) -> Directive:
    async def apply(context: RequestContext, inner: Inner) -> Result:
        body = context.body
        if body is not None:
            body.limit = limit
        elif limit is not None and len(context.request.body) > limit:
            raise RequestBodyError(413, f"the body is larger than {limit} bytes")
        return await inner(context, ())

    return Directive(apply)


without_size_limit = _with_limit(None)
"""Take bodies of any size: only for those that are read as streams."""


def decode_request_with(limit: int) -> Directive:
    """Unpack the body, to at most `limit` bytes (else 413). Rejects other encodings and a malformed body (400)."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        request = context.request
        encoding = request.headers.get("content-encoding", "").lower()
        if encoding in {"", "identity"}:
            return await inner(context, ())
        if encoding not in _WINDOWS:
            return Rejected((UnsupportedRequestEncodingRejection(_SUPPORTED),))
        headers = {name: value for name, value in request.headers.items() if name != "content-encoding"}
        if context.body is not None:
            packed = PackedBody(context.body, encoding, limit)
            unread = UnreadRequest(
                request.method, request.path, request.query, headers, b"", request.peer, request.target
            )
            return await inner(context.changed(request=unread, body=packed), ())
        try:
            body = unpack(request.body, limit, _WINDOWS[encoding])
        except OverflowError:
            return Rejected((RequestTooLargeRejection(limit),))
        except zlib.error as error:
            return Rejected((MalformedRequestContentRejection(f"the body is not {encoding}: {error}"),))
        request = replace(request, body=body, headers=headers)
        return await inner(context.changed(request=request), ())

    return Directive(apply)


decode_request = decode_request_with(DECODED_LIMIT)


class PackedBody:
    """A body that is unpacked while it arrives, to at most `limit` bytes."""

    def __init__(self, packed: Body, encoding: str, limit: int | None) -> None:
        self.limit = limit
        self._packed = packed
        self._encoding = encoding
        self._content: bytes | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Pieces of at most `PIECE` bytes. Raises `RequestBodyError` (400, 413)."""
        size = 0
        unpacked = Unpacked(_WINDOWS[self._encoding])
        packed = self._packed.chunks()
        try:
            async for chunk in packed:
                for piece in unpacked.feed(chunk, PIECE):
                    size += len(piece)
                    if self.limit is not None and size > self.limit:
                        reason = f"the body is larger than {self.limit} bytes when it is unpacked"
                        raise RequestBodyError(413, reason)
                    yield piece
            unpacked.end()
        except zlib.error as error:
            raise RequestBodyError(400, f"the body is not {self._encoding}: {error}") from error
        finally:
            await packed.aclose()  # type: ignore[attr-defined]

    async def whole(self) -> bytes:
        """All of it. Raises `RequestBodyError`."""
        if self._content is None:
            self._content = b"".join([piece async for piece in self.chunks()])
        return self._content


def _text(request: HttpRequest) -> str:
    charset = "utf-8"
    for parameter in request.headers.get("content-type", "").split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset":
            charset = value.strip('"')
    try:
        return request.body.decode(charset)
    except LookupError as error:
        raise ValueError(f"the charset {charset} is not known") from error
