"""Arithmetic on all numeric types, with the overflow, division and rounding rules of Java."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from decimal import Context as DecimalContext
from typing import Any

from smackbox.cassandra.values.decimals import EXACT, decimal_of, divide, remainder
from smackbox.cassandra.wire.digits import whole_of
from smackbox.cassandra.wire.types import DECIMAL, DOUBLE, FLOAT, VARINT, CqlType

INTEGER_SIZES = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "counter": 8}
_DECIMAL32 = DecimalContext(prec=32)
_Fold = Callable[[Any, Any], Any]


def number(kind: CqlType, value: bytes, target: CqlType) -> Any:
    """A number of type `kind` as the Python number used for arithmetic in type `target`."""
    decoded = kind.decode(value)
    if target == DECIMAL and kind != DECIMAL:
        return Decimal(decoded) if kind == VARINT else decimal_of(decoded)
    if target in {FLOAT, DOUBLE}:
        return float(decoded)
    return decoded


def number_bytes(kind: CqlType, value: Any) -> bytes:
    """A result in wire form; integers of a fixed size wrap around like Java's."""
    size = INTEGER_SIZES.get(kind.cql)
    if size is not None:
        half = 1 << (8 * size - 1)
        value = (int(value) + half) % (2 * half) - half
    return kind.encode(value)


def operation_on(operator: str, kind: CqlType) -> _Fold:
    """The function of an operator on two numbers of that type."""
    if kind in {FLOAT, DOUBLE}:
        return {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": _float_divide,
                "%": _float_modulo}[operator]  # fmt: skip
    if kind == DECIMAL:
        return {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply, "/": divide, "%": remainder}[operator]
    return {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": _truncating_divide,
            "%": _truncating_modulo}[operator]  # fmt: skip


def _float_divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _float_modulo(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def _truncating_divide(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _truncating_modulo(left: int, right: int) -> int:
    return left - right * _truncating_divide(left, right)


def math_function(name: str, kind: CqlType, value: Any) -> Any:
    """The function of one of CQL's mathematical functions."""
    if name == "abs":
        return abs(value)
    if name == "round":
        if kind == DECIMAL:
            return value.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=EXACT)
        if kind in {FLOAT, DOUBLE}:
            return float(math.floor(value + 0.5)) if math.isfinite(value) else value
        return value
    if kind == DECIMAL:
        return {"exp": _DECIMAL32.exp, "log": _DECIMAL32.ln, "log10": _DECIMAL32.log10}[name](value)
    if kind == VARINT and name == "exp":
        return whole_of(_DECIMAL32.exp(Decimal(value)))
    function = {"exp": math.exp, "log": math.log, "log10": math.log10}[name]
    try:
        result = function(value)
    except OverflowError:
        result = math.inf
    except ValueError:
        result = -math.inf if value == 0 else math.nan
    return result if kind in {FLOAT, DOUBLE} else _java_int(result, kind)


def _java_int(value: float, kind: CqlType) -> int:
    if math.isnan(value):
        return 0
    size = INTEGER_SIZES.get(kind.cql, 64)
    half = 1 << (8 * size - 1)
    return int(max(min(value, half - 1), -half))
