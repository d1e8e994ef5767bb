"""CQL values as JSON and back, for `SELECT JSON`, `INSERT JSON`, `toJson` and `fromJson`."""

from __future__ import annotations

import json
import re
from typing import Any

from smackbox.cassandra.values.casts import decimal_text, float_text, text_of
from smackbox.cassandra.values.literals import parse_text
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import (
    BLOB,
    BOOLEAN,
    COUNTER,
    DECIMAL,
    DOUBLE,
    DURATION,
    FLOAT,
    INTEGERS,
    NUMBERS,
    TIMESTAMP,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
    quoted,
)

_BARE_TEXT = frozenset({"ascii", "text", "inet", "uuid", "timeuuid", "date", "time", "timestamp", "duration"})


def to_json_text(kind: CqlType, value: bytes | None) -> str:
    """The JSON form of a value."""
    if value is None:
        return "null"
    if isinstance(kind, ListType):
        return "[" + ", ".join(to_json_text(kind.element, item) for item in kind.elements_or_null(value)) + "]"
    if isinstance(kind, SetType | VectorType):
        return "[" + ", ".join(to_json_text(kind.element, item) for item in kind.elements(value)) + "]"
    if isinstance(kind, MapType):
        parts = []
        for key, item in kind.pairs(value):
            name = to_json_text(kind.key, key)
            parts.append(f"{name if name.startswith(chr(34)) else json.dumps(name)}: {to_json_text(kind.value, item)}")
        return "{" + ", ".join(parts) + "}"
    if isinstance(kind, TupleType):
        fields = kind.fields(value)
        fields += [None] * (len(kind.parts) - len(fields))
        texts = [to_json_text(part, field) for part, field in zip(kind.parts, fields, strict=True)]
        if isinstance(kind, UserType):
            names = (name if name == name.lower() else quoted(name) for name in kind.field_names)
            return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in zip(names, texts, strict=True)) + "}"
        return "[" + ", ".join(texts) + "]"
    if kind == BLOB:
        return f'"0x{value.hex()}"'
    if value == b"":
        return '""'
    if kind in {FLOAT, DOUBLE}:
        text = text_of(kind, value)
        return "null" if text in {"NaN", "Infinity", "-Infinity"} else text
    if kind == DECIMAL:
        return decimal_text(kind.decode(value))
    if kind in NUMBERS or kind == BOOLEAN:
        return text_of(kind, value)
    if kind == TIMESTAMP:
        return json.dumps(text_of(kind, value).replace("T", " "))
    if kind == DURATION:
        return json.dumps(duration_text(kind.decode(value)))
    return json.dumps(text_of(kind, value), ensure_ascii=False)


