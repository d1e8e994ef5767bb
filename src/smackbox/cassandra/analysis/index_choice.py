"""Which index answers a WHERE clause, and whether one is required."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from smackbox.cassandra.execution.index_reading import IndexChoice
from smackbox.cassandra.execution.restrictions import SLICES, Restriction, Restrictions
from smackbox.cassandra.state.columns import CLUSTERING
from smackbox.cassandra.state.index_target import IndexTarget
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import VectorType


def indexed(table: Table, column: str, operator: str, element: bool) -> bool:
    """Whether an index of the table serves that operator on the column, or on an element of it."""
    return any(_serves(target, column, operator, element) for target in table.index_targets)


def _serves(target: IndexTarget, column: str, operator: str, element: bool) -> bool:
    if target.column.name != column:
        return False
    if element:
        return target.part == "entries" and operator == "="
    if operator == "CONTAINS":
        return target.part == "values"
    if operator == "CONTAINS KEY":
        return target.part == "keys"
    if operator == "=":
        return target.part in {"", "full"}
    if target.analyse is not None:
        return False
    kind = target.column.type
    ranged = kind.fixed_length is not None or kind.cql in {"text", "ascii", "inet", "blob"}
    return target.is_sai and target.part == "" and operator in SLICES and ranged and kind.cql != "uuid"


def choose_index(table: Table, restrictions: Restrictions, targets: Sequence[IndexTarget]) -> IndexChoice | None:
    """An index for one of the filters; equality is preferred to a range."""
    choices: list[IndexChoice] = []
    for restriction in restrictions.filters:
        choices += [
            IndexChoice(table, restriction, target)
            for target in targets
            if _serves(target, restriction.column.name, restriction.operator, restriction.element is not None)
        ]
    return min(choices, key=lambda choice: choice.restriction.operator in SLICES, default=None)


def analysed_filters(restrictions: Restrictions, targets: Sequence[IndexTarget]) -> Restrictions:
    """The filters, with text comparisons as the columns' indexes make them. Raises `Invalid` for vectors."""
    analysed = {restriction: _analysed(restriction, targets) for restriction in restrictions.filters}
    filters = tuple(analysed.values())
    exempt = tuple(analysed[restriction] for restriction in restrictions.exempt)
    return replace(restrictions, filters=filters, exempt=exempt)


def _analysed(restriction: Restriction, targets: Sequence[IndexTarget]) -> Restriction:
    for target in targets:
        if not target.is_sai or target.column.name != restriction.column.name:
            continue
        if isinstance(target.column.type, VectorType):
            raise Invalid("Vector indexes only support ANN queries")
        if _serves(target, restriction.column.name, restriction.operator, restriction.element is not None):
            restriction = replace(restriction, analyse=target.analyse)
    return restriction


def filters_are_indexed(table: Table, restrictions: Restrictions, choice: IndexChoice | None) -> bool:
    """Whether no ALLOW FILTERING is needed: one index answers the query, or storage-attached indexes answer all
    of it.
    """
    answered = [] if choice is None else [choice.restriction]
    if choice is not None and choice.restriction.column.kind != CLUSTERING:
        answered += restrictions.exempt
    rest = [restriction for restriction in restrictions.filters if restriction not in answered]
    sai = [target for target in table.index_targets if target.is_sai]
    return all(
        any(
            _serves(target, restriction.column.name, restriction.operator, restriction.element is not None)
            for target in sai
        )
        for restriction in rest
    )
