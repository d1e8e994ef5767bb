"""Aggregates: count, sum, min, max, avg. One `Accumulator` for each call and group."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from smackbox.cassandra.values.decimals import EXACT
from smackbox.cassandra.values.numbers import number, number_bytes
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BIGINT, DECIMAL, DOUBLE, FLOAT, NUMBERS, CqlType

NAMES = frozenset({"count", "sum", "min", "max", "avg"})


class Accumulator(Protocol):
    """The state of an aggregate."""

    def add(self, value: bytes | None) -> None:
        """Add the value of one row."""
        ...

    def result(self) -> bytes | None:
        """The aggregate's value, None for null."""
        ...


class _Count:
    __slots__ = ("_rows", "_total")

    def __init__(self, *, rows: bool) -> None:
        self._rows = rows
        self._total = 0

    def add(self, value: bytes | None) -> None:
        if self._rows or value is not None:
            self._total += 1

    def result(self) -> bytes | None:
        return BIGINT.encode(self._total)


class _Edge:
    __slots__ = ("_best", "_key", "_kind", "_largest")

    def __init__(self, kind: CqlType, *, largest: bool) -> None:
        self._kind = kind
        self._largest = largest
        self._best: bytes | None = None
        self._key = b""

    def add(self, value: bytes | None) -> None:
        if value is None:
            return
        key = self._kind.order_key(value)
        if self._best is None or (key > self._key if self._largest else key < self._key):
            self._best = value
            self._key = key

    def result(self) -> bytes | None:
        return self._best


class _Fold:
    """The accumulator of sum and avg."""

    __slots__ = ("_count", "_kind", "_mean", "_total")

    def __init__(self, kind: CqlType, *, mean: bool) -> None:
        self._kind = kind
        self._mean = mean
        self._total: Any = Decimal(0) if kind == DECIMAL else 0.0 if kind in {FLOAT, DOUBLE} else 0
        self._count = 0

    def add(self, value: bytes | None) -> None:
        if not value:
            return
        operand = number(self._kind, value, self._kind)
        self._count += 1
        if self._kind != DECIMAL:
            self._total += operand
            return
        if self._mean:  # a running average, rounded at each step
            operand = _rounded_part(EXACT.subtract(operand, self._total), self._count)
        self._total = EXACT.add(self._total, operand)

    def result(self) -> bytes | None:
        kind = self._kind
        total = self._total
        if self._mean and self._count:
            if kind in {FLOAT, DOUBLE}:
                total /= self._count
            elif kind != DECIMAL:
                total = (
                    math.trunc(Decimal(total) / self._count) if abs(total) < 2**53 else _truncate(total, self._count)
                )
        return number_bytes(kind, total)


def _truncate(total: int, count: int) -> int:
    quotient = abs(total) // count
    return quotient if total >= 0 else -quotient


def _rounded_part(whole: Decimal, count: int) -> Decimal:
    """`whole` divided by `count`, rounded half even to the scale of `whole`."""
    exponent = whole.as_tuple().exponent
    assert isinstance(exponent, int)
    quotient, rest = divmod(abs(int(whole.scaleb(-exponent, EXACT))), count)
    if 2 * rest > count or (2 * rest == count and quotient % 2):
        quotient += 1
    return Decimal(-quotient if whole < 0 else quotient).scaleb(exponent, EXACT)


def aggregate(name: str, kind: CqlType | None) -> tuple[CqlType, Callable[[], Accumulator]]:
    """The result type of the aggregate over `kind` (None: count(*)) and a factory of accumulators.

    Raises `Invalid` when it is not defined for that type.
    """
    if name == "count":
        return BIGINT, lambda: _Count(rows=kind is None)
    assert kind is not None
    if name in {"min", "max"}:
        return kind, lambda: _Edge(kind, largest=name == "max")
    if kind not in NUMBERS:
        known = ", ".join(f"system.{name} : ({number}) -> {number}" for number in sorted(kind.cql for kind in NUMBERS))
        raise Invalid(
            f"Invalid call to function {name}, none of its type signatures match (known type signatures: {known})"
        )
    return kind, lambda: _Fold(kind, mean=name == "avg")


def fold(name: str, kind: CqlType, values: Sequence[bytes]) -> bytes | None:
    """The aggregate over these values."""
    accumulator = aggregate(name, kind)[1]()
    for value in values:
        accumulator.add(value)
    return accumulator.result()
