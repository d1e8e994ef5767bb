"""Avro schemas: parse, check, write canonically.

The canonical text is the one of Avro's own `Schema.toString()`: no white space; of a named type its type, name,
namespace (where it differs from the enclosing one), doc, content, aliases and further properties, in that order; a type
that was defined before by its name. Documentation, defaults and properties are part of a schema's identity.
Normalizing also sorts the properties.
Source: https://avro.apache.org/docs/1.12.0/specification/
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from smackbox.registry.state.schema import NESTING_LIMIT, InvalidSchema, Resolved, Schema, no_constant

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "error", "enum", "fixed"})
_RESERVED = {
    "record": ("type", "name", "namespace", "doc", "fields", "aliases"),
    "enum": ("type", "name", "namespace", "doc", "symbols", "default", "aliases"),
    "fixed": ("type", "name", "namespace", "doc", "size", "aliases"),
    "array": ("type", "items"),
    "map": ("type", "values"),
}
_FIELD_RESERVED = ("name", "type", "doc", "default", "order", "aliases")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INT, _LONG = 2**31, 2**63
Json = Any


@dataclass(slots=True, eq=False)
class AvroType:
    """A type. `name` is the full one; `branches` a union's, `items` an array's or a map's."""

    kind: str
    name: str = ""
    namespace: str = ""
    doc: str | None = None
    aliases: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    symbols: tuple[str, ...] = ()
    default: str | None = None
    size: int = 0
    items: AvroType | None = None
    branches: tuple[AvroType, ...] = ()
    properties: dict[str, Json] = field(default_factory=dict)

    @property
    def simple_name(self) -> str:
        """The name without its namespace."""
        return self.name.rpartition(".")[2]


@dataclass(slots=True, eq=False)
class Field:
    """A field of a record."""

    name: str
    type: AvroType
    doc: str | None
    has_default: bool
    default: Json
    order: str
    aliases: tuple[str, ...]
    properties: dict[str, Json]


class AvroSchema:
    """A parsed schema. `imported` are the full names of the types that references define."""

    def __init__(self, root: AvroType, imported: frozenset[str]) -> None:
        self.root = root
        self._imported = imported

    @property
    def canonical(self) -> str:
        """As Avro's `Schema.toString()`; types of references by their names."""
        return _dumps(_Writer(self._imported, ordered=False).written(self.root, ""))

    @property
    def normalized(self) -> str:
        """The canonical text with the properties in order."""
        return _dumps(_Writer(self._imported, ordered=True).written(self.root, ""))

    def unreadable(self, writer: Schema) -> list[str]:
        """See `avro_compatibility`."""
        from smackbox.registry.state.avro_compatibility import differences

        assert isinstance(writer, AvroSchema)
        return differences(self.root, writer.root)

    def formatted(self, form: str) -> str:
        """`resolved`: with the definitions of imported types."""
        if form != "resolved":
            return self.canonical
        return _dumps(_Writer(frozenset(), ordered=False).written(self.root, ""))


def parse_avro(text: str, references: Resolved = ()) -> AvroSchema:
    """The schema of a text whose references are known. Raises `InvalidSchema`."""
    names: dict[str, AvroType] = {}
    for name, referenced in references:
        try:
            _Reader(names).read(_loads(referenced), "", 0)
        except InvalidSchema as error:
            raise InvalidSchema(f"reference {name}: {error}") from error
    imported = frozenset(names)
    return AvroSchema(_Reader(names).read(_loads(text), "", 0), imported)


