"""The BATCH message: texts and prepared ids, each with its values."""

from __future__ import annotations

from smackbox.cassandra.execution.batch import check_batch, execute_batch
from smackbox.cassandra.execution.batch_size import check_size
from smackbox.cassandra.execution.consistency import check_mutation
from smackbox.cassandra.execution.context import UNSET, Context
from smackbox.cassandra.protocol.session import Answer, Session
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.requests import BatchRequest, BodyReader, QueryOptions, read_batch, read_batch_options

_NO_WARNINGS: list[str] = []
_KINDS = ("logged", "unlogged")


def batch(session: Session, reader: BodyReader, version: int) -> Answer:
    """BATCH: all statements, with one timestamp. Raises `CqlError`."""
    answer = _batch_bound(session, reader.buffer, version)
    if answer is not None:
        return answer
    request = read_batch(reader, version)
    options = _options(request)
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


def _batch_bound(session: Session, buffer: bytes, version: int) -> Answer | None:
    """A batch of plain INSERTs, all prepared; None, without any effect, for any other batch."""
    if len(buffer) < 3 or buffer[0] >= len(_KINDS):
        return None
    offset = 3
    left = int.from_bytes(buffer[1:3], "big")
    tables: dict[int, Table] = {}
    levels: frozenset[int] | None = None
    runs: list[tuple[Table, list[tuple[bytes, bytes]]]] = []
    is_one = True  # all in one partition of one table
    prepared = session.statements.prepared
    generation = session.state.catalog.generation
    while left:
        # consecutive rows of one statement begin with the same bytes: the prepared flag, its id, the number of values
        size = offset + 5 + int.from_bytes(buffer[offset + 1 : offset + 3], "big")
        lead = buffer[offset:size]
        statement = prepared.get(lead[3:-2]) if lead[:1] == b"\x01" else None
        if statement is None or statement.generation != generation or statement.insert is None:
            return None
        if session.gate is not None:
            session.gate.check(statement)
        binder = statement.insert
        if int.from_bytes(lead[-2:], "big") != binder.count:
            return None
        bound = binder.rows(buffer, offset, left, lead)
        if bound is None or not bound[0]:
            return None
        rows, offset, partitions = bound
        is_one = is_one and partitions == 1 and not runs
        levels = statement.levels if levels is None else levels & statement.levels
        tables[binder.table.number] = binder.table
        runs.append((binder.table, rows))
        left -= len(rows)
    reader = BodyReader(buffer, UNSET)
    reader.offset = offset
    request = BatchRequest(_KINDS[buffer[0]], [])
    read_batch_options(reader, version, request)
    warnings = _NO_WARNINGS
    if not is_one or request.consistency not in (levels or ()):
        context = session.context((), _options(request))
        writes = [(table, row_key, fragment) for table, rows in runs for row_key, fragment in rows]
        check_size(context, request.kind, writes)
        for table in tables.values():
            check_mutation(context, table)
        warnings = context.warnings
    timestamp = session.now_us if request.timestamp is None else request.timestamp
    for table, rows in runs:
        session.state.engine.put_rows(table, rows, timestamp)
    return frames.RESULT, responses.VOID, warnings


def _options(request: BatchRequest) -> QueryOptions:
    options = QueryOptions()
    options.consistency = request.consistency
    options.serial_consistency = request.serial_consistency
    options.timestamp = request.timestamp
    options.now_in_seconds = request.now_in_seconds
    return options
