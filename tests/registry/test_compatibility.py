"""Which changes of a schema are compatible: Avro's resolution, JSON's content models, Protobuf's wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from smackbox.registry.state.avro import parse_avro
from smackbox.registry.state.json_schema import parse_json_schema
from smackbox.registry.state.protobuf import parse_protobuf
from smackbox.registry.state.schema import InvalidSchema


def record(*fields: Any, name: str = "r") -> str:
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


def field(name: str, kind: Any = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


ENUM = {"type": "enum", "name": "e", "symbols": ["A", "B"]}
WIDER = {**ENUM, "symbols": ["A", "B", "C"]}
LIST = {"type": "record", "name": "l", "fields": [field("next", ["null", "l"])]}
AVRO: list[tuple[str, str, str, str | None]] = [
    ("a field with a default", record(field("a"), field("b", default="x")), record(field("a")), None),
    ("a field without", record(field("a"), field("b")), record(field("a")), "READER_FIELD_MISSING_DEFAULT_VALUE"),
    ("a field fewer", record(field("a")), record(field("a"), field("b")), None),
    ("a field renamed by an alias", record(field("b", aliases=["a"])), record(field("a")), None),
    ("int to long", record(field("a", "long")), record(field("a", "int")), None),
    ("long to int", record(field("a", "int")), record(field("a", "long")), "TYPE_MISMATCH"),
    ("string to bytes", '"bytes"', '"string"', None),
    ("a type to a union with it", '["null","string"]', '"string"', None),
    ("a union to one of its types", '"string"', '["null","string"]', "TYPE_MISMATCH"),
    ("a union of one to its type", '"string"', '["string"]', None),
    ("a branch more", '["null","string","int"]', '["null","string"]', None),
    ("a branch fewer", '["null","string"]', '["null","string","int"]', "MISSING_UNION_BRANCH"),
    ("a symbol more", json.dumps(WIDER), json.dumps(ENUM), None),
    ("a symbol fewer", json.dumps(ENUM), json.dumps(WIDER), "MISSING_ENUM_SYMBOLS"),
    ("a symbol fewer, with a default", json.dumps({**ENUM, "default": "A"}), json.dumps(WIDER), None),
    ("another name", record(field("a"), name="s"), record(field("a")), "NAME_MISMATCH"),
    ("another namespace", record(field("a"), name="x.r"), record(field("a"), name="y.r"), None),
    ("another size", '{"type":"fixed","name":"f","size":4}', '{"type":"fixed","name":"f","size":8}', "FIXED_SIZE"),
    ("items", '{"type":"array","items":"long"}', '{"type":"array","items":"int"}', None),
    ("values", '{"type":"map","values":"int"}', '{"type":"map","values":"long"}', "TYPE_MISMATCH"),
    ("a recursive type", json.dumps(LIST), json.dumps(LIST), None),
]


@pytest.mark.parametrize(("reader", "writer", "reason"), [case[1:] for case in AVRO], ids=[case[0] for case in AVRO])
def test_avro(reader: str, writer: str, reason: str | None) -> None:
    found = parse_avro(reader).unreadable(parse_avro(writer))
    assert (reason in found[0]) if reason else not found


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "JSON"),
        ('{"type":"record","name":"a b","fields":[]}', "illegal name"),
        (record(field("a", "missing")), "not a defined name"),
        (record(field("a"), field("a")), "duplicate field"),
        (record(field("a", "int", default="x")), "invalid default"),
        (record(field("a", ["int", "int"])), "duplicate in union"),
        ('{"type":"enum","name":"e","symbols":["A","A"]}', "duplicate symbol"),
        ('{"type":"fixed","name":"f","size":-1}', "size"),
        ("[" * 500 + "]" * 500, "nested deeper"),
    ],
)
def test_what_is_no_avro_schema(text: str, word: str) -> None:
    with pytest.raises(InvalidSchema, match=word):
        parse_avro(text)


def test_the_canonical_text_of_avro() -> None:
    text = """{"fields": [{"type": {"namespace": "n", "type": "enum", "name": "e", "symbols": ["A"]}, "name": "a"},
        {"name": "b", "type": ["null", "n.e"], "default": null, "doc": "d"}], "name": "n.r", "type": "record",
        "z": 1}"""
    assert parse_avro(text).canonical == (
        '{"type":"record","name":"r","namespace":"n","fields":[{"name":"a","type":{"type":"enum","name":"e",'
        '"symbols":["A"]}},{"name":"b","type":["null","e"],"doc":"d","default":null}],"z":1}'
    )


def properties(closed: bool = False, required: tuple[str, ...] = (), **kinds: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": kinds}
    if closed:
        schema["additionalProperties"] = False
    return {**schema, "required": list(required)} if required else schema


TEXT, NUMBER = {"type": "string"}, {"type": "number"}
JSON: list[tuple[str, Any, Any, str | None]] = [
    ("a type of another", {"type": "array"}, {"type": "object"}, "TYPE_CHANGED"),
    ("a description", {"description": "b"}, {"description": "a"}, None),
    ("integer to number", NUMBER, {"type": "integer"}, None),
    ("number to integer", {"type": "integer"}, NUMBER, "TYPE_NARROWED"),
    ("a longer minimum", {**TEXT, "minLength": 11}, {**TEXT, "minLength": 10}, "MIN_LENGTH_INCREASED"),
    ("a longer maximum", {**TEXT, "maxLength": 12}, {**TEXT, "maxLength": 10}, None),
    ("a pattern", {**TEXT, "pattern": "a"}, TEXT, "PATTERN_ADDED"),
    ("a larger maximum", {**NUMBER, "maximum": 11}, {**NUMBER, "maximum": 10}, None),
    ("a multiple that divides", {**NUMBER, "multipleOf": 5}, {**NUMBER, "multipleOf": 10}, None),
    ("another multiple", {**NUMBER, "multipleOf": 11}, {**NUMBER, "multipleOf": 10}, "MULTIPLE_OF_CHANGED"),
    ("a value more", {"enum": ["a", "b"]}, {"enum": ["a"]}, None),
    ("a value fewer", {"enum": ["a"]}, {"enum": ["a", "b"]}, "ENUM_ARRAY_NARROWED"),
    ("a property to open", properties(a=TEXT, b=TEXT), properties(a=TEXT), "PROPERTY_ADDED_TO_OPEN"),
    ("a property to closed", properties(True, a=TEXT, b=TEXT), properties(True, a=TEXT), None),
    ("an empty one to open", properties(a=TEXT, b={}), properties(a=TEXT), None),
    (
        "a required one to closed",
        properties(True, ("b",), a=TEXT, b=TEXT),
        properties(True, a=TEXT),
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN",
    ),
    (
        "a required one with a default",
        properties(True, ("b",), a=TEXT, b={**TEXT, "default": ""}),
        properties(True, a=TEXT),
        None,
    ),
    ("a property from open", properties(a=TEXT), properties(a=TEXT, b=TEXT), None),
    ("a property from closed", properties(True, a=TEXT), properties(True, a=TEXT, b=TEXT), "REMOVED_FROM_CLOSED"),
    ("required now", properties(False, ("a",), a=TEXT), properties(a=TEXT), "REQUIRED_ATTRIBUTE_ADDED"),
    ("required no more", properties(a=TEXT), properties(False, ("a",), a=TEXT), None),
    ("closed now", properties(True, a=TEXT), properties(a=TEXT), "ADDITIONAL_PROPERTIES_REMOVED"),
    ("a type into a union", {"oneOf": [NUMBER, TEXT]}, TEXT, None),
    ("a union grows", {"anyOf": [NUMBER, TEXT]}, {"anyOf": [TEXT]}, None),
    ("a union shrinks", {"anyOf": [TEXT]}, {"anyOf": [NUMBER, TEXT]}, "SUM_TYPE_NARROWED"),
    ("types grow", {"type": ["string", "null"]}, TEXT, None),
    ("an intersection grows", {"allOf": [TEXT, {"maxLength": 3}]}, {"allOf": [TEXT]}, "PRODUCT_TYPE_EXTENDED"),
    ("items of another type", {"type": "array", "items": NUMBER}, {"type": "array", "items": TEXT}, "TYPE_CHANGED"),
    (
        "behind a reference",
        {"type": "array", "items": {"$ref": "#/definitions/x"}, "definitions": {"x": NUMBER}},
        {"type": "array", "items": {"$ref": "#/definitions/x"}, "definitions": {"x": TEXT}},
        "TYPE_CHANGED",
    ),
    ("everything", True, TEXT, None),
    ("not everything", TEXT, True, "TYPE_CHANGED"),
]


@pytest.mark.parametrize(("reader", "writer", "reason"), [case[1:] for case in JSON], ids=[case[0] for case in JSON])
def test_json(reader: Any, writer: Any, reason: str | None) -> None:
    found = parse_json_schema(json.dumps(reader)).unreadable(parse_json_schema(json.dumps(writer)))
    assert any(reason in one for one in found) if reason else not found


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"type":"wrong"}', "type"),
        ("[]", "object"),
        ('{"$ref":"#/definitions/x"}', "nowhere"),
        ('{"$ref":"o"}', "refer"),
    ],
)
def test_what_is_no_json_schema(text: str, word: str) -> None:
    with pytest.raises(InvalidSchema, match=word):
        parse_json_schema(text)


def message(fields: str, rest: str = "", syntax: str = "proto3") -> str:
    return f'syntax = "{syntax}"; package p; message M {{ {fields} }} {rest}'


PROTOBUF: list[tuple[str, str, str, str | None]] = [
    ("a field more", message("string a = 1; int32 b = 2;"), message("string a = 1;"), None),
    ("a field fewer", message("string a = 1;"), message("string a = 1; int32 b = 2;"), None),
    ("another name", message("string b = 1;"), message("string a = 1;"), None),
    ("int32 to uint64", message("uint64 a = 1;"), message("int32 a = 1;"), None),
    ("int32 to sint32", message("sint32 a = 1;"), message("int32 a = 1;"), "FIELD_SCALAR_KIND_CHANGED"),
    ("string to bytes", message("bytes a = 1;"), message("string a = 1;"), None),
    ("an enum to int32", message("int32 a = 1;"), message("E a = 1;", "enum E { Z = 0; }"), None),
    (
        "a scalar to a message",
        message("N a = 1;", "message N {}"),
        message("int32 a = 1;", "message N {}"),
        "FIELD_KIND",
    ),
    ("another message", message("", "message N {}"), message("", "message N {} message O {}"), "MESSAGE_REMOVED"),
    ("another package", message("").replace("package p", "package q"), message(""), "PACKAGE_CHANGED"),
    (
        "another type",
        message("O a = 1;", "message N {} message O {}"),
        message("N a = 1;", "message N {} message O {}"),
        "FIELD_NAMED_TYPE_CHANGED",
    ),
    (
        "two into a oneof",
        message("oneof o { int32 a = 1; int32 b = 2; }"),
        message("int32 a = 1; int32 b = 2;"),
        "MULTIPLE",
    ),
    ("one into a new oneof", message("oneof o { int32 a = 1; int32 b = 2; }"), message("int32 a = 1;"), None),
    (
        "out of a oneof",
        message("oneof o { int32 a = 1; }"),
        message("oneof o { int32 a = 1; int32 b = 2; }"),
        "ONEOF_FIELD",
    ),
    (
        "a required one",
        message("required int32 a = 1;", "", "proto2"),
        message("", "", "proto2"),
        "REQUIRED_FIELD_ADDED",
    ),
    ("a map's value", message("map<string, string> a = 1;"), message("map<string, int32> a = 1;"), "FIELD_SCALAR_KIND"),
    ("proto3 optional", message("optional int32 a = 1;"), message("int32 a = 1;"), None),
]


@pytest.mark.parametrize(
    ("reader", "writer", "reason"), [case[1:] for case in PROTOBUF], ids=[case[0] for case in PROTOBUF]
)
def test_protobuf(reader: str, writer: str, reason: str | None) -> None:
    found = parse_protobuf(reader).unreadable(parse_protobuf(writer))
    assert (reason in found[0]) if reason else not found


EVERYTHING = """
syntax = "proto3"; package a.b; import "google/protobuf/timestamp.proto"; option java_package = "x";
/* comment */ message M {
  option deprecated = true;
  optional string s = 1 [json_name = "other"]; google.protobuf.Timestamp t = 2; map<string, N> m = 3;
  oneof k { int32 i = 4; N n = 0x5; } repeated int32 r = 6 [packed = false, (custom) = {a: 1}];
  message N { E e = 1; } enum E { option allow_alias = true; Z = 0; Y = 0; reserved 5 to max; }
  reserved 9, 11 to 13; reserved "foo"; // end
}
service S { rpc Call (stream M) returns (M.N) { option deprecated = true; } }
"""


def test_the_text_of_protobuf_is_made_from_the_descriptor_and_read_again() -> None:
    schema = parse_protobuf(EVERYTHING)
    again = parse_protobuf(schema.canonical)
    assert again.canonical == schema.canonical
    assert again.formatted("serialized") == schema.formatted("serialized")
    assert parse_protobuf(schema.formatted("serialized")).canonical == schema.canonical
    for line in ("reserved 11 to 13;", "map<string, .a.b.M.N> m = 3;", "optional string s = 1", "oneof k {"):
        assert line in schema.canonical


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('syntax = "proto3"; message M {', "ends"),
        (message("string a = 1; string b = 1;"), "1"),
        (message("Missing a = 1;"), "Missing"),
        (message("string a = x;"), "line 1: expected a number"),
        ('syntax = "proto3"; import "other.proto";', "not among the references"),
        (message("int32 a = 1;", "", "proto2"), "proto2"),
        ("AAAA", "descriptor"),
    ],
)
def test_what_is_no_protobuf_schema(text: str, word: str) -> None:
    with pytest.raises(InvalidSchema, match=word):
        parse_protobuf(text)
