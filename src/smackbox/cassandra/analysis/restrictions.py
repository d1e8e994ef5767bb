"""WHERE, understood: which partitions, which slices of them, and what is left to filter by.

A slice of a partition is a range of clustering keys as bytes, see `state.keys`. Rules and messages are Cassandra's
`StatementRestrictions`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from smackbox.cassandra.analysis.duration_rules import holder_of_durations
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.execution.row_view import RowView
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.analysis import Analyse
from smackbox.cassandra.state.keys import (
    MAX_TOKEN,
    MIN_TOKEN,
    clustering_key,
    compose_partition_key,
    successor,
)
from smackbox.cassandra.state.schema import CLUSTERING, PARTITION_KEY, Column, Table
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import show
from smackbox.cassandra.wire.errors import Invalid, SyntaxFault
from smackbox.cassandra.wire.murmur3 import token_of
from smackbox.cassandra.wire.types import (
    BIGINT,
    CollectionType,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
)

IN_PRODUCT_LIMIT = 100_000
UNBOUNDED = b"\xff" * 64
_SLICES = frozenset({"<", "<=", ">", ">="})
Values = Callable[[Context], list[bytes]]
Predicate = Callable[[RowView], bool]
Range = tuple[bytes, bytes]

NEEDS_FILTERING = (
    "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. "
    "If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"
)


class Restriction:
    """One relation, compiled. `values` gives the right-hand side: one value, or those of IN."""

    __slots__ = ("analyse", "columns", "element", "operator", "term", "values")

    def __init__(
        self, columns: tuple[Column, ...], operator: str, values: Values, term: Term | None, element: Term | None = None
    ) -> None:
        self.columns = columns
        self.operator = operator
        self.values = values
        self.term = term
        self.element = element
        # what an index does to texts before it compares them
        self.analyse: Analyse | None = None

    @property
    def column(self) -> Column:
        return self.columns[0]

    @property
    def multi(self) -> bool:
        return len(self.columns) > 1


class Restrictions:
    """The WHERE of one statement on one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.partition: dict[str, Restriction] = {}
        self.tokens: list[Restriction] = []
        self.clustering: list[Restriction] = []
        self.filters: list[Restriction] = []
        # those of the filters that need no ALLOW FILTERING where an index answers another one
        self.exempt: list[Restriction] = []
        # relations that slices cannot express and that need no ALLOW FILTERING all the same
        self.residual: list[Restriction] = []
        self.key_is_whole = False
        self.key_has_in = False
        self.clustering_is_whole = False
        self.other: list[Restriction] = []
        self.indexed: Restriction | None = None

    @property
    def has_rows(self) -> bool:
        """Whether rows, not whole partitions, are asked for."""
        return bool(self.clustering or self.residual) or any(found.column.kind == CLUSTERING for found in self.filters)

    def partition_keys(self, context: Context) -> list[bytes]:
        """The serialised partition keys, in the order in which Cassandra answers them."""
        found = self._partition_keys(context)
        if not self.tokens:
            return found
        low, high = self.token_range(context)
        return [key for key in found if low <= token_of(key) <= high]

    def is_fixed(self, name: str) -> bool:
        """Whether the key column has one value alone: by `=`, or by an IN of one."""
        found = self.partition.get(name)
        candidates = [found] if found is not None else [*self.clustering, *self.filters]
        return any(
            restriction.element is None
            and (restriction.operator == "=" or (restriction.operator == "IN" and restriction.term is not None))
            and any(column.name == name for column in restriction.columns)
            for restriction in candidates
        )

    def _partition_keys(self, context: Context) -> list[bytes]:
        columns = self.table.partition_key
        choices = []
        for column in columns:
            values = self.partition[column.name].values(context)
            if len(values) > 1:
                unique: dict[bytes, bytes] = {}
                for value in values:
                    unique.setdefault(column.type.order_key(value), value)
                values = [unique[key] for key in sorted(unique)]
            choices.append(values)
        if len(columns) == 1:
            for value in choices[0]:
                if not value:
                    raise Invalid("Key may not be empty")
            return choices[0]
        return [compose_partition_key(parts) for parts in _product(choices)]

    def token_range(self, context: Context) -> tuple[int, int]:
        """The first and last token asked for; an empty range when the first is larger."""
        low, high = MIN_TOKEN, MAX_TOKEN
        for restriction in self.tokens:
            operator = restriction.operator
            token = BIGINT.decode(restriction.values(context)[0])
            if operator == "=":
                low, high = max(low, token), min(high, token)
            elif operator == ">":
                low = max(low, token + 1)
            elif operator == ">=":
                low = max(low, token)
            elif operator == "<":
                # the smallest token as an upper bound means the end of the ring
                high = min(high, MAX_TOKEN if token == MIN_TOKEN else token - 1)
            else:
                high = min(high, MAX_TOKEN if token == MIN_TOKEN else token)
        return low, high

    def ranges(self, context: Context) -> list[Range]:
        """The slices of a partition, in order and apart from each other; an empty high bound is the end."""
        prefixes: list[list[bytes]] = [[]]
        table = self.table
        slices: list[Restriction] = []
        for restriction in self.clustering:
            if restriction.operator in _SLICES:
                slices.append(restriction)
                continue
            if restriction.multi:
                assert isinstance(restriction.term, Term) or restriction.operator == "IN"
                tuples = [_components(restriction, value) for value in restriction.values(context)]
                prefixes = [prefix + parts for prefix in prefixes for parts in tuples]
            else:
                values = restriction.values(context)
                prefixes = [[*prefix, value] for prefix in prefixes for value in values]
            if len(prefixes) > IN_PRODUCT_LIMIT:
                raise Invalid(f"the IN restrictions stand for more than {IN_PRODUCT_LIMIT} combinations")
        found: dict[bytes, bytes] = {}
        for prefix in prefixes:
            base = clustering_key(table, prefix)
            low, high = base, successor(base) if base else b""
            for restriction in slices:
                low, high = _narrow(table, restriction, context, prefix, low, high)
            if not high or low < high:
                found[low] = max(found.get(low, b""), high) if found.get(low) else high
        return sorted(found.items())

    def predicates(self, context: Context) -> list[Predicate]:
        return [predicate_of(restriction, context) for restriction in (*self.filters, *self.residual)]


