"""Topics of an application in Avro: Confluent's deserializer reads them, and its serializer's are read."""

from __future__ import annotations

import io
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import smackbox as sb
from smackbox.base.avro_events import AvroEvents, avro_schema
from smackbox.base.errors import SettingError, StartError
from smackbox.ingest.events import EventDecoder
from smackbox.net.avro_topic import AvroTopic
from smackbox.registry.state.avro import parse_avro
from smackbox.spark.streaming.records import RecordDecoder


class Place(msgspec.Struct, frozen=True):
    city: str
    code: int | None = None


class Event(msgspec.Struct, frozen=True):
    id: uuid.UUID
    at: datetime
    day: date
    kind: Literal["view", "click"]
    price: Decimal
    place: Place
    tags: list[str] = []
    counts: dict[str, int] = {}
    note: str | None = None
    weight: float = 1.5
    raw: bytes = b""


EVENT = Event(
    uuid.UUID(int=7), datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), date(2026, 1, 2), "click", Decimal("1.50"),
    Place("Graz", 8010), ["a"], {"x": 1}, "ö", 2.5, b"\x00\xff",
)  # fmt: skip


class Old(msgspec.Struct, frozen=True):
    name: str


class New(msgspec.Struct, frozen=True):
    name: str
    age: int = -1
    seen: datetime | None = None


@pytest.fixture
def topic() -> str:
    return f"t-{uuid.uuid4().hex}"


@pytest.fixture
def client(registry: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry}) as client:
        yield client


def test_every_type_comes_back() -> None:
    parse_avro(json.dumps(avro_schema(Event)))
    events = AvroEvents(Event)
    data = io.BytesIO()
    events.encode(EVENT, data)
    data.seek(0)
    assert events.decode(data, json.dumps(avro_schema(Event))) == EVENT


def test_confluents_deserializer_reads_it(client: SchemaRegistryClient, registry: str, topic: str) -> None:
    codec = AvroTopic(registry, topic, Event)
    codec.register()
    value = AvroDeserializer(client)(codec.encode(EVENT), SerializationContext(topic, MessageField.VALUE))
    assert isinstance(value, dict)
    assert (value["at"], value["place"]["city"], value["note"]) == (EVENT.at, "Graz", "ö")
    assert client.get_versions(f"{topic}-value") == [1]


def test_a_type_that_gained_fields_reads_what_was_written_before(
    client: SchemaRegistryClient, registry: str, topic: str
) -> None:
    schema = json.dumps({**avro_schema(Old), "name": "New"})
    written = AvroSerializer(client, schema)({"name": "Ada"}, SerializationContext(topic, MessageField.VALUE))
    assert written is not None
    codec = AvroTopic(registry, topic, New)
    codec.register()
    assert codec.decode(written) == New("Ada")
    assert codec.decode(codec.encode(New("Bob", 3))) == New("Bob", 3)


def test_an_incompatible_type_is_refused(registry: str, topic: str) -> None:
    class Person(msgspec.Struct):
        name: str

    first = Person

    class Person(msgspec.Struct):  # type: ignore[no-redef]
        name: str
        age: int

    AvroTopic(registry, topic, first).register()
    with pytest.raises(StartError, match="incompatible with an earlier schema.*age"):
        AvroTopic(registry, topic, Person).register()


def test_a_registry_that_is_not_there(topic: str) -> None:
    codec = AvroTopic("http://127.0.0.1:1", topic, Old)
    with pytest.raises(StartError, match="--schema-registry"):
        codec.register()
    decoder = RecordDecoder(Old, read=codec.decode)
    with pytest.raises(OSError, match="refused"):  # nothing is known of the record: it is no dead letter
        decoder.decode([SimpleNamespace(value=lambda: b"\0\0\0\0\1\2a")])


def test_from_a_post_to_a_stream(registry: str, topic: str) -> None:
    codec = AvroTopic(registry, topic, New)
    codec.register()
    body = b'[{"name": "Ada", "age": 36}, {"name": 5}, {"name": "\\ud83d"}, {"name": "Bob"}]'
    posted = EventDecoder(New, "name", 10, replace_surrogates=False, encode=codec.encode).decode(body, ndjson=False)
    assert [key for _, key in posted.accepted] == [b"Ada", "\ufffd".encode(), b"Bob"]
    assert [refusal.index for refusal, _ in posted.refused] == [1]

    def message(value: bytes | None) -> Any:
        return SimpleNamespace(value=lambda: value)

    values = [*(value for value, _ in posted.accepted), b'{"name": "json"}', None, posted.accepted[0][0] + b"x"]
    unknown = b"\0\x7f\xff\xff\xff" + posted.accepted[0][0][5:]
    read = RecordDecoder(New, read=codec.decode).decode([message(value) for value in (*values, unknown)])
    assert read.events == [New("Ada", 36), New("\ufffd"), New("Bob")]
    reasons = [bad.reason for bad in read.bad]
    assert len(reasons) == 4
    assert "wire format" in reasons[0]
    assert "bytes follow" in reasons[2]
    assert "Schema 2147483647 not found" in reasons[3]


def test_declarations() -> None:
    app = sb.App("ads")

    class Odd(msgspec.Struct):
        pair: tuple[int, str]

    with pytest.raises(SettingError, match="json"):
        app.topic("raw", Old, format="xml")  # type: ignore[arg-type]
    raw = app.topic("raw", Old, format="avro")
    other = app.topic("other", Old)
    with pytest.raises(SettingError, match="in Avro"):
        app.stream(other, to=raw)
    with pytest.raises(SettingError):
        app.topic("odd", Odd, format="avro")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
        b"nothing of HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_broken_answer_condemns_no_record(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        codec = AvroTopic(f"http://127.0.0.1:{server.getsockname()[1]}", "t", Old)
        decoder = RecordDecoder(Old, read=codec.decode)
        with pytest.raises(OSError, match="."):
            decoder.decode([SimpleNamespace(value=lambda: b"\0\0\0\0\x07abc")])
        thread.join(60)
