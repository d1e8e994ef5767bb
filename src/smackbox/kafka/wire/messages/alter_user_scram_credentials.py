"""AlterUserScramCredentials (key 51), versions 0 to 0."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bytes, Int8, Int16, Int32, Message, NullableString, String


class ScramCredentialDeletion(Message):
    name: String = ""
    mechanism: Int8 = 0


class ScramCredentialUpsertion(Message):
    name: String = ""
    mechanism: Int8 = 0
    iterations: Int32 = 0
    salt: Bytes = b""
    salted_password: Bytes = b""


class AlterUserScramCredentialsRequest(Message):
    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    deletions: list[ScramCredentialDeletion] = msgspec.field(default_factory=list)
    upsertions: list[ScramCredentialUpsertion] = msgspec.field(default_factory=list)


class AlterUserScramCredentialsResult(Message):
    user: String = ""
    error_code: Int16 = 0
    error_message: NullableString = ""


class AlterUserScramCredentialsResponse(Message):
    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    results: list[AlterUserScramCredentialsResult] = msgspec.field(default_factory=list)
