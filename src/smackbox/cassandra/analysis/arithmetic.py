"""Operators and math functions on numbers, dates and durations, with Cassandra's rules for the type of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from smackbox.cassandra.analysis.assignment import is_assignable
from smackbox.cassandra.analysis.terms import Compiler
from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.values.json_values import duration_text
from smackbox.cassandra.values.literals import accepts, literal_type
from smackbox.cassandra.values.moments import MS_NANOSECONDS, add_duration
from smackbox.cassandra.values.numbers import INTEGER_SIZES, math_function, number, number_bytes, operation_on
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import operation_name, show
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

_BY_SIZE = {1: TINYINT, 2: SMALLINT, 4: INT, 8: BIGINT}
_OPERATION_NAMES = {"+": "_add", "-": "_substract", "*": "_multiply", "/": "_divide", "%": "_modulo"}


def result_type(left: CqlType, right: CqlType) -> CqlType | None:
    """The result type of an operation on two numbers; None when there is none."""
    if left not in NUMBERS or right not in NUMBERS:
        return None
    if DECIMAL in {left, right}:
        return DECIMAL
    floats = {left, right} & {FLOAT, DOUBLE}
    if floats:
        if VARINT in {left, right}:
            return DECIMAL
        both_small = all(kind == FLOAT or INTEGER_SIZES.get(kind.cql, 8) <= 4 for kind in (left, right))
        return FLOAT if DOUBLE not in floats and both_small else DOUBLE
    if VARINT in {left, right}:
        return VARINT
    return _BY_SIZE[max(INTEGER_SIZES[left.cql], INTEGER_SIZES[right.cql])]


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


def resolve_operation(compiler: Compiler, expression: ast.Binary, receiver_type: CqlType | None) -> Signature:
    """The only operation that the operands and the receiver's type allow, as in Cassandra's `FunctionResolver`.

    If several fit exactly, Cassandra takes any of them; here the receiver's own type is preferred. Raises `Invalid`.
    """
    fits: dict[Fit, list[Signature]] = {Fit.WEAK: [], Fit.EXACT: []}
    for signature in _SIGNATURES[expression.operator]:
        if receiver_type is not None and not is_assignable(signature.result, receiver_type):
            continue
        fit = fit_of(compiler, expression.left, signature.left)
        if fit:
            fit = min(fit, fit_of(compiler, expression.right, signature.right))
        if fit:
            fits[fit].append(signature)
    own = Signature(receiver_type, receiver_type, receiver_type) if receiver_type is not None else None
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


def resolve_negation(compiler: Compiler, expression: ast.Negate, receiver_type: CqlType | None) -> CqlType:
    """The type of a negation and of its operand. Raises `Invalid`."""
    fits: dict[Fit, list[CqlType]] = {Fit.NONE: [], Fit.WEAK: [], Fit.EXACT: []}
    for kind in _NUMERIC:
        if receiver_type is None or is_assignable(kind, receiver_type):
            fits[fit_of(compiler, expression.value, kind)].append(kind)
    exact, weak = fits[Fit.EXACT], fits[Fit.WEAK]
    if exact:
        return receiver_type if receiver_type in exact and receiver_type is not None else exact[0]
    if not weak:
        raise Invalid(f"the '-' operation is not supported on {show(expression.value)}")
    if len(weak) > 1:
        raise Invalid("Ambiguous negation: use type casts to disambiguate")
    return weak[0]


def fit_of(compiler: Compiler, operand: ast.Expression, kind: CqlType) -> Fit:
    """How well the operand fits the type. A marker fits every type; so does, at this stage, an operand that fails to
    compile later.
    """
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
    """The type of an operation whose receiver accepts any. Raises `Invalid` if there is none, or more than one."""
    if isinstance(expression, ast.Negate):
        return resolve_negation(compiler, expression, None)
    return resolve_operation(compiler, expression, None).result


def _unsupported(compiler: Compiler, expression: ast.Binary) -> Invalid:
    return Invalid(
        f"the '{expression.operator}' operation is not supported between {_shown(compiler, expression.left)} and "
        f"{_shown(compiler, expression.right)}"
    )


def _shown(compiler: Compiler, operand: ast.Expression) -> str:
    """An operand as Cassandra's messages show it: operations inside terms are shown by their function names."""
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


def compile_arithmetic(compiler: Compiler, expression: ast.Binary | ast.Negate, receiver_type: CqlType | None) -> Term:
    """Compile an operation. Raises `Invalid` if no operation, or more than one, gives the receiver's type."""
    if isinstance(expression, ast.Negate):
        kind = resolve_negation(compiler, expression, receiver_type)
        value = compiler.compile(expression.value, kind, "-")
        return Term(kind, _unary(lambda number: -number, kind, value))
    left_kind, right_kind, kind = resolve_operation(compiler, expression, receiver_type)
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
        operand = value.evaluate(context, row)
        if operand is UNSET:
            raise Invalid("Invalid unset value for argument in call to function _negate")
        if not isinstance(operand, bytes) or not operand:
            return None
        return number_bytes(kind, operate(kind.decode(operand)))

    return evaluate


def _binary(operator: str, kind: CqlType, left: CqlType, right: CqlType) -> Callable[[bytes, bytes], bytes]:
    if kind in {TIMESTAMP, DATE}:
        sign = 1 if operator == "+" else -1

        def shift(first: bytes, second: bytes) -> bytes:
            duration = right.decode(second)
            if duration[2] % MS_NANOSECONDS or (kind == DATE and duration[2]):
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
    operate = operation_on(operator, kind)

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


def unary_math(name: str, kind: CqlType) -> Callable[[Context, Sequence[bytes | None]], bytes | None]:
    """abs, exp, log, log10 and round on numbers of type `kind`."""

    def run(_: Context, values: Sequence[bytes | None]) -> bytes | None:
        value = values[0]
        if not value:
            return None
        try:
            return number_bytes(kind, math_function(name, kind, kind.decode(value)))
        except (ArithmeticError, ValueError) as error:
            raise FunctionFailure(
                f"execution of 'system.{name}[{kind.cql}]' failed: it has no value there", "system", name, (kind.cql,)
            ) from error

    return run