def analyse(
    relations: Sequence[ast.Relation], scope: Scope, *, filtering: bool = False, kind: str = "SELECT"
) -> Restrictions:
    """Understand a WHERE. `kind`: SELECT, INSERT, UPDATE or DELETE.

    Raises `Invalid` for combinations that cannot be executed, or only with ALLOW FILTERING.
    """
    table = scope.table
    compiler = Compiler(scope)
    result = Restrictions(table)
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
    return result


# ---- compiling a relation -------------------------------------------------------------------------------------------


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
    holder = holder_of_durations(kind, "duration columns") if operator in _SLICES else None
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
        receiver, name = _contained(column, operator)
    else:
        receiver, name = kind, column.name
        if kind.multi_cell and isinstance(kind, UserType):
            raise Invalid(f"Non-frozen UDT column '{column.name}' ({kind.cql}) cannot be restricted by any relation")
        if kind.multi_cell:
            raise Invalid(
                f"Collection column '{column.name}' ({kind.cql}) cannot be restricted by a '{operator}' relation"
            )
    what = f"column {column.name}"
    if operator == "IN":
        return _compile_in(relation, (column,), compiler, receiver, name, element)
    assert relation.value is not None
    assert not isinstance(relation.value, tuple)
    term = compiler.compile(relation.value, receiver, name)
    if column.kind in {PARTITION_KEY, CLUSTERING}:
        return Restriction(columns, operator, lambda context: [_required(term, context, what)], term, element)
    of = "map value" if element is not None else "value"
    return Restriction(columns, operator, lambda context: [_supported(term, context, of, column)], term, element)


