"""RenewDelegationToken (key 39), versions 1 and 2: this broker has no secret key for delegation tokens."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.delegation_tokens import refused
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)


def handle(_broker: Broker, call: Call, _request: RenewDelegationTokenRequest) -> RenewDelegationTokenResponse:
    """Answer RenewDelegationToken."""
    return RenewDelegationTokenResponse(error_code=refused(call))
