"""Dynamic data masking: the masking functions, and masks attached to columns.

A mask is a masking function without its first argument, which is the column. Who may not UNMASK a table sees its masked
columns through their masks, wherever a selection names them; keys, filters, conditions and the order use the values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from smackbox.cassandra.analysis.assignment import is_assignable
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.state.schema import MaskRecord, Table
from smackbox.cassandra.state.system_rows import SystemRows
from smackbox.cassandra.values.json_values import to_json_text
from smackbox.cassandra.values.literals import literal_value
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import show
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    ASCII,
    BLOB,
    INT,
    NUMBERS,
    TEXT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)

if TYPE_CHECKING:
    from smackbox.cassandra.analysis.functions import Overload

DISABLED = (
    "Cannot mask columns because dynamic data masking is not enabled. You can enable it with the "
    "dynamic_data_masking_enabled property on cassandra.yaml"
)
PADDING = "*"
HASH_ALGORITHM = "SHA-256"
_TEXTS = "[text|varchar|ascii]"
_SIGNATURES = {
    "mask_null": "any",
    "mask_default": "any",
    "mask_replace": "any, any",
    "mask_hash": "any, [text]",
    "mask_inner": f"{_TEXTS}, int, int, [text]",
    "mask_outer": f"{_TEXTS}, int, int, [text]",
}
_COUNTS = {
    "mask_null": (1, 1), "mask_default": (1, 1), "mask_replace": (2, 2), "mask_hash": (1, 2), "mask_inner": (3, 4),
    "mask_outer": (3, 4),
}  # fmt: skip
MASKS = frozenset(_SIGNATURES)
_ALGORITHMS = {
    "MD5": "md5", "SHA": "sha1", "SHA-1": "sha1", "SHA-224": "sha224", "SHA-256": "sha256", "SHA-384": "sha384",
    "SHA-512": "sha512", "SHA3-224": "sha3_224", "SHA3-256": "sha3_256", "SHA3-384": "sha3_384",
    "SHA3-512": "sha3_512",
}  # fmt: skip
_DEFAULT_TEXTS = {
    "ascii": "****", "text": "****", "boolean": "false", "date": "1970-01-01", "inet": "0.0.0.0",  # noqa: S104
    "time": "00:00:00", "timestamp": "1970-01-01 00:00:00.000Z", "uuid": "00000000-0000-0000-0000-000000000000",
}  # fmt: skip
_FIRST_TIMEUUID = bytes.fromhex("138140001dd211b28080808080808080")

Values = Sequence[bytes | None]
Mask = Callable[[Values], bytes | None]


class Argument(NamedTuple):
    """An argument as messages show it, its type, and whether it may take the wanted one."""

    shown: str
    kind: CqlType | None
    fits: Callable[[CqlType], bool]


def mask_overloads(compiler: Compiler, call: ast.Call, name: str) -> list[Overload]:
    """The one overload for the arguments given. Raises `Invalid` as Cassandra does."""
    from smackbox.cassandra.analysis.functions import Overload

    arguments = [_argument(compiler, argument) for argument in call.arguments]
    kinds, result, mask = choose(name, arguments)
    return [Overload(tuple(kinds), result, lambda _, values: mask(values))]


def _argument(compiler: Compiler, argument: ast.Expression) -> Argument:
    from smackbox.cassandra.analysis.functions import argument_type

    return Argument(show(argument), argument_type(compiler, argument), partial(compiler.assignable, argument))


def choose(name: str, arguments: Sequence[Argument]) -> tuple[list[CqlType], CqlType, Mask]:
    """The types of the arguments and of the result, and the function. Raises `Invalid`."""
    least, most = _COUNTS[name]
    signature = f"system.{name}({_SIGNATURES[name]})"
    if not least <= len(arguments) <= most:
        raise Invalid(f"Invalid number of arguments for function {signature}")
    first = arguments[0].kind
    of_text = name in {"mask_inner", "mask_outer"}
    if first is None:
        if not of_text:
            raise Invalid(
                f"Cannot infer type of argument {arguments[0].shown} in call to function {signature}: "
                "use type casts to disambiguate"
            )
        first = TEXT
    if of_text and first not in {TEXT, ASCII}:
        raise _wrong_type(name, _TEXTS, arguments[0])
    kinds = [first]
    wanted = _wanted(name, first)
    for index, (argument, kind) in enumerate(zip(arguments[1:], wanted, strict=False), 1):
        if name == "mask_replace" and not argument.fits(kind):
            raise Invalid(
                f"Type error: {argument.shown} cannot be passed as argument {index} of function system.{name} "
                f"of type {kind.cql}"
            )
        if name != "mask_replace" and argument.kind is not None and not argument.fits(kind):
            raise _wrong_type(name, kind.cql, argument)
        kinds.append(kind)
    return kinds, BLOB if name == "mask_hash" else first, _function(name, first)


def _wanted(name: str, kind: CqlType) -> list[CqlType]:
    """The types of the arguments after the first."""
    if name == "mask_replace":
        return [kind]
    return [TEXT] if name == "mask_hash" else [INT, INT, TEXT]


def _wrong_type(name: str, wanted: str, argument: Argument) -> Invalid:
    kind = argument.kind
    return Invalid(
        f"Function system.{name} requires an argument of type {wanted}, but found argument {argument.shown} "
        f"of type {'' if kind is None else kind.cql}"
    )


def _function(name: str, kind: CqlType) -> Mask:
    if name == "mask_null":
        return lambda _: None
    if name == "mask_default":
        default = default_of(kind)
        return lambda _: default
    if name == "mask_replace":
        return lambda values: values[1]
    if name == "mask_hash":
        return _hashed
    return lambda values: _covered(values, name)


def _hashed(values: Values) -> bytes | None:
    algorithm = HASH_ALGORITHM
    if len(values) > 1 and values[1] is not None:
        algorithm = values[1].decode()
    found = _ALGORITHMS.get(algorithm.upper())
    if found is None:
        raise Invalid(f"Hash algorithm not found: {algorithm}")
    return None if values[0] is None else hashlib.new(found, values[0], usedforsecurity=False).digest()


def _covered(values: Values, name: str) -> bytes | None:
    padding = PADDING
    if len(values) > 3 and values[3] is not None:
        padding = values[3].decode()
        length = len(padding.encode("utf-16-le")) // 2
        if length != 1:
            raise Invalid(
                f"The padding argument for function system.{name} should be single-character, but '{padding}' has "
                f"{length} characters."
            )
    if values[0] is None:
        return None
    text = values[0].decode()
    begin, end = (max(0, INT.decode(value)) if value else 0 for value in values[1:3])
    stop = max(len(text) - end, 0)
    if begin >= stop:
        return (text if name == "mask_inner" else padding * len(text)).encode()
    if name == "mask_inner":
        shown = text[:begin] + padding * (stop - begin) + text[stop:]
    else:
        shown = padding * begin + text[begin:stop] + padding * (len(text) - stop)
    return shown.encode()


def default_of(kind: CqlType) -> bytes | None:
    """The value that says nothing, of each type."""
    if isinstance(kind, ListType | SetType | MapType):
        return bytes(4)
    if isinstance(kind, VectorType):
        return kind.join([default_of(kind.element) or b""] * kind.dimension)
    if isinstance(kind, UserType | TupleType):
        return kind.join([default_of(part) for part in kind.parts])
    text = _DEFAULT_TEXTS.get(kind.cql)
    if text is not None:
        sort = "boolean" if kind.cql == "boolean" else "uuid" if kind.cql == "uuid" else "string"
        return literal_value(ast.Literal(sort, text), kind, "")
    if kind.cql == "timeuuid":
        return _FIRST_TIMEUUID
    if kind.cql == "duration":
        return bytes(3)
    if kind in NUMBERS or kind.cql == "counter":
        return bytes(8) if kind.cql == "counter" else literal_value(ast.Literal("integer", "0"), kind, "")
    return b""


# ---- masks of columns ------------------------------------------------------------------------------------------------


def attach(mask: ast.Mask | None, column: str, kind: CqlType, scope: Scope) -> MaskRecord | None:
    """The mask of a column of that type. Raises `Invalid` for a function that cannot mask it."""
    if mask is None:
        return None
    shown = f"{mask.name}({', '.join(map(show, mask.arguments))})"
    qualified = f"{mask.keyspace}.{shown}" if mask.keyspace else shown
    name = mask.name.lower()
    if mask.keyspace not in {None, "system"} or name not in MASKS:
        raise Invalid(_no_mask(mask, name, column, qualified))
    compiler = Compiler(scope)
    own = Argument(kind.java, kind, partial(is_assignable, kind))
    others = [_argument(compiler, argument) for argument in mask.arguments]
    kinds, result, _ = choose(name, [own, *others])
    if result != kind:
        raise Invalid(
            f"Masking function {qualified} return type is {result.cql}. This is different to the type of the masked "
            f"column {column} of type {kind.cql}. Masking functions can only be attached to table columns if they "
            "return the same data type as the masked column."
        )
    values = []
    for argument, wanted in zip(mask.arguments, kinds[1:], strict=True):
        term = compiler.compile(argument, wanted, f"arg(system.{name})")
        found = term.evaluate(None, None)  # type: ignore[arg-type]
        assert found is None or isinstance(found, bytes)
        values.append(found)
    return MaskRecord(name, tuple(None if value is None else value.hex() for value in values))


def _no_mask(mask: ast.Mask, name: str, column: str, shown: str) -> str:
    from smackbox.cassandra.analysis.functions import known_function, one_count

    count = one_count(name)
    if mask.keyspace in {None, "system"} and known_function(name):
        if count is not None and count != len(mask.arguments) + 1:
            return (
                f"Invalid number of arguments in call to function system.{name}: {count} required but "
                f"{len(mask.arguments) + 1} provided"
            )
        return f"Not-masking function {shown} cannot be used for masking table columns"
    return f"Unable to find masking function for {column}, no declared function matches the signature {shown}"


def argument_types(mask: MaskRecord, kind: CqlType) -> list[CqlType]:
    """The types of the arguments after the column."""
    return _wanted(mask.function, kind)[: len(mask.arguments)]


def applied(mask: MaskRecord, kind: CqlType) -> Callable[[bytes | None], bytes | None]:
    """What the mask makes of a value of the column."""
    function = _function(mask.function, kind)
    rest = [None if value is None else bytes.fromhex(value) for value in mask.arguments]
    return lambda value: function([value, *rest])


def shown_mask(mask: MaskRecord, kind: CqlType) -> str:
    """The mask as DESCRIBE shows it."""
    parts = [
        "null" if value is None else as_literal(wanted, bytes.fromhex(value))
        for value, wanted in zip(mask.arguments, argument_types(mask, kind), strict=True)
    ]
    return f"MASKED WITH system.{mask.function}({', '.join(parts)})"


def as_literal(kind: CqlType, value: bytes) -> str:
    """A value as it is written in CQL."""
    if isinstance(kind, UserType):
        fields = zip(kind.field_names, kind.parts, kind.fields(value), strict=False)
        return "{" + ", ".join(f"{name}: {_or_null(part, found)}" for name, part, found in fields) + "}"
    if isinstance(kind, TupleType):
        return "(" + ", ".join(map(_or_null, kind.parts, kind.fields(value))) + ")"
    if isinstance(kind, MapType):
        return (
            "{"
            + ", ".join(f"{as_literal(kind.key, a)}: {as_literal(kind.value, b)}" for a, b in kind.pairs(value))
            + "}"
        )
    if isinstance(kind, ListType):
        return f"[{', '.join(_or_null(kind.element, item) for item in kind.elements_or_null(value))}]"
    if isinstance(kind, SetType | VectorType):
        inside = ", ".join(as_literal(kind.element, item) for item in kind.elements(value))
        return f"{{{inside}}}" if isinstance(kind, SetType) else f"[{inside}]"
    text = to_json_text(kind, value)
    if kind.cql in {"ascii", "text"}:
        return "'" + value.decode().replace("'", "''") + "'"
    if text.startswith('"'):
        bare = text[1:-1]
        return bare if kind.cql in {"uuid", "timeuuid", "blob", "duration"} else f"'{bare}'"
    return text


def _or_null(kind: CqlType, value: bytes | None) -> str:
    return "null" if value is None else as_literal(kind, value)


def is_masked_for(context: Context, table: Table) -> bool:
    """Whether the one who asks sees the table's masked columns through their masks."""
    if not table.masks or not context.room.masking:
        return False
    security = context.room.security
    return context.user is not None and not security.has_on_table(context.user, "UNMASK", table)


def show_masks(system_rows: SystemRows, catalog: Catalog) -> None:
    """Let system_schema.column_masks be read."""

    def rows(_: Endpoint) -> Iterator[dict[str, Any]]:
        for keyspace in catalog.user_keyspaces():
            for table in keyspace.tables.values():
                for ordinal, mask in table.masks.items():
                    column = table.columns[ordinal]
                    kinds = argument_types(mask, column.type)
                    yield {
                        "keyspace_name": keyspace.name,
                        "table_name": table.name,
                        "column_name": column.name,
                        "function_keyspace": "system",
                        "function_name": mask.function,
                        "function_argument_types": [kind.cql for kind in kinds],
                        "function_argument_values": [
                            _plain(kind, value) for kind, value in zip(kinds, mask.arguments, strict=True)
                        ],
                        "function_argument_nulls": [value is None for value in mask.arguments],
                    }

    system_rows.add("system_schema", "column_masks", rows)


def _plain(kind: CqlType, value: str | None) -> str:
    """An argument as the system table shows it: without quotes, null as nothing."""
    if value is None:
        return ""
    raw = bytes.fromhex(value)
    return raw.decode() if kind in {TEXT, ASCII} else as_literal(kind, raw).strip("'")
