"""SELECT from syntax to a plan. Checks, their order and messages are those of Cassandra's `SelectStatement`."""

from __future__ import annotations

from smackbox.cassandra.analysis.functions import MONOTONIC
from smackbox.cassandra.analysis.index_choice import analysed_filters, choose_index, filters_are_indexed, indexed
from smackbox.cassandra.analysis.restrictions import NEEDS_FILTERING, analyse
from smackbox.cassandra.analysis.selection import SelectionCompiler, compile_selection
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.analysis.vector_ordering import check_ordering, plan_ordering
from smackbox.cassandra.analysis.view_plan import plan_view
from smackbox.cassandra.execution.index_reading import IndexChoice
from smackbox.cassandra.execution.read_plan import ReadPlan
from smackbox.cassandra.execution.reading import RowReader
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.execution.results import ColumnSpec
from smackbox.cassandra.execution.select import SelectPlan
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.execution.vector_search import VectorOrder
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, STATIC, Column
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import INT

IN_AND_INDEX = "Select on indexed columns and with IN clause for the PRIMARY KEY are not supported"
FUNCTIONS_LAST = "Functions are only supported on the last element of the GROUP BY clause"


def plan_select(select: ast.Select, scope: Scope, *, masked: bool = False) -> SelectPlan:
    """Plan a SELECT. `masked` is for users who see masked columns through their masks.

    Raises `Invalid` for a statement that cannot be executed.
    """
    table = scope.table
    order = plan_ordering(select, scope)
    selection = compile_selection(select, scope, masked=masked)
    implied = select.allow_filtering or (table.virtual and scope.keyspace.virtual)
    by_index = bool(table.index_targets) and any(
        indexed(table, relation.columns[0], _operator(relation), relation.element is not None)
        for relation in select.where
        if not relation.token
    )
    restrictions = analyse(select.where, scope, filtering=implied or by_index or order is not None)
    if order is not None:
        check_ordering(order, restrictions)
    compiler = Compiler(scope)
    limit = _limit(compiler, select.limit, "[limit]")
    per_partition_limit = _limit(compiler, select.per_partition_limit, "[per_partition_limit]")
    group_by, group_term = _grouping(select, scope, restrictions)
    reverse = order is None and _is_reversed(select, table, restrictions)
    restrictions = analysed_filters(restrictions, table.index_targets)
    index = choose_index(table, restrictions, table.index_targets) if by_index else None
    _check_filtering(order, restrictions, index, by_index=by_index, implied=implied, has_order=bool(select.order_by))
    if select.distinct:
        _check_distinct(table, restrictions, selection.used, is_ann=order is not None)
        if select.per_partition_limit is not None:
            raise Invalid("PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
        if group_term is not None or any(table.columns[ordinal].kind == CLUSTERING for ordinal in group_by):
            raise Invalid("Grouping on clustering columns is not allowed for SELECT DISTINCT queries")
    if restrictions.has_rows and _selects_only_statics(select, table, selection.used):
        raise Invalid("Cannot restrict clustering columns when selecting only static columns")
    if per_partition_limit is not None and selection.aggregates and not select.group_by:
        raise Invalid("PER PARTITION LIMIT is not allowed with aggregate queries.")
    read = ReadPlan(
        table,
        restrictions,
        RowReader(table),
        index,
        stamps=selection.needs_stamps,
        reverse=reverse,
        sorts=order is None and bool(select.order_by) and restrictions.key_has_in,
        distinct=select.distinct,
        view=plan_view(scope, select.where, stamps=selection.needs_stamps) if table.is_view else None,
    )
    return SelectPlan(
        scope.keyspace,
        read,
        selection,
        tuple(ColumnSpec(table.keyspace, table.name, column.name, column.kind) for column in selection.columns),
        limit,
        per_partition_limit,
        group_by,
        group_term,
        bool(select.group_by),
        order,
        plan_select(select, scope, masked=True) if table.masks and not masked else None,
    )


def _operator(relation: ast.Relation) -> str:
    """IN with one value is the same as equality."""
    is_single = relation.operator == "IN" and isinstance(relation.value, tuple) and len(relation.value) == 1
    return "=" if is_single else relation.operator


def _limit(compiler: Compiler, value: ast.Expression | None, name: str) -> Term | None:
    return None if value is None else compiler.compile(value, INT, name)


def _check_filtering(
    order: VectorOrder | None,
    restrictions: Restrictions,
    index: IndexChoice | None,
    *,
    by_index: bool,
    implied: bool,
    has_order: bool,
) -> None:
    """Raises `Invalid` for a query that needs ALLOW FILTERING, or that an index cannot answer."""
    table = restrictions.table
    is_unindexed = order is not None and order.target is None
    answering = index if order is None else None  # besides the vector index, only storage-attached indexes answer
    if not implied and (is_unindexed or not filters_are_indexed(table, restrictions, answering)):
        raise Invalid(NEEDS_FILTERING)
    if order is not None and restrictions.key_has_in:
        raise Invalid(IN_AND_INDEX)
    if not by_index or not (restrictions.filters or not restrictions.key_is_whole):
        return
    if restrictions.key_has_in:
        raise Invalid(IN_AND_INDEX)
    if has_order and order is None:
        raise Invalid("ORDER BY with 2ndary indexes is not supported, except for ANN queries.")


def _grouping(select: ast.Select, scope: Scope, restrictions: Restrictions) -> tuple[tuple[int, ...], Term | None]:
    """The ordinals of the GROUP BY columns, and the function of the last of them, if any."""
    table = scope.table
    ordinals = []
    term: Term | None = None
    keys = [*table.partition_key, *table.clustering]
    position = 0
    for expression in select.group_by:
        if term is not None and isinstance(expression, ast.Column):
            raise Invalid(FUNCTIONS_LAST)
        if isinstance(expression, ast.Column):
            column = table.column(expression.name)
            ordinals.append(column.ordinal)
        else:
            column, term = _function_of_column(expression, scope)
        if column.kind not in {PARTITION_KEY, CLUSTERING}:
            raise Invalid(f"Group by is currently only supported on the columns of the PRIMARY KEY, got {column.name}")
        while (
            position < len(keys) and keys[position].name != column.name and restrictions.is_fixed(keys[position].name)
        ):
            position += 1
        if position >= len(keys) or keys[position].name != column.name:
            raise Invalid(
                "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"
            )
        position += 1
    if not all(isinstance(expression, ast.Column) for expression in select.group_by[:-1]):
        raise Invalid(FUNCTIONS_LAST)
    if select.group_by and position < len(table.partition_key):
        raise Invalid("Group by is not supported on only a part of the partition key")
    return tuple(ordinals), term


def _function_of_column(expression: ast.Expression, scope: Scope) -> tuple[Column, Term]:
    """The function that rows are grouped by, and its clustering column."""
    if not isinstance(expression, ast.Call):
        raise Invalid("GROUP BY is only supported on columns of the PRIMARY KEY")
    compiler = SelectionCompiler(scope)
    term = compiler.compile_any(expression)
    name = expression.name.lower()
    if compiler.aggregates:
        shown = "count_rows" if expression.star else name
        raise Invalid(f"Aggregate functions are not supported within the GROUP BY clause, got: system.{shown}")
    if len(compiler.used) != 1:
        raise Invalid("Group by functions are only supported on one clustering column")
    (ordinal,) = compiler.used
    column = scope.table.columns[ordinal]
    if column.kind != CLUSTERING:
        raise Invalid(f"Group by functions are only supported on clustering columns, got {column.name}")
    if name not in MONOTONIC:
        raise Invalid(f"Only monotonic functions are supported in the GROUP BY clause. Got: system.{name}")
    return column, term


def _is_reversed(select: ast.Select, table: Table, restrictions: Restrictions) -> bool:
    """Whether ORDER BY reverses the clustering order."""
    if not select.order_by:
        return False
    if not restrictions.key_is_whole:
        raise Invalid("ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
    directions = set()
    position = 0
    clustering = table.clustering
    # if a column is named twice, its last direction applies, at its first position
    order = {ordering.column: ordering.descending for ordering in select.order_by}
    for name, descending in order.items():
        column = table.column(name)
        if column.kind != CLUSTERING:
            raise Invalid(
                f"Order by is currently only supported on the clustered columns of the PRIMARY KEY, got {column.name}"
            )
        while (
            position < len(clustering)
            and clustering[position] != column
            and restrictions.is_fixed(clustering[position].name)
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


def _selects_only_statics(select: ast.Select, table: Table, used: frozenset[int]) -> bool:
    kinds = {table.columns[ordinal].kind for ordinal in used}
    return bool(select.selectors) and STATIC in kinds and kinds <= {STATIC, PARTITION_KEY}


def _check_distinct(table: Table, restrictions: Restrictions, used: frozenset[int], *, is_ann: bool) -> None:
    if is_ann or any(
        restriction.column.kind not in {PARTITION_KEY, STATIC}
        for restriction in (*restrictions.clustering, *restrictions.residual, *restrictions.filters)
    ):
        raise Invalid(
            "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns."
        )
    for ordinal in sorted(used):
        column = table.columns[ordinal]
        if column.kind not in {PARTITION_KEY, STATIC}:
            raise Invalid(
                "SELECT DISTINCT queries must only request partition key columns and/or static columns "
                f"(not {column.name})"
            )
    if restrictions.key_is_whole:
        return
    for key in table.partition_key:
        if key.ordinal not in used:
            raise Invalid(f"SELECT DISTINCT queries must request all the partition key columns (missing {key.name})")
