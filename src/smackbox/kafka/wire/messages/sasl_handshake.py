"""SaslHandshake (key 17), versions 0 to 1."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int16, Message, String


class SaslHandshakeRequest(Message):
    """The request of API key 17: versions 0 to 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)

    mechanism: String = ""


class SaslHandshakeResponse(Message):
    """The response of API key 17: versions 0 to 1."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 1)

    error_code: Int16 = 0
    mechanisms: list[String] = msgspec.field(default_factory=list)
