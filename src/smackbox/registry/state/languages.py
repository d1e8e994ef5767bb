"""The schema languages by the names that the API has for them."""

from __future__ import annotations

from smackbox.registry.state.schema import SCHEMA_LIMIT, InvalidSchema, Parser, Resolved, Schema


def parse(schema_type: str, text: str, references: Resolved) -> Schema:
    """The schema. Raises `InvalidSchema`, also for a language that is not known."""
    if len(text) > SCHEMA_LIMIT:
        raise InvalidSchema(f"the text is longer than {SCHEMA_LIMIT} characters")
    parser = _parsers().get(schema_type)
    if parser is None:
        raise InvalidSchema(f"Invalid schema type {schema_type}")
    return parser(text, references)


def _parsers() -> dict[str, Parser]:
    from smackbox.registry.state.avro import parse_avro
    from smackbox.registry.state.json_schema import parse_json_schema
    from smackbox.registry.state.protobuf import parse_protobuf

    return {"AVRO": parse_avro, "JSON": parse_json_schema, "PROTOBUF": parse_protobuf}
