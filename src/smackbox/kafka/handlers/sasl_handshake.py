"""SaslHandshake (key 17), versions 0 and 1: the client chooses a mechanism.

After version 1 the exchange continues in SaslAuthenticate requests, after version 0 in frames of raw bytes.
"""

from __future__ import annotations

from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse


def handle(broker: Broker, call: Call, request: SaslHandshakeRequest) -> SaslHandshakeResponse:
    """Answer SaslHandshake."""
    mechanisms = broker.security.mechanisms
    sasl = call.connection.sasl
    if sasl is None or sasl.done:
        return SaslHandshakeResponse(error_code=errors.ILLEGAL_SASL_STATE)
    if request.mechanism not in mechanisms:
        sasl.failed = True
        return SaslHandshakeResponse(error_code=errors.UNSUPPORTED_SASL_MECHANISM, mechanisms=mechanisms)
    sasl.begin(request.mechanism, bare=call.version == 0)
    return SaslHandshakeResponse(mechanisms=mechanisms)
