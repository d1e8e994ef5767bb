"""The restrictions of a WHERE clause: the partitions, their slices, and the remaining filters.

A slice of a partition is a range of clustering keys as bytes, see `state.keys`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.row_view import RowView
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.analysis import Analyse
from smackbox.cassandra.state.columns import CLUSTERING, Column
from smackbox.cassandra.state.keys import MAX_TOKEN, MIN_TOKEN, clustering_key, compose_partition_key, successor
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.murmur3 import token_of
from smackbox.cassandra.wire.types import BIGINT, CollectionType, CqlType, ListType, MapType, SetType, TupleType

IN_PRODUCT_LIMIT = 100_000
UNBOUNDED = b"\xff" * 64
SLICES = frozenset({"<", "<=", ">", ">="})
Values = Callable[[Context], list[bytes]]
Predicate = Callable[[RowView], bool]
Range = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Restriction:
    """One relation, compiled. `values` gives the right-hand side: one value, or the values of IN."""

    columns: tuple[Column, ...]
    operator: str
    values: Values
    term: Term | None = None
    element: Term | None = None
    # what an index does to texts before comparing them
    analyse: Analyse | None = None

    @property
    def column(self) -> Column:
        """The only column, or the first of several."""
        return self.columns[0]

    @property
    def multi(self) -> bool:
        """Whether it restricts several columns together."""
        return len(self.columns) > 1


@dataclass(frozen=True, slots=True)
class Restrictions:
    """The WHERE clause of one statement on one table.

    `filters` are evaluated for each row; those in `exempt` need no ALLOW FILTERING if an index answers another one.
    `residual` are relations that slices cannot express but that need no ALLOW FILTERING.
    """

    table: Table
    partition: Mapping[str, Restriction]
    clustering: tuple[Restriction, ...]
    key_is_whole: bool
    clustering_is_whole: bool
    key_has_in: bool = False
    tokens: tuple[Restriction, ...] = ()
    filters: tuple[Restriction, ...] = ()
    exempt: tuple[Restriction, ...] = ()
    residual: tuple[Restriction, ...] = ()

    @property
    def has_rows(self) -> bool:
        """Whether it selects rows rather than whole partitions."""
        return bool(self.clustering or self.residual) or any(
            restriction.column.kind == CLUSTERING for restriction in self.filters
        )

    def partition_keys(self, context: Context) -> list[bytes]:
        """The serialised partition keys, in Cassandra's order."""
        keys = self._partition_keys(context)
        if not self.tokens:
            return keys
        low, high = self.token_range(context)
        return [key for key in keys if low <= token_of(key) <= high]

    def is_fixed(self, name: str) -> bool:
        """Whether the key column has a single value: by `=`, or by IN with one value."""
        of_partition = self.partition.get(name)
        candidates = [of_partition] if of_partition is not None else [*self.clustering, *self.filters]
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
        """The first and last token of the range; the range is empty when the first is larger."""
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
                # the smallest token as an upper bound is the end of the ring
                high = min(high, MAX_TOKEN if token == MIN_TOKEN else token - 1)
            else:
                high = min(high, MAX_TOKEN if token == MIN_TOKEN else token)
        return low, high

    def ranges(self, context: Context) -> list[Range]:
        """The slices of a partition, sorted and disjoint; an empty high bound means the end."""
        prefixes: list[list[bytes]] = [[]]
        table = self.table
        slices: list[Restriction] = []
        for restriction in self.clustering:
            if restriction.operator in SLICES:
                slices.append(restriction)
                continue
            if restriction.multi:
                assert isinstance(restriction.term, Term) or restriction.operator == "IN"
                tuples = [components(restriction, value) for value in restriction.values(context)]
                prefixes = [prefix + parts for prefix in prefixes for parts in tuples]
            else:
                values = restriction.values(context)
                prefixes = [[*prefix, value] for prefix in prefixes for value in values]
            if len(prefixes) > IN_PRODUCT_LIMIT:
                raise Invalid(f"the IN restrictions stand for more than {IN_PRODUCT_LIMIT} combinations")
        bounds: dict[bytes, bytes] = {}
        for prefix in prefixes:
            base = clustering_key(table, prefix)
            low, high = base, successor(base) if base else b""
            for restriction in slices:
                low, high = _narrow(table, restriction, context, prefix, low, high)
            if not high or low < high:
                bounds[low] = max(bounds.get(low, b""), high) if bounds.get(low) else high
        return sorted(bounds.items())

    def predicates(self, context: Context) -> list[Predicate]:
        """The conditions on a row that the range of the read does not cover."""
        return [predicate_of(restriction, context) for restriction in (*self.filters, *self.residual)]


