"""Bodies: `entity(as_(Event))` decodes one, `decode_request` unpacks it (gzip, deflate), both with limits."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from smackbox.akka.http.rejections import (
    CancelRejections,
    MalformedRequestContentRejection,
    RequestEntityExpectedRejection,
    RequestTooLargeRejection,
    UnsupportedRequestContentTypeRejection,
    UnsupportedRequestEncodingRejection,
)
from smackbox.akka.http.route import BINARY, Directive, Inner, Rejected, RequestContext, Result
from smackbox.net.content_encoding import DEFLATE, GZIP, unpack
from smackbox.net.http import JSON, HttpRequest

DECODED_LIMIT = 8 * 1024 * 1024
"""Bytes of an unpacked body (`decode-max-size` of Pekko HTTP)."""

_WINDOWS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": DEFLATE}
_SUPPORTED = "gzip or deflate or identity"


@dataclass(frozen=True, slots=True)
class Unmarshaller:
    """How a body becomes a value. `decode` raises `ValueError` (msgspec's errors are) for a malformed one.

    `json_only`: take `application/json` and `application/…+json`, and no empty body.
    """

    decode: Callable[[HttpRequest], Any]
    json_only: bool = False


def as_(kind: Any) -> Unmarshaller:
    """`bytes`, `str` (by the charset of the content type, else UTF-8), or a type that msgspec decodes from JSON."""
    if kind is bytes:
        return Unmarshaller(lambda request: request.body)
    if kind is str:
        return Unmarshaller(_text)
    decode = msgspec.json.Decoder(kind).decode
    return Unmarshaller(lambda request: decode(request.body), json_only=True)


def entity(unmarshaller: Unmarshaller) -> Directive:
    """Extract the body. Rejects another content type (415), an empty body and a malformed one (400)."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        request = context.request
        if unmarshaller.json_only:
            if not request.body:
                return Rejected((RequestEntityExpectedRejection(),))
            sent = request.headers.get("content-type", BINARY)
            media = sent.partition(";")[0].strip().lower()
            if media != JSON and not (media.startswith("application/") and media.endswith("+json")):
                return Rejected((UnsupportedRequestContentTypeRejection(JSON, sent),))
        try:
            value = unmarshaller.decode(request)
        except ValueError as error:
            return Rejected((MalformedRequestContentRejection(str(error)),))
        result = await inner(context, (value,))
        if isinstance(result, Rejected):
            taken_back = CancelRejections(UnsupportedRequestContentTypeRejection)
            return Rejected((*result.rejections, taken_back))
        return result

    return Directive(apply)


def decode_request_with(limit: int) -> Directive:
    """Unpack the body, to at most `limit` bytes (else 413). Rejects other encodings and a malformed body (400)."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        request = context.request
        encoding = request.headers.get("content-encoding", "").lower()
        if encoding in {"", "identity"}:
            return await inner(context, ())
        if encoding not in _WINDOWS:
            return Rejected((UnsupportedRequestEncodingRejection(_SUPPORTED),))
        try:
            body = unpack(request.body, limit, _WINDOWS[encoding])
        except OverflowError:
            return Rejected((RequestTooLargeRejection(limit),))
        except zlib.error as error:
            return Rejected((MalformedRequestContentRejection(f"the body is not {encoding}: {error}"),))
        headers = {name: value for name, value in request.headers.items() if name != "content-encoding"}
        request = replace(request, body=body, headers=headers)
        return await inner(replace(context, request=request), ())

    return Directive(apply)


decode_request = decode_request_with(DECODED_LIMIT)


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
