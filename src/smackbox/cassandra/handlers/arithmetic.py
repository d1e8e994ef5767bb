"""Operators and math functions on numbers, dates and durations, with Cassandra's rules for the type of the result."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from ctypes import c_float
from decimal import ROUND_HALF_UP, Decimal
from decimal import Context as DecimalContext
from typing import TYPE_CHECKING, Any

from smackbox.cassandra.handlers.calendar import civil, days_of
from smackbox.cassandra.handlers.context import UNSET, Bound, Context
from smackbox.cassandra.handlers.decimals import EXACT, decimal_of, divide, remainder
from smackbox.cassandra.handlers.literals import DATE_EPOCH
from smackbox.cassandra.handlers.terms import Term, is_assignable, operation_name, show
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.digits import number_of, whole_of
from smackbox.cassandra.wire.errors import FunctionFailure, Invalid
from smackbox.cassandra.wire.types import (
    ASCII,
    BIGINT,
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
    from smackbox.cassandra.handlers.terms import Compiler

_SIZES = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "counter": 8}
_BY_SIZE = {1: TINYINT, 2: SMALLINT, 4: INT, 8: BIGINT}
_DECIMAL128 = DecimalContext(prec=34)
_DECIMAL32 = DecimalContext(prec=32)
_OPERATION_NAMES = {"+": "_add", "-": "_substract", "*": "_multiply", "/": "_divide", "%": "_modulo"}
MS_NANOSECONDS = 1_000_000
_TEMPORAL = (TIMESTAMP, DATE)
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


def _moved(compiler: Compiler, expression: ast.Binary, wanted: CqlType | None) -> CqlType | None:
    """The type of a timestamp or date plus or minus a duration, when that is what it can be; else None.

    Raises `Invalid` where it can be more than one operation.
    """
    left, right = expression.left, expression.right
    if expression.operator not in {"+", "-"} or not compiler.assignable(right, DURATION):
        return None
    fitting = [
        kind
        for kind in _TEMPORAL
        if (wanted is None or is_assignable(kind, wanted)) and compiler.assignable(left, kind)
    ]
    if not fitting:
        return None
    own = operand_type(compiler, left)
    if own in fitting and operand_type(compiler, right) == DURATION:
        return own
    numbers = any(
        compiler.assignable(left, kind) and compiler.assignable(right, kind)
        for kind in NUMBERS
        if wanted is None or is_assignable(kind, wanted)
    )
    if numbers or len(fitting) > 1:
        raise ambiguous(expression)
    return fitting[0]


def _fitting_pair(compiler: Compiler, expression: ast.Binary, wanted: CqlType | None) -> tuple[CqlType, CqlType]:
    """The types of the operands where one is a marker: of all operations only one may give what is wanted."""
    kinds = (*NUMBERS, TEXT, ASCII)
    lefts = [kind for kind in kinds if _can_be(compiler, expression.left, kind)]
    rights = [kind for kind in kinds if _can_be(compiler, expression.right, kind)]
    pairs = [
        (left, right)
        for left in lefts
        for right in rights
        if (found := _result(expression.operator, left, right)) is not None and (wanted is None or found == wanted)
    ]
    if not pairs:
        raise _unsupported(expression)
    if len(pairs) > 1:
        raise ambiguous(expression)
    return pairs[0]


def _can_be(compiler: Compiler, operand: ast.Expression, kind: CqlType) -> bool:
    """Whether an operand is of that type; a literal may be of several."""
    own = None if isinstance(operand, ast.Bind | ast.Literal | ast.Negate) else operand_type(compiler, operand)
    return own == kind if own is not None else compiler.assignable(operand, kind)


def ambiguous(expression: ast.Binary) -> Invalid:
    return Invalid(
        f"Ambiguous '{expression.operator}' operation with args {show(expression.left)} and {show(expression.right)}: "
        "use type hint to disambiguate, example '(int) ?'"
    )


def _is_about_time(compiler: Compiler, expression: ast.Binary, wanted: CqlType | None) -> bool:
    """Whether a moment or a duration takes part, as far as types are known."""
    return (
        wanted in _TEMPORAL
        or operand_type(compiler, expression.left) in _TEMPORAL
        or (operand_type(compiler, expression.right) == DURATION and operand_type(compiler, expression.left) is None)
    )


def infer_binary(compiler: Compiler, expression: ast.Binary) -> CqlType | None:
    if _is_about_time(compiler, expression, None):
        try:
            found = _moved(compiler, expression, None)
        except Invalid:
            return None
        if found is not None:
            return found
    left, right = _operand_types(compiler, expression)
    if left is None and right is None:
        return None
    found = _result(expression.operator, left or right, right or left)
    if found is None:
        raise _unsupported(expression)
    return found


def _unsupported(expression: ast.Binary) -> Invalid:
    return Invalid(
        f"the '{expression.operator}' operation is not supported between {show(expression.left)} and "
        f"{show(expression.right)}"
    )


def operand_type(compiler: Compiler, expression: ast.Expression) -> CqlType | None:
    """The type of an operand; a literal has the one that Cassandra prefers for it."""
    if isinstance(expression, ast.Literal):
        if expression.kind == "integer":
            number = number_of(expression.text)
            if -(2**31) <= number < 2**31:
                return INT
            return BIGINT if -(2**63) <= number < 2**63 else VARINT
        if expression.kind == "float":
            return DECIMAL if _needs_decimal(expression.text) else DOUBLE
        return {"duration": DURATION}.get(expression.kind)
    if isinstance(expression, ast.TupleLiteral) and len(expression.items) == 1:
        return operand_type(compiler, expression.items[0])
    return compiler.infer(expression)


def _needs_decimal(text: str) -> bool:
    """Whether a number with a fraction or an exponent is none that a double has."""
    number = float(text)
    return math.isfinite(number) and Decimal(text) != Decimal(repr(number))


def _operand_types(compiler: Compiler, expression: ast.Binary) -> tuple[CqlType | None, CqlType | None]:
    """Those of both operands: beside an ascii a literal that is not ascii is a text."""
    left = operand_type(compiler, expression.left)
    right = operand_type(compiler, expression.right)
    if right is None and left == ASCII and _is_text(expression.right):
        right = TEXT
    if left is None and right == ASCII and _is_text(expression.left):
        left = TEXT
    return left, right


def _is_text(expression: ast.Expression) -> bool:
    return isinstance(expression, ast.Literal) and expression.kind == "string" and not expression.text.isascii()


def _result(operator: str, left: CqlType | None, right: CqlType | None) -> CqlType | None:
    assert left is not None
    assert right is not None
    if left in {TIMESTAMP, DATE} and right == DURATION and operator in {"+", "-"}:
        return left
    if left.cql in {"text", "ascii"} and right.cql in {"text", "ascii"} and operator == "+":
        return left if left == right else TEXT
    return result_type(left, right)


def compile_arithmetic(
    compiler: Compiler, expression: ast.Binary | ast.Negate, wanted: CqlType | None, *, inner: bool = False
) -> Term:
    """`inner`: an operand of another operation, whose type decides for a marker in it."""
    if isinstance(expression, ast.Negate):
        kind = operand_type(compiler, expression.value) or wanted
        if kind not in NUMBERS:
            raise Invalid(f"the '-' operation is not supported on {show(expression.value)}")
        assert kind is not None
        value = compiler.compile(expression.value, kind, "-")
        return Term(kind, _unary(lambda number: -number, kind, value))
    left_kind, right_kind = _operand_types(compiler, expression)
    if _is_about_time(compiler, expression, wanted):
        moved_kind = _moved(compiler, expression, wanted)
        if moved_kind is not None:
            left_kind, right_kind = moved_kind, DURATION
        elif isinstance(expression.left, ast.Literal) and not compiler.assignable(expression.left, right_kind or INT):
            raise _unsupported(expression)
    has_marker = isinstance(expression.left, ast.Bind) or isinstance(expression.right, ast.Bind)
    if has_marker and not inner and wanted not in _TEMPORAL:
        left_kind, right_kind = _fitting_pair(compiler, expression, wanted)
    elif left_kind is None and right_kind is None:
        if wanted is None:
            raise ambiguous(expression)
        left_kind = right_kind = wanted
    left_kind = left_kind or right_kind
    right_kind = right_kind or left_kind
    assert left_kind is not None
    assert right_kind is not None
    kind = _result(expression.operator, left_kind, right_kind)
    if kind is None:
        raise _unsupported(expression)
    name = operation_name(expression)
    left = _operand(compiler, expression.left, left_kind, f"arg0({name})")
    right = _operand(compiler, expression.right, right_kind, f"arg1({name})")
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


def _operand(compiler: Compiler, operand: ast.Expression, kind: CqlType, receiver: str) -> Term:
    if not isinstance(operand, ast.Binary):
        return compiler.compile(operand, kind, receiver)
    term = compile_arithmetic(compiler, operand, kind, inner=True)
    if not is_assignable(term.kind, kind):
        raise _unsupported(operand)
    return term


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
                from smackbox.cassandra.handlers.json_values import duration_text

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
