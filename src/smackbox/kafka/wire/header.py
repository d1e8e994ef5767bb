"""Frames and headers: every request and answer is a length as i32, followed by that many bytes.

Request header: api key i16, version i16, correlation id i32, client id (nullable string with an i16 length in all
versions); flexible versions add tagged fields. Response header: correlation id i32; flexible versions add tagged
fields, except for ApiVersions, whose answer must be readable before versions are known.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire.produce import skip_tags

LENGTH = struct.Struct(">i")
FIXED = struct.Struct(">hhih")


class RequestHeader(NamedTuple):
    """`client_id` is None for null; the tagged fields of flexible versions must still be skipped."""

    api_key: int
    version: int
    correlation_id: int
    client_id: str | None


def read_header(frame: memoryview) -> tuple[RequestHeader, int]:
    """The header and the offset after its client id. Raises `ProtocolError`."""
    try:
        api_key, version, correlation_id, length = FIXED.unpack_from(frame)
        if length < 0:
            return RequestHeader(api_key, version, correlation_id, None), FIXED.size
        end = FIXED.size + length
        if end > len(frame):
            raise ProtocolError("the client id is longer than the request")
        return RequestHeader(api_key, version, correlation_id, str(frame[FIXED.size : end], "utf-8")), end
    except (struct.error, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a Kafka request header: {error}") from error


def skip_header_tags(frame: memoryview, offset: int) -> int:
    """The offset after a flexible header's tagged fields. Raises `ProtocolError`."""
    try:
        return skip_tags(frame, offset)
    except (IndexError, ValueError) as error:
        raise ProtocolError(f"the request header's tagged fields are torn: {error}") from error
