"""Spark's filters as CQL restrictions.

Filters on the whole partition key (`=`, `IN`) make single-partition reads, continued by the clustering columns in their
order. Any other equality or comparison goes to the server as a filtered scan. What is pushed only lessens what is
sent: Spark applies every filter again, so that its own rules for comparison decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import product
from typing import Any
from uuid import UUID

from smackbox.spark.cql_binding import milliseconds

PARTITIONS_LIMIT = 1_000
"""Partitions that `IN` filters may name before a scan is taken instead."""

_COMPARISONS = {
    "EqualTo": "=",
    "GreaterThan": ">",
    "GreaterThanOrEqual": ">=",
    "LessThan": "<",
    "LessThanOrEqual": "<=",
}
_INTEGERS = frozenset({"bigint", "int", "smallint", "tinyint", "varint"})
_TEXTS = frozenset({"text", "varchar", "ascii"})
_EQUALITY_ONLY = frozenset({"uuid", "boolean"})


@dataclass(frozen=True, slots=True)
class Restriction:
    """`column operator value`, with a value that the driver binds."""

    column: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Query:
    """A WHERE clause with its values: of single partitions, or to be joined with a token range."""

    where: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    filtering: bool = False
    partitions: tuple[tuple[Any, ...], ...] = ()
    """Partition keys to read instead of a scan; their restrictions are not in `where`."""


@dataclass(slots=True)
class TableKeys:
    """What the planning needs to know of a table: typename of each column, and the primary key."""

    types: dict[str, str]
    partition_key: list[str]
    clustering: list[str] = field(default_factory=list)


def restrictions(filters: Sequence[Any], types: dict[str, str]) -> list[Restriction]:
    """Those of Spark's `filters` that CQL can apply with the same or a wider result."""
    found = []
    for item in filters:
        column: Sequence[str] = getattr(item, "attribute", ())
        if len(column) != 1 or column[0] not in types:
            continue
        name, kind = column[0], type(item).__name__
        cql_type = types[name]
        if kind == "In":
            values = [_value(cql_type, value) for value in item.value if value is not None]
            if values and None not in values:
                found.append(Restriction(name, "IN", values))
        elif kind in _COMPARISONS:
            value = _value(cql_type, item.value)
            if value is None or (cql_type in _EQUALITY_ONLY and kind != "EqualTo"):
                continue
            found.append(Restriction(name, _COMPARISONS[kind], value))
    return found


def plan(found: Sequence[Restriction], keys: TableKeys) -> Query:
    """The cheapest query for these restrictions."""
    exact = {item.column: item for item in found if item.operator in {"=", "IN"}}
    if all(column in exact for column in keys.partition_key):
        choices = [_choices(exact[column]) for column in keys.partition_key]
        partitions = tuple(product(*choices))
        if len(partitions) <= PARTITIONS_LIMIT:
            rest = [item for item in found if item.column not in keys.partition_key]
            return _single_partitions(rest, keys, partitions)
    scanned = [item for item in found if item.operator != "IN"]
    return Query(*_clause(scanned), filtering=bool(scanned))


def _single_partitions(found: Sequence[Restriction], keys: TableKeys, partitions: tuple[tuple[Any, ...], ...]) -> Query:
    """Clustering columns in their order: equalities, then at most one range; what is behind it is left to Spark."""
    chosen: list[Restriction] = []
    for column in keys.clustering:
        here = [item for item in found if item.column == column]
        equal = next((item for item in here if item.operator == "="), None)
        if equal is not None:
            chosen.append(equal)
            continue
        lower = next((item for item in here if item.operator in {">", ">="}), None)
        upper = next((item for item in here if item.operator in {"<", "<="}), None)
        chosen.extend(item for item in (lower, upper) if item is not None)
        break
    where, values = _clause(chosen)
    return Query(where, values, partitions=partitions)


def _clause(chosen: Sequence[Restriction]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    unique: dict[tuple[str, str], Restriction] = {}
    for item in chosen:
        unique.setdefault((item.column, item.operator[0]), item)
    # an equality makes a range on its column pointless, and CQL refuses the two together
    kept = [item for (column, first), item in unique.items() if first == "=" or (column, "=") not in unique]
    return tuple(f'"{item.column}" {item.operator} ?' for item in kept), tuple(item.value for item in kept)


def _choices(item: Restriction) -> list[Any]:
    return list(dict.fromkeys(item.value)) if item.operator == "IN" else [item.value]


def _value(cql_type: str, value: Any) -> Any:
    """The value as the driver binds it; None where CQL's answer could be narrower than Spark's."""
    if cql_type in _INTEGERS:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if cql_type in _TEXTS:
        return value if isinstance(value, str) else None
    if cql_type == "boolean":
        return value if isinstance(value, bool) else None
    if cql_type == "uuid":
        try:
            return UUID(value) if isinstance(value, str) else None
        except ValueError:
            return None
    if cql_type == "date":
        return value if isinstance(value, date) and not isinstance(value, datetime) else None
    if cql_type == "timestamp" and isinstance(value, datetime) and value.microsecond % 1000 == 0:
        return milliseconds(value)
    return None
