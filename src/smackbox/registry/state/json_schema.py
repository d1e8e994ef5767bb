"""JSON Schema: parse, check against its own draft, and see a document as one of a few kinds.

Drafts 4 to 2020-12, by `$schema`; draft 7 without one. The canonical text is the JSON without white space; normalizing
also sorts the names. A `$ref` points into the same document, or into a reference by its name.
Source: https://json-schema.org/specification
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from smackbox.registry.state.schema import NESTING_LIMIT, InvalidSchema, Resolved, Schema, no_constant

Json = Any
_KEYWORDS = {
    "object": {
        "properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties",
        "dependencies", "dependentRequired", "dependentSchemas", "propertyNames",
    },
    "array": {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"},
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}  # fmt: skip
COMBINERS = ("allOf", "anyOf", "oneOf")


@dataclass(frozen=True, slots=True)
class Node:
    """A schema inside a document: `document` is where a `$ref` of it begins."""

    value: Json
    document: Document

    def child(self, value: Json) -> Node:
        """A schema in the same document."""
        return Node(value, self.document)

    def resolved(self) -> Node:
        """Past every `$ref`. Raises `InvalidSchema` where one leads nowhere."""
        node = self
        for _ in range(NESTING_LIMIT):
            if not isinstance(node.value, dict) or not isinstance(node.value.get("$ref"), str):
                return node
            node = node.document.target(node.value["$ref"])
        raise InvalidSchema(f"$ref {node.value['$ref']} leads to itself")

    def get(self, keyword: str, default: Json = None) -> Json:
        """The value of a keyword."""
        return self.value.get(keyword, default) if isinstance(self.value, dict) else default

    @property
    def kind(self) -> str:
        """`empty`, `false`, `enum`, `not`, a combiner, or a type; a list of types is an `anyOf`."""
        value = self.value
        if value is True or value == {}:
            return "empty"
        if value is False:
            return "false"
        if "enum" in value or "const" in value:
            return "enum"
        for combiner in COMBINERS:
            if combiner in value:
                return combiner
        if isinstance(value.get("type"), list):
            return "anyOf"
        if "not" in value:
            return "not"
        if isinstance(value.get("type"), str):
            return "number" if value["type"] == "integer" else str(value["type"])
        for kind, keywords in _KEYWORDS.items():
            if not keywords.isdisjoint(value):
                return kind
        return "empty"

    def alternatives(self) -> list[Node]:
        """The schemas that a combiner combines, or one for each of the types."""
        for combiner in COMBINERS:
            if combiner in self.value:
                return [self.child(one) for one in self.value[combiner]]
        rest = {key: value for key, value in self.value.items() if key != "type"}
        return [self.child({**rest, "type": kind}) for kind in self.value["type"]]


class Document:
    """One document and those that it refers to."""

    def __init__(self, root: Json, others: Mapping[str, Document]) -> None:
        self.root = root
        self._others = others

    def target(self, reference: str) -> Node:
        """The schema that a `$ref` names. Raises `InvalidSchema`."""
        name, _, pointer = reference.partition("#")
        document = self
        if name and name != self._id():
            found = self._others.get(name)
            if found is None:
                raise InvalidSchema(f"$ref {reference}: {name} is not among the references")
            document = found
        value = document.root
        for part in filter(None, unquote(pointer).split("/")):
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                raise InvalidSchema(f"$ref {reference} leads nowhere")
        return Node(value, document)

    def _id(self) -> str | None:
        return (self.root.get("$id") or self.root.get("id")) if isinstance(self.root, dict) else None


class JsonSchema:
    """A parsed schema."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @property
    def node(self) -> Node:
        """The document as a schema."""
        return Node(self.document.root, self.document)

    @property
    def canonical(self) -> str:
        """The JSON without white space."""
        return json.dumps(self.document.root, separators=(",", ":"), ensure_ascii=False)

    @property
    def normalized(self) -> str:
        """The same with names in order."""
        return json.dumps(self.document.root, separators=(",", ":"), ensure_ascii=False, sort_keys=True)

    def unreadable(self, writer: Schema) -> list[str]:
        """See `json_compatibility`."""
        from smackbox.registry.state.json_compatibility import differences

        assert isinstance(writer, JsonSchema)
        return differences(self.node, writer.node)

    def formatted(self, form: str) -> str:
        """JSON Schema has one form."""
        del form
        return self.canonical


def parse_json_schema(text: str, references: Resolved = ()) -> JsonSchema:
    """The schema of a text whose references are known. Raises `InvalidSchema`."""
    others: dict[str, Document] = {}
    for name, referenced in references:
        others[name] = Document(_loads(referenced), dict(others))
    root = _loads(text)
    if not isinstance(root, (dict, bool)):
        raise InvalidSchema("a JSON schema is an object, true or false")
    _check(root)
    schema = JsonSchema(Document(root, others))
    _check_references(schema.node, 0)
    return schema


def _check(root: Json) -> None:
    from jsonschema import Draft7Validator, SchemaError
    from jsonschema.validators import validator_for

    if isinstance(root, dict) and not isinstance(root.get("$schema", ""), str):
        raise InvalidSchema("$.$schema: not a text")
    draft = validator_for(root, default=Draft7Validator) if isinstance(root, dict) else Draft7Validator
    try:
        draft.check_schema(root)
    except SchemaError as error:
        raise InvalidSchema(f"{error.json_path}: {error.message}") from error


def _check_references(node: Node, depth: int) -> None:
    if depth > NESTING_LIMIT:
        raise InvalidSchema(f"schemas are nested deeper than {NESTING_LIMIT}")
    if isinstance(node.value, dict):
        if isinstance(node.value.get("$ref"), str):
            node.document.target(node.value["$ref"])
        for keyword, value in node.value.items():
            if keyword not in {"enum", "const", "default", "examples"}:
                _check_references(node.child(value), depth + 1)
    elif isinstance(node.value, list):
        for value in node.value:
            _check_references(node.child(value), depth + 1)


def _loads(text: str) -> Json:
    try:
        return json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidSchema(f"not JSON: {error}") from error
