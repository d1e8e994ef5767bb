"""QUERY, PREPARE, EXECUTE and BATCH."""

from __future__ import annotations

import struct

from smackbox.cassandra.execution.batch_size import check_size
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.row_reader import reading
from smackbox.cassandra.protocol.session import Session, bound_values
from smackbox.cassandra.state.keys import MIN_TIMESTAMP
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.statements.batch import check_batch, execute_batch
from smackbox.cassandra.statements.registry import Statement
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.requests import (
    PAGE_SIZE,
    SERIAL_CONSISTENCY,
    SKIP_METADATA,
    TIMESTAMP,
    VALUES,
    BodyReader,
    QueryOptions,
    read_batch,
    read_options,
)

Answer = tuple[int, bytes, list[str]]
PREPARE_KEYSPACE = 0x01
_LONG = struct.Struct(">q")
_FAST_FLAGS = VALUES | SKIP_METADATA | PAGE_SIZE | SERIAL_CONSISTENCY | TIMESTAMP
_NO_WARNINGS: list[str] = []


def query(session: Session, reader: BodyReader, version: int) -> Answer:
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
    statements = session.statements
    statements.prepared_executed += 1
    statement = statements.by_id(reader.short_bytes())
    if session.gate is not None:
        session.gate.check(statement)
    if statement.insert is not None or statement.point is not None:
        answer = _execute_fast(session, statement, reader.buffer, reader.offset, version)
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


def _execute_fast(session: Session, statement: Statement, buffer: bytes, offset: int, version: int) -> Answer | None:
    """The answer when nothing is out of the ordinary, else None and nothing done."""
    if version >= 5:
        size = 2 + int.from_bytes(buffer[offset : offset + 2], "big")
        if buffer[offset + 2 : offset + size] != statement.result_id:
            return None
        offset += size
    if int.from_bytes(buffer[offset : offset + 2], "big") not in statement.levels:
        return None
    if version >= 5:
        flags = int.from_bytes(buffer[offset + 2 : offset + 6], "big")
        offset += 6
    else:
        flags = buffer[offset + 2]
        offset += 3
    if not flags & VALUES or flags & ~_FAST_FLAGS:
        return None
    count = int.from_bytes(buffer[offset : offset + 2], "big")
    engine = session.room.engine
    insert = statement.insert
    if insert is not None:
        found = reading(insert.rows, buffer, offset + 2, 1, b"") if count == insert.count else None
        if found is None:
            return None
        rows, offset, _ = found
        timestamp = session.now_us
        if flags & TIMESTAMP:
            offset += (4 if flags & PAGE_SIZE else 0) + (2 if flags & SERIAL_CONSISTENCY else 0)
            (timestamp,) = _LONG.unpack_from(buffer, offset)
            if timestamp == MIN_TIMESTAMP:
                return None
        row_key, fragment = rows[0]
        engine.put(insert.table, row_key, timestamp, fragment)
        return frames.RESULT, responses.VOID, _NO_WARNINGS
    assert statement.point is not None
    point, partition = statement.point
    read = point.read(buffer, offset + 2) if count == point.count else None
    if read is None:
        return None
    values, _ = read
    row = point.row(engine, values, point.key_values(values, partition))
    if row is None:
        return None
    return frames.RESULT, responses.rows_body(_head(statement, flags, version), row[0], row[1]), _NO_WARNINGS


def _head(statement: Statement, flags: int, version: int) -> bytes:
    """The metadata of a whole result, made once."""
    key = -version if flags & SKIP_METADATA else version
    head = statement.heads.get(key)
    if head is None:
        columns = statement.result_columns
        head = responses.no_metadata(len(columns), None) if key < 0 else responses.metadata(columns, version)
        statement.heads[key] = head
    return head


def _batch_fast(session: Session, buffer: bytes, version: int) -> Answer | None:
    """A batch of ordinary INSERTs, all prepared; None, and nothing done, when it is anything else."""
    if buffer[0] > 1:
        return None
    offset = 3
    left = int.from_bytes(buffer[1:3], "big")
    levels: frozenset[int] | None = None
    runs: list[tuple[Table, list[tuple[bytes, bytes]]]] = []
    is_one = True  # all of it in one partition of one table
    prepared = session.statements.prepared
    generation = session.room.catalog.generation
    try:
        while left:
            # rows of one statement that follow one another begin with the same bytes: prepared, its id, how many values
            size = offset + 5 + int.from_bytes(buffer[offset + 1 : offset + 3], "big")
            lead = buffer[offset:size]
            statement = prepared.get(lead[3:-2]) if lead[0] == 1 else None
            if statement is None or statement.generation != generation or statement.insert is None:
                return None
            if session.gate is not None:
                session.gate.check(statement)
            insert = statement.insert
            levels = statement.levels if levels is None else levels & statement.levels
            if int.from_bytes(lead[-2:], "big") != insert.count:
                return None
            found = reading(insert.rows, buffer, offset, left, lead)
            if not found or not found[0]:
                return None
            rows, offset, partitions = found
            is_one = is_one and partitions == 1 and not runs
            runs.append((insert.table, rows))
            left -= len(rows)
        if levels is not None and int.from_bytes(buffer[offset : offset + 2], "big") not in levels:
            return None
        flags = int.from_bytes(buffer[offset + 2 : offset + 6], "big") if version >= 5 else buffer[offset + 2]
        offset += 6 if version >= 5 else 3
        if flags & ~(SERIAL_CONSISTENCY | TIMESTAMP):
            return None
        timestamp = session.now_us
        if flags & TIMESTAMP:
            (timestamp,) = _LONG.unpack_from(buffer, offset + (2 if flags & SERIAL_CONSISTENCY else 0))
            if timestamp == MIN_TIMESTAMP:
                return None
    except (IndexError, struct.error):
        return None  # the general way says what is wrong with the message
    warnings = _NO_WARNINGS
    if not is_one:
        context = session.context((), QueryOptions())
        writes = [(table, row_key, fragment) for table, rows in runs for row_key, fragment in rows]
        check_size(context, "unlogged" if buffer[0] else "logged", writes)
        warnings = context.warnings
    for table, rows in runs:
        session.room.engine.put_rows(table, rows, timestamp)
    return frames.RESULT, responses.VOID, warnings


def batch(session: Session, reader: BodyReader, version: int) -> Answer:
    answer = _batch_fast(session, reader.buffer, version)
    if answer is not None:
        return answer
    request = read_batch(reader, version)
    options = QueryOptions()
    options.consistency = request.consistency
    options.serial_consistency = request.serial_consistency
    options.timestamp = request.timestamp
    options.now_in_seconds = request.now_in_seconds
    keyspace = request.keyspace or session.keyspace
    modifications = []
    contexts: list[Context] = []
    for source, values in request.statements:
        if isinstance(source, bytes):
            statement = session.statements.by_id(source)
        else:
            statement = session.statements.statement(source, keyspace)
        if session.gate is not None:
            session.gate.check(statement)
        if statement.modification is None:
            raise Invalid("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
        if len(values) != len(statement.binds):
            raise Invalid(f"There were {len(statement.binds)} markers(?) in CQL but {len(values)} bound variables")
        modifications.append(statement.modification)
        contexts.append(session.context(values, options))
    context = session.context((), options)
    check_batch(request.kind, modifications)
    result = execute_batch(request.kind, modifications, contexts, context)
    return frames.RESULT, session.result_body(result, version), context.warnings
