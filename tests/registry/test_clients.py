"""Confluent's own Python client and serializers, unchanged, on the registry."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator

import fastavro
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.api.label_pb2 import LabelDescriptor
from google.api.monitored_resource_pb2 import MonitoredResourceDescriptor
from google.logging.type.http_request_pb2 import HttpRequest

USER = '{"type": "record", "name": "User", "fields": [{"name": "name", "type": "string"}]}'
USER_WITH_AGE = """{"type": "record", "name": "User", "fields": [
    {"name": "name", "type": "string"}, {"name": "age", "type": "int", "default": -1}]}"""
USER_WITH_REQUIRED_AGE = USER_WITH_AGE.replace(', "default": -1', "")


@pytest.fixture
def client(registry: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry}) as client:
        yield client


@pytest.fixture
def topic() -> str:
    return f"t-{uuid.uuid4().hex}"


def context(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


def test_avro_from_a_producer_to_a_consumer(client: SchemaRegistryClient, kafka: str, topic: str) -> None:
    serializer = AvroSerializer(client, USER_WITH_AGE)
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, serializer({"name": "Ada", "age": 36}, context(topic)))
    assert producer.flush(60) == 0
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": topic, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        message = consumer.poll(60)
    finally:
        consumer.close()
    assert message is not None
    value = message.value()
    version = client.get_latest_version(f"{topic}-value")
    assert value[:5] == b"\x00" + version.schema_id.to_bytes(4, "big")
    assert fastavro.schemaless_reader(
        io.BytesIO(value[5:]), fastavro.parse_schema(json.loads(USER_WITH_AGE)), None
    ) == {
        "name": "Ada",
        "age": 36,
    }
    assert AvroDeserializer(client)(value, context(topic)) == {"name": "Ada", "age": 36}


def test_a_reader_with_a_newer_schema_fills_defaults(client: SchemaRegistryClient, topic: str) -> None:
    written = AvroSerializer(client, USER)({"name": "Ada"}, context(topic))
    AvroSerializer(client, USER_WITH_AGE)({"name": "Bob", "age": 1}, context(topic))
    assert client.get_versions(f"{topic}-value") == [1, 2]
    assert AvroDeserializer(client, USER_WITH_AGE)(written, context(topic)) == {"name": "Ada", "age": -1}


def test_json_schema(client: SchemaRegistryClient, topic: str) -> None:
    text = """{"$schema": "http://json-schema.org/draft-07/schema#", "title": "User", "type": "object",
        "properties": {"name": {"type": "string"}}, "required": ["name"]}"""
    value = JSONSerializer(text, client)({"name": "Ada"}, context(topic))
    assert JSONDeserializer(text, schema_registry_client=client)(value, context(topic)) == {"name": "Ada"}
    registered = client.get_latest_version(f"{topic}-value")
    assert registered.schema.schema_type == "JSON"
    assert registered.schema.schema_str.startswith('{"$schema":"http')


def test_protobuf_with_references(client: SchemaRegistryClient, topic: str) -> None:
    """`monitored_resource.proto` imports two files of its own package: the serializer registers them as references."""
    sent = MonitoredResourceDescriptor(type="x", labels=[LabelDescriptor(key="k")])
    value = ProtobufSerializer(MonitoredResourceDescriptor, client)(sent, context(topic))
    assert ProtobufDeserializer(MonitoredResourceDescriptor, {}, client)(value, context(topic)) == sent
    registered = client.get_latest_version(f"{topic}-value")
    assert {reference.name for reference in registered.schema.references} == {
        "google/api/label.proto",
        "google/api/launch_stage.proto",
    }
    assert registered.schema.schema_str.startswith('syntax = "proto3";\npackage google.api;')
    assert client.get_referenced_by("google/api/label.proto", 1) == [registered.schema_id]
    with pytest.raises(SchemaRegistryError) as refused:
        client.delete_version("google/api/label.proto", 1)
    assert refused.value.error_code == 42206


def test_protobuf_with_the_known_types(client: SchemaRegistryClient, topic: str) -> None:
    """`http_request.proto` imports `duration.proto`, which a serializer leaves out of the references."""
    sent = HttpRequest(status=200)
    sent.latency.seconds = 5
    value = ProtobufSerializer(HttpRequest, client)(sent, context(topic))
    assert ProtobufDeserializer(HttpRequest, {}, client)(value, context(topic)) == sent
    text = client.get_latest_version(f"{topic}-value").schema.schema_str
    assert (
        client.register_schema(f"{topic}-again", Schema(text, "PROTOBUF"))
        == client.get_latest_version(f"{topic}-value").schema_id
    )


def test_an_incompatible_schema_is_refused(client: SchemaRegistryClient, topic: str) -> None:
    client.register_schema(topic, Schema(USER, "AVRO"))
    assert client.test_compatibility(topic, Schema(USER_WITH_AGE, "AVRO"))
    assert not client.test_compatibility(topic, Schema(USER_WITH_REQUIRED_AGE, "AVRO"))
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(topic, Schema(USER_WITH_REQUIRED_AGE, "AVRO"))
    assert (refused.value.http_status_code, refused.value.error_code) == (409, 409)
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in refused.value.error_message
    client.set_compatibility(topic, "NONE")
    assert client.get_compatibility(topic) == "NONE"
    assert client.register_schema(topic, Schema(USER_WITH_REQUIRED_AGE, "AVRO"))


def test_ids_are_those_of_schemas_and_versions_those_of_subjects(client: SchemaRegistryClient, topic: str) -> None:
    schema = Schema(USER.replace("User", f"U{topic[2:]}"), "AVRO")
    first = client.register_schema(topic, schema)
    assert client.register_schema(f"{topic}-b", schema) == first
    assert client.lookup_schema(topic, schema).version == 1
    assert sorted(client.get_subjects_by_schema_id(first)) == sorted([topic, f"{topic}-b"])
    assert client.get_schema(first).schema_str == schema.schema_str.replace(": ", ":").replace(", ", ",")


def test_a_deleted_subject(client: SchemaRegistryClient, topic: str) -> None:
    schema_id = client.register_schema(topic, Schema(USER, "AVRO"))
    client.register_schema(topic, Schema(USER_WITH_AGE, "AVRO"))
    assert client.delete_subject(topic) == [1, 2]
    assert topic not in client.get_subjects()
    assert topic in client.get_subjects(deleted=True)
    assert client.get_schema(schema_id).schema_type == "AVRO"
    client.clear_caches()
    assert client.register_schema(topic, Schema(USER, "AVRO")) == schema_id
    assert client.get_versions(topic) == [3]
    assert client.delete_subject(topic) == [3]
    assert client.delete_subject(topic, permanent=True) == [1, 2, 3]
    assert topic not in client.get_subjects(deleted=True)


def test_references_of_avro(client: SchemaRegistryClient, topic: str) -> None:
    address = '{"type":"record","name":"Address","namespace":"a","fields":[{"name":"city","type":"string"}]}'
    client.register_schema(f"{topic}-address", Schema(address, "AVRO"))
    person = '{"type":"record","name":"Person","namespace":"a","fields":[{"name":"home","type":"a.Address"}]}'
    schema = Schema(person, "AVRO", [SchemaReference("a.Address", f"{topic}-address", 1)])
    value = AvroSerializer(client, schema)({"home": {"city": "Graz"}}, context(topic))
    assert AvroDeserializer(client, schema)(value, context(topic)) == {"home": {"city": "Graz"}}
    stored = client.get_latest_version(f"{topic}-value").schema
    assert stored.schema_str == person.replace("a.Address", "Address")
