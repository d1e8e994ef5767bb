"""Cassandra's scalar functions. Each is a list of overloads: argument types, result type, and the function on values.

Aggregates are in `aggregates`; `writetime`, `ttl` and casts belong to the selection.
"""

from __future__ import annotations

from collections.abc import Callable

from smackbox.cassandra.analysis.arithmetic import Fit, compile_arithmetic, fit_of, infer_arithmetic, unary_math
from smackbox.cassandra.analysis.assignment import is_assignable
from smackbox.cassandra.analysis.collection_functions import COLLECTION_FUNCTIONS, collection_overload
from smackbox.cassandra.analysis.mask_functions import MASKS, mask_overloads
from smackbox.cassandra.analysis.overloads import Overload, Values, argument_type
from smackbox.cassandra.analysis.terms import Compiler, Functions
from smackbox.cassandra.execution.context import UNSET, Bound, Context
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.keys import compose_partition_key
from smackbox.cassandra.values.floors import floor_date, floor_ms, floor_time
from smackbox.cassandra.values.json_values import from_json, parse_json
from smackbox.cassandra.values.literals import DATE_EPOCH
from smackbox.cassandra.values.moments import MS_A_DAY, of_ms, to_ms
from smackbox.cassandra.values.similarity import similarity
from smackbox.cassandra.values.timeuuids import UUID_EPOCH_TICKS
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import bare, function_name, show
from smackbox.cassandra.wire.errors import FunctionFailure, Invalid
from smackbox.cassandra.wire.murmur3 import token_of
from smackbox.cassandra.wire.types import (
    BIGINT,
    BLOB,
    COUNTER,
    DATE,
    FLOAT,
    NATIVE,
    NUMBERS,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    UUID_TYPE,
    CqlType,
    ListType,
    MapType,
    SetType,
    VectorType,
)

# monotonic functions: they keep equal values adjacent in sorted rows
MONOTONIC = frozenset({
    "floor", "to_date", "todate", "to_timestamp", "totimestamp", "to_unix_timestamp", "tounixtimestamp",
})  # fmt: skip


def overloads(compiler: Compiler, call: ast.Call) -> list[Overload]:
    """The overloads of the called function; generic functions get one for the arguments' types."""
    name = call.name
    if name == "token":
        kinds = tuple(column.type for column in compiler.scope.table.partition_key)
        return [Overload(kinds, BIGINT, _token)]
    if name in COLLECTION_FUNCTIONS:
        return [collection_overload(compiler, call)]
    if name in _MEASURES:
        return _similarity_overloads(compiler, call, name)
    if name in MASKS:
        return mask_overloads(compiler, call, name)
    if name in {"tojson", "to_json"}:
        return []
    return _TABLE.get(name, [])


def known_function(name: str) -> bool:
    """Whether there is a scalar function of that name, in lower case."""
    return name in _TABLE or name in COLLECTION_FUNCTIONS or name in _MEASURES or name in {"token", "tojson", "to_json"}


def argument_count(name: str) -> int | None:
    """How many arguments a function with a single signature takes; None for others."""
    signatures = _TABLE.get(name, [])
    return len(signatures[0].arguments) if len(signatures) == 1 else None


def _compile_call(compiler: Compiler, call: ast.Call, receiver_type: CqlType | None) -> Term:
    chosen = _choose(compiler, call, receiver_type)
    arguments = [
        compiler.compile(argument, kind, f"arg{index}({function_name(call)})")
        for index, (argument, kind) in enumerate(zip(call.arguments, chosen.arguments, strict=True))
    ]
    run = chosen.run

    def evaluate(context: Context, row: object) -> Bound:
        values: list[bytes | None] = []
        for argument in arguments:
            value = argument.evaluate(context, row)
            if value is UNSET:
                raise Invalid(f"Invalid unset value for argument in call to function {call.name}")
            values.append(value)  # type: ignore[arg-type]
        return run(context, values)

    return Term(chosen.result, evaluate)


def _is_from_json(call: ast.Call) -> bool:
    return call.name in {"fromjson", "from_json"} and call.keyspace in {None, "system"}


