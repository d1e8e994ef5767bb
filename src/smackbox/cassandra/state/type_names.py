"""From the name of a type, as written in CQL, to the type."""

from __future__ import annotations

from smackbox.cassandra.wire.cql.ast import TypeName
from smackbox.cassandra.wire.cql.expressions import ExpressionParser
from smackbox.cassandra.wire.cql.lexer import tokenize
from smackbox.cassandra.wire.errors import Invalid, SyntaxFault
from smackbox.cassandra.wire.types import (
    COUNTER,
    DURATION,
    MARSHAL,
    NATIVE,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)

VECTOR_DIMENSION_LIMIT = 8192
_BY_JAVA = {kind.java.removeprefix(MARSHAL): kind for kind in NATIVE.values()}


def parse_type(text: str, user_types: dict[str, UserType], keyspace: str) -> CqlType:
    """The type that `text` names. Raises `SyntaxFault` or `Invalid`."""
    parser = ExpressionParser(text, tokenize(text))
    name = parser.type_name()
    if parser.token.kind != "end":
        raise parser.no_alternative()
    return resolve(name, user_types, keyspace)


def resolve(name: TypeName, user_types: dict[str, UserType], keyspace: str | None, *, nested: bool = False) -> CqlType:
    """The type of that name; inside another type, collections and user types have to be frozen.

    Raises `Invalid` for an unknown user type or a combination that Cassandra refuses.
    """
    kind = _resolve(name, user_types, keyspace)
    if nested and kind.multi_cell:
        raise Invalid(f"Non-frozen {_sort_of(kind)} are not allowed inside collections: {kind.cql}")
    return kind


def _resolve(name: TypeName, user_types: dict[str, UserType], keyspace: str | None) -> CqlType:
    if name.quoted and name.name.startswith(MARSHAL):
        return _from_java(name.name)
    if name.parameters:
        return _parametric(name, user_types, keyspace)
    native = NATIVE.get(name.name.lower() if not name.quoted else "") if name.keyspace is None else None
    if native is not None:
        if name.frozen:
            raise SyntaxFault(
                f"frozen<> is only allowed on collections, tuples, and user-defined types (got {native.cql})"
            )
        return native
    if name.quoted and name.name in _BY_JAVA:
        return _BY_JAVA[name.name]
    if name.keyspace is not None and name.keyspace != keyspace:
        raise Invalid(
            f"Statement on keyspace {keyspace} cannot refer to a user type in keyspace {name.keyspace}; "
            "user types can only be used in the keyspace they are defined in"
        )
    found = user_types.get(name.name)
    if found is None:
        raise Invalid(f"Unknown type {keyspace}.{name.name}" if keyspace else f"Unknown type {name.name}")
    return found.frozen() if name.frozen else found


def _parametric(name: TypeName, user_types: dict[str, UserType], keyspace: str | None) -> CqlType:
    freeze = name.frozen or name.name == "tuple"
    parts = []
    for parameter in name.parameters:
        part = _resolve(parameter, user_types, keyspace)
        if part.multi_cell and not freeze:
            raise Invalid(_nested_complaint(name, part, user_types, keyspace))
        parts.append(part.frozen() if part.multi_cell else part)
        if part == COUNTER:
            raise Invalid(f"Counters are not allowed inside collections: {_shown(name)}")
    if name.name == "list":
        return ListType(parts[0], multi_cell=not freeze)
    if name.name == "set":
        if parts[0] == DURATION:
            raise Invalid(f"Durations are not allowed inside sets: {_shown(name)}")
        return SetType(parts[0], multi_cell=not freeze)
    if name.name == "map":
        if parts[0] == DURATION:
            raise Invalid(f"Durations are not allowed as map keys: {_shown(name)}")
        return MapType(parts[0], parts[1], multi_cell=not freeze)
    if name.name == "tuple":
        return TupleType(tuple(parts))
    if not 1 <= name.dimension <= VECTOR_DIMENSION_LIMIT:
        raise Invalid(
            f"vectors may only have positive dimensions up to {VECTOR_DIMENSION_LIMIT}; given {name.dimension}"
        )
    return VectorType(parts[0], name.dimension)


def _nested_complaint(name: TypeName, part: CqlType, user_types: dict[str, UserType], keyspace: str | None) -> str:
    del user_types, keyspace
    if isinstance(part, UserType):
        return f"Non-frozen UDTs are not allowed inside collections: {_shown(name)}"
    return f"Non-frozen collections are not allowed inside collections: {_shown(name)}"


def _shown(name: TypeName) -> str:
    inner = name.name
    if name.parameters:
        inner += "<" + ", ".join(map(_shown, name.parameters)) + ">"
    return f"frozen<{inner}>" if name.frozen else inner


def _sort_of(kind: CqlType) -> str:
    return "UDTs" if isinstance(kind, UserType) else "collections"


def _from_java(text: str) -> CqlType:
    kind = _BY_JAVA.get(text.removeprefix(MARSHAL))
    if kind is None:
        raise SyntaxFault(f"custom types are not served: {text}")
    return kind
