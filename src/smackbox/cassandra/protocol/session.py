"""The state of a connection between its requests, without its socket."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from smackbox.cassandra.execution.context import UNSET, Context, ServerState
from smackbox.cassandra.execution.results import Result, Rows, SchemaChange, SetKeyspace, Void
from smackbox.cassandra.protocol.gate import Gate
from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.statements.registry import Statements
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.errors import CqlError, Invalid
from smackbox.cassandra.wire.requests import BodyReader, QueryOptions

log = logging.getLogger(__name__)

EVENT_TYPES = frozenset({"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"})
# kind of the response, its body, warnings
Answer = tuple[int, bytes, list[str]]


class Session:
    """The state of a connection."""

    def __init__(self, state: ServerState, statements: Statements, endpoint: Endpoint) -> None:
        self.state = state
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

    def login_token(self, flags: int, body: bytes) -> bytes | None:
        """The token of an expected AUTH_RESPONSE; None when none is expected, or it is empty."""
        if self.ready or not self.version:
            return None
        reader = BodyReader(body, UNSET)
        try:
            if flags & frames.FLAG_CUSTOM_PAYLOAD:
                reader.bytes_map()
            return reader.read_bytes()
        except CqlError:
            return None  # `dispatch.answer` reports what is wrong with it

    def context(self, values: Any, options: QueryOptions) -> Context:
        """The context of an execution: its values, timestamp and options."""
        context = Context(
            self.state,
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
        """A RESULT's body. `result_id` is that of metadata that has changed since PREPARE."""
        if type(result) is Void:
            return responses.VOID
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
        self.state.security.schema_changed(result, self.user)
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
