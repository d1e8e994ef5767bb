"""DescribeDelegationToken (key 41), versions 1 to 3."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bytes, Int16, Int32, Int64, Message, Since, String


class DescribeDelegationTokenOwner(Message):
    """An entry of `DescribeDelegationTokenRequest.owners`."""

    principal_type: String = ""
    principal_name: String = ""


class DescribeDelegationTokenRequest(Message):
    """The request of API key 41: versions 1 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 3)
    FLEXIBLE: ClassVar[int] = 2

    owners: list[DescribeDelegationTokenOwner] | None = msgspec.field(default_factory=list)


class DescribedDelegationTokenRenewer(Message):
    """An entry of `DescribedDelegationToken.renewers`."""

    principal_type: String = ""
    principal_name: String = ""


class DescribedDelegationToken(Message):
    """An entry of `DescribeDelegationTokenResponse.tokens`."""

    principal_type: String = ""
    principal_name: String = ""
    token_requester_principal_type: Annotated[String, Since(3)] = ""
    token_requester_principal_name: Annotated[String, Since(3)] = ""
    issue_timestamp: Int64 = 0
    expiry_timestamp: Int64 = 0
    max_timestamp: Int64 = 0
    token_id: String = ""
    hmac: Bytes = b""
    renewers: list[DescribedDelegationTokenRenewer] = msgspec.field(default_factory=list)


class DescribeDelegationTokenResponse(Message):
    """The response of API key 41: versions 1 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 3)
    FLEXIBLE: ClassVar[int] = 2

    error_code: Int16 = 0
    tokens: list[DescribedDelegationToken] = msgspec.field(default_factory=list)
    throttle_time_ms: Int32 = 0