def duration_text(duration: tuple[int, int, int]) -> str:
    """A duration as Cassandra's `Duration.toString` prints it: `1y2mo3d4h5m6s7ms8us9ns`."""
    months, days, nanoseconds = (abs(part) for part in duration)
    text = "-" if min(duration) < 0 else ""
    for number, unit in ((months // 12, "y"), (months % 12, "mo"), (days, "d")):
        text += f"{number}{unit}" if number else ""
    for size, unit in ((3600 * 10**9, "h"), (60 * 10**9, "m"), (10**9, "s"), (10**6, "ms"), (1000, "us"), (1, "ns")):
        number, nanoseconds = divmod(nanoseconds, size)
        text += f"{number}{unit}" if number else ""
    return text


def parse_json(text: str) -> Any:
    """Parse a JSON document; as in Cassandra, numbers with a fraction are doubles. Raises `Invalid`."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"Could not decode JSON string as a map: {error}. (String was: {text})") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def parse_json_object(text: str) -> dict[str, Any]:
    """The document of INSERT JSON: a map from column names (double-quoted if case-sensitive) to values."""
    document = parse_json(text)
    if not isinstance(document, dict):
        raise Invalid(f"Could not decode JSON string as a map: {text}")
    return {
        name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name.lower(): value
        for name, value in document.items()
    }


def from_json(kind: CqlType, value: Any) -> bytes | None:
    """A parsed JSON value as a value of type `kind`. Raises `Invalid` if it has another type."""
    if value is None:
        return None
    if isinstance(kind, ListType | SetType | VectorType):
        return _sequence(kind, value)
    if isinstance(kind, MapType):
        if not isinstance(value, dict):
            raise Invalid(f"Expected a map, but got a {_java_type(value)}: {_shown(value)}")
        pairs = []
        for name, item in value.items():
            key = from_json(kind.key, _key(kind.key, name))
            converted = from_json(kind.value, item)
            if key is None or converted is None:
                raise Invalid("Invalid null value in map")
            pairs.append((key, converted))
        return kind.sorted_join(pairs)
    if isinstance(kind, UserType):
        return _user_type(kind, value)
    if isinstance(kind, TupleType):
        if not isinstance(value, list):
            raise Invalid(f"Expected a list representation of a tuple, but got a {_java_type(value)}: {_shown(value)}")
        if len(value) > len(kind.parts):
            raise Invalid(f"Tuple contains extra items (expected {len(kind.parts)}): {_shown(value)}")
        return kind.join([from_json(part, item) for part, item in zip(kind.parts, value, strict=False)])
    return _scalar(kind, value)


def _sequence(kind: ListType | SetType | VectorType, value: Any) -> bytes:
    if isinstance(value, str):
        value = parse_json(value)
    if not isinstance(value, list):
        raise Invalid(f"Expected a list, but got a {_java_type(value)}: {_shown(value)}")
    items = []
    for item in value:
        converted = from_json(kind.element, item)
        if converted is None:
            raise Invalid(f"Invalid null element in {'set' if isinstance(kind, SetType) else 'list'}")
        items.append(converted)
    if isinstance(kind, SetType):
        return kind.sorted_join(items)
    if isinstance(kind, VectorType) and len(items) != kind.dimension:
        raise Invalid(f"Invalid number of elements in {kind.cql}: expected {kind.dimension}, got {len(items)}")
    return kind.join(items)


def _key(kind: CqlType, name: str) -> Any:
    """A map's key is a string in JSON; keys of other types are JSON inside it."""
    if kind.cql in _BARE_TEXT or kind == BLOB:
        return name
    return parse_json(name)


def _user_type(kind: UserType, value: Any) -> bytes:
    if isinstance(value, str):
        value = parse_json(value)
    if not isinstance(value, dict):
        raise Invalid(f"Expected a map, but got a {_java_type(value)}: {_shown(value)}")
    members = {name[1:-1] if name[:1] == '"' else name.lower(): item for name, item in value.items()}
    unknown = [name for name in members if name not in kind.field_names]
    if unknown:
        raise Invalid(f"Unknown field '{unknown[0]}' in value of user defined type {kind.name}")
    return kind.join(
        [from_json(part, members.get(name)) for name, part in zip(kind.field_names, kind.parts, strict=True)]
    )


def _scalar(kind: CqlType, value: Any) -> bytes:
    name = kind.cql
    if kind == BOOLEAN:
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            value = value.lower() == "true"
        if not isinstance(value, bool):
            raise Invalid(f"Expected a boolean value, but got a {_java_type(value)}: {_shown(value)}")
        return kind.encode(value)
    if kind in INTEGERS or kind == COUNTER:
        return _integer(kind, value)
    if kind in {FLOAT, DOUBLE, DECIMAL}:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Invalid(f"Expected a {name} value, but got a {_java_type(value)}: {_shown(value)}")
        text = float_text(value, single=False) if isinstance(value, float) else str(value)
        return parse_text(text, kind, "float")
    if kind == BLOB:
        if not isinstance(value, str):
            raise Invalid(f"Value '{_shown(value)}' is not a valid blob representation")
        if not re.fullmatch(r"0[xX](?:[0-9a-fA-F]{2})*", value):
            raise Invalid(
                f"Value '{value}' is not a valid blob representation: "
                f"String representation of blob is missing 0x prefix: {value}"
            )
        return bytes.fromhex(value[2:])
    if kind == TIMESTAMP and isinstance(value, int) and not isinstance(value, bool):
        return kind.encode(value)
    if not isinstance(value, str):
        expected = {"text": "UTF-8 string", "ascii": "ascii string"}.get(
            name, f"string representation of a {name} value"
        )
        raise Invalid(f"Expected a {expected}, but got a {_java_type(value)}: {_shown(value)}")
    return parse_text(value, kind)


def _integer(kind: CqlType, value: Any) -> bytes:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise Invalid(f"Unable to make {kind.cql} from '{value}'") from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"Expected {_article(kind)} value, but got a {_java_type(value)}: {_shown(value)}")
    try:
        return kind.encode(value)
    except OverflowError:
        raise Invalid(f"Expected {_article(kind)} value, but got a {_java_type(value)}: {value}") from None


def _article(kind: CqlType) -> str:
    return f"an {kind.cql}" if kind.cql[0] in "aeiou" else f"a {kind.cql}"


def _java_type(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer" if -(2**31) <= value < 2**31 else "Long" if -(2**63) <= value < 2**63 else "BigInteger"
    names = {str: "String", float: "Double", list: "ArrayList", dict: "LinkedHashMap"}
    return names.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_shown(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
