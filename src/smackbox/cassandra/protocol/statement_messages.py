"""QUERY, PREPARE and EXECUTE."""

from __future__ import annotations

from smackbox.cassandra.protocol.session import Answer, Session, bound_values
from smackbox.cassandra.statements.registry import Statement
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.errors import ProtocolViolation
from smackbox.cassandra.wire.requests import (
    KEYSPACE,
    NAMES,
    PAGE_SIZE,
    SERIAL_CONSISTENCY,
    SKIP_METADATA,
    TIMESTAMP,
    VALUES,
    BodyReader,
    read_options,
    timestamp_after_values,
)

PREPARE_KEYSPACE = 0x01
# with these flags there is at most one row, whatever the other options
_FLAGS_OF_ONE_ROW = VALUES | SKIP_METADATA | PAGE_SIZE | SERIAL_CONSISTENCY | TIMESTAMP | KEYSPACE
_NO_WARNINGS: list[str] = []


def query(session: Session, reader: BodyReader, version: int) -> Answer:
    """QUERY: a statement as text. Raises `CqlError`."""
    text = reader.long_string()
    options = read_options(reader, version)
    session.statements.texts_executed += 1
    statement = session.statements.statement(text, options.keyspace or session.keyspace)
    if session.gate is not None:
        session.gate.check(statement)
    context = session.context(bound_values(statement.binds, options), options)
    result = statement.run(context)
    body = session.result_body(result, version, skip_metadata=options.skip_metadata)
    return frames.RESULT, body, context.warnings


def prepare(session: Session, reader: BodyReader, version: int) -> Answer:
    """PREPARE: the statement's id and the types of its values. Raises `CqlError`."""
    text = reader.long_string()
    keyspace = session.keyspace
    if version >= 5 and reader.read_int() & PREPARE_KEYSPACE:
        keyspace = reader.string()
    statement = session.statements.prepare(text, keyspace)
    session.statements.kept.keep(statement.statement_id, text, keyspace, statement.schema)
    body = responses.prepared_body(
        statement.statement_id,
        statement.result_id,
        statement.binds,
        statement.partition_key_binds,
        statement.result_columns,
        version,
    )
    return frames.RESULT, body, []


def execute(session: Session, reader: BodyReader, version: int) -> Answer:
    """EXECUTE: a prepared statement by its id. Raises `CqlError`, including UNPREPARED."""
    statements = session.statements
    statements.prepared_executed += 1
    buffer = reader.buffer
    reader.offset = 2 + int.from_bytes(buffer[:2], "big")
    if len(buffer) < reader.offset:
        raise ProtocolViolation("the body of the message ends too early")
    statement = statements.by_id(buffer[2 : reader.offset])
    if session.gate is not None:
        session.gate.check(statement)
    if statement.insert is not None or statement.point is not None:
        answer = _execute_bound(session, statement, buffer, reader.offset, version)
        if answer is not None:
            return answer
    known_result_id = reader.short_bytes() if version >= 5 else statement.result_id
    options = read_options(reader, version)
    context = session.context(bound_values(statement.binds, options), options)
    result = statement.run(context)
    changed = statement.result_id if known_result_id != statement.result_id else None
    body = session.result_body(
        result,
        version,
        skip_metadata=options.skip_metadata and bool(statement.result_columns),
        result_id=changed if statement.result_columns else None,
    )
    return frames.RESULT, body, context.warnings


def _execute_bound(session: Session, statement: Statement, buffer: bytes, offset: int, version: int) -> Answer | None:
    """The answer to a plain INSERT, or to a SELECT of one row by its key; None, without any effect, for any other
    statement.
    """
    if version >= 5:
        size = 2 + int.from_bytes(buffer[offset : offset + 2], "big")
        if buffer[offset + 2 : offset + size] != statement.result_id:
            return None
        offset += size
    level = int.from_bytes(buffer[offset : offset + 2], "big")
    if version >= 5:
        flags = int.from_bytes(buffer[offset + 2 : offset + 6], "big")
        offset += 6
    else:
        flags = buffer[offset + 2]
        offset += 3
    if level not in statement.levels or not flags & VALUES or flags & NAMES:
        return None
    count = int.from_bytes(buffer[offset : offset + 2], "big")
    point = statement.point
    binder = statement.insert if point is None else point.binder
    if binder is None or count != binder.count:
        return None
    bound = binder.rows(buffer, offset + 2, 1, b"")
    if bound is None:
        return None
    ((row_key, values),), offset, _ = bound
    if point is None:
        timestamp = timestamp_after_values(buffer, offset, flags, version)
        session.state.engine.put(binder.table, row_key, session.now_us if timestamp is None else timestamp, values)
        return frames.RESULT, responses.VOID, _NO_WARNINGS
    if flags & ~_FLAGS_OF_ONE_ROW:
        return None
    row = point.row(session.state.engine, row_key, values)
    if row is None:
        return None
    return frames.RESULT, responses.rows_body(_head(statement, flags, version), row[0], row[1]), _NO_WARNINGS


def _head(statement: Statement, flags: int, version: int) -> bytes:
    """The metadata of a whole result, built once."""
    key = -version if flags & SKIP_METADATA else version
    head = statement.heads.get(key)
    if head is None:
        columns = statement.result_columns
        head = responses.no_metadata(len(columns), None) if key < 0 else responses.metadata(columns, version)
        statement.heads[key] = head
    return head
