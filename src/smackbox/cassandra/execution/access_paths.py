"""The access paths to the rows of a table: by partition keys, by an index, by a token range; and the rows of system
tables.

Each yields (key of the row, row) in the order of the answer, after the row whose key is `resume`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.index_reading import IndexChoice
from smackbox.cassandra.execution.read_plan import ReadPlan
from smackbox.cassandra.execution.row_view import KeyedRow, RowView
from smackbox.cassandra.state.columns import STATIC
from smackbox.cassandra.state.engine import Item
from smackbox.cassandra.state.keys import (
    MAX_TOKEN,
    ROW,
    SECTION_STATIC,
    STATIC_ROW,
    clustering_key,
    compose_partition_key,
    partition_of,
    partition_prefix,
    split_partition_key,
    successor,
    token_prefix,
)
from smackbox.cassandra.state.rows import Row, merge
from smackbox.cassandra.state.schema import Table


def stored_rows(plan: ReadPlan, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    """The rows that match the WHERE clause, filters included; of the table itself, without a view."""
    return filtered(plan, context, _candidates(plan, context, resume))


def filtered(plan: ReadPlan, context: Context, rows: Iterator[KeyedRow]) -> Iterator[KeyedRow]:
    """The rows that pass the filters."""
    predicates = plan.restrictions.predicates(context)
    if not predicates:
        return rows
    return (pair for pair in rows if all(matches(pair[1]) for matches in predicates))


def _candidates(plan: ReadPlan, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    if plan.table.virtual:
        return _virtual(plan, context, resume)
    if plan.restrictions.key_is_whole:
        return _partitions(plan, context, resume)
    if plan.index is not None:
        return _indexed(plan, plan.index, context, resume)
    return _scan(plan, context, resume)


def _indexed(plan: ReadPlan, index: IndexChoice, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    """The rows that the index has for the value, if they still have that value."""
    table = plan.table
    engine = context.state.engine
    now_s = context.statement_time_s
    stamps = plan.stamps
    first, last = plan.restrictions.token_range(context)
    low = token_prefix(table, first)
    high = successor(table.prefix) if last == MAX_TOKEN else token_prefix(table, last + 1)
    statics_of = b""
    static: Row | None = None
    statics: Sequence[bytes | None] = ()
    matches = index.predicate(context)
    for entry, row_key in index.row_keys(context):
        if not low <= row_key < high:
            continue
        owner = partition_of(row_key)
        of_static = row_key[len(owner)] == SECTION_STATIC
        parts = split_partition_key(owner[14:], len(table.partition_key))
        if of_static and index.restriction.column.kind == STATIC:
            if owner >= partition_of(resume or owner):
                yield from _partition(plan, context, owner, parts, resume if resume.startswith(owner) else b"")
            continue
        if resume and (row_key <= resume or resume == owner + STATIC_ROW):
            continue
        if of_static:
            yield from _static_alone(plan, context, owner, parts)
            continue
        if table.has_statics and owner != statics_of:
            statics_of = owner
            static = engine.static_row(table, owner, engine.tombstones(table, owner))
            statics = plan.reader.statics(static, now_s)
        item = engine.row(table, row_key, merged=stamps)
        values = plan.reader.values(parts, item, statics, now_s) if item is not None else None
        view = None if values is None else RowView(values, item if stamps else None, static, now_s)  # type: ignore[arg-type]
        if view is None or not matches(view):
            engine.forget(entry)
            continue
        yield row_key, view


def _partitions(plan: ReadPlan, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    table = plan.table
    engine = context.state.engine
    now_s = context.statement_time_s
    stamps = plan.stamps
    waiting = partition_of(resume) if resume else b""
    read = plan.reader.values
    count = len(table.partition_key)
    for key in plan.restrictions.partition_keys(context):
        partition = partition_prefix(table, key)
        after = b""
        if waiting:
            if partition != waiting:
                continue
            waiting = b""
            after = resume
        parts = split_partition_key(key, count)
        if not table.clustering:
            if after:
                continue
            row_key = partition + ROW
            item = engine.row(table, row_key, merged=stamps)
            if item is not None:
                values = read(parts, item, (), now_s)
                if values is not None:
                    yield row_key, RowView(values, item if stamps else None, None, now_s)  # type: ignore[arg-type]
            continue
        yield from _partition(plan, context, partition, parts, after)


def _partition(
    plan: ReadPlan, context: Context, partition: bytes, parts: list[bytes], after: bytes
) -> Iterator[KeyedRow]:
    table = plan.table
    engine = context.state.engine
    now_s = context.statement_time_s
    stamps = plan.stamps
    static: Row | None = None
    statics: Sequence[bytes | None] = ()
    if table.has_statics:
        if engine.pending:
            engine.flush()
        static = engine.static_row(table, partition, engine.tombstones(table, partition))
        statics = plan.reader.statics(static, now_s)
    ranges = plan.restrictions.ranges(context)
    empty = not after
    last = after[len(partition) + 1 :]
    if after and after[len(partition)] == SECTION_STATIC:
        return
    for low, high in reversed(ranges) if plan.reverse else ranges:
        if after:
            if plan.reverse:
                if low >= last:
                    continue
                high = min(high, last) if high else last
            else:
                low = max(low, successor(last))
                if high and low >= high:
                    continue
        for row_key, item in engine.slice(table, partition, low, high, reverse=plan.reverse, merged=stamps):
            values = plan.reader.values(parts, item, statics, now_s)
            if values is not None:
                empty = False
                yield row_key, RowView(values, item if stamps else None, static, now_s)  # type: ignore[arg-type]
    if empty and static is not None and not plan.restrictions.has_rows and static.is_live(now_s):
        yield partition + STATIC_ROW, _static_only(plan, parts, statics, static, now_s)


def _static_alone(plan: ReadPlan, context: Context, partition: bytes, parts: list[bytes]) -> Iterator[KeyedRow]:
    """The static row of a partition that has no other row; it includes the partition key values."""
    keyed_row = next(_partition(plan, context, partition, parts, b""), None)
    if keyed_row is not None and keyed_row[0][len(partition)] == SECTION_STATIC:
        yield keyed_row


def _static_only(
    plan: ReadPlan, parts: list[bytes], statics: Sequence[bytes | None], static: Row, now_s: int
) -> RowView:
    values: list[bytes | None] = [None] * len(plan.table.columns)
    values[: len(parts)] = parts
    first = len(parts) + len(plan.table.clustering)
    values[first : first + len(statics)] = statics
    return RowView(values, None, static, now_s)


def _scan(plan: ReadPlan, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    table = plan.table
    low, high = plan.restrictions.token_range(context)
    if low > high:
        return
    start = token_prefix(table, low)
    end = successor(table.prefix) if high == MAX_TOKEN else token_prefix(table, high + 1)
    if resume:
        if resume[len(partition_of(resume))] == SECTION_STATIC:
            start = successor(partition_of(resume))
        else:
            start = max(start, successor(resume))
    now_s = context.statement_time_s
    stamps = plan.stamps
    read = plan.reader.values
    count = len(table.partition_key)
    if not table.scans_statics:
        for row_key, item in context.state.engine.scan(table, start, end, merged=stamps):
            size = 14 + ((row_key[12] << 8) | row_key[13])
            key = row_key[14:size]
            parts = [key] if count == 1 else split_partition_key(key, count)
            values = read(parts, item, (), now_s)
            if values is not None:
                yield row_key, RowView(values, item if stamps else None, None, now_s)  # type: ignore[arg-type]
        return
    yield from _scan_with_statics(plan, context, start, end, resume)


def _scan_with_statics(plan: ReadPlan, context: Context, start: bytes, end: bytes, resume: bytes) -> Iterator[KeyedRow]:
    table = plan.table
    engine = context.state.engine
    now_s = context.statement_time_s
    stamps = plan.stamps
    partition = b""
    parts: list[bytes] = []
    static: Row | None = None
    statics: Sequence[bytes | None] = ()
    seen_rows = True
    resumed = partition_of(resume) if resume else b""
    for row_key, item in engine.scan(table, start, end, merged=stamps):
        owner = partition_of(row_key)
        if owner != partition:
            if static is not None and not seen_rows and static.is_live(now_s):
                yield partition + STATIC_ROW, _static_only(plan, parts, statics, static, now_s)
            partition = owner
            parts = split_partition_key(owner[14:], len(table.partition_key))
            static = engine.static_row(table, owner, engine.tombstones(table, owner)) if owner == resumed else None
            statics = plan.reader.statics(static, now_s)
            seen_rows = owner == resumed
        if row_key[len(owner)] == SECTION_STATIC:
            static = item if isinstance(item, Row) else _static_row(engine_table=table, key=row_key, fragment=item)
            statics = plan.reader.statics(static, now_s)
            continue
        values = plan.reader.values(parts, item, statics, now_s)
        if values is not None:
            seen_rows = True
            yield row_key, RowView(values, item if stamps else None, static, now_s)  # type: ignore[arg-type]
    if static is not None and not seen_rows and static.is_live(now_s):
        yield partition + STATIC_ROW, _static_only(plan, parts, statics, static, now_s)


def _virtual(plan: ReadPlan, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    table = plan.table
    restrictions = plan.restrictions
    named = None
    if restrictions.key_is_whole:
        named = {partition_prefix(table, key) for key in restrictions.partition_keys(context)}
    ranges = restrictions.ranges(context)
    low, high = restrictions.token_range(context)
    bounds = (
        token_prefix(table, low),
        successor(table.prefix) if high == MAX_TOKEN else token_prefix(table, high + 1),
    )
    now_s = context.statement_time_s
    keyed_rows: list[KeyedRow] = []
    count = len(table.partition_key)
    for values in context.state.system_rows.rows(table, context.endpoint):
        key = compose_partition_key([value or b"" for value in values[:count]])
        partition = partition_prefix(table, key)
        if not bounds[0] <= partition < bounds[1] or (named is not None and partition not in named):
            continue
        order = clustering_key(table, [value or b"" for value in values[count : count + len(table.clustering)]])
        if not any(first <= order and (not last or order < last) for first, last in ranges):
            continue
        keyed_rows.append((partition + ROW + order, RowView(values, None, None, now_s)))
    keyed_rows.sort(key=lambda pair: pair[0])
    if plan.reverse:
        keyed_rows.reverse()
    for row_key, view in keyed_rows:
        if not resume or (row_key < resume if plan.reverse else row_key > resume):
            yield row_key, view


def _static_row(*, engine_table: Table, key: bytes, fragment: Item) -> Row:
    assert isinstance(fragment, bytes)
    return merge(engine_table, ((key + bytes(12), fragment),))
