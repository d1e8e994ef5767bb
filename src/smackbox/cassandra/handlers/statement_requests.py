"""QUERY, PREPARE, EXECUTE and BATCH."""

from __future__ import annotations

from smackbox.cassandra.handlers.batch import check_batch, execute_batch
from smackbox.cassandra.handlers.context import Context
from smackbox.cassandra.handlers.session import Session, bound_values
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.requests import BodyReader, QueryOptions, read_batch, read_options

Answer = tuple[int, bytes, list[str]]
PREPARE_KEYSPACE = 0x01


def query(session: Session, reader: BodyReader, version: int) -> Answer:
    text = reader.long_string()
    options = read_options(reader, version)
    statement = session.statements.statement(text, options.keyspace or session.keyspace)
    context = session.context(bound_values(statement.binds, options), options)
    result = statement.run(context)
    body = session.result_body(result, version, skip_metadata=options.skip_metadata and bool(statement.result_columns))
    return frames.RESULT, body, context.warnings


def prepare(session: Session, reader: BodyReader, version: int) -> Answer:
    text = reader.long_string()
    keyspace = session.keyspace
    if version >= 5 and reader.read_int() & PREPARE_KEYSPACE:
        keyspace = reader.string()
    statement = session.statements.prepare(text, keyspace)
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
    statement = session.statements.by_id(reader.short_bytes())
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


def batch(session: Session, reader: BodyReader, version: int) -> Answer:
    request = read_batch(reader, version)
    options = QueryOptions()
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
        if statement.modification is None:
            raise Invalid("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
        if len(values) != len(statement.binds):
            raise Invalid(f"There were {len(statement.binds)} markers(?) in CQL but {len(values)} bound variables")
        modifications.append(statement.modification)
        contexts.append(session.context(values, options))
    context = session.context((), options)
    check_batch(request.kind, modifications)
    result = execute_batch(modifications, contexts, context)
    size = len(reader.buffer)
    if request.kind != "counter" and size > session.room.fail_batch_bytes:
        raise Invalid("Batch too large")
    return frames.RESULT, session.result_body(result, version), context.warnings
