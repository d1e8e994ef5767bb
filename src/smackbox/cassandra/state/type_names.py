"""Parses type names as written in CQL."""

from __future__ import annotations

from smackbox.cassandra.state.java_names import java_type
from smackbox.cassandra.wire.cql.ast import TypeName
from smackbox.cassandra.wire.cql.expressions import ExpressionParser
from smackbox.cassandra.wire.cql.lexer import tokenize
from smackbox.cassandra.wire.custom_types import EmptyType
from smackbox.cassandra.wire.errors import Invalid, SyntaxFault
from smackbox.cassandra.wire.types import (
    COUNTER,
    DURATION,
    NATIVE,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)


def parse_type(text: str, user_types: dict[str, UserType], keyspace: str) -> CqlType:
    """The type with the name `text`. Raises `SyntaxFault` or `Invalid`."""
    if text == "empty" and "empty" not in user_types:
        return EmptyType()  # it has no CQL name of its own
    parser = ExpressionParser(text, tokenize(text))
    name = parser.type_name()
    if parser.token.kind != "end":
        raise parser.no_alternative()
    return resolve(name, user_types, keyspace)


def resolve(name: TypeName, user_types: dict[str, UserType], keyspace: str | None, *, nested: bool = False) -> CqlType:
    """The type of that name; inside another type, collections and user types must be frozen.

    Raises `Invalid` for an unknown user type or a combination that Cassandra rejects.
    """
    kind = _resolve(name, user_types, keyspace)
    if nested and kind.multi_cell:
        raise Invalid(f"Non-frozen {_sort_of(kind)} are not allowed inside collections: {kind.cql}")
    return kind


def _resolve(name: TypeName, user_types: dict[str, UserType], keyspace: str | None) -> CqlType:
    if name.java:
        kind = java_type(name.name, user_types)
        if name.frozen:
            raise SyntaxFault(
                f"frozen<> is only allowed on collections, tuples, and user-defined types (got '{kind.java}')"
            )
        return kind
    if name.parameters:
        return _parametric(name, user_types, keyspace)
    native = NATIVE.get(name.name.lower() if not name.quoted else "") if name.keyspace is None else None
    if native is not None:
        if name.frozen:
            raise SyntaxFault(
                f"frozen<> is only allowed on collections, tuples, and user-defined types (got {native.cql})"
            )
        return native
    if name.keyspace is not None and name.keyspace != keyspace:
        raise Invalid(
            f"Statement on keyspace {keyspace} cannot refer to a user type in keyspace {name.keyspace}; "
            "user types can only be used in the keyspace they are defined in"
        )
    user_type = user_types.get(name.name)
    if user_type is None:
        raise Invalid(f"Unknown type {keyspace}.{name.name}" if keyspace else f"Unknown type {name.name}")
    return user_type.frozen() if name.frozen else user_type


def _parametric(name: TypeName, user_types: dict[str, UserType], keyspace: str | None) -> CqlType:
    if name.name == "vector":
        return _vector(name, user_types, keyspace)
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
    return TupleType(tuple(parts))


def _vector(name: TypeName, user_types: dict[str, UserType], keyspace: str | None) -> VectorType:
    """A vector's elements are stored whole, whether frozen or not; its type keeps the name as written."""
    if name.dimension <= 0:
        raise Invalid(f"vectors may only have positive dimensions; given {name.dimension}")
    return VectorType(_resolve(name.parameters[0], user_types, keyspace), name.dimension)


def _nested_complaint(name: TypeName, part: CqlType, user_types: dict[str, UserType], keyspace: str | None) -> str:
    del user_types, keyspace
    if isinstance(part, UserType):
        return f"Non-frozen UDTs are not allowed inside collections: {_shown(name)}"
    return f"Non-frozen collections are not allowed inside collections: {_shown(name)}"


def _shown(name: TypeName) -> str:
    inner = name.name
    if name.parameters:
        shown = [*map(_shown, name.parameters), *([str(name.dimension)] if name.name == "vector" else [])]
        inner += "<" + ", ".join(shown) + ">"
    return f"frozen<{inner}>" if name.frozen else inner


def _sort_of(kind: CqlType) -> str:
    return "UDTs" if isinstance(kind, UserType) else "collections"