def _compile_from_json(compiler: Compiler, call: ast.Call, kind: CqlType) -> Term:
    """fromJson returns its receiver's type."""
    if len(call.arguments) != 1:
        raise Invalid(f"Invalid number of arguments for function {function_name(call)}(text)")
    text = compiler.compile(call.arguments[0], TEXT, "arg0(system.fromjson)")

    def evaluate(context: Context, row: object) -> Bound:
        json_text = text.evaluate(context, row)
        if not isinstance(json_text, bytes):
            return json_text
        try:
            document = parse_json(json_text.decode())
        except Invalid as error:
            reason = f"Could not decode JSON string '{json_text.decode()}': {error}"
            raise FunctionFailure(
                f"execution of 'system.from_json[text]' failed: {reason}", "system", "fromjson", ("text",)
            ) from error
        try:
            return from_json(kind, document)
        except Invalid as error:
            raise FunctionFailure(
                f"org.apache.cassandra.serializers.MarshalException: {error}", "system", "fromjson", ("text",)
            ) from error

    return Term(kind, evaluate)


def _choose(compiler: Compiler, call: ast.Call, receiver_type: CqlType | None) -> Overload:
    if call.keyspace not in {None, "system"}:
        raise Invalid(f"Unknown function '{call.keyspace}.{call.name}'")
    candidates = overloads(compiler, call)
    name = call.name
    if not candidates:
        raise Invalid(f"Unknown function '{call.name}'")
    fitting = [
        candidate
        for candidate in candidates
        if len(candidate.arguments) == len(call.arguments)
        and all(
            compiler.assignable(argument, kind) and not (kind == COUNTER and _is_null(argument))
            for argument, kind in zip(call.arguments, candidate.arguments, strict=True)
        )
    ]
    if not fitting:
        if len(candidates) == 1 and len(candidates[0].arguments) == len(call.arguments):
            raise Invalid(_type_error(compiler, call, candidates[0]))
        if len(candidates) == 1:
            raise Invalid(
                f"Invalid number of arguments in call to function {function_name(call)}: "
                f"{len(candidates[0].arguments)} required but {len(call.arguments)} provided"
            )
        raise Invalid(_no_match(call, name))
    if len(fitting) > 1 and receiver_type is not None:
        fitting = [candidate for candidate in fitting if is_assignable(candidate.result, receiver_type)] or fitting
    if len(fitting) > 1:
        exact = [
            candidate
            for candidate in fitting
            if all(
                fit_of(compiler, bare(argument), kind) is Fit.EXACT
                for argument, kind in zip(call.arguments, candidate.arguments, strict=True)
            )
        ]
        fitting = exact or fitting
    if len(fitting) > 1 and any(compiler.infer(bare(argument)) is None for argument in call.arguments):
        raise Invalid(
            f"Ambiguous call to function {call.name} (can be matched by following signatures: "
            + ", ".join(
                f"{function_name(call)} : ({', '.join(k.cql for k in c.arguments)}) -> {c.result.cql}" for c in fitting
            )
            + "): use type casts to disambiguate"
        )
    return fitting[0]


def _is_null(expression: ast.Expression) -> bool:
    value = bare(expression)
    return isinstance(value, ast.Literal) and value.kind == "null"


def _no_match(call: ast.Call, name: str) -> str:
    known = ", ".join(
        f"system.{name} : ({', '.join(kind.cql for kind in candidate.arguments)}) -> {candidate.result.cql}"
        for candidate in _TABLE.get(name, [])
    )
    return f"Invalid call to function {call.name}, none of its type signatures match (known type signatures: {known})"


def _type_error(compiler: Compiler, call: ast.Call, candidate: Overload) -> str:
    for index, (argument, kind) in enumerate(zip(call.arguments, candidate.arguments, strict=True)):
        if not compiler.assignable(argument, kind):
            return (
                f"Type error: {show(argument)} cannot be passed as argument {index} of function {function_name(call)} "
                f"of type {kind.cql}"
            )
    raise AssertionError("every argument fits")


# ---- the functions --------------------------------------------------------------------------------------------------


def _token(_: Context, values: Values) -> bytes | None:
    if any(value is None for value in values):
        return None
    return BIGINT.encode(token_of(compose_partition_key([value or b"" for value in values])))


def _conversion(source: CqlType, target: CqlType) -> Callable[[Context, Values], bytes | None]:
    def run(_: Context, values: Values) -> bytes | None:
        value = values[0]
        return None if not value else of_ms(target, to_ms(source, value))

    return run