def _check_tuples(relation: ast.Relation, columns: tuple[Column, ...]) -> None:
    """Raises `Invalid` unless each tuple is as long as the columns are many, and these are different ones."""
    values = relation.value if isinstance(relation.value, tuple) else (relation.value,)
    for place, column in enumerate(columns):
        if column in columns[:place]:
            shown = ", ".join(found.name for found in columns)
            raise Invalid(
                f'Column "{column.name}" appeared twice in a relation: ({shown}) {relation.operator} {_right(relation)}'
            )
    if len({isinstance(value, ast.Bind) for value in values}) > 1:
        raise SyntaxFault("the values of IN are tuples, or bind markers, not both")
    for value in values:
        if isinstance(value, ast.TupleLiteral) and len(value.items) != len(columns):
            raise Invalid(f"Expected {len(columns)} elements in value tuple, but got {len(value.items)}: {show(value)}")


def _compile_single(relation: ast.Relation, columns: tuple[Column, ...], compiler: Compiler) -> Restriction:
    """`(c) > (1)` is `c > 1`; a marker stands for a tuple of one value."""
    (column,) = columns
    what = f"column {column.name}"
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
            lambda context: [field for value in _listed(marker, listed, context, what) for field in unwrapped(value)],
            None,
        )
    given = relation.value if isinstance(relation.value, tuple) else (relation.value,)
    terms = [single(value) for value in given]

    def values(context: Context) -> list[bytes]:
        found = [(_required(term, context, what), is_tuple) for term, is_tuple in terms]
        return [field for value, is_tuple in found for field in (unwrapped(value) if is_tuple else (value,))]

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
    what = f"column {column.name}"
    filters = column.kind not in {PARTITION_KEY, CLUSTERING}
    if isinstance(relation.value, tuple):
        terms = [compiler.compile(value, receiver, name) for value in relation.value]

        def values(context: Context) -> list[bytes]:
            if filters and len(terms) == 1:
                return [_supported(terms[0], context, "value", column)]
            if filters:  # no column has the value that is null or not set
                return [value for term in terms if isinstance(value := term.evaluate(context, None), bytes)]
            return [_required(term, context, what) for term in terms]

        # one value is the same as equality, in every rule
        single = terms[0] if len(terms) == 1 else None
        return Restriction(columns, "IN" if single is None else "=", values, single, element)
    assert isinstance(relation.value, ast.Bind)
    listed = ListType(receiver.frozen(), multi_cell=False)
    marker = compiler.compile(relation.value, listed, f"in({name})")

    def bound_values(context: Context) -> list[bytes]:
        return _listed(marker, listed, context, what, nulls=filters)

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


def _contained(column: Column, operator: str) -> tuple[CqlType, str]:
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


def _token(result: Restrictions, relation: ast.Relation, compiler: Compiler) -> None:
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
    if relation.operator not in {*_SLICES, "="}:
        raise Invalid(f"Unsupported restriction on token(): {relation.operator}")
    given = relation.value if isinstance(relation.value, tuple) else (relation.value,)
    terms = []
    for value in given:
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


def _listed(marker: Term, kind: ListType, context: Context, what: str, *, nulls: bool = False) -> list[bytes]:
    """The values of a bound list. Raises `Invalid` for one that is not there, and unless `nulls` for nulls in it."""
    bound = marker.evaluate(context, None)
    if bound is None:
        raise Invalid(f"Invalid null value for {what}")
    if not isinstance(bound, bytes):
        raise Invalid(f"Invalid unset value for {what}")
    elements = kind.elements_or_null(bound)
    if None in elements and not nulls:
        raise Invalid(f"Invalid null value in condition for {what}")
    return [element for element in elements if element is not None]


def _required(term: Term, context: Context, what: str) -> bytes:
    value: Bound = term.evaluate(context, None)
    if value is None:
        raise Invalid(f"Invalid null value in condition for {what}")
    if value is UNSET:
        raise Invalid(f"Invalid unset value for {what}")
    assert isinstance(value, bytes)
    return value


