"""Operators and math functions on numbers, dates and durations, with Cassandra's rules for the type of the result."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from ctypes import c_float
from decimal import ROUND_HALF_UP, Decimal
from decimal import Context as DecimalContext
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from smackbox.cassandra.analysis.terms import Term, is_assignable, operation_name, show
from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.values.calendar import civil, days_of
from smackbox.cassandra.values.decimals import EXACT, decimal_of, divide, remainder
from smackbox.cassandra.values.literals import DATE_EPOCH, accepts, literal_type
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.digits import whole_of
from smackbox.cassandra.wire.errors import FunctionFailure, Invalid
from smackbox.cassandra.wire.types import (
    ASCII,
    BIGINT,
    COUNTER,
    DATE,
    DECIMAL,
    DOUBLE,
    DURATION,
    FLOAT,
    INT,
    NUMBERS,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    TINYINT,
    VARINT,
    CqlType,
)

if TYPE_CHECKING:
    from smackbox.cassandra.analysis.terms import Compiler

_SIZES = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "counter": 8}
_BY_SIZE = {1: TINYINT, 2: SMALLINT, 4: INT, 8: BIGINT}
_DECIMAL128 = DecimalContext(prec=34)
_DECIMAL32 = DecimalContext(prec=32)
_OPERATION_NAMES = {"+": "_add", "-": "_substract", "*": "_multiply", "/": "_divide", "%": "_modulo"}
MS_NANOSECONDS = 1_000_000
DAY_NANOSECONDS = 86_400 * 10**9
_Fold = Callable[[Any, Any], Any]


def result_type(left: CqlType, right: CqlType) -> CqlType | None:
    """The type of an operation on two numbers; None when there is none."""
    if left not in NUMBERS or right not in NUMBERS:
        return None
    if DECIMAL in {left, right}:
        return DECIMAL
    floats = {left, right} & {FLOAT, DOUBLE}
    if floats:
        if VARINT in {left, right}:
            return DECIMAL
        both_small = all(kind == FLOAT or _SIZES.get(kind.cql, 8) <= 4 for kind in (left, right))
        return FLOAT if DOUBLE not in floats and both_small else DOUBLE
    if VARINT in {left, right}:
        return VARINT
    return _BY_SIZE[max(_SIZES[left.cql], _SIZES[right.cql])]


class Fit(IntEnum):
    """How well an operand fits a type (Cassandra's `AssignmentTestable.TestResult`)."""

    NONE = 0
    WEAK = 1
    EXACT = 2


class Signature(NamedTuple):
    """The types of both operands and of the result."""

    left: CqlType
    right: CqlType
    result: CqlType


_NUMERIC = (TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL, VARINT, COUNTER)
_NUMERIC_SIGNATURES = tuple(
    Signature(left, right, kind)
    for left in _NUMERIC
    for right in _NUMERIC
    if (kind := result_type(left, right)) is not None
)
_MOVES = tuple(Signature(kind, DURATION, kind) for kind in (TIMESTAMP, DATE))
_CONCATENATIONS = tuple(
    Signature(left, right, left if left == right else TEXT) for left in (TEXT, ASCII) for right in (TEXT, ASCII)
)
_SIGNATURES = {
    "+": (*_NUMERIC_SIGNATURES, *_MOVES, *_CONCATENATIONS),
    "-": (*_NUMERIC_SIGNATURES, *_MOVES),
    "*": _NUMERIC_SIGNATURES,
    "/": _NUMERIC_SIGNATURES,
    "%": _NUMERIC_SIGNATURES,
}


def resolve_operation(compiler: Compiler, expression: ast.Binary, wanted: CqlType | None) -> Signature:
    """The one operation that the operands and the receiver's type allow; Cassandra's `FunctionResolver`.

    Of several that fit exactly Cassandra takes any; here the receiver's own type is preferred. Raises `Invalid`.
    """
    fits: dict[Fit, list[Signature]] = {Fit.WEAK: [], Fit.EXACT: []}
    for signature in _SIGNATURES[expression.operator]:
        if wanted is not None and not is_assignable(signature.result, wanted):
            continue
        fit = fit_of(compiler, expression.left, signature.left)
        if fit:
            fit = min(fit, fit_of(compiler, expression.right, signature.right))
        if fit:
            fits[fit].append(signature)
    own = Signature(wanted, wanted, wanted) if wanted is not None else None
    exact, weak = fits[Fit.EXACT], fits[Fit.WEAK]
    if exact:
        return own if own in exact and own is not None else exact[0]
    if not weak:
        raise _unsupported(compiler, expression)
    has_marker = isinstance(expression.left, ast.Bind) or isinstance(expression.right, ast.Bind)
    if len(weak) > 1 and own is not None and not has_marker and own in weak:
        return own
    if len(weak) > 1:
        raise Invalid(
            f"Ambiguous '{expression.operator}' operation with args {_shown(compiler, expression.left)} and "
            f"{_shown(compiler, expression.right)}: use type hint to disambiguate, example '(int) ?'"
        )
    return weak[0]


def resolve_negation(compiler: Compiler, expression: ast.Negate, wanted: CqlType | None) -> CqlType:
    """The type of a negation and of what it negates. Raises `Invalid`."""
    fits: dict[Fit, list[CqlType]] = {Fit.NONE: [], Fit.WEAK: [], Fit.EXACT: []}
    for kind in _NUMERIC:
        if wanted is None or is_assignable(kind, wanted):
            fits[fit_of(compiler, expression.value, kind)].append(kind)
    exact, weak = fits[Fit.EXACT], fits[Fit.WEAK]
    if exact:
        return wanted if wanted in exact and wanted is not None else exact[0]
    if not weak:
        raise Invalid(f"the '-' operation is not supported on {show(expression.value)}")
    if len(weak) > 1:
        raise Invalid("Ambiguous negation: use type casts to disambiguate")
    return weak[0]


def fit_of(compiler: Compiler, operand: ast.Expression, kind: CqlType) -> Fit:
    """How well the operand fits the type. A marker fits each; so does, for now, what is refused when it is compiled."""
    key = id(operand), kind
    known = compiler.fits.get(key)
    if known is None:
        known = compiler.fits[key] = _fit_of(compiler, operand, kind)
    return known


def _fit_of(compiler: Compiler, operand: ast.Expression, kind: CqlType) -> Fit:
    if isinstance(operand, ast.TupleLiteral) and len(operand.items) == 1:
        return fit_of(compiler, operand.items[0], kind)
    if isinstance(operand, ast.Literal):
        if not accepts(operand, kind):
            return Fit.NONE
        return Fit.EXACT if literal_type(operand) == kind else Fit.WEAK
    if isinstance(operand, ast.Bind):
        return Fit.WEAK
    own: CqlType | None
    try:
        if compiler.resolves_inside_out:
            own = compiler.infer(operand)
        elif isinstance(operand, ast.Binary):
            own = resolve_operation(compiler, operand, kind).result
        elif isinstance(operand, ast.Negate):
            own = resolve_negation(compiler, operand, kind)
        else:
            own = compiler.infer(operand)
    except Invalid:
        if compiler.resolves_inside_out:
            raise
        return Fit.WEAK
    if own is None:
        return Fit.WEAK if compiler.assignable(operand, kind) else Fit.NONE
    if own == kind:
        return Fit.EXACT
    return Fit.WEAK if is_assignable(own, kind) else Fit.NONE


def infer_arithmetic(compiler: Compiler, expression: ast.Binary | ast.Negate) -> CqlType:
    """The type of an operation whose receiver takes any. Raises `Invalid` where there is none, or more than one."""
    if isinstance(expression, ast.Negate):
        return resolve_negation(compiler, expression, None)
    return resolve_operation(compiler, expression, None).result


def _unsupported(compiler: Compiler, expression: ast.Binary) -> Invalid:
    return Invalid(
        f"the '{expression.operator}' operation is not supported between {_shown(compiler, expression.left)} and "
        f"{_shown(compiler, expression.right)}"
    )


def _shown(compiler: Compiler, operand: ast.Expression) -> str:
    """An operand as Cassandra's messages show it: in terms, operations by the names of their functions."""
    if compiler.resolves_inside_out:
        return show(operand)
    if isinstance(operand, ast.TupleLiteral):
        return f"({', '.join(_shown(compiler, item) for item in operand.items)})"
    if isinstance(operand, ast.Binary):
        name = _OPERATION_NAMES[operand.operator]
        return f'system."{name}"({_shown(compiler, operand.left)}, {_shown(compiler, operand.right)})'
    if isinstance(operand, ast.Negate):
        return f'system."_negate"({_shown(compiler, operand.value)})'
    return show(operand)


def compile_arithmetic(compiler: Compiler, expression: ast.Binary | ast.Negate, wanted: CqlType | None) -> Term:
    """Raises `Invalid` where no operation, or more than one, gives what is wanted."""
    if isinstance(expression, ast.Negate):
        kind = resolve_negation(compiler, expression, wanted)
        value = compiler.compile(expression.value, kind, "-")
        return Term(kind, _unary(lambda number: -number, kind, value))
    left_kind, right_kind, kind = resolve_operation(compiler, expression, wanted)
    name = operation_name(expression)
    left = compiler.compile(expression.left, left_kind, f"arg0({name})")
    right = compiler.compile(expression.right, right_kind, f"arg1({name})")
    run = _binary(expression.operator, kind, left_kind, right_kind)

    def evaluate(context: Context, row: object) -> Bound:
        first = left.evaluate(context, row)
        second = right.evaluate(context, row)
        if first is UNSET or second is UNSET:
            name = _OPERATION_NAMES[expression.operator]
            raise Invalid(f"Invalid unset value for argument in call to function {name}")
        if not isinstance(first, bytes) or not isinstance(second, bytes) or not first or not second:
            return None
        return run(first, second)

    return Term(kind, evaluate)


def _unary(operate: Callable[[Any], Any], kind: CqlType, value: Term) -> Callable[[Context, object], Bound]:
    def evaluate(context: Context, row: object) -> Bound:
        found = value.evaluate(context, row)
        if found is UNSET:
            raise Invalid("Invalid unset value for argument in call to function _negate")
        if not isinstance(found, bytes) or not found:
            return None
        return number_bytes(kind, operate(kind.decode(found)))

    return evaluate


def _binary(operator: str, kind: CqlType, left: CqlType, right: CqlType) -> Callable[[bytes, bytes], bytes]:
    if kind in {TIMESTAMP, DATE}:
        sign = 1 if operator == "+" else -1

        def shift(first: bytes, second: bytes) -> bytes:
            duration = right.decode(second)
            if duration[2] % MS_NANOSECONDS or (kind == DATE and duration[2]):
                from smackbox.cassandra.values.json_values import duration_text

                raise FunctionFailure(
                    f"the operation '{left.cql} {operator} duration' failed: The duration must have a "
                    f"{'millisecond' if kind == TIMESTAMP else 'day'} precision. Was: {duration_text(duration)}",
                    "system",
                    _OPERATION_NAMES[operator],
                    (left.cql, right.cql),
                )
            return add_duration(kind, kind.decode(first), duration, sign)

        return shift
    if kind.cql in {"text", "ascii"}:
        return lambda first, second: first + second
    operate = _operation(operator, kind)

    def run(first: bytes, second: bytes) -> bytes:
        try:
            return number_bytes(kind, operate(number(left, first, kind), number(right, second, kind)))
        except ArithmeticError as error:
            names = (left.cql, right.cql)
            raise FunctionFailure(
                f"the operation '{left.cql} {operator} {right.cql}' failed: {_reason(error, kind)}",
                "system",
                _OPERATION_NAMES[operator],
                names,
            ) from error

    return run


def _reason(error: ArithmeticError, kind: CqlType) -> str:
    if not isinstance(error, ZeroDivisionError):
        return str(error)
    return "BigInteger divide by zero" if kind == VARINT else "/ by zero"


def number(kind: CqlType, value: bytes, target: CqlType) -> Any:
    """A number of type `kind` as the Python number that arithmetic in type `target` uses."""
    found = kind.decode(value)
    if target == DECIMAL and kind != DECIMAL:
        return Decimal(found) if kind == VARINT else decimal_of(found)
    if target in {FLOAT, DOUBLE}:
        return float(found)
    return found


def number_bytes(kind: CqlType, value: Any) -> bytes:
    """A result in wire form; integers of a fixed size wrap around as Java's do."""
    size = _SIZES.get(kind.cql)
    if size is not None:
        half = 1 << (8 * size - 1)
        value = (int(value) + half) % (2 * half) - half
    return kind.encode(value)


def _operation(operator: str, kind: CqlType) -> _Fold:
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


def add_duration(kind: CqlType, moment: int, duration: tuple[int, int, int], sign: int) -> bytes:
    """A timestamp or date plus a duration, by the calendar in UTC.

    What is over the type's limits goes on at the other end.
    """
    found = moved(kind, moment, duration, sign)
    if kind == DATE:
        return DATE.encode(found % (1 << 32))
    half = 1 << 63
    return TIMESTAMP.encode((found + half) % (1 << 64) - half)


def moved(kind: CqlType, moment: int, duration: tuple[int, int, int], sign: int) -> int:
    """A timestamp or date plus a duration, whether the type has a value for it or not."""
    months, days, nanoseconds = duration
    day_number, rest = (moment - DATE_EPOCH, 0) if kind == DATE else divmod(moment, 86_400_000)
    if months:
        year, month, day = civil(day_number)
        year, month = divmod(year * 12 + month - 1 + sign * months, 12)
        day_number = days_of(year, month + 1, day)
    day_number += sign * days
    if kind == DATE:
        return day_number + sign * (nanoseconds // DAY_NANOSECONDS) + DATE_EPOCH
    return day_number * 86_400_000 + rest + sign * (nanoseconds // 1_000_000)


def unary_math(name: str, kind: CqlType) -> Callable[[Context, Sequence[bytes | None]], bytes | None]:
    """abs, exp, log, log10 and round on numbers of type `kind`."""

    def run(_: Context, values: Sequence[bytes | None]) -> bytes | None:
        value = values[0]
        if not value:
            return None
        try:
            return number_bytes(kind, _apply(name, kind, kind.decode(value)))
        except (ArithmeticError, ValueError) as error:
            raise FunctionFailure(
                f"execution of 'system.{name}[{kind.cql}]' failed: it has no value there", "system", name, (kind.cql,)
            ) from error

    return run


def _apply(name: str, kind: CqlType, value: Any) -> Any:
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
        found = function(value)
    except OverflowError:
        found = math.inf
    except ValueError:
        found = -math.inf if value == 0 else math.nan
    return found if kind in {FLOAT, DOUBLE} else _java_int(found, kind)


def _java_int(value: float, kind: CqlType) -> int:
    if math.isnan(value):
        return 0
    size = _SIZES.get(kind.cql, 64)
    half = 1 << (8 * size - 1)
    return int(max(min(value, half - 1), -half))


def similarity(name: str) -> Callable[[list[float], list[float]], float] | None:
    """The measures of two vectors, scaled to 0..1 as Cassandra's are."""
    return {"cosine": _cosine, "euclidean": _euclidean, "dot_product": _dot_product}.get(name)


UNROLLED = 32


def _cosine(left: list[float], right: list[float]) -> float:
    if not any(left) or not any(right):
        raise Invalid("Function system.similarity_cosine doesn't support all-zero vectors.")
    product, first, second = _dot(left, right), _dot(left, left), _dot(right, right)
    size = math.sqrt(_single(first * second))
    return _single(_single(1 + _single(product / size if size else math.copysign(math.inf, product))) / 2)


def _euclidean(left: list[float], right: list[float]) -> float:
    differences = [_single(a - b) for a, b in zip(left, right, strict=True)]
    return _single(1 / _single(1 + _dot(differences, differences)))


def _dot_product(left: list[float], right: list[float]) -> float:
    return _single(_single(1 + _dot(left, right)) / 2)


def _dot(left: list[float], right: list[float]) -> float:
    """In single precision, as Cassandra adds up short vectors; the order of longer sums is its own."""
    if len(left) > UNROLLED:
        return _single(sum(map(operator.mul, left, right)))
    total = 0.0
    for a, b in zip(left, right, strict=True):
        total = _single(total + _single(a * b))
    return total


def _single(value: float) -> float:
    return c_float(value).value
