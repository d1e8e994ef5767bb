"""How the rows of a materialized view are found in its base table, for one statement."""

from __future__ import annotations

from collections.abc import Sequence

from smackbox.cassandra.analysis.index_choice import analysed_filters, choose_index
from smackbox.cassandra.analysis.restrictions import analyse
from smackbox.cassandra.analysis.terms import Scope
from smackbox.cassandra.execution.read_plan import ReadPlan, ViewPlan
from smackbox.cassandra.execution.reading import RowReader
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.parser import parse

NOT_NULL = "IS NOT NULL"


def where_of(view: Table) -> tuple[ast.Relation, ...]:
    """The relations in a view's definition."""
    parsed, _ = parse(f"SELECT * FROM base WHERE {view.record.where_clause}")  # noqa: S608 - read, not executed
    assert isinstance(parsed, ast.Select)
    return parsed.where


def plan_view(scope: Scope, where: Sequence[ast.Relation], *, stamps: bool) -> ViewPlan:
    """`where` is the statement's WHERE clause on the view; `stamps` requests the rows' timestamps.

    Equality relations on the view's key are applied to the base table too.
    """
    view = scope.table
    assert view.base_table is not None
    base = scope.keyspace.tables[view.base_table]
    relations = [relation for relation in where_of(view) if relation.operator != NOT_NULL]
    restricted = {name for relation in relations for name in relation.columns}
    keys = {column.name for column in (*view.partition_key, *view.clustering)}
    for relation in where:
        name = relation.columns[0]
        plain = not (relation.token or relation.multi) and relation.element is None
        if relation.operator == "=" and plain and name in keys and name not in restricted:
            relations.append(relation)
    # markers are declared by the statement itself
    own_scope = Scope(scope.keyspace, base, len(scope.binds), scope.functions)
    restrictions = analysed_filters(analyse(relations, own_scope, filtering=True), base.index_targets)
    index = choose_index(base, restrictions, base.index_targets) if base.index_targets else None
    if index is None:
        index = choose_index(base, restrictions, base.view_targets)
    ordinals = tuple(base.column(column.name).ordinal for column in view.columns)
    return ViewPlan(ReadPlan(base, restrictions, RowReader(base), index, stamps=stamps), ordinals, len(keys))
