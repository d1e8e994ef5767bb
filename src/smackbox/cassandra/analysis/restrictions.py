"""Analysis of a WHERE clause: the partitions, their slices, and the remaining filters.

A slice of a partition is a range of clustering keys as bytes, see `state.keys`. Rules and messages are those of
Cassandra's `StatementRestrictions`.
"""

from __future__ import annotations

from collections.abc import Sequence

from smackbox.cassandra.analysis.duration_rules import holder_of_durations
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.execution.restrictions import SLICES, Restriction, Restrictions
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, Column
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import show
from smackbox.cassandra.wire.errors import Invalid, SyntaxFault
from smackbox.cassandra.wire.types import (
    BIGINT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
)

NEEDS_FILTERING = (
    "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. "
    "If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"
)


class _Draft:
    """A WHERE clause under analysis."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.partition: dict[str, Restriction] = {}
        self.tokens: list[Restriction] = []
        self.clustering: list[Restriction] = []
        self.filters: list[Restriction] = []
        self.exempt: list[Restriction] = []
        self.residual: list[Restriction] = []
        self.other: list[Restriction] = []
        self.key_is_whole = False
        self.key_has_in = False
        self.clustering_is_whole = False

    def finished(self) -> Restrictions:
        return Restrictions(
            self.table,
            self.partition,
            tuple(self.clustering),
            self.key_is_whole,
            self.clustering_is_whole,
            self.key_has_in,
            tuple(self.tokens),
            tuple(self.filters),
            tuple(self.exempt),
            tuple(self.residual),
        )


def analyse(
    relations: Sequence[ast.Relation], scope: Scope, *, filtering: bool = False, kind: str = "SELECT"
) -> Restrictions:
    """Analyse a WHERE clause. `kind` is SELECT, INSERT, UPDATE or DELETE.

    Raises `Invalid` for combinations that cannot be executed, or only with ALLOW FILTERING.
    """
    table = scope.table
    compiler = Compiler(scope)
    result = _Draft(table)
    per_column: dict[str, list[Restriction]] = {}
    for relation in relations:
        if relation.token:
            _token(result, relation, compiler)
            continue
        restriction = _compile(relation, compiler)
        if relation.multi:
            _check_multi(restriction, relation)
        for column in restriction.columns:
            earlier = per_column.setdefault(column.name, [])
            _check_together(earlier, restriction, column)
            earlier.append(restriction)
        if restriction.column.kind == PARTITION_KEY:
            _partition(result, restriction)
        elif restriction.column.kind == CLUSTERING:
            result.clustering.append(restriction)
        else:
            result.other.append(restriction)
    _settle_partition(result, filtering=filtering, kind=kind)
    _settle_clustering(result, filtering=filtering, kind=kind)
    result.filters.extend(result.other)
    return result.finished()


# ---- compilation of a relation
# -------------------------------------------------------------------------------------------


def _compile(relation: ast.Relation, compiler: Compiler) -> Restriction:
    table = compiler.scope.table
    columns = tuple(table.column(name) for name in relation.columns)
    operator = relation.operator
    if operator == "IS NOT NULL":
        raise Invalid(f"Unsupported restriction: {columns[0].name} IS NOT NULL")
    if operator == "LIKE":
        raise Invalid(
            "LIKE restriction is only supported on properly indexed columns. "
            f"{columns[0].name} LIKE {_right(relation)} is not valid."
        )
    if operator == "!=" and relation.element is None:
        raise Invalid(f'Unsupported "!=" relation: {columns[0].name} != {_right(relation)}')
    if operator.startswith("NOT "):
        raise Invalid(f"Unsupported restriction: {columns[0].name} {operator}")
    if relation.multi:
        _check_tuples(relation, columns)
        return (_compile_multi if len(columns) > 1 else _compile_single)(relation, columns, compiler)
    column = columns[0]
    kind = column.type
    element = None
    holder = holder_of_durations(kind, "duration columns") if operator in SLICES else None
    if holder is not None:
        raise Invalid(f"Slice restrictions are not supported on {holder}")
    if relation.element is not None:
        if isinstance(kind, ListType):
            raise Invalid(f"Indexes on list entries ({column.name}[index] = value) are not currently supported.")
        if not isinstance(kind, MapType):
            raise Invalid(f"Column {column.name} cannot be used as a map")
        if operator != "=":
            raise Invalid("Only EQ relations are supported on map entries")
        element = compiler.compile(relation.element, kind.key, f"key({column.name})")
        receiver, name = kind.value, f"value({column.name})"
    elif operator in {"CONTAINS", "CONTAINS KEY"}:
        receiver, name = contained(column, operator)
    else:
        receiver, name = kind, column.name
        if kind.multi_cell and isinstance(kind, UserType):
            raise Invalid(f"Non-frozen UDT column '{column.name}' ({kind.cql}) cannot be restricted by any relation")
        if kind.multi_cell:
            raise Invalid(
                f"Collection column '{column.name}' ({kind.cql}) cannot be restricted by a '{operator}' relation"
            )
    place = f"column {column.name}"
    if operator == "IN":
        return _compile_in(relation, (column,), compiler, receiver, name, element)
    assert relation.value is not None
    assert not isinstance(relation.value, tuple)
    term = compiler.compile(relation.value, receiver, name)
    if column.kind in {PARTITION_KEY, CLUSTERING}:
        return Restriction(columns, operator, lambda context: [_required(term, context, place)], term, element)
    of = "map value" if element is not None else "value"
    return Restriction(columns, operator, lambda context: [_supported(term, context, of, column)], term, element)


def _check_tuples(relation: ast.Relation, columns: tuple[Column, ...]) -> None:
    """Raises `Invalid` unless each tuple has as many values as there are columns, and the columns differ."""
    values = relation.value if isinstance(relation.value, tuple) else (relation.value,)
    for place, column in enumerate(columns):
        if column in columns[:place]:
            shown = ", ".join(each.name for each in columns)
            raise Invalid(
                f'Column "{column.name}" appeared twice in a relation: ({shown}) {relation.operator} {_right(relation)}'
            )
    if len({isinstance(value, ast.Bind) for value in values}) > 1:
        raise SyntaxFault("the values of IN are tuples, or bind markers, not both")
    for value in values:
        if isinstance(value, ast.TupleLiteral) and len(value.items) != len(columns):
            raise Invalid(f"Expected {len(columns)} elements in value tuple, but got {len(value.items)}: {show(value)}")


def _compile_single(relation: ast.Relation, columns: tuple[Column, ...], compiler: Compiler) -> Restriction:
    """`(c) > (1)` is `c > 1`; a marker represents a tuple of one value."""
    (column,) = columns
    place = f"column {column.name}"
    kind = TupleType((column.type,))

    def single(value: ast.Expression | None) -> tuple[Term, bool]:
        assert value is not None
        if isinstance(value, ast.TupleLiteral):
            return compiler.compile(value.items[0], column.type, column.name), False
        return compiler.compile(value, kind, f"({column.name})"), True

    def unwrapped(value: bytes) -> list[bytes]:
        fields = kind.fields(value)
        if None in fields:
            raise Invalid(f"Invalid null value in condition for column {column.name}")
        return fields  # type: ignore[return-value]

    if relation.operator == "IN" and isinstance(relation.value, ast.Bind):
        listed = ListType(kind, multi_cell=False)
        marker = compiler.compile(relation.value, listed, f"in({column.name})")
        return Restriction(
            columns,
            "IN",
            lambda context: [field for value in _listed(marker, listed, context, place) for field in unwrapped(value)],
            None,
        )
    given = relation.value if isinstance(relation.value, tuple) else (relation.value,)
    terms = [single(value) for value in given]

    def values(context: Context) -> list[bytes]:
        operands = [(_required(term, context, place), is_tuple) for term, is_tuple in terms]
        return [field for value, is_tuple in operands for field in (unwrapped(value) if is_tuple else (value,))]

    operator = "=" if relation.operator == "IN" and len(terms) == 1 else relation.operator
    plain = terms[0][0] if len(terms) == 1 and not terms[0][1] else None
    return Restriction(columns, operator, values, plain)


def _compile_in(
    relation: ast.Relation,
    columns: tuple[Column, ...],
    compiler: Compiler,
    receiver: CqlType,
    name: str,
    element: Term | None,
) -> Restriction:
    column = columns[0]
    place = f"column {column.name}"
    filters = column.kind not in {PARTITION_KEY, CLUSTERING}
    if isinstance(relation.value, tuple):
        terms = [compiler.compile(value, receiver, name) for value in relation.value]

        def values(context: Context) -> list[bytes]:
            if filters and len(terms) == 1:
                return [_supported(terms[0], context, "value", column)]
            if filters:  # no column equals null or an unset value
                return [value for term in terms if isinstance(value := term.evaluate(context, None), bytes)]
            return [_required(term, context, place) for term in terms]

        # one value is the same as equality, in every rule
        single = terms[0] if len(terms) == 1 else None
        return Restriction(columns, "IN" if single is None else "=", values, single, element)
    assert isinstance(relation.value, ast.Bind)
    listed = ListType(receiver.frozen(), multi_cell=False)
    marker = compiler.compile(relation.value, listed, f"in({name})")

    def bound_values(context: Context) -> list[bytes]:
        return _listed(marker, listed, context, place, nulls=filters)

    return Restriction(columns, "IN", bound_values, None, element)


def _compile_multi(relation: ast.Relation, columns: tuple[Column, ...], compiler: Compiler) -> Restriction:
    kind = TupleType(tuple(column.type for column in columns))
    name = f"({','.join(column.name for column in columns)})"
    if relation.operator == "IN":
        is_marker = isinstance(relation.value, ast.Bind)
        return _compile_in(relation, columns, compiler, kind, name[1:-1] if is_marker else name, None)
    assert relation.value is not None
    assert not isinstance(relation.value, tuple)
    value = relation.value
    if isinstance(value, ast.TupleLiteral):
        terms = [
            compiler.compile(item, column.type, column.name) for item, column in zip(value.items, columns, strict=True)
        ]

        def joined(context: Context) -> list[bytes]:
            return [
                kind.join(
                    [
                        _required(term, context, f"column {column.name}")
                        for term, column in zip(terms, columns, strict=True)
                    ]
                )
            ]

        return Restriction(columns, relation.operator, joined, terms[0])
    term = compiler.compile(value, kind, name)
    return Restriction(columns, relation.operator, lambda context: [_required(term, context, name)], term)


def contained(column: Column, operator: str) -> tuple[CqlType, str]:
    """The element type of CONTAINS or CONTAINS KEY, and its name in errors. Raises `Invalid`."""
    kind = column.type
    if operator == "CONTAINS KEY":
        if not isinstance(kind, MapType):
            raise Invalid(f"Cannot use CONTAINS KEY on non-map column {column.name}")
        return kind.key, f"key({column.name})"
    if isinstance(kind, MapType):
        return kind.value, f"value({column.name})"
    if isinstance(kind, ListType | SetType):
        return kind.element, f"value({column.name})"
    raise Invalid(f"Cannot use CONTAINS on non-collection column {column.name}")


def _token(result: _Draft, relation: ast.Relation, compiler: Compiler) -> None:
    table = compiler.scope.table
    names = tuple(column.name for column in table.partition_key)
    if relation.columns != names:
        for name in relation.columns:
            if table.column(name).kind != PARTITION_KEY:
                raise Invalid("The token() function must be applied to all partition key components or none of them")
        raise Invalid(
            "The token function arguments must be in the partition key order: " + ", ".join(names)
            if sorted(relation.columns) == sorted(names)
            else "The token() function must be applied to all partition key components or none of them"
        )
    if relation.operator not in {*SLICES, "="}:
        raise Invalid(f"Unsupported restriction on token(): {relation.operator}")
    operands = relation.value if isinstance(relation.value, tuple) else (relation.value,)
    terms = []
    for value in operands:
        assert value is not None
        terms.append(compiler.compile(value, BIGINT, "partition key token"))
    result.tokens.append(
        Restriction(
            table.partition_key,
            relation.operator,
            lambda context: [_required(term, context, "the partition key token") for term in terms],
            terms[0],
        )
    )


def _listed(marker: Term, kind: ListType, context: Context, place: str, *, nulls: bool = False) -> list[bytes]:
    """The values of a bound list. Raises `Invalid` for a missing list, and for nulls in it unless `nulls`."""
    bound = marker.evaluate(context, None)
    if bound is None:
        raise Invalid(f"Invalid null value for {place}")
    if not isinstance(bound, bytes):
        raise Invalid(f"Invalid unset value for {place}")
    elements = kind.elements_or_null(bound)
    if None in elements and not nulls:
        raise Invalid(f"Invalid null value in condition for {place}")
    return [element for element in elements if element is not None]


def _required(term: Term, context: Context, place: str) -> bytes:
    value: Bound = term.evaluate(context, None)
    if value is None:
        raise Invalid(f"Invalid null value in condition for {place}")
    if value is UNSET:
        raise Invalid(f"Invalid unset value for {place}")
    assert isinstance(value, bytes)
    return value


def _supported(term: Term, context: Context, of: str, column: Column) -> bytes:
    """The value to filter rows by or to look up in an index."""
    value: Bound = term.evaluate(context, None)
    if isinstance(value, bytes):
        return value
    raise Invalid(f"Unsupported {'null' if value is None else 'unset'} {of} for column {column.name}")


def _right(relation: ast.Relation) -> str:
    if isinstance(relation.value, tuple):
        return "(" + ", ".join(map(show, relation.value)) + ")"
    return show(relation.value) if relation.value is not None else ""


# ---- combinations ---------------------------------------------------------------------------------------------


def _check_together(earlier: list[Restriction], restriction: Restriction, column: Column) -> None:
    if restriction.element is not None or restriction.operator.startswith("CONTAINS"):
        return
    for other in earlier:
        if other.element is not None or other.operator.startswith("CONTAINS"):
            continue
        kinds = {other.operator, restriction.operator}
        if "=" in kinds:
            raise Invalid(f"{column.name} cannot be restricted by more than one relation if it includes an Equal")
        if "IN" in kinds:
            raise Invalid(f"{column.name} cannot be restricted by more than one relation if it includes a IN")
        for ends in ({">", ">="}, {"<", "<="}):
            if kinds <= ends:
                side = "start" if ">" in ends else "end"
                raise Invalid(f"More than one restriction was found for the {side} bound on {column.name}")


def _check_multi(restriction: Restriction, relation: ast.Relation) -> None:
    for column in restriction.columns:
        if column.kind != CLUSTERING:
            raise Invalid(
                f"Multi-column relations can only be applied to clustering columns but was applied to: {column.name}"
            )
    positions = [column.position for column in restriction.columns]
    if positions != list(range(positions[0], positions[0] + len(positions))):
        shown = ", ".join(column.name for column in restriction.columns)
        raise Invalid(
            "Clustering columns must appear in the PRIMARY KEY order in multi-column relations: "
            f"({shown}) {relation.operator} {_right(relation)}"
        )


def _partition(result: _Draft, restriction: Restriction) -> None:
    result.partition[restriction.column.name] = restriction
    if restriction.operator not in {"=", "IN"}:
        result.other.append(restriction)


def _settle_partition(result: _Draft, *, filtering: bool, kind: str) -> None:
    table = result.table
    restricted = result.partition
    by_key = [restricted.get(column.name) for column in table.partition_key]
    has_whole_key = all(restriction is not None and restriction.operator in {"=", "IN"} for restriction in by_key)
    if has_whole_key:
        result.key_is_whole = True
        result.key_has_in = any(restriction is not None and restriction.operator == "IN" for restriction in by_key)
        return
    if kind != "SELECT":
        missing = [
            column.name for column, restriction in zip(table.partition_key, by_key, strict=True) if restriction is None
        ]
        if missing:
            raise Invalid(f"Some partition key parts are missing: {', '.join(missing)}")
        raise Invalid(
            "Only EQ and IN relation are supported on the partition key (unless you use the token() function) "
            f"for {kind} statements"
        )
    if restricted and not filtering:
        raise Invalid(NEEDS_FILTERING)
    result.filters.extend(restriction for restriction in restricted.values() if restriction.operator in {"=", "IN"})


def _settle_clustering(result: _Draft, *, filtering: bool, kind: str) -> None:
    """Keep in `clustering` the prefix that forms slices; move the rest to the filters."""
    table = result.table
    restrictions = sorted(result.clustering, key=lambda restriction: restriction.column.position)
    kept: list[Restriction] = []
    position = 0
    sliced: Restriction | None = None
    for restriction in restrictions:
        if restriction.operator.startswith("CONTAINS") or restriction.element is not None:
            if not filtering and kind == "SELECT":
                raise Invalid(NEEDS_FILTERING)
            result.filters.append(restriction)
            continue
        start = restriction.column.position
        is_slice = restriction.operator in SLICES
        mixed = is_slice and restriction.multi and len({column.descending for column in restriction.columns}) > 1
        if sliced is not None and start == sliced.column.position and is_slice:
            (result.residual if mixed else kept).append(restriction)
            continue
        if sliced is not None or start != position:
            if not filtering or kind != "SELECT":
                if sliced is not None:
                    raise Invalid(
                        f'Clustering column "{restriction.column.name}" cannot be restricted (preceding column '
                        f'"{sliced.column.name}" is restricted by a non-EQ relation)'
                    )
                missing = table.clustering[position].name
                raise Invalid(
                    f'PRIMARY KEY column "{restriction.column.name}" cannot be restricted as preceding column '
                    f'"{missing}" is not restricted'
                )
            result.filters.append(restriction)
            continue
        if mixed:
            result.residual.append(restriction)
            sliced = restriction
            continue
        kept.append(restriction)
        if is_slice:
            sliced = restriction
        else:
            position = start + len(restriction.columns)
    if kept and not result.key_is_whole:
        if not filtering:
            raise Invalid(NEEDS_FILTERING)
        result.filters.extend(kept)
        if result.tokens:
            result.exempt = kept
        kept = []
    result.clustering = kept
    result.clustering_is_whole = position == len(table.clustering)


# ---- slices ---------------------------------------------------------------------------------------------------------


# ---- filters --------------------------------------------------------------------------------------------------------