def components(restriction: Restriction, value: bytes) -> list[bytes]:
    """The parts of a bound tuple. Raises `Invalid`."""
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
    key = clustering_key(table, [*prefix, *components(restriction, restriction.values(context)[0])])
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


def predicate_of(restriction: Restriction, context: Context) -> Predicate:
    """The condition of that restriction on a row, with the values bound."""
    values = restriction.values(context)
    if restriction.multi:
        return _multi_predicate(restriction, values)
    column = restriction.column
    ordinal = column.ordinal
    kind = column.type
    operator = restriction.operator
    if operator in {"CONTAINS", "CONTAINS KEY"}:
        return contains(column, values[0], keys=operator == "CONTAINS KEY", analyse=restriction.analyse)
    if restriction.analyse is not None:
        return _analysed(ordinal, restriction.analyse, values[0])
    if restriction.element is not None:
        assert isinstance(kind, MapType)
        key = restriction.element.evaluate(context, None)
        if not isinstance(key, bytes):
            sort = "null" if key is None else "unset"
            raise Invalid(f"Unsupported {sort} map key for column {column.name}")
        compare = _comparison(kind.value, operator, values)
        order_key = kind.key.order_key(key)
        map_type = kind

        def element_matches(view: RowView) -> bool:
            value = view.values[ordinal]
            if value is None:
                return False
            return any(
                compare(item) for name, item in map_type.pairs(value) if map_type.key.order_key(name) == order_key
            )

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
        order_keys = frozenset(keys)
        return lambda value: order(value) in order_keys
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

    tuples = [key_of(components(restriction, value)) for value in values]
    operator = restriction.operator

    def matches(view: RowView) -> bool:
        key = key_of([view.values[column.ordinal] for column in columns])
        if key is None:
            return False
        if operator == "IN":
            return key in tuples
        first = tuples[0]
        assert first is not None
        return {"=": key == first, "<": key < first, "<=": key <= first, ">": key > first, ">=": key >= first}[operator]

    return matches


def _analysed(ordinal: int, analyse: Analyse, operand: bytes) -> Predicate:
    text = analyse(operand)

    def matches(view: RowView) -> bool:
        value = view.values[ordinal]
        return value is not None and analyse(value) == text

    return matches


def contains(column: Column, element: bytes, *, keys: bool, analyse: Analyse | None = None) -> Predicate:
    """Whether a row's collection contains that element, or with `keys` that key."""
    ordinal = column.ordinal
    kind = column.type
    if analyse is not None:
        text, parts_of = analyse(element), kind
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
        key = part.order_key(element)

        def in_map(view: RowView) -> bool:
            value = view.values[ordinal]
            return value is not None and any(part.order_key(pair[index]) == key for pair in map_type.pairs(value))

        return in_map
    assert isinstance(kind, ListType | SetType)
    sequence = kind
    element_key = kind.element.order_key(element)

    def in_sequence(view: RowView) -> bool:
        value = view.values[ordinal]
        return value is not None and any(
            sequence.element.order_key(item) == element_key for item in sequence.elements(value)
        )

    return in_sequence
