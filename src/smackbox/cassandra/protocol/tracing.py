"""Requests with the tracing flag: answered as usual, with the id of a trace of the execution.

The id comes first in the body of the answer (native_protocol_v5.spec, section 2.2).
"""

from __future__ import annotations

from uuid import UUID

from smackbox.cassandra.execution.consistency import NAMES
from smackbox.cassandra.execution.context import UNSET
from smackbox.cassandra.protocol.session import Session
from smackbox.cassandra.state.traces import Trace, TraceEvent
from smackbox.cassandra.values.timeuuids import timeuuid
from smackbox.cassandra.wire import frames
from smackbox.cassandra.wire.errors import CqlError
from smackbox.cassandra.wire.requests import BodyReader, read_options

_REQUESTS = {
    frames.QUERY: "Execute CQL3 query",
    frames.PREPARE: "Preparing CQL3 query",
    frames.EXECUTE: "Execute CQL3 prepared query",
    frames.BATCH: "Execute batch of CQL3 queries",
}
_RESULTS = {frames.RESULT: "Answered with a result of {} bytes", frames.ERROR: "Refused"}
TRACED = frozenset(_REQUESTS)
STORAGE_PORT = 7000


def traced(session: Session, opcode: int, parameters: dict[str, str], answer: bytes, now_us: int) -> bytes:
    """The response frame `answer` with the id of its trace in front of its body."""
    state = session.state
    duration_us = max(session.clock() - now_us, 1)
    text = parameters.get("query")
    version, answer_flags, stream, kind, length = frames.HEADER.unpack_from(answer)
    activities = [] if text is None or opcode == frames.EXECUTE else [(f"Parsing {text}", 1)]
    activities.append(("Executing on the one node that there is", 1))
    activities.append((_RESULTS.get(kind, "Answered").format(length), duration_us))
    ticks = state.take_ticks(now_us, len(activities) + 1)
    ids = [UUID(bytes=timeuuid(ticks + number, state.random_bytes(8))) for number in range(len(activities) + 1)]
    state.traces.add(
        Trace(
            ids[0],
            session.client,
            session.endpoint.address,
            STORAGE_PORT,
            _REQUESTS[opcode],
            parameters,
            now_us,
            duration_us,
            tuple(TraceEvent(id_, *activity) for id_, activity in zip(ids[1:], activities, strict=True)),
        )
    )
    head = frames.HEADER.pack(version, answer_flags | frames.FLAG_TRACING, stream, kind, length + len(ids[0].bytes))
    return head + ids[0].bytes + answer[frames.HEADER_LENGTH :]


def parameters(session: Session, version: int, opcode: int, body: bytes) -> dict[str, str]:
    """The request parameters in a trace; empty for a request that cannot be decoded, which is rejected anyway."""
    reader = BodyReader(body, UNSET)
    shown: dict[str, str] = {}
    try:
        if opcode in {frames.QUERY, frames.PREPARE}:
            shown["query"] = reader.long_string()
        elif opcode == frames.EXECUTE:
            statement = session.statements.prepared.get(reader.short_bytes())
            if statement is not None:
                shown["query"] = statement.text
            if version >= 5:
                reader.short_bytes()
        if opcode in {frames.QUERY, frames.EXECUTE}:
            options = read_options(reader, version)
            shown["consistency_level"] = NAMES[options.consistency]
            shown["serial_consistency_level"] = "SERIAL"
            if options.page_size:
                shown["page_size"] = str(options.page_size)
    except CqlError:
        pass
    return shown
