"""SELECT: prepared once, executed page by page."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from smackbox.cassandra.analysis.functions import MONOTONIC
from smackbox.cassandra.analysis.index_reading import analyse_filters, choose_index, filters_are_indexed, indexed
from smackbox.cassandra.analysis.masks import is_masked_for
from smackbox.cassandra.analysis.restrictions import NEEDS_FILTERING, analyse
from smackbox.cassandra.analysis.selection import Selection, SelectionCompiler, compile_selection
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.analysis.vector_search import VectorOrdering
from smackbox.cassandra.analysis.view_reading import ViewReader
from smackbox.cassandra.execution.consistency import check_read
from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.execution.paging import NO_LIMIT, Page, read_state
from smackbox.cassandra.execution.reading import RowReader
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.execution.results import ColumnSpec, Rows
from smackbox.cassandra.execution.row_view import KeyedRow, RowView
from smackbox.cassandra.execution.terms import Term
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
from smackbox.cassandra.state.schema import CLUSTERING, PARTITION_KEY, STATIC, Column, Table
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import INT

_INT = struct.Struct(">i")
_NULL = b"\xff\xff\xff\xff"
SORTED_ROWS_LIMIT = 1_000_000


IN_AND_INDEX = "Select on indexed columns and with IN clause for the PRIMARY KEY are not supported"
FUNCTIONS_LAST = "Functions are only supported on the last element of the GROUP BY clause"


class PreparedSelect:
    """A SELECT ready to run."""

    def __init__(self, select: ast.Select, scope: Scope, *, masked: bool = False) -> None:
        """`masked`: for those who see masked columns through their masks.

        Raises `Invalid` for a statement that cannot be executed.
        """
        table = scope.table
        self.table = table
        self.scope = scope
        self.distinct = select.distinct
        self._select = select
        self._is_masked = masked
        self._through_masks: PreparedSelect | None = None
        ann = any(ordering.ann_of is not None for ordering in select.order_by)
        self.ann = VectorOrdering(select, scope) if ann else None
        self.selection: Selection = compile_selection(select, scope, masked=masked)
        implied = select.allow_filtering or (table.virtual and scope.keyspace.virtual)
        by_index = bool(table.index_targets) and any(
            indexed(table, relation.columns[0], _operator(relation), relation.element is not None)
            for relation in select.where
            if not relation.token
        )
        self.restrictions: Restrictions = analyse(select.where, scope, filtering=implied or by_index or ann)
        if self.ann is not None:
            self.ann.check(self.restrictions)
        compiler = Compiler(scope)
        self.limit = self._limit(compiler, select.limit, "[limit]")
        self.per_partition_limit = self._limit(compiler, select.per_partition_limit, "[per_partition_limit]")
        self.group_term: Term | None = None
        self.group_by = self._group_columns(select)
        self.reverse = self.ann is None and self._reversed(select)
        self.sorts = self.ann is None and bool(select.order_by) and self.restrictions.key_has_in
        analyse_filters(self.restrictions, table.index_targets)
        self.index = choose_index(table, self.restrictions, table.index_targets) if by_index else None
        unindexed = self.ann is not None and self.ann.target is None
        answering = self.index if self.ann is None else None  # beside a vector's, only storage-attached ones answer
        if not implied and (unindexed or not filters_are_indexed(table, self.restrictions, answering)):
            raise Invalid(NEEDS_FILTERING)
        if self.ann is not None and self.restrictions.key_has_in:
            raise Invalid(IN_AND_INDEX)
        if by_index and (self.restrictions.filters or not self.restrictions.key_is_whole):
            self._check_index_use(select)
        if select.distinct:
            self._check_distinct()
            if select.per_partition_limit is not None:
                raise Invalid("PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
            if self.group_term or any(self.table.columns[ordinal].kind == CLUSTERING for ordinal in self.group_by):
                raise Invalid("Grouping on clustering columns is not allowed for SELECT DISTINCT queries")
        if self.restrictions.has_rows and self._selects_only_statics(select):
            raise Invalid("Cannot restrict clustering columns when selecting only static columns")
        if self.per_partition_limit is not None and (self.selection.aggregates and not select.group_by):
            raise Invalid("PER PARTITION LIMIT is not allowed with aggregate queries.")
        self.columns = [
            ColumnSpec(table.keyspace, table.name, column.name, column.kind) for column in self.selection.columns
        ]
        self.reader = RowReader(table)
        self.view = ViewReader(scope, select.where, stamps=self.selection.needs_stamps) if table.is_view else None
        self.is_grouped = bool(select.group_by)
        self.grouped = bool(self.selection.aggregates) or self.is_grouped

    # ---- preparing --------------------------------------------------------------------------------------------------

    def _check_index_use(self, select: ast.Select) -> None:
        if self.restrictions.key_has_in:
            raise Invalid(IN_AND_INDEX)
        if select.order_by and self.ann is None:
            raise Invalid("ORDER BY with 2ndary indexes is not supported, except for ANN queries.")

    def _limit(self, compiler: Compiler, value: ast.Expression | None, name: str) -> Term | None:
        return None if value is None else compiler.compile(value, INT, name)

    def _group_columns(self, select: ast.Select) -> tuple[int, ...]:
        ordinals = []
        keys = [*self.table.partition_key, *self.table.clustering]
        position = 0
        for expression in select.group_by:
            if self.group_term is not None and isinstance(expression, ast.Column):
                raise Invalid(FUNCTIONS_LAST)
            column = self._grouped_by(expression)
            if column.kind not in {PARTITION_KEY, CLUSTERING}:
                raise Invalid(
                    f"Group by is currently only supported on the columns of the PRIMARY KEY, got {column.name}"
                )
            while (
                position < len(keys)
                and keys[position].name != column.name
                and self.restrictions.is_fixed(keys[position].name)
            ):
                position += 1
            if position >= len(keys) or keys[position].name != column.name:
                raise Invalid(
                    "Group by currently only support groups of columns following their declared order in the "
                    "PRIMARY KEY"
                )
            position += 1
            if isinstance(expression, ast.Column):
                ordinals.append(column.ordinal)
        if not all(isinstance(expression, ast.Column) for expression in select.group_by[:-1]):
            raise Invalid(FUNCTIONS_LAST)
        if select.group_by and position < len(self.table.partition_key):
            raise Invalid("Group by is not supported on only a part of the partition key")
        return tuple(ordinals)

    def _grouped_by(self, expression: ast.Expression) -> Column:
        """The column by which, or by a function of which, rows are grouped. Sets `group_term` for a function."""
        if isinstance(expression, ast.Column):
            return self.table.column(expression.name)
        if not isinstance(expression, ast.Call):
            raise Invalid("GROUP BY is only supported on columns of the PRIMARY KEY")
        compiler = SelectionCompiler(self.scope)
        term = compiler.compile_any(expression)
        name = expression.name.lower()
        if compiler.aggregates:
            shown = "count_rows" if expression.star else name
            raise Invalid(f"Aggregate functions are not supported within the GROUP BY clause, got: system.{shown}")
        if len(compiler.used) != 1:
            raise Invalid("Group by functions are only supported on one clustering column")
        (ordinal,) = compiler.used
        column = self.table.columns[ordinal]
        if column.kind != CLUSTERING:
            raise Invalid(f"Group by functions are only supported on clustering columns, got {column.name}")
        if name not in MONOTONIC:
            raise Invalid(f"Only monotonic functions are supported in the GROUP BY clause. Got: system.{name}")
        self.group_term = term
        return column

    def _reversed(self, select: ast.Select) -> bool:
        if not select.order_by:
            return False
        if not self.restrictions.key_is_whole:
            raise Invalid("ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
        directions = set()
        position = 0
        clustering = self.table.clustering
        # of a column that is named twice the last direction holds, at its first place
        wanted = {ordering.column: ordering.descending for ordering in select.order_by}
        for name, descending in wanted.items():
            column = self.table.column(name)
            if column.kind != CLUSTERING:
                raise Invalid(
                    "Order by is currently only supported on the clustered columns of the PRIMARY KEY, "
                    f"got {column.name}"
                )
            while (
                position < len(clustering)
                and clustering[position] != column
                and self.restrictions.is_fixed(clustering[position].name)
            ):
                position += 1
            if position >= len(clustering) or clustering[position] != column:
                raise Invalid(
                    "Order by currently only supports the ordering of columns following their declared order in "
                    "the PRIMARY KEY"
                )
            position += 1
            directions.add(descending != column.descending)
        if len(directions) > 1:
            raise Invalid("Unsupported order by relation")
        return directions.pop()

    def _selects_only_statics(self, select: ast.Select) -> bool:
        kinds = {self.table.columns[ordinal].kind for ordinal in self.selection.used}
        return bool(select.selectors) and STATIC in kinds and kinds <= {STATIC, PARTITION_KEY}

    def _check_distinct(self) -> None:
        found = self.restrictions
        if self.ann is not None or any(
            restriction.column.kind not in {PARTITION_KEY, STATIC}
            for restriction in (*found.clustering, *found.residual, *found.filters)
        ):
            raise Invalid(
                "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns."
            )
        used = self.selection.used
        for ordinal in sorted(used):
            column = self.table.columns[ordinal]
            if column.kind not in {PARTITION_KEY, STATIC}:
                raise Invalid(
                    "SELECT DISTINCT queries must only request partition key columns and/or static columns "
                    f"(not {column.name})"
                )
        if found.key_is_whole:
            return
        for key in self.table.partition_key:
            if key.ordinal not in used:
                raise Invalid(
                    f"SELECT DISTINCT queries must request all the partition key columns (missing {key.name})"
                )

    # ---- executing --------------------------------------------------------------------------------------------------

    def execute(self, context: Context) -> Rows:
        if self.table.masks and not self._is_masked and is_masked_for(context, self.table):
            return self._masked().execute(context)
        if self.ann is not None:
            return self._nearest(self.ann, context)
        named = self.restrictions.key_is_whole
        check_read(context, self.scope.keyspace, (lambda: self._partitions_at_once(context)) if named else None)
        if self.grouped:
            self._warn_of_scan(context)
        limit = self._number(self.limit, context)
        per_partition = self._number(self.per_partition_limit, context)
        if self.sorts and context.page_size > 0:
            raise Invalid(
                "Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either "
                "remove the ORDER BY or the IN and sort client side, or disable paging for this query"
            )
        page = Page(limit, per_partition, b"") if not context.paging_state else read_state(context.paging_state)
        if self.grouped:
            return self._grouped(context, page, per_partition)
        return self._plain(context, page, per_partition)

    def _masked(self) -> PreparedSelect:
        """The same for those who see masked columns through their masks."""
        if self._through_masks is None:
            self._through_masks = PreparedSelect(self._select, self.scope, masked=True)
        return self._through_masks

    def masked_restricted(self) -> list[str]:
        """The masked columns that the WHERE asks for."""
        found = self.restrictions
        asked = [*found.partition.values(), *found.clustering, *found.residual, *found.filters]
        columns = {column for restriction in asked for column in restriction.columns}
        return sorted(column.name for column in columns if column.mask is not None)

    def _nearest(self, ann: VectorOrdering, context: Context) -> Rows:
        limit = self._number(self.limit, context)
        per_partition = self._number(self.per_partition_limit, context)
        ann.admit(context, limit, per_partition=per_partition, grouped=self.grouped, scope=self.scope)
        parts: list[bytes] = []
        found = ann.rows(context, self, limit)
        for _, view in found:
            append_row(parts, self.selection.project(context, view))
        return Rows(self.columns, len(found), b"".join(parts))

    def _partitions_at_once(self, context: Context) -> int:
        """How many partitions Cassandra reads together; one after another where it pages."""
        limit = self._number(self.limit, context)
        if self.grouped or 0 < context.page_size < limit:
            return 1
        return len(set(self.restrictions.partition_keys(context)))

    def _warn_of_scan(self, context: Context) -> None:
        """An aggregate of more than one partition reads them all."""
        restrictions = self.restrictions
        if not restrictions.partition and not restrictions.tokens:
            context.warnings.append("Aggregation query used without partition key")
        elif restrictions.key_has_in:
            context.warnings.append("Aggregation query used on multiple partition keys (IN restriction)")

    def _plain(self, context: Context, page: Page, per_partition: int) -> Rows:
        size = context.page_size if context.page_size > 0 else NO_LIMIT
        parts: list[bytes] = []
        ordinals = self.selection.ordinals
        pack = _INT.pack
        append = parts.append
        count = 0
        limit = page.left
        partition_left = page.left_in_partition
        partition = partition_of(page.key) if page.key else b""
        limited = per_partition != NO_LIMIT
        for key, view in self._found(context, page.key):
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
                append_row(parts, self.selection.project(context, view))
            count += 1
            partition_left -= 1
            if count >= limit:
                break
            if count >= size:
                if not self._may_go_on(context, key, partition_left if limited else NO_LIMIT):
                    break
                left = limit if limit == NO_LIMIT else limit - count
                state = Page(left, partition_left if limited else NO_LIMIT, key).state()
                return Rows(self.columns, count, b"".join(parts), state)
        return Rows(self.columns, count, b"".join(parts))

    def _may_go_on(self, context: Context, key: bytes, partition_left: int) -> bool:
        """Whether there may be rows after the last one of a full page. Like Cassandra, it does not look at rows."""
        if not self.restrictions.key_is_whole:
            return True
        partition = partition_of(key)
        is_alone = not self.table.clustering or key[len(partition)] == SECTION_STATIC
        if not is_alone and not self.distinct and partition_left > 0:
            return True
        return partition != partition_prefix(self.table, self.restrictions.partition_keys(context)[-1])

    def _grouped(self, context: Context, page: Page, per_partition: int) -> Rows:
        selection = self.selection
        paged = context.page_size > 0 and self.is_grouped and not self.distinct
        by_term = self.group_term
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
        for key, view in self._found(context, page.key):
            this: tuple[Bound, ...] = tuple(view.values[ordinal] for ordinal in self.group_by)
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
                        return Rows(self.columns, count, b"".join(parts))
                    if count >= size:
                        return self._grouped_page(context, parts, count, limit, last_key, per_partition - in_partition)
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
        if first is None and not self.is_grouped:
            first = RowView([None] * len(self.table.columns), None, None, context.statement_time_s)
        if first is not None and count < limit:
            first.aggregates = [accumulator.result() for accumulator in accumulators]
            append_row(parts, selection.project(context, first))
            count += 1
            if size <= count < limit:
                return self._grouped_page(context, parts, count, limit, last_key, per_partition - in_partition - 1)
        return Rows(self.columns, count, b"".join(parts))

    def _grouped_page(
        self, context: Context, parts: list[bytes], count: int, limit: int, key: bytes, left_in_partition: int
    ) -> Rows:
        """A full page of groups, of which `key` is the last row's."""
        state = None
        if self._may_go_on(context, key, left_in_partition):
            state = Page(limit if limit == NO_LIMIT else limit - count, left_in_partition, key).state()
        return Rows(self.columns, count, b"".join(parts), state)

    def _number(self, term: Term | None, context: Context) -> int:
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

    def rows(self, context: Context) -> Iterator[KeyedRow]:
        """All rows that the WHERE asks for."""
        return self._found(context, b"")

    def _found(self, context: Context, resume: bytes) -> Iterator[KeyedRow]:
        """The rows that the WHERE asks for, after the one whose key is `resume`."""
        found = self._candidates(context, resume)
        if self.restrictions.filters or self.restrictions.residual:
            predicates = self.restrictions.predicates(context)
            found = (pair for pair in found if all(matches(pair[1]) for matches in predicates))
        if self.distinct:
            found = _first_of_partitions(found, partition_of(resume) if resume else b"")
        if self.sorts:
            return iter(self._sorted(found))
        return found

    def _sorted(self, found: Iterator[KeyedRow]) -> list[KeyedRow]:
        rows = list(found)
        if len(rows) > SORTED_ROWS_LIMIT:
            raise Invalid(f"a query with ORDER BY and IN may sort {SORTED_ROWS_LIMIT} rows at most")
        rows.sort(key=lambda pair: pair[0][len(partition_of(pair[0])) :], reverse=self.reverse)
        return rows

    def _candidates(self, context: Context, resume: bytes) -> Iterator[KeyedRow]:
        if self.table.virtual:
            return self._virtual(context, resume)
        if self.view is not None:
            return self.view.found(context, self.restrictions, resume, reverse=self.reverse)
        if self.restrictions.key_is_whole:
            return self._partitions(context, resume)
        if self.index is not None:
            return self._indexed(context, resume)
        return self._scan(context, resume)

    def _indexed(self, context: Context, resume: bytes) -> Iterator[KeyedRow]:
        """The rows that the index has under the value asked for, those that still have it."""
        assert self.index is not None
        table = self.table
        engine = context.room.engine
        now_s = context.statement_time_s
        stamps = self.selection.needs_stamps
        first, last = self.restrictions.token_range(context)
        low = token_prefix(table, first)
        high = successor(table.prefix) if last == MAX_TOKEN else token_prefix(table, last + 1)
        statics_of = b""
        static: Row | None = None
        statics: Sequence[bytes | None] = ()
        matches = self.index.predicate(context)
        for entry, row_key in self.index.row_keys(context):
            if not low <= row_key < high:
                continue
            owner = partition_of(row_key)
            of_static = row_key[len(owner)] == SECTION_STATIC
            parts = split_partition_key(owner[14:], len(table.partition_key))
            if of_static and self.index.restriction.column.kind == STATIC:
                if owner >= partition_of(resume or owner):
                    yield from self._partition(context, owner, parts, resume if resume.startswith(owner) else b"")
                continue
            if resume and (row_key <= resume or resume == owner + STATIC_ROW):
                continue
            if of_static:
                yield from self._static_alone(context, owner, parts)
                continue
            if table.has_statics and owner != statics_of:
                statics_of = owner
                static = engine.static_row(table, owner, engine.tombstones(table, owner))
                statics = self.reader.statics(static, now_s)
            item = engine.row(table, row_key, merged=stamps)
            values = self.reader.values(parts, item, statics, now_s) if item is not None else None
            view = None if values is None else RowView(values, item if stamps else None, static, now_s)  # type: ignore[arg-type]
            if view is None or not matches(view):
                engine.forget(entry)
                continue
            yield row_key, view

    def _partitions(self, context: Context, resume: bytes) -> Iterator[KeyedRow]:
        table = self.table
        engine = context.room.engine
        now_s = context.statement_time_s
        stamps = self.selection.needs_stamps
        waiting = partition_of(resume) if resume else b""
        read = self.reader.values
        count = len(table.partition_key)
        for key in self.restrictions.partition_keys(context):
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
            yield from self._partition(context, partition, parts, after)

    def _partition(self, context: Context, partition: bytes, parts: list[bytes], after: bytes) -> Iterator[KeyedRow]:
        table = self.table
        engine = context.room.engine
        now_s = context.statement_time_s
        stamps = self.selection.needs_stamps
        static: Row | None = None
        statics: Sequence[bytes | None] = ()
        if table.has_statics:
            if engine.pending:
                engine.flush()
            static = engine.static_row(table, partition, engine.tombstones(table, partition))
            statics = self.reader.statics(static, now_s)
        ranges = self.restrictions.ranges(context)
        empty = not after
        last = after[len(partition) + 1 :]
        if after and after[len(partition)] == SECTION_STATIC:
            return
        for low, high in reversed(ranges) if self.reverse else ranges:
            if after:
                if self.reverse:
                    if low >= last:
                        continue
                    high = min(high, last) if high else last
                else:
                    low = max(low, successor(last))
                    if high and low >= high:
                        continue
            for row_key, item in engine.slice(table, partition, low, high, reverse=self.reverse, merged=stamps):
                values = self.reader.values(parts, item, statics, now_s)
                if values is not None:
                    empty = False
                    yield row_key, RowView(values, item if stamps else None, static, now_s)  # type: ignore[arg-type]
        if empty and static is not None and not self.restrictions.has_rows and static.is_live(now_s):
            yield partition + STATIC_ROW, self._static_only(parts, statics, static, now_s)

    def _static_alone(self, context: Context, partition: bytes, parts: list[bytes]) -> Iterator[KeyedRow]:
        """The static row of a partition that has no other: it has the values of the partition key too."""
        found = next(self._partition(context, partition, parts, b""), None)
        if found is not None and found[0][len(partition)] == SECTION_STATIC:
            yield found

    def _static_only(self, parts: list[bytes], statics: Sequence[bytes | None], static: Row, now_s: int) -> RowView:
        values: list[bytes | None] = [None] * len(self.table.columns)
        values[: len(parts)] = parts
        first = len(parts) + len(self.table.clustering)
        values[first : first + len(statics)] = statics
        return RowView(values, None, static, now_s)

    def _scan(self, context: Context, resume: bytes) -> Iterator[KeyedRow]:
        table = self.table
        low, high = self.restrictions.token_range(context)
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
        stamps = self.selection.needs_stamps
        read = self.reader.values
        count = len(table.partition_key)
        if not table.scans_statics:
            for row_key, item in context.room.engine.scan(table, start, end, merged=stamps):
                size = 14 + ((row_key[12] << 8) | row_key[13])
                key = row_key[14:size]
                parts = [key] if count == 1 else split_partition_key(key, count)
                values = read(parts, item, (), now_s)
                if values is not None:
                    yield row_key, RowView(values, item if stamps else None, None, now_s)  # type: ignore[arg-type]
            return
        yield from self._scan_with_statics(context, start, end, resume)

    def _scan_with_statics(self, context: Context, start: bytes, end: bytes, resume: bytes) -> Iterator[KeyedRow]:
        table = self.table
        engine = context.room.engine
        now_s = context.statement_time_s
        stamps = self.selection.needs_stamps
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
                    yield partition + STATIC_ROW, self._static_only(parts, statics, static, now_s)
                partition = owner
                parts = split_partition_key(owner[14:], len(table.partition_key))
                static = engine.static_row(table, owner, engine.tombstones(table, owner)) if owner == resumed else None
                statics = self.reader.statics(static, now_s)
                seen_rows = owner == resumed
            if row_key[len(owner)] == SECTION_STATIC:
                static = item if isinstance(item, Row) else _static_row(engine_table=table, key=row_key, fragment=item)
                statics = self.reader.statics(static, now_s)
                continue
            values = self.reader.values(parts, item, statics, now_s)
            if values is not None:
                seen_rows = True
                yield row_key, RowView(values, item if stamps else None, static, now_s)  # type: ignore[arg-type]
        if static is not None and not seen_rows and static.is_live(now_s):
            yield partition + STATIC_ROW, self._static_only(parts, statics, static, now_s)

    def _virtual(self, context: Context, resume: bytes) -> Iterator[KeyedRow]:
        table = self.table
        restrictions = self.restrictions
        wanted = None
        if restrictions.key_is_whole:
            wanted = {partition_prefix(table, key) for key in restrictions.partition_keys(context)}
        ranges = restrictions.ranges(context)
        low, high = restrictions.token_range(context)
        bounds = (
            token_prefix(table, low),
            successor(table.prefix) if high == MAX_TOKEN else token_prefix(table, high + 1),
        )
        now_s = context.statement_time_s
        found: list[KeyedRow] = []
        count = len(table.partition_key)
        for values in context.room.system_rows.rows(table, context.endpoint):
            key = compose_partition_key([value or b"" for value in values[:count]])
            partition = partition_prefix(table, key)
            if not bounds[0] <= partition < bounds[1] or (wanted is not None and partition not in wanted):
                continue
            order = clustering_key(table, [value or b"" for value in values[count : count + len(table.clustering)]])
            if not any(first <= order and (not last or order < last) for first, last in ranges):
                continue
            found.append((partition + ROW + order, RowView(values, None, None, now_s)))
        found.sort(key=lambda pair: pair[0])
        if self.reverse:
            found.reverse()
        for row_key, view in found:
            if not resume or (row_key < resume if self.reverse else row_key > resume):
                yield row_key, view


def _static_row(*, engine_table: Table, key: bytes, fragment: Item) -> Row:
    assert isinstance(fragment, bytes)
    return merge(engine_table, ((key + bytes(12), fragment),))


def _first_of_partitions(found: Iterator[KeyedRow], partition: bytes) -> Iterator[KeyedRow]:
    for key, view in found:
        owner = partition_of(key)
        if owner != partition:
            partition = owner
            yield key, view


def _operator(relation: ast.Relation) -> str:
    """IN of one value is the same as equality."""
    is_one = relation.operator == "IN" and isinstance(relation.value, tuple) and len(relation.value) == 1
    return "=" if is_one else relation.operator


def append_row(parts: list[bytes], values: Sequence[bytes | None]) -> None:
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_INT.pack(len(value)))
            parts.append(value)