def _edge_timeuuid(low: bytes, extra: int) -> Callable[[Context, Values], bytes | None]:
    def run(_: Context, values: Values) -> bytes | None:
        if not values[0]:
            return None
        ticks = int(TIMESTAMP.decode(values[0])) * 10_000 + extra + UUID_EPOCH_TICKS
        head = (ticks & 0xFFFFFFFF).to_bytes(4, "big") + ((ticks >> 32) & 0xFFFF).to_bytes(2, "big")
        return head + (((ticks >> 48) & 0x0FFF) | 0x1000).to_bytes(2, "big") + low

    return run


def _random_uuid(context: Context, _: Values) -> bytes:
    drawn = bytearray(context.random_bytes(16))
    drawn[6] = (drawn[6] & 0x0F) | 0x40
    drawn[8] = (drawn[8] & 0x3F) | 0x80
    return bytes(drawn)


def _same(_: Context, values: Values) -> bytes | None:
    return values[0]


def _from_blob(kind: CqlType, name: str) -> Callable[[Context, Values], bytes | None]:
    def run(_: Context, values: Values) -> bytes | None:
        value = values[0]
        if value is not None:
            try:
                kind.validate(value)
            except Invalid:
                raise Invalid(
                    f"In call to function system.{name}, value 0x{value.hex()} is not a "
                    f"valid binary representation for type {kind.cql}"
                ) from None
        return value

    return run


def _now_ms(context: Context) -> int:
    return context.now_us // 1000


_TABLE: dict[str, list[Overload]] = {
    "uuid": [Overload((), UUID_TYPE, _random_uuid)],
}
for _name in ("now", "currenttimeuuid", "current_timeuuid"):
    _TABLE[_name] = [Overload((), TIMEUUID, lambda context, _: context.next_timeuuid())]
for _name in ("currenttimestamp", "current_timestamp"):
    _TABLE[_name] = [Overload((), TIMESTAMP, lambda context, _: TIMESTAMP.encode(_now_ms(context)))]
for _name in ("currentdate", "current_date"):
    _TABLE[_name] = [Overload((), DATE, lambda context, _: of_ms(DATE, _now_ms(context)))]
for _name in ("currenttime", "current_time"):
    _TABLE[_name] = [Overload((), TIME, lambda context, _: TIME.encode(context.now_us * 1000 % (MS_A_DAY * 10**6)))]
for _name in ("mintimeuuid", "min_timeuuid"):
    _TABLE[_name] = [Overload((TIMESTAMP,), TIMEUUID, _edge_timeuuid(b"\x80" * 8, 0))]
for _name in ("maxtimeuuid", "max_timeuuid"):
    _TABLE[_name] = [Overload((TIMESTAMP,), TIMEUUID, _edge_timeuuid(b"\x7f" * 8, 9_999))]
for _names, _target, _sources in (
    (("todate", "to_date"), DATE, (TIMEUUID, TIMESTAMP)),
    (("totimestamp", "to_timestamp"), TIMESTAMP, (TIMEUUID, DATE)),
    (("tounixtimestamp", "to_unix_timestamp"), BIGINT, (TIMEUUID, TIMESTAMP, DATE)),
):
    for _name in _names:
        _TABLE[_name] = [Overload((_source,), _target, _conversion(_source, _target)) for _source in _sources]
for _kind in dict.fromkeys(NATIVE.values()):
    if _kind.cql == "blob":
        continue
    for _spelling in {_kind.cql, "varchar"} if _kind.cql == "text" else {_kind.cql}:
        for _name in (f"{_spelling}asblob", f"{_spelling}_as_blob"):
            _TABLE[_name] = [Overload((_kind,), BLOB, _same)]
        for _name in (f"blobas{_spelling}", f"blob_as_{_spelling}"):
            _TABLE[_name] = [Overload((BLOB,), _kind, _from_blob(_kind, _name))]


def _numeric(name: str) -> list[Overload]:
    return [Overload((kind,), kind, unary_math(name, kind)) for kind in sorted(NUMBERS, key=lambda kind: kind.cql)]


for _name in ("abs", "exp", "log", "log10", "round"):
    _TABLE[_name] = _numeric(_name)


