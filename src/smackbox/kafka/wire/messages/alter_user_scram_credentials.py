"""AlterUserScramCredentials (key 51), versions 0 to 0."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bytes, Int8, Int16, Int32, Message, NullableString, String


class ScramCredentialDeletion(Message):
    """An entry of `AlterUserScramCredentialsRequest.deletions`."""

    name: String = ""
    mechanism: Int8 = 0


class ScramCredentialUpsertion(Message):
    """An entry of `AlterUserScramCredentialsRequest.upsertions`."""

    name: String = ""
    mechanism: Int8 = 0
    iterations: Int32 = 0
    salt: Bytes = b""
    salted_password: Bytes = b""


class AlterUserScramCredentialsRequest(Message):
    """The request of API key 51: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    deletions: list[ScramCredentialDeletion] = msgspec.field(default_factory=list)
    upsertions: list[ScramCredentialUpsertion] = msgspec.field(default_factory=list)


class AlterUserScramCredentialsResult(Message):
    """An entry of `AlterUserScramCredentialsResponse.results`."""

    user: String = ""
    error_code: Int16 = 0
    error_message: NullableString = ""


class AlterUserScramCredentialsResponse(Message):
    """The response of API key 51: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    results: list[AlterUserScramCredentialsResult] = msgspec.field(default_factory=list)