class _Reader:
    def __init__(self, names: dict[str, AvroType]) -> None:
        self._names = names

    def read(self, node: Json, namespace: str, depth: int) -> AvroType:
        if depth > NESTING_LIMIT:
            raise InvalidSchema(f"types are nested deeper than {NESTING_LIMIT}")
        if isinstance(node, str):
            return self._named(node, namespace)
        if isinstance(node, list):
            return self._union(node, namespace, depth)
        if not isinstance(node, dict):
            raise InvalidSchema(f"a type is a name, an object or an array, not {_dumps(node)}")
        kind = node.get("type")
        if isinstance(kind, (dict, list)):  # {"type": {"type": …}}
            return self.read(kind, namespace, depth + 1)
        if not isinstance(kind, str):
            raise InvalidSchema(f"no type in {_dumps(node)[:200]}")
        if kind in NAMED:
            return self._definition(kind, node, namespace, depth)
        if kind in {"array", "map"}:
            inner = "items" if kind == "array" else "values"
            if inner not in node:
                raise InvalidSchema(f"{kind} without {inner}")
            items = self.read(node[inner], namespace, depth + 1)
            return AvroType(kind, kind, items=items, properties=_others(node, _RESERVED[kind]))
        found = self._named(kind, namespace)
        if found.kind in PRIMITIVES:
            return AvroType(kind, kind, properties=_others(node, ("type",)))
        return found

    def _named(self, name: str, namespace: str) -> AvroType:
        if name in PRIMITIVES:
            return AvroType(name, name)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        found = self._names.get(full) or self._names.get(name)
        if found is None:
            raise InvalidSchema(f'"{name}" is not a defined name')
        return found

    def _union(self, node: list[Json], namespace: str, depth: int) -> AvroType:
        branches = tuple(self.read(branch, namespace, depth + 1) for branch in node)
        seen: set[str] = set()
        for branch in branches:
            if branch.kind == "union":
                raise InvalidSchema("a union must not contain a union")
            if branch.name in seen:
                raise InvalidSchema(f"duplicate in union: {branch.name}")
            seen.add(branch.name)
        return AvroType("union", "union", branches=branches)

    def _definition(self, kind: str, node: dict[str, Json], namespace: str, depth: int) -> AvroType:
        full, inner_namespace = _full_name(node, namespace)
        if full in self._names:
            raise InvalidSchema(f"cannot redefine {full}")
        kind = "record" if kind == "error" else kind
        made = AvroType(
            kind, full, inner_namespace, _doc(node), _aliases(node, inner_namespace),
            properties=_others(node, _RESERVED[kind]),
        )  # fmt: skip
        self._names[full] = made
        if kind == "record":
            made.fields = self._fields(node, full, inner_namespace, depth)
        elif kind == "enum":
            _read_enum(made, node)
        else:
            size = node.get("size")
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise InvalidSchema(f"fixed {full}: size must be a number of bytes, not {_dumps(size)}")
            made.size = size
        return made

    def _fields(self, node: dict[str, Json], record: str, namespace: str, depth: int) -> tuple[Field, ...]:
        nodes = node.get("fields")
        if not isinstance(nodes, list):
            raise InvalidSchema(f"record {record} has no fields")
        fields: list[Field] = []
        for one in nodes:
            if not isinstance(one, dict) or "type" not in one:
                raise InvalidSchema(f"record {record}: a field is an object with name and type, not {_dumps(one)}")
            name = one.get("name")
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise InvalidSchema(f"record {record}: {_dumps(name)} is not a name of a field")
            if any(field.name == name for field in fields):
                raise InvalidSchema(f"record {record}: duplicate field {name}")
            order = one.get("order", "ascending")
            if order not in ("ascending", "descending", "ignore"):
                raise InvalidSchema(f"field {record}.{name}: order {_dumps(order)} is not known")
            kind = self.read(one["type"], namespace, depth + 1)
            made = Field(
                name, kind, _doc(one), "default" in one, one.get("default"), order, _aliases(one, ""),
                _others(one, _FIELD_RESERVED),
            )  # fmt: skip
            if made.has_default and not valid_default(kind, made.default):
                raise InvalidSchema(f"invalid default for field {record}.{name}: {_dumps(made.default)}")
            fields.append(made)
        return tuple(fields)


def valid_default(kind: AvroType, value: Json) -> bool:
    """Whether a JSON value can be the default of a field; a union's is one of any branch (Avro 1.12)."""
    match kind.kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int":
            return _is_int(value) and -_INT <= value < _INT
        case "long":
            return _is_int(value) and -_LONG <= value < _LONG
        case "float" | "double":
            return _is_int(value) or isinstance(value, float)
        case "bytes" | "string" | "fixed" | "enum":
            return isinstance(value, str)
        case "array":
            assert kind.items is not None
            return isinstance(value, list) and all(valid_default(kind.items, one) for one in value)
        case "map":
            assert kind.items is not None
            return isinstance(value, dict) and all(valid_default(kind.items, one) for one in value.values())
        case "union":
            return any(valid_default(branch, value) for branch in kind.branches)
        case _:
            return isinstance(value, dict) and all(
                valid_default(one.type, value[one.name]) if one.name in value else one.has_default
                for one in kind.fields
            )


