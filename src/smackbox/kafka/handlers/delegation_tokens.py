"""Kafka's answer to delegation token requests when tokens are disabled."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.security import ANONYMOUS
from smackbox.kafka.wire import error_codes as errors


def refused(call: Call) -> int:
    """The error code: unauthenticated clients may not ask; for all others tokens are disabled."""
    if call.connection.principal == ANONYMOUS:
        return errors.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    return errors.DELEGATION_TOKEN_AUTH_DISABLED
