"""SaslAuthenticate (key 36), versions 0 to 2: one step of the exchange that SaslHandshake began."""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.handlers.sasl import SaslFailure
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse


def handle(broker: Broker, call: Call, request: SaslAuthenticateRequest) -> SaslAuthenticateResponse:
    """Answer SaslAuthenticate."""
    sasl = call.connection.sasl
    if sasl is None or sasl.done or not sasl.mechanism:
        return SaslAuthenticateResponse(
            error_code=errors.ILLEGAL_SASL_STATE,
            error_message="SaslAuthenticate request received after successful authentication",
        )
    try:
        answer = sasl.step(broker.security, request.auth_bytes)
    except SaslFailure as failure:
        return SaslAuthenticateResponse(error_code=errors.SASL_AUTHENTICATION_FAILED, error_message=str(failure))
    if sasl.principal:
        call.connection.principal = sasl.principal
    return SaslAuthenticateResponse(error_message=None, auth_bytes=answer)
