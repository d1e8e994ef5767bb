"""ORDER BY … ANN OF: the checks at PREPARE."""

from __future__ import annotations

from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.execution.restrictions import Restriction, Restrictions
from smackbox.cassandra.execution.vector_search import VectorOrder
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY
from smackbox.cassandra.state.index_target import is_vector_index
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import FLOAT, VectorType

RESTRICTED = "ANN ordering by vector requires all restricted column(s) to be indexed"


def plan_ordering(select: ast.Select, scope: Scope) -> VectorOrder | None:
    """The ANN ordering, or None. Raises `Invalid` for one that Cassandra rejects."""
    if all(ordering.ann_of is None for ordering in select.order_by):
        return None
    compiler = Compiler(scope)
    columns = [scope.table.column(ordering.column) for ordering in select.order_by]
    terms = [
        compiler.compile(ordering.ann_of, column.type, column.name)
        for ordering, column in zip(select.order_by, columns, strict=True)
        if ordering.ann_of is not None
    ]
    if len(terms) > 1:
        raise Invalid("Cannot specify more than one ANN ordering")
    if len(select.order_by) > 1:
        raise Invalid("ANN ordering does not support any other ordering")
    if select.order_by[0].descending:
        raise Invalid("Descending ANN ordering is not supported")
    (column,), (term,) = columns, terms
    targets = (target for target in scope.table.index_targets if target.column.name == column.name)
    return VectorOrder(scope.table, column, term, next(filter(is_vector_index, targets), None))


def check_ordering(order: VectorOrder, restrictions: Restrictions) -> None:
    """Raises `Invalid` for a column that cannot be searched, or a WHERE clause that no index answers."""
    kind = order.column.type
    for restriction in restrictions.filters:
        if restriction.column.name == order.column.name:
            raise Invalid(_twice(restriction))
    if not isinstance(kind, VectorType) or kind.element != FLOAT:
        raise Invalid("ANN ordering is only supported on float vector indexes")
    names = {target.column.name for target in order.table.index_targets}
    if order.column.name not in names:
        raise Invalid("ANN ordering by vector requires the column to be indexed")
    filters = [*restrictions.filters, *restrictions.residual]
    if any(column.kind == PARTITION_KEY for each in filters for column in each.columns):
        raise Invalid(RESTRICTED)
    bare = [
        column for each in (*filters, *restrictions.clustering) for column in each.columns
        if column.name not in names
    ]  # fmt: skip
    if not bare:
        return
    only_clustering = all(column.kind == CLUSTERING for column in bare)
    sliced = not any(column.kind == CLUSTERING for each in filters for column in each.columns)
    if not (only_clustering and sliced and restrictions.key_is_whole):
        raise Invalid(RESTRICTED)


def _twice(restriction: Restriction) -> str:
    name = restriction.column.name
    if restriction.operator in {"=", "IN"}:
        return f"{name} cannot be restricted by more than one relation if it includes an Equal"
    return f'Column "{name}" cannot be restricted by both an equality and an inequality relation'
