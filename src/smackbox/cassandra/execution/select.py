"""Executes a SELECT: page by page, row by row or group by group."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from smackbox.cassandra.execution.access_paths import stored_rows
from smackbox.cassandra.execution.column_masks import is_masked_for
from smackbox.cassandra.execution.consistency import check_read
from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.execution.paging import NO_LIMIT, Page, read_state
from smackbox.cassandra.execution.read_plan import ReadPlan
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.execution.results import ColumnSpec, Rows, append_row
from smackbox.cassandra.execution.row_view import KeyedRow, RowView
from smackbox.cassandra.execution.selection import Selection
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.execution.vector_search import VectorOrder
from smackbox.cassandra.execution.view_reading import view_rows
from smackbox.cassandra.state.keys import SECTION_STATIC, partition_of, partition_prefix
from smackbox.cassandra.state.schema import Keyspace, Table
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import INT

_INT = struct.Struct(">i")
_NULL = b"\xff\xff\xff\xff"
SORTED_ROWS_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class SelectPlan:
    """A SELECT ready to run.

    Rows are grouped by the columns `group_by` and by `group_term`; `is_grouped` is set if there is a GROUP BY; without
    one an aggregate has one group. `order` is an ANN ordering. `masked` is the same SELECT for users who see masked
    columns through their masks.
    """

    keyspace: Keyspace
    read: ReadPlan
    selection: Selection
    columns: tuple[ColumnSpec, ...]
    limit: Term | None
    per_partition_limit: Term | None
    group_by: tuple[int, ...]
    group_term: Term | None
    is_grouped: bool
    order: VectorOrder | None
    masked: SelectPlan | None

    @property
    def table(self) -> Table:
        """The table to read."""
        return self.read.table

    @property
    def restrictions(self) -> Restrictions:
        """The WHERE clause."""
        return self.read.restrictions

    @property
    def is_aggregated(self) -> bool:
        """Whether rows of the answer represent groups of the table's rows."""
        return self.is_grouped or bool(self.selection.aggregates)

    def masked_restricted(self) -> list[str]:
        """The masked columns in the WHERE clause."""
        restrictions = self.restrictions
        relations = (
            *restrictions.partition.values(),
            *restrictions.clustering,
            *restrictions.residual,
            *restrictions.filters,
        )
        columns = {column for restriction in relations for column in restriction.columns}
        return sorted(column.name for column in columns if column.mask is not None)


def execute_select(plan: SelectPlan, context: Context) -> Rows:
    """Execute a SELECT. Raises `Invalid` and `Unavailable`."""
    if plan.masked is not None and is_masked_for(context, plan.table):
        return execute_select(plan.masked, context)
    if plan.order is not None:
        return _nearest(plan, plan.order, context)
    is_named = plan.restrictions.key_is_whole
    check_read(context, plan.keyspace, (lambda: _partitions_at_once(plan, context)) if is_named else None)
    if plan.is_aggregated:
        _warn_of_scan(plan.restrictions, context)
    limit = _number(plan.limit, context)
    per_partition = _number(plan.per_partition_limit, context)
    if plan.read.sorts and context.page_size > 0:
        raise Invalid(
            "Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either "
            "remove the ORDER BY or the IN and sort client side, or disable paging for this query"
        )
    page = read_state(context.paging_state) if context.paging_state else Page(limit, per_partition, b"")
    if plan.is_aggregated:
        return _grouped(plan, context, page, per_partition)
    return _plain(plan, context, page, per_partition)