class _Writer:
    def __init__(self, imported: frozenset[str], *, ordered: bool) -> None:
        self._ordered = ordered
        self._written = set(imported)

    def written(self, kind: AvroType, namespace: str) -> Json:
        if kind.kind in PRIMITIVES:
            return {"type": kind.kind, **self._properties(kind.properties)} if kind.properties else kind.kind
        if kind.kind == "union":
            return [self.written(branch, namespace) for branch in kind.branches]
        if kind.kind in {"array", "map"}:
            assert kind.items is not None
            inner = "items" if kind.kind == "array" else "values"
            return {
                "type": kind.kind,
                inner: self.written(kind.items, namespace),
                **self._properties(kind.properties),
            }
        if kind.name in self._written:
            return kind.simple_name if kind.namespace == namespace else kind.name
        self._written.add(kind.name)
        shown: dict[str, Json] = {"type": kind.kind, "name": kind.simple_name}
        if kind.namespace != namespace:
            shown["namespace"] = kind.namespace
        if kind.doc is not None:
            shown["doc"] = kind.doc
        if kind.kind == "record":
            shown["fields"] = [self._field(one, kind.namespace) for one in kind.fields]
        elif kind.kind == "enum":
            shown["symbols"] = list(kind.symbols)
            if kind.default is not None:
                shown["default"] = kind.default
        else:
            shown["size"] = kind.size
        return {**shown, **_shown_aliases(kind.aliases, kind.namespace), **self._properties(kind.properties)}

    def _field(self, one: Field, namespace: str) -> Json:
        shown: dict[str, Json] = {"name": one.name, "type": self.written(one.type, namespace)}
        if one.doc is not None:
            shown["doc"] = one.doc
        if one.has_default:
            shown["default"] = one.default
        if one.order != "ascending":
            shown["order"] = one.order
        return {**shown, **_shown_aliases(one.aliases, ""), **self._properties(one.properties)}

    def _properties(self, properties: dict[str, Json]) -> dict[str, Json]:
        return dict(sorted(properties.items())) if self._ordered else properties


def _shown_aliases(aliases: Sequence[str], namespace: str) -> dict[str, Json]:
    shown = [alias.removeprefix(f"{namespace}.") if namespace else alias for alias in aliases]
    return {"aliases": shown} if shown else {}


def _full_name(node: dict[str, Json], namespace: str) -> tuple[str, str]:
    name = node.get("name")
    if not isinstance(name, str):
        raise InvalidSchema(f"a {node['type']} without a name")
    if "." in name:
        namespace = name.rpartition(".")[0]
    elif isinstance(node.get("namespace"), str):
        namespace = node["namespace"]
    simple = name.rpartition(".")[2]
    for part in (*filter(None, namespace.split(".")), simple):
        if not _NAME.fullmatch(part):
            raise InvalidSchema(f'illegal name "{part}": a name is of letters, digits and _, and begins with no digit')
    if simple in PRIMITIVES:
        raise InvalidSchema(f"{simple} is the name of a primitive type")
    return (f"{namespace}.{simple}" if namespace else simple), namespace


def _read_enum(made: AvroType, node: dict[str, Json]) -> None:
    symbols = node.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(one, str) for one in symbols):
        raise InvalidSchema(f"enum {made.name} has no symbols")
    for symbol in symbols:
        if not _NAME.fullmatch(symbol):
            raise InvalidSchema(f'enum {made.name}: illegal symbol "{symbol}"')
    if len(set(symbols)) < len(symbols):
        raise InvalidSchema(f"enum {made.name}: duplicate symbol")
    default = node.get("default")
    if default is not None and default not in symbols:
        raise InvalidSchema(f"enum {made.name}: the default {_dumps(default)} is not one of its symbols")
    made.symbols, made.default = tuple(symbols), default


def _aliases(node: dict[str, Json], namespace: str) -> tuple[str, ...]:
    aliases = node.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise InvalidSchema(f"aliases are an array of names, not {_dumps(aliases)}")
    return tuple(alias if "." in alias or not namespace else f"{namespace}.{alias}" for alias in aliases)


def _doc(node: dict[str, Json]) -> str | None:
    doc = node.get("doc")
    return doc if isinstance(doc, str) else None


def _others(node: dict[str, Json], reserved: Sequence[str]) -> dict[str, Json]:
    return {name: value for name, value in node.items() if name not in reserved}


def _is_int(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _loads(text: str) -> Json:
    try:
        return json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidSchema(f"not JSON: {error}") from error


def _dumps(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
