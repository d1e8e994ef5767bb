"""ExpireDelegationToken (key 40), versions 1 and 2: this broker has no secret key for delegation tokens."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.delegation_tokens import refused
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire.messages.expire_delegation_token import (
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
)


def handle(_broker: Broker, call: Call, _request: ExpireDelegationTokenRequest) -> ExpireDelegationTokenResponse:
    """Answer ExpireDelegationToken."""
    return ExpireDelegationTokenResponse(error_code=refused(call))
