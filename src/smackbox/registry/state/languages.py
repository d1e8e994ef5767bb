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
    try:
        found = parser(text, references)
        found.canonical.encode()  # an escaped half of a character is no text
    except InvalidSchema:
        raise
    except RecursionError as error:
        raise InvalidSchema("the schema is nested too deep") from error
    except ValueError as error:  # such as a number that a descriptor of Protobuf cannot hold
        raise InvalidSchema(str(error)) from error
    return found


def _parsers() -> dict[str, Parser]:
    from smackbox.registry.state.avro import parse_avro
    from smackbox.registry.state.json_schema import parse_json_schema
    from smackbox.registry.state.protobuf import parse_protobuf

    return {"AVRO": parse_avro, "JSON": parse_json_schema, "PROTOBUF": parse_protobuf}
