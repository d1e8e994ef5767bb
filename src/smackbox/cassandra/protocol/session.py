"""One connection's side of the protocol: requests in, responses out, without sockets.

`handle` answers every frame: with what was asked for, or with the ERROR that Cassandra would give.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from smackbox.base.errors import LimitError
from smackbox.cassandra.execution.context import UNSET, Context, Room
from smackbox.cassandra.execution.results import Result, Rows, SchemaChange, SetKeyspace, Void
from smackbox.cassandra.protocol import tracing
from smackbox.cassandra.protocol.gate import Gate
from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.statements.registry import Statements
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.errors import CqlError, Invalid, Overloaded, ProtocolViolation, ServerFault
from smackbox.cassandra.wire.requests import BodyReader, QueryOptions

log = logging.getLogger(__name__)

EVENT_TYPES = frozenset({"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"})
VOID_BODY = responses.VOID


class Session:
    """What a connection remembers."""

    def __init__(self, room: Room, statements: Statements, endpoint: Endpoint) -> None:
        self.room = room
        self.statements = statements
        self.endpoint = endpoint
        self.version = 0
        self.keyspace: str | None = None
        self.ready = False
        self.user: str | None = None
        self.gate: Gate | None = None
        self.refused_token: bytes | None = None
        self.options: dict[str, str] = {}
        self.compression: str | None = None
        self.events: frozenset[str] = frozenset()
        self.request_count = 0
        self.now_us = 0
        self.client = endpoint.address
        self.clock: Callable[[], int] = lambda: self.now_us
        self.tell: Callable[[SchemaChange], None] = lambda _change: None
        self._handlers = request_handlers()

    def handle(self, version: int, flags: int, stream: int, opcode: int, body: bytes, now_us: int) -> bytes:
        """The response frame, uncompressed, to one request."""
        if flags & frames.FLAG_TRACING and self.ready and opcode in tracing.TRACED:
            return tracing.handle(self, version, flags, stream, opcode, body, now_us)
        self.now_us = now_us
        self.request_count += 1
        try:
            if flags & frames.FLAG_CUSTOM_PAYLOAD:
                reader = BodyReader(body, UNSET)
                reader.bytes_map()
                body = body[reader.offset :]
            handler = self._handlers.get(opcode)
            if handler is None:
                raise ProtocolViolation(f"Unknown opcode {opcode}")
            if not self.ready:
                self._check_order(opcode)
            kind, answer, warnings = handler(self, BodyReader(body, UNSET), version)
        except CqlError as error:
            return frames.frame(version, stream, frames.ERROR, responses.error_body(error, version))
        except LimitError as error:
            return frames.frame(version, stream, frames.ERROR, responses.error_body(Overloaded(str(error))))
        except Exception as error:
            log.exception("a request (opcode %d) from %s failed", opcode, self.options.get("DRIVER_NAME", "a client"))
            fault = ServerFault(f"{type(error).__name__}: {error}")
            return frames.frame(version, stream, frames.ERROR, responses.error_body(fault))
        if warnings and version >= 4:
            return frames.frame(version, stream, kind, responses.string_list(warnings) + answer, frames.FLAG_WARNING)
        return frames.frame(version, stream, kind, answer)

    def login_token(self, flags: int, body: bytes) -> bytes | None:
        """What an AUTH_RESPONSE that is due answers; None when none is due, or it holds nothing."""
        if self.ready or not self.version:
            return None
        reader = BodyReader(body, UNSET)
        try:
            if flags & frames.FLAG_CUSTOM_PAYLOAD:
                reader.bytes_map()
            return reader.read_bytes()
        except CqlError:
            return None  # `handle` says what is wrong with it

    def _check_order(self, opcode: int) -> None:
        """Raises `ProtocolViolation` for a request that has to wait until the connection has begun."""
        if self.version:
            if opcode == frames.AUTH_RESPONSE:
                return
            expected = "SASL_RESPONSE"
        else:
            if opcode in {frames.STARTUP, frames.OPTIONS}:
                return
            expected = "STARTUP or OPTIONS"
        raise ProtocolViolation(f"Unexpected message {OPCODE_NAMES.get(opcode, opcode)}, expecting {expected}")

    def context(self, values: Any, options: QueryOptions) -> Context:
        context = Context(
            self.room,
            self.endpoint,
            values,
            self.now_us,
            timestamp_us=options.timestamp,
            page_size=options.page_size,
            paging_state=options.paging_state,
            now_s=options.now_in_seconds,
        )
        context.consistency = options.consistency
        if options.serial_consistency is not None:
            context.serial_consistency = options.serial_consistency
        context.user = self.user
        return context

    def result_body(
        self, result: Result, version: int, *, skip_metadata: bool = False, result_id: bytes | None = None
    ) -> bytes:
        """A RESULT's body. `result_id`: of metadata that has changed since the client prepared."""
        if type(result) is Void:
            return VOID_BODY
        if isinstance(result, Rows):
            if skip_metadata and result_id is None:
                head = responses.no_metadata(len(result.columns), result.paging_state)
            else:
                head = responses.metadata(
                    result.columns, version, paging_state=result.paging_state, result_id=result_id
                )
            return responses.rows_body(head, result.count, result.body)
        if isinstance(result, SetKeyspace):
            self.keyspace = result.keyspace
            return responses.set_keyspace_body(result.keyspace)
        assert isinstance(result, SchemaChange)
        self.room.security.schema_changed(result, self.user)
        self.tell(result)
        change = responses.schema_change_body(result.change, result.target, result.keyspace, result.name)
        return b"\x00\x00\x00\x05" + change


def bound_values(binds: Any, options: QueryOptions) -> Any:
    """The values in the order of the markers. Raises `Invalid` when there are too many or too few."""
    values = options.values
    if options.names is not None:
        by_name: dict[str, Any] = {}
        for name, value in zip(options.names, values, strict=True):
            by_name[name] = value
            by_name.setdefault(name.lower(), value)
        values = [by_name.get(bind.name, UNSET) for bind in binds]
    if len(values) != len(binds):
        raise Invalid(f"Invalid amount of bind variables: expected {len(binds)}, got {len(values)}")
    return values


Handler = Callable[[Session, BodyReader, int], tuple[int, bytes, list[str]]]

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


def request_handlers() -> dict[int, Handler]:
    """One handler for each opcode that a client may send."""
    from smackbox.cassandra.protocol import startup, statement_requests

    return {
        frames.OPTIONS: startup.options,
        frames.STARTUP: startup.startup,
        frames.REGISTER: startup.register,
        frames.AUTH_RESPONSE: startup.auth_response,
        frames.QUERY: statement_requests.query,
        frames.PREPARE: statement_requests.prepare,
        frames.EXECUTE: statement_requests.execute,
        frames.BATCH: statement_requests.batch,
    }