def _floor(source: CqlType, target: CqlType, run: Callable[..., int], *more: CqlType) -> Overload:
    kinds = (source, NATIVE["duration"], *more)

    def evaluate(_: Context, values: Values) -> bytes | None:
        if any(not value for value in values):
            return None
        moment, duration, *start = (
            to_ms(kind, value) if kind is TIMEUUID else kind.decode(value)
            for kind, value in zip(kinds, values, strict=True)
            if value
        )
        if source is DATE:
            return DATE.encode(run(moment - DATE_EPOCH, duration, *(day - DATE_EPOCH for day in start)) + DATE_EPOCH)
        return target.encode(run(moment, duration, *start))

    return Overload(kinds, target, evaluate)


_TABLE["floor"] = [
    _floor(TIMESTAMP, TIMESTAMP, floor_ms, TIMESTAMP),
    _floor(TIMEUUID, TIMESTAMP, floor_ms),
    _floor(DATE, DATE, floor_date),
    _floor(DATE, DATE, floor_date, DATE),
    _floor(TIMEUUID, TIMESTAMP, floor_ms, TIMESTAMP),
    _floor(TIMESTAMP, TIMESTAMP, floor_ms),
    _floor(TIME, TIME, floor_time),
]


_MEASURES = frozenset({"similarity_cosine", "similarity_euclidean", "similarity_dot_product"})


def _similarity_overloads(compiler: Compiler, call: ast.Call, name: str) -> list[Overload]:
    """The only overload for the given arguments. Raises `Invalid` for others, as in Cassandra."""
    if len(call.arguments) != 2:
        raise Invalid(f"Invalid number of arguments for function {_generic_name(name)}")
    kinds = [_vector_type(compiler, argument, name) for argument in call.arguments]
    known = [kind for kind in kinds if kind is not None]
    if not known:
        raise Invalid(
            f"Cannot infer type of argument {show(call.arguments[0])} in call to function {_generic_name(name)}: "
            "use type casts to disambiguate"
        )
    if known[0].dimension != known[-1].dimension:
        raise Invalid("All arguments must have the same vector dimensions")
    kind = known[0]
    measure = similarity(name.removeprefix("similarity_"))
    assert measure is not None

    def run(_: Context, values: Values) -> bytes | None:
        left, right = values
        if left is None or right is None:
            return None
        return FLOAT.encode(measure(kind.decode(left), kind.decode(right)))

    return [Overload((kind, kind), FLOAT, run)]


def _generic_name(name: str) -> str:
    return f"system.{name}(vector<float, n>, vector<float, n>)"


def _vector_type(compiler: Compiler, argument: ast.Expression, name: str) -> VectorType | None:
    """The type of an argument; None if the other argument's type is used."""
    if isinstance(argument, ast.ListLiteral):
        if not argument.items:
            raise Invalid("vectors may only have positive dimensions; given 0")
        return VectorType(FLOAT, len(argument.items))
    kind = argument_type(compiler, argument)
    if kind is not None and not (isinstance(kind, VectorType) and kind.element == FLOAT):
        cast = isinstance(argument, ast.TypeHint) and isinstance(kind, ListType | SetType | MapType)
        raise Invalid(
            f"Function system.{name} requires a float vector argument, but found argument {show(argument)} "
            f"of type {f'frozen<{kind.cql}>' if cast else kind.cql}"
        )
    assert kind is None or isinstance(kind, VectorType)
    return kind


class FunctionRegistry:
    """Cassandra's built-in functions and operators; user-defined ones are not supported. Implements
    `terms.Functions`.
    """

    def infer(self, compiler: Compiler, expression: ast.Call | ast.Binary | ast.Negate) -> CqlType | None:
        """The type of a call or an operation on its own; None if it depends on the receiver."""
        if not isinstance(expression, ast.Call):
            return infer_arithmetic(compiler, expression)
        return None if _is_from_json(expression) else _choose(compiler, expression, None).result

    def compile(self, compiler: Compiler, expression: ast.Call | ast.Binary | ast.Negate, kind: CqlType) -> Term:
        """A call or an operation as a term of that type. Raises `Invalid`."""
        if not isinstance(expression, ast.Call):
            return compile_arithmetic(compiler, expression, kind)
        if _is_from_json(expression):
            return _compile_from_json(compiler, expression, kind)
        return _compile_call(compiler, expression, kind)

    def fits(self, compiler: Compiler, expression: ast.Binary | ast.Negate, kind: CqlType) -> bool:
        """Whether an operation can return a value of that type."""
        return bool(fit_of(compiler, expression, kind))


FUNCTIONS: Functions = FunctionRegistry()