def rows(plan: ReadPlan, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    """The rows that the WHERE clause selects, after the one whose key is `resume`."""
    view = plan.view
    keyed_rows = stored_rows(plan, context, resume) if view is None else view_rows(plan, view, context, resume)
    if plan.distinct:
        keyed_rows = _first_of_partitions(keyed_rows, partition_of(resume) if resume else b"")
    return iter(_sorted(plan, keyed_rows)) if plan.sorts else keyed_rows


def _sorted(plan: ReadPlan, keyed_rows: Iterator[KeyedRow]) -> list[KeyedRow]:
    in_memory = list(keyed_rows)
    if len(in_memory) > SORTED_ROWS_LIMIT:
        raise Invalid(f"a query with ORDER BY and IN may sort {SORTED_ROWS_LIMIT} rows at most")
    in_memory.sort(key=lambda pair: pair[0][len(partition_of(pair[0])) :], reverse=plan.reverse)
    return in_memory


def _first_of_partitions(keyed_rows: Iterator[KeyedRow], partition: bytes) -> Iterator[KeyedRow]:
    for key, view in keyed_rows:
        owner = partition_of(key)
        if owner != partition:
            partition = owner
            yield key, view


def _nearest(plan: SelectPlan, order: VectorOrder, context: Context) -> Rows:
    limit = _number(plan.limit, context)
    per_partition = _number(plan.per_partition_limit, context)
    order.admit(context, limit, per_partition=per_partition, grouped=plan.is_aggregated, keyspace=plan.keyspace)
    parts: list[bytes] = []
    nearest = order.rows(context, plan.read, lambda: rows(plan.read, context, b""), limit)
    for _, view in nearest:
        append_row(parts, plan.selection.project(context, view))
    return Rows(plan.columns, len(nearest), b"".join(parts))


def _partitions_at_once(plan: SelectPlan, context: Context) -> int:
    """How many partitions Cassandra reads together; when it pages, one after another."""
    limit = _number(plan.limit, context)
    if plan.is_aggregated or 0 < context.page_size < limit:
        return 1
    return len(set(plan.restrictions.partition_keys(context)))


def _warn_of_scan(restrictions: Restrictions, context: Context) -> None:
    """Warn about an aggregate over more than one partition, which reads them all."""
    if not restrictions.partition and not restrictions.tokens:
        context.warnings.append("Aggregation query used without partition key")
    elif restrictions.key_has_in:
        context.warnings.append("Aggregation query used on multiple partition keys (IN restriction)")


def _plain(plan: SelectPlan, context: Context, page: Page, per_partition: int) -> Rows:
    size = context.page_size if context.page_size > 0 else NO_LIMIT
    parts: list[bytes] = []
    ordinals = plan.selection.ordinals
    pack = _INT.pack
    append = parts.append
    count = 0
    limit = page.left
    partition_left = page.left_in_partition
    partition = partition_of(page.key) if page.key else b""
    limited = per_partition != NO_LIMIT
    for key, view in rows(plan.read, context, page.key):
        if limited:
            owner = partition_of(key)
            if owner != partition:
                partition = owner
                partition_left = per_partition
            if partition_left <= 0:
                continue
        if ordinals is not None:
            values = view.values
            for ordinal in ordinals:
                value = values[ordinal]
                if value is None:
                    append(_NULL)
                else:
                    append(pack(len(value)))
                    append(value)
        else:
            append_row(parts, plan.selection.project(context, view))
        count += 1
        partition_left -= 1
        if count >= limit:
            break
        if count >= size:
            if not _may_go_on(plan, context, key, partition_left if limited else NO_LIMIT):
                break
            left = limit if limit == NO_LIMIT else limit - count
            state = Page(left, partition_left if limited else NO_LIMIT, key).state()
            return Rows(plan.columns, count, b"".join(parts), state)
    return Rows(plan.columns, count, b"".join(parts))


def _may_go_on(plan: SelectPlan, context: Context, key: bytes, partition_left: int) -> bool:
    """Whether rows may follow the last one of a full page. Like Cassandra, it does not look for them."""
    if not plan.read.restrictions.key_is_whole:
        return True
    partition = partition_of(key)
    is_alone = not plan.read.table.clustering or key[len(partition)] == SECTION_STATIC
    if not is_alone and not plan.read.distinct and partition_left > 0:
        return True
    return partition != partition_prefix(plan.read.table, plan.read.restrictions.partition_keys(context)[-1])


def _grouped(plan: SelectPlan, context: Context, page: Page, per_partition: int) -> Rows:
    selection = plan.selection
    paged = context.page_size > 0 and plan.is_grouped and not plan.read.distinct
    by_term = plan.group_term
    size = context.page_size if paged else NO_LIMIT
    limit = page.left
    parts: list[bytes] = []
    count = 0
    in_partition = per_partition - page.left_in_partition
    partition = partition_of(page.key) if page.key else b""
    group: tuple[Bound, ...] | None = None
    first: RowView | None = None
    last_key = page.key
    accumulators = selection.accumulators()
    for key, view in rows(plan.read, context, page.key):
        this: tuple[Bound, ...] = tuple(view.values[ordinal] for ordinal in plan.group_by)
        if by_term is not None:
            this += (partition_of(key), by_term.evaluate(context, view))
        if first is None or this != group:
            if first is not None:
                first.aggregates = [accumulator.result() for accumulator in accumulators]
                append_row(parts, selection.project(context, first))
                first = None
                count += 1
                in_partition += 1
                if count >= limit:
                    return Rows(plan.columns, count, b"".join(parts))
                if count >= size:
                    return _grouped_page(plan, context, parts, count, limit, last_key, per_partition - in_partition)
            owner = partition_of(key)
            if owner != partition:
                partition = owner
                in_partition = 0
            if in_partition >= per_partition:
                last_key = key
                continue
            group = this
            first = view
            accumulators = selection.accumulators()
        selection.add(accumulators, context, view)
        last_key = key
    if first is None and not plan.is_grouped:
        first = RowView([None] * len(plan.read.table.columns), None, None, context.statement_time_s)
    if first is not None and count < limit:
        first.aggregates = [accumulator.result() for accumulator in accumulators]
        append_row(parts, selection.project(context, first))
        count += 1
        if size <= count < limit:
            return _grouped_page(plan, context, parts, count, limit, last_key, per_partition - in_partition - 1)
    return Rows(plan.columns, count, b"".join(parts))


def _grouped_page(
    plan: SelectPlan, context: Context, parts: list[bytes], count: int, limit: int, key: bytes, left_in_partition: int
) -> Rows:
    """A full page of groups; `key` is the key of the last row."""
    state = None
    if _may_go_on(plan, context, key, left_in_partition):
        state = Page(limit if limit == NO_LIMIT else limit - count, left_in_partition, key).state()
    return Rows(plan.columns, count, b"".join(parts), state)


def _number(term: Term | None, context: Context) -> int:
    """The value of a limit. Raises `Invalid`."""
    if term is None:
        return NO_LIMIT
    value = term.evaluate(context, None)
    if value is UNSET:
        return NO_LIMIT
    if value is None:
        raise Invalid("Invalid null value of limit")
    number = INT.decode(value)  # type: ignore[arg-type]
    if number is None or number <= 0:
        raise Invalid("LIMIT must be strictly positive")
    return int(number)