def _supported(term: Term, context: Context, of: str, column: Column) -> bytes:
    """The value by which rows are filtered or found by an index."""
    value: Bound = term.evaluate(context, None)
    if isinstance(value, bytes):
        return value
    raise Invalid(f"Unsupported {'null' if value is None else 'unset'} {of} for column {column.name}")


def _right(relation: ast.Relation) -> str:
    if isinstance(relation.value, tuple):
        return "(" + ", ".join(map(show, relation.value)) + ")"
    return show(relation.value) if relation.value is not None else ""


# ---- what goes together ---------------------------------------------------------------------------------------------


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


def _partition(result: Restrictions, restriction: Restriction) -> None:
    result.partition[restriction.column.name] = restriction
    if restriction.operator not in {"=", "IN"}:
        result.other.append(restriction)


def _settle_partition(result: Restrictions, *, filtering: bool, kind: str) -> None:
    table = result.table
    restricted = result.partition
    by_key = [restricted.get(column.name) for column in table.partition_key]
    whole = all(found is not None and found.operator in {"=", "IN"} for found in by_key)
    if whole:
        result.key_is_whole = True
        result.key_has_in = any(found is not None and found.operator == "IN" for found in by_key)
        return
    if kind != "SELECT":
        missing = [column.name for column, found in zip(table.partition_key, by_key, strict=True) if found is None]
        if missing:
            raise Invalid(f"Some partition key parts are missing: {', '.join(missing)}")
        raise Invalid(
            "Only EQ and IN relation are supported on the partition key (unless you use the token() function) "
            f"for {kind} statements"
        )
    if restricted and not filtering:
        raise Invalid(NEEDS_FILTERING)
    result.filters.extend(found for found in restricted.values() if found.operator in {"=", "IN"})


def _settle_clustering(result: Restrictions, *, filtering: bool, kind: str) -> None:
    """Keep in `clustering` the prefix that makes slices; move the rest to the filters."""
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
        is_slice = restriction.operator in _SLICES
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


def _components(restriction: Restriction, value: bytes) -> list[bytes]:
    kind = TupleType(tuple(column.type for column in restriction.columns))
    if not restriction.multi:
        return [value]
    fields = kind.fields(value)
    parts = []
    for column, field in zip(restriction.columns, fields, strict=False):
        if field is None:
            raise Invalid(f"Invalid null value in condition for column {column.name}")
        parts.append(field)
    if len(parts) != len(restriction.columns):
        raise Invalid(f"Expected {len(restriction.columns)} elements in value tuple, but got {len(parts)}")
    return parts


def _narrow(
    table: Table, restriction: Restriction, context: Context, prefix: list[bytes], low: bytes, high: bytes
) -> tuple[bytes, bytes]:
    operator = restriction.operator
    key = clustering_key(table, [*prefix, *_components(restriction, restriction.values(context)[0])])
    if restriction.column.descending:
        operator = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}[operator]
    if operator == ">":
        low = max(low, successor(key))
    elif operator == ">=":
        low = max(low, key)
    else:
        end = key if operator == "<" else successor(key)
        high = end if not high else min(high, end)
    if high and low > high:
        return low, low
    return low, high


def _product(choices: list[list[bytes]]) -> Iterator[tuple[bytes, ...]]:
    count = 1
    for values in choices:
        count *= len(values)
    if count > IN_PRODUCT_LIMIT:
        raise Invalid(f"the IN restrictions stand for more than {IN_PRODUCT_LIMIT} combinations")
    return itertools.product(*choices)


# ---- filters --------------------------------------------------------------------------------------------------------


