"""SaslAuthenticate (key 36), versions 0 to 2."""

from __future__ import annotations

from typing import Annotated, ClassVar

from smackbox.kafka.wire.schema import Bytes, Int16, Int64, Message, NullableString, Since


class SaslAuthenticateRequest(Message):
    """The request of API key 36: versions 0 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    auth_bytes: Bytes = b""


class SaslAuthenticateResponse(Message):
    """The response of API key 36: versions 0 to 2, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 2)
    FLEXIBLE: ClassVar[int] = 2

    error_code: Int16 = 0
    error_message: NullableString = ""
    auth_bytes: Bytes = b""
    session_lifetime_ms: Annotated[Int64, Since(1)] = 0
