"""From a request to its response frame: the result, or the ERROR that Cassandra would send."""

from __future__ import annotations

import logging
from collections.abc import Callable

from smackbox.base.errors import LimitError
from smackbox.cassandra.execution.context import UNSET
from smackbox.cassandra.protocol import batch_message, startup, statement_messages, tracing
from smackbox.cassandra.protocol.session import Answer, Session
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.errors import CqlError, Overloaded, ProtocolViolation, ServerFault
from smackbox.cassandra.wire.requests import BodyReader

log = logging.getLogger(__name__)

Handler = Callable[[Session, BodyReader, int], Answer]

OPCODE_NAMES = {
    frames.STARTUP: "STARTUP",
    frames.OPTIONS: "OPTIONS",
    frames.QUERY: "QUERY",
    frames.PREPARE: "PREPARE",
    frames.EXECUTE: "EXECUTE",
    frames.REGISTER: "REGISTER",
    frames.BATCH: "BATCH",
    frames.AUTH_RESPONSE: "AUTH_RESPONSE",
}
_HANDLERS: dict[int, Handler] = {
    frames.OPTIONS: startup.options,
    frames.STARTUP: startup.startup,
    frames.REGISTER: startup.register,
    frames.AUTH_RESPONSE: startup.auth_response,
    frames.QUERY: statement_messages.query,
    frames.PREPARE: statement_messages.prepare,
    frames.EXECUTE: statement_messages.execute,
    frames.BATCH: batch_message.batch,
}


def answer(session: Session, version: int, flags: int, stream: int, opcode: int, body: bytes, now_us: int) -> bytes:
    """The response frame, uncompressed, to one request. A request with the tracing flag leaves a trace."""
    if flags & frames.FLAG_TRACING and session.ready and opcode in tracing.TRACED:
        parameters = tracing.parameters(session, version, opcode, body)
        frame = answer(session, version, flags & ~frames.FLAG_TRACING, stream, opcode, body, now_us)
        return tracing.traced(session, opcode, parameters, frame, now_us)
    session.now_us = now_us
    session.request_count += 1
    try:
        if flags & frames.FLAG_CUSTOM_PAYLOAD:
            reader = BodyReader(body, UNSET)
            reader.bytes_map()
            body = body[reader.offset :]
        handler = _HANDLERS.get(opcode)
        if handler is None:
            raise ProtocolViolation(f"Unknown opcode {opcode}")
        if not session.ready:
            _check_order(session, opcode)
        kind, result, warnings = handler(session, BodyReader(body, UNSET), version)
    except CqlError as error:
        return frames.frame(version, stream, frames.ERROR, responses.error_body(error, version))
    except LimitError as error:
        return frames.frame(version, stream, frames.ERROR, responses.error_body(Overloaded(str(error))))
    except Exception as error:
        log.exception("a request (opcode %d) from %s failed", opcode, session.options.get("DRIVER_NAME", "a client"))
        fault = ServerFault(f"{type(error).__name__}: {error}")
        return frames.frame(version, stream, frames.ERROR, responses.error_body(fault))
    if warnings and version >= 4:
        return frames.frame(version, stream, kind, responses.string_list(warnings) + result, frames.FLAG_WARNING)
    return frames.frame(version, stream, kind, result)


def _check_order(session: Session, opcode: int) -> None:
    """Raises `ProtocolViolation` for a request that is not allowed before STARTUP."""
    if session.version:
        if opcode == frames.AUTH_RESPONSE:
            return
        expected = "SASL_RESPONSE"
    else:
        if opcode in {frames.STARTUP, frames.OPTIONS}:
            return
        expected = "STARTUP or OPTIONS"
    raise ProtocolViolation(f"Unexpected message {OPCODE_NAMES.get(opcode, opcode)}, expecting {expected}")
