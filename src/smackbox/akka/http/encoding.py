"""`encode_response` packs an answer's body as its client asks: gzip or deflate, by `Accept-Encoding`.

The rules are those of RFC 9110 (12.5.3) and of Pekko HTTP's `CodingDirectives`: without the header the first coding
holds (`identity`, for `encode_response`); a client that accepts none of them gets 406. Left as they are: empty bodies,
statuses without one, media types that are packed already, answers with a `Content-Encoding`. A streamed answer is
packed element by element, each flushed.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

from smackbox.akka.http.rejections import UnacceptedResponseEncodingRejection
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
    with_vary,
)
from smackbox.akka.http.weights import weighted
from smackbox.net.content_encoding import DEFLATE, GZIP
from smackbox.net.http import HttpResponse

IDENTITY = "identity"
LEVEL = 6
"""zlib's own default, and Pekko's."""
ON_A_THREAD_BYTES = 256 * 1024
"""A body from this size on is packed beside the event loop."""

_WINDOWS = {"gzip": GZIP, "deflate": DEFLATE}
_WITHOUT_BODY = frozenset({204, 205, 304})
_COMPRESSIBLE = ("text/", "application/json", "application/xml", "application/javascript", "image/svg+xml")


def encode_response_with(*codings: str) -> Directive:
    """Pack answers in one of `codings`: `"gzip"`, `"deflate"`, `"identity"` (as it is).

    Rejects a request that accepts none of them (406). Raises `ValueError` for another coding, or none at all.
    """
    unknown = [coding for coding in codings if coding != IDENTITY and coding not in _WINDOWS]
    if unknown or not codings:
        raise ValueError(f"codings are gzip, deflate and identity, not {', '.join(unknown) or 'none'}")
    rejected = Rejected(tuple(UnacceptedResponseEncodingRejection(coding) for coding in codings))

    async def apply(context: RequestContext, inner: Inner) -> Result:
        coding = choose(context.request.headers.get("accept-encoding"), codings)
        if coding is None:
            return rejected
        result = await inner(context, ())
        return result if isinstance(result, Rejected) else await _encoded(result, coding, context.system)

    return Directive(apply)


encode_response = encode_response_with(IDENTITY, "gzip", "deflate")


def choose(accepted: str | None, codings: tuple[str, ...]) -> str | None:
    """The coding that the client likes most, of equals the one that comes first; None where it accepts none of them."""
    if accepted is None:
        return codings[0]
    weights = {name.removeprefix("x-"): weight for name, weight in weighted(accepted)}
    # what is not named is not accepted, but for identity, which is what is left
    others = weights.get("*", 0.0)
    best, most = None, 0.0
    for coding in codings:
        weight = weights.get(coding, max(others, 1e-6) if coding == IDENTITY and "*" not in weights else others)
        if weight > most:
            best, most = coding, weight
    return best


async def _encoded(response: Response, coding: str, system: Any) -> Response:
    names = {name.lower() for name in response.headers}
    if (
        "content-encoding" in names
        or response.status in _WITHOUT_BODY
        or response.status == 206  # a range is one of the bytes as they are
        or isinstance(response, UpgradeResponse)
        or not _is_compressible(response.content_type)
        or (isinstance(response, HttpResponse) and not response.body)
    ):
        return response
    headers = with_vary(response.headers, "Accept-Encoding")
    if coding == IDENTITY:
        return replace(response, headers=headers)
    headers["Content-Encoding"] = coding
    tag = headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        headers["ETag"] = f"W/{tag}"  # the same resource, not the same bytes (RFC 9110, 8.8.1)
    packer = partial(zlib.compressobj, LEVEL, zlib.DEFLATED, _WINDOWS[coding])
    headers.pop("Accept-Ranges", None)
    if isinstance(response, StreamedResponse):
        source = _Packed(response.source, packer, system)
        return replace(response, source=source, headers=headers, length=None, part=None)
    if len(response.body) < ON_A_THREAD_BYTES:
        return replace(response, body=_whole(packer(), response.body), headers=headers)
    return replace(response, body=await asyncio.to_thread(_whole, packer(), response.body), headers=headers)


def _whole(packer: Any, body: bytes) -> bytes:
    packed: bytes = packer.compress(body) + packer.flush()
    return packed


def _is_compressible(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    return media.startswith(_COMPRESSIBLE) or media.endswith(("+json", "+xml"))


class _Packed:
    """The packed elements of a stream; closing it closes the stream."""

    def __init__(self, source: Any, packer: Any, system: Any) -> None:
        self._source = source
        self._packer = packer
        self._system = system

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pack()

    async def _pack(self) -> AsyncIterator[bytes]:
        packer = self._packer()
        chunks = chunks_of(self._source, self._system)
        try:
            async for chunk in chunks:
                if chunk:
                    yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        yield packer.flush()
