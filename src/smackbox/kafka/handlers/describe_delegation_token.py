"""DescribeDelegationToken (key 41), versions 1 to 3: this broker has no secret key for delegation tokens."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.delegation_tokens import refused
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire.messages.describe_delegation_token import (
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)


def handle(_broker: Broker, call: Call, _request: DescribeDelegationTokenRequest) -> DescribeDelegationTokenResponse:
    """Answer DescribeDelegationToken."""
    return DescribeDelegationTokenResponse(error_code=refused(call))
