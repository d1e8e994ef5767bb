"""CreateDelegationToken (key 38), versions 1 to 3."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Bytes, Int16, Int32, Int64, Message, NullableString, Since, String


class CreatableRenewers(Message):
    """An entry of `CreateDelegationTokenRequest.renewers`."""

    principal_type: String = ""
    principal_name: String = ""


class CreateDelegationTokenRequest(Message):
    """The request of API key 38: versions 1 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 3)
    FLEXIBLE: ClassVar[int] = 2

    owner_principal_type: Annotated[NullableString, Since(3)] = ""
    owner_principal_name: Annotated[NullableString, Since(3)] = ""
    renewers: list[CreatableRenewers] = msgspec.field(default_factory=list)
    max_lifetime_ms: Int64 = 0


class CreateDelegationTokenResponse(Message):
    """The response of API key 38: versions 1 to 3, flexible from 2."""

    VERSIONS: ClassVar[tuple[int, int]] = (1, 3)
    FLEXIBLE: ClassVar[int] = 2

    error_code: Int16 = 0
    principal_type: String = ""
    principal_name: String = ""
    token_requester_principal_type: Annotated[String, Since(3)] = ""
    token_requester_principal_name: Annotated[String, Since(3)] = ""
    issue_timestamp_ms: Int64 = 0
    expiry_timestamp_ms: Int64 = 0
    max_timestamp_ms: Int64 = 0
    token_id: String = ""
    hmac: Bytes = b""
    throttle_time_ms: Int32 = 0