def predicate_of(restriction: Restriction, context: Context) -> Predicate:
    values = restriction.values(context)
    if restriction.multi:
        return _multi_predicate(restriction, values)
    column = restriction.column
    ordinal = column.ordinal
    kind = column.type
    operator = restriction.operator
    if operator in {"CONTAINS", "CONTAINS KEY"}:
        return _contains(column, values[0], keys=operator == "CONTAINS KEY", analyse=restriction.analyse)
    if restriction.analyse is not None:
        return _analysed(ordinal, restriction.analyse, values[0])
    if restriction.element is not None:
        assert isinstance(kind, MapType)
        key = restriction.element.evaluate(context, None)
        if not isinstance(key, bytes):
            sort = "null" if key is None else "unset"
            raise Invalid(f"Unsupported {sort} map key for column {column.name}")
        compare = _comparison(kind.value, operator, values)
        wanted = kind.key.order_key(key)
        map_type = kind

        def element_matches(view: RowView) -> bool:
            value = view.values[ordinal]
            if value is None:
                return False
            return any(compare(item) for name, item in map_type.pairs(value) if map_type.key.order_key(name) == wanted)

        return element_matches
    compare = _comparison(kind, operator, values)

    def matches(view: RowView) -> bool:
        value = view.values[ordinal]
        return value is not None and compare(value)

    return matches


def _comparison(kind: CqlType, operator: str, values: list[bytes]) -> Callable[[bytes], bool]:
    order = kind.order_key
    keys = [order(value) for value in values]
    if operator == "IN":
        wanted = frozenset(keys)
        return lambda value: order(value) in wanted
    key = keys[0]
    if operator == "=":
        return lambda value: order(value) == key
    if operator == "!=":
        return lambda value: order(value) != key
    if operator == "<":
        return lambda value: order(value) < key
    if operator == "<=":
        return lambda value: order(value) <= key
    if operator == ">":
        return lambda value: order(value) > key
    return lambda value: order(value) >= key


def _multi_predicate(restriction: Restriction, values: list[bytes]) -> Predicate:
    columns = restriction.columns

    def key_of(parts: Sequence[bytes | None]) -> tuple[bytes, ...] | None:
        keys = []
        for column, part in zip(columns, parts, strict=True):
            if part is None:
                return None
            keys.append(column.type.order_key(part))
        return tuple(keys)

    wanted = [key_of(_components(restriction, value)) for value in values]
    operator = restriction.operator

    def matches(view: RowView) -> bool:
        key = key_of([view.values[column.ordinal] for column in columns])
        if key is None:
            return False
        if operator == "IN":
            return key in wanted
        first = wanted[0]
        assert first is not None
        return {"=": key == first, "<": key < first, "<=": key <= first, ">": key > first, ">=": key >= first}[operator]

    return matches


def _analysed(ordinal: int, analyse: Analyse, wanted: bytes) -> Predicate:
    text = analyse(wanted)

    def matches(view: RowView) -> bool:
        value = view.values[ordinal]
        return value is not None and analyse(value) == text

    return matches


def _contains(column: Column, wanted: bytes, *, keys: bool, analyse: Analyse | None = None) -> Predicate:
    ordinal = column.ordinal
    kind = column.type
    if analyse is not None:
        text, parts_of = analyse(wanted), kind
        assert isinstance(parts_of, CollectionType)
        step, first = (2, 0 if keys else 1) if isinstance(kind, MapType) else (1, 0)

        def holds(view: RowView) -> bool:
            value = view.values[ordinal]
            return value is not None and any(analyse(part) == text for part in parts_of.elements(value)[first::step])

        return holds
    if isinstance(kind, MapType):
        part = kind.key if keys else kind.value
        index = 0 if keys else 1
        map_type = kind
        key = part.order_key(wanted)

        def in_map(view: RowView) -> bool:
            value = view.values[ordinal]
            return value is not None and any(part.order_key(pair[index]) == key for pair in map_type.pairs(value))

        return in_map
    assert isinstance(kind, ListType | SetType)
    sequence = kind
    element_key = kind.element.order_key(wanted)

    def in_sequence(view: RowView) -> bool:
        value = view.values[ordinal]
        return value is not None and any(
            sequence.element.order_key(item) == element_key for item in sequence.elements(value)
        )

    return in_sequence
