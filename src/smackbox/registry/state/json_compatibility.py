"""Whether a JSON schema accepts everything that an older one did, by the content models of Confluent's registry.

An object is *open* when it permits any further property, *closed* when it permits none, *partially open* when
`patternProperties` or a schema of `additionalProperties` say which. Removing a property is safe from an open reader
only; adding one only to what was closed, because an open writer may have sent it with any value. The same holds for
the items of a tuple. A union may grow, an intersection may shrink.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence

from smackbox.registry.state.json_schema import COMBINERS, Json, Node
from smackbox.registry.state.schema import NESTING_LIMIT

_MATCHING_LIMIT = 64
"""Alternatives of a union that are matched with one another."""


def differences(reader: Node, writer: Node) -> list[str]:
    """The reasons why the reader may reject what the writer accepts; empty when it does not."""
    return _compare(reader, writer, "#/", frozenset())


Seen = frozenset[tuple[int, int]]


def _compare(reader: Node, writer: Node, path: str, seen: Seen) -> list[str]:
    reader, writer = reader.resolved(), writer.resolved()
    pair = (id(reader.value), id(writer.value))
    if pair in seen or len(seen) > NESTING_LIMIT:
        return []
    seen |= {pair}
    kind, old = reader.kind, writer.kind
    if kind in COMBINERS and old not in COMBINERS:
        alternatives = reader.alternatives()
        if len(alternatives) == 1 or kind != "allOf":
            for one in alternatives:
                if not _compare(one, writer, path, seen):
                    return []
    elif old in COMBINERS and kind not in COMBINERS:
        alternatives = writer.alternatives()
        if len(alternatives) == 1 and not _compare(reader, alternatives[0], path, seen):
            return []
    if kind != old:
        return [] if old == "false" or kind == "empty" else [_reason("TYPE_CHANGED", path)]
    compare = _BY_KIND.get(kind)
    return compare(reader, writer, path, seen) if compare is not None else []


def _combined(reader: Node, writer: Node, path: str, seen: Seen) -> list[str]:
    new, old = reader.alternatives(), writer.alternatives()
    if reader.kind == "allOf":  # each condition of the reader was one of the writer's, or weaker
        pairs = [[not _compare(one, other, path, seen) for other in old] for one in new]
        if len(new) > len(old):
            return [_reason("PRODUCT_TYPE_EXTENDED", path)]
    else:  # each alternative of the writer is one of the reader's, or narrower
        pairs = [[not _compare(other, one, path, seen) for other in new] for one in old]
        if len(new) < len(old):
            return [_reason("SUM_TYPE_NARROWED", path)]
    if _matching(pairs):
        return []
    return [_reason("COMBINED_TYPE_SUBSCHEMAS_CHANGED", path)]


def _matching(pairs: Sequence[Sequence[bool]]) -> bool:
    """Whether each row can have a column of its own: augmenting paths in a bipartite graph."""
    if len(pairs) > _MATCHING_LIMIT:
        return False
    row_of: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column, fits in enumerate(pairs[row]):
            if fits and column not in tried:
                tried.add(column)
                if column not in row_of or place(row_of[column], tried):
                    row_of[column] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(pairs)))


def _enum(reader: Node, writer: Node, path: str, _seen: Seen) -> list[str]:
    new, old = _values(reader), _values(writer)
    if all(value in new for value in old):
        return []
    narrowed = all(value in old for value in new)
    return [_reason("ENUM_ARRAY_NARROWED" if narrowed else "ENUM_ARRAY_CHANGED", f"{path}/enum")]


def _values(node: Node) -> list[Json]:
    return list(node.value["enum"]) if "enum" in node.value else [node.value["const"]]


def _not(reader: Node, writer: Node, path: str, seen: Seen) -> list[str]:
    grew = _compare(writer.child(writer.value["not"]), reader.child(reader.value["not"]), f"{path}/not", seen)
    return [_reason("NOT_TYPE_EXTENDED", f"{path}/not")] if grew else []


def _string(reader: Node, writer: Node, path: str, _seen: Seen) -> list[str]:
    found = _upper(reader, writer, path, "maxLength", "MAX_LENGTH") + _lower(
        reader, writer, path, "minLength", "MIN_LENGTH"
    )
    pattern, old = reader.get("pattern"), writer.get("pattern")
    if pattern is not None and pattern != old:
        found.append(_reason("PATTERN_ADDED" if old is None else "PATTERN_CHANGED", f"{path}/pattern"))
    return found


def _number(reader: Node, writer: Node, path: str, _seen: Seen) -> list[str]:
    found = []
    if reader.get("type") == "integer" and writer.get("type") != "integer":
        found.append(_reason("TYPE_NARROWED", path))
    found += _upper(reader, writer, path, "maximum", "MAXIMUM")
    found += _lower(reader, writer, path, "minimum", "MINIMUM")
    found += _upper(reader, writer, path, "exclusiveMaximum", "EXCLUSIVE_MAXIMUM")
    found += _lower(reader, writer, path, "exclusiveMinimum", "EXCLUSIVE_MINIMUM")
    new, old = reader.get("multipleOf"), writer.get("multipleOf")
    if new is not None and new != old:
        if old is None:
            found.append(_reason("MULTIPLE_OF_ADDED", f"{path}/multipleOf"))
        elif new % old == 0:
            found.append(_reason("MULTIPLE_OF_EXPANDED", f"{path}/multipleOf"))
        elif old % new != 0:
            found.append(_reason("MULTIPLE_OF_CHANGED", f"{path}/multipleOf"))
    return found


def _upper(reader: Node, writer: Node, path: str, keyword: str, name: str) -> list[str]:
    return _bound(reader.get(keyword), writer.get(keyword), f"{path}/{keyword}", name, "DECREASED")


def _lower(reader: Node, writer: Node, path: str, keyword: str, name: str) -> list[str]:
    return _bound(reader.get(keyword), writer.get(keyword), f"{path}/{keyword}", name, "INCREASED")


def _bound(new: Json, old: Json, path: str, name: str, worse: str) -> list[str]:
    if new is None or new is False or new == old:
        return []
    if old is None or old is False:
        return [_reason(f"{name}_ADDED", path)]
    tighter = new < old if worse == "DECREASED" else new > old
    return [_reason(f"{name}_{worse}", path)] if tighter else []


def _object(reader: Node, writer: Node, path: str, seen: Seen) -> list[str]:
    found = _required(reader, writer, path)
    found += _properties(reader, writer, path, seen)
    found += _dependencies(reader, writer, path, seen)
    found += _additional(reader, writer, path, "additionalProperties", "ADDITIONAL_PROPERTIES", seen)
    found += _upper(reader, writer, path, "maxProperties", "MAX_PROPERTIES")
    found += _lower(reader, writer, path, "minProperties", "MIN_PROPERTIES")
    return found


def _required(reader: Node, writer: Node, path: str) -> list[str]:
    new, old = reader.get("properties", {}), writer.get("properties", {})
    required, was = reader.get("required", []), writer.get("required", [])
    return [
        _reason("REQUIRED_ATTRIBUTE_ADDED", f"{path}/required/{name}")
        for name in old
        if name in new and name in required and name not in was and not _has_default(new[name])
    ]


def _properties(reader: Node, writer: Node, path: str, seen: Seen) -> list[str]:
    new, old = reader.get("properties", {}), writer.get("properties", {})
    found = []
    for name in sorted({*new, *old}):
        at = f"{path}/properties/{name}"
        if name in new and name in old:
            found += _compare(reader.child(new[name]), writer.child(old[name]), at, seen)
        elif name in old:
            if _is_open(reader):
                continue
            covering = _covering(reader, name)
            if covering is not None:
                if why := _compare(covering, writer.child(old[name]), at, seen):
                    found += [
                        *why,
                        _reason("PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", at),
                    ]
            elif old[name] is not False:
                found.append(_reason("PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", at))
        elif _is_open(writer):
            if reader.child(new[name]).resolved().kind != "empty":
                found.append(_reason("PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", at))
        else:
            covering = _covering(writer, name)
            if covering is not None and (why := _compare(reader.child(new[name]), covering, at, seen)):
                found += [*why, _reason("PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", at)]
            if name in reader.get("required", []) and not _has_default(new[name]):
                found.append(_reason("REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", at))
    return found


def _dependencies(reader: Node, writer: Node, path: str, seen: Seen) -> list[str]:
    found = []
    new, old = _all_dependencies(reader), _all_dependencies(writer)
    for name, value in new.items():
        at, before = f"{path}/dependencies/{name}", old.get(name)
        if isinstance(value, list):
            if not isinstance(before, list):
                found.append(_reason("DEPENDENCY_ARRAY_ADDED", at))
            elif not set(value) <= set(before):
                grew = set(before) <= set(value)
                found.append(_reason("DEPENDENCY_ARRAY_EXTENDED" if grew else "DEPENDENCY_ARRAY_CHANGED", at))
        elif before is None or isinstance(before, list):
            found.append(_reason("DEPENDENCY_SCHEMA_ADDED", at))
        else:
            found += _compare(reader.child(value), writer.child(before), at, seen)
    return found


def _all_dependencies(node: Node) -> dict[str, Json]:
    return {**node.get("dependencies", {}), **node.get("dependentRequired", {}), **node.get("dependentSchemas", {})}


def _additional(reader: Node, writer: Node, path: str, keyword: str, name: str, seen: Seen) -> list[str]:
    new, old = reader.get(keyword, True), writer.get(keyword, True)
    at = f"{path}/{keyword}"
    if (new is not False) != (old is not False):
        return [_reason(f"{name}_REMOVED", at)] if new is False else []
    if not isinstance(new, dict):
        return []
    if not isinstance(old, dict):
        return [_reason(f"{name}_NARROWED", at)]
    return _compare(reader.child(new), writer.child(old), at, seen)


def _array(reader: Node, writer: Node, path: str, seen: Seen) -> list[str]:
    found = _upper(reader, writer, path, "maxItems", "MAX_ITEMS")
    found += _lower(reader, writer, path, "minItems", "MIN_ITEMS")
    if reader.get("uniqueItems") and not writer.get("uniqueItems"):
        found.append(_reason("UNIQUE_ITEMS_ADDED", f"{path}/uniqueItems"))
    found += _additional(reader, writer, path, "additionalItems", "ADDITIONAL_ITEMS", seen)
    new, old = _all_items(reader), _all_items(writer)
    if new is not None and old is None:
        found.append(_reason("SCHEMA_ADDED", f"{path}/items"))
    elif new is not None and old is not None:
        found += _compare(reader.child(new), writer.child(old), f"{path}/items", seen)
    return found + _tuple(reader, writer, path, seen)


def _tuple(reader: Node, writer: Node, path: str, seen: Seen) -> list[str]:
    new, old = _tuple_items(reader), _tuple_items(writer)
    found = []
    for number in range(max(len(new), len(old))):
        at = f"{path}/items/{number}"
        if number < min(len(new), len(old)):
            found += _compare(reader.child(new[number]), writer.child(old[number]), at, seen)
        elif number < len(old):
            rest = _rest(reader)
            if isinstance(rest, dict):
                if why := _compare(reader.child(rest), writer.child(old[number]), at, seen):
                    found += [*why, _reason("ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", at)]
            elif rest is False and old[number] is not False:
                found.append(_reason("ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", at))
        else:
            rest = _rest(writer)
            if isinstance(rest, dict):
                if why := _compare(reader.child(new[number]), writer.child(rest), at, seen):
                    found += [*why, _reason("ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", at)]
            elif rest is not False and reader.child(new[number]).resolved().kind != "empty":
                found.append(_reason("ITEM_ADDED_TO_OPEN_CONTENT_MODEL", at))
    return found


def _all_items(node: Node) -> Json:
    items = node.get("items")
    return items if isinstance(items, (dict, bool)) and "prefixItems" not in node.value else None


def _tuple_items(node: Node) -> list[Json]:
    items = node.get("prefixItems", node.get("items"))
    return items if isinstance(items, list) else []


def _rest(node: Node) -> Json:
    """What may follow the items of a tuple."""
    return node.get("items" if "prefixItems" in node.value else "additionalItems", True)


def _is_open(node: Node) -> bool:
    additional = node.get("additionalProperties", True)
    return not node.get("patternProperties") and (additional is True or additional == {})


def _covering(node: Node, name: str) -> Node | None:
    for pattern, schema in node.get("patternProperties", {}).items():
        with contextlib.suppress(re.error):  # one of another language's
            if re.search(pattern, name):
                return node.child(schema)
    additional = node.get("additionalProperties")
    return node.child(additional) if isinstance(additional, dict) else None


def _has_default(schema: Json) -> bool:
    return isinstance(schema, dict) and "default" in schema


def _reason(kind: str, path: str) -> str:
    where = path.replace("#//", "#/")
    return f"{{errorType:'{kind}', description:'{kind.replace('_', ' ').capitalize()} at path '{where}''}}"


_BY_KIND: dict[str, Callable[[Node, Node, str, Seen], list[str]]] = {
    "allOf": _combined,
    "anyOf": _combined,
    "oneOf": _combined,
    "enum": _enum,
    "not": _not,
    "string": _string,
    "number": _number,
    "object": _object,
    "array": _array,
}
