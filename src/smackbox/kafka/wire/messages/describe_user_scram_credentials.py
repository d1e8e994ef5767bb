"""DescribeUserScramCredentials (key 50), versions 0 to 0."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int8, Int16, Int32, Message, NullableString, String


class UserName(Message):
    """An entry of `DescribeUserScramCredentialsRequest.users`."""

    name: String = ""


class DescribeUserScramCredentialsRequest(Message):
    """The request of API key 50: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    users: list[UserName] | None = msgspec.field(default_factory=list)


class CredentialInfo(Message):
    """An entry of `DescribeUserScramCredentialsResult.credential_infos`."""

    mechanism: Int8 = 0
    iterations: Int32 = 0


class DescribeUserScramCredentialsResult(Message):
    """An entry of `DescribeUserScramCredentialsResponse.results`."""

    user: String = ""
    error_code: Int16 = 0
    error_message: NullableString = ""
    credential_infos: list[CredentialInfo] = msgspec.field(default_factory=list)


class DescribeUserScramCredentialsResponse(Message):
    """The response of API key 50: version 0, flexible from 0."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 0)
    FLEXIBLE: ClassVar[int] = 0

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = ""
    results: list[DescribeUserScramCredentialsResult] = msgspec.field(default_factory=list)
