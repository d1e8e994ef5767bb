"""Tables that flows look up: a compacted topic with tombstones and bounds, and servers that do not answer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from cassandra.connection import ConnectionShutdown
from confluent_kafka import Producer

from smackbox.base.errors import SettingError
from smackbox.spark.streaming import lookup_readers
from smackbox.spark.streaming.errors import AwayError, SourceAwayError, StreamError
from smackbox.spark.streaming.lookup_readers import CassandraReader, TopicReader
from smackbox.spark.streaming.settings import StreamSettings


class Owner(msgspec.Struct, frozen=True):
    key: int
    name: str


def put(topic: Any, *events: Any) -> None:
    producer = Producer({"bootstrap.servers": topic.kafka, "linger.ms": 0})
    for key, value in events:
        encoded = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
        producer.produce(topic.name, encoded, b"%d" % key, partition=key % topic.partitions)
    assert producer.flush(20) == 0


def reader_of(topic: Any, settings: StreamSettings, limit: int = 100) -> TopicReader:
    return TopicReader(settings, topic.name, Owner, "key", limit)


def test_a_topic_is_a_table_of_the_last_event_of_each_key(
    make_topic: Callable[..., Any], make_settings: Callable[..., StreamSettings]
) -> None:
    topic = make_topic(2)
    put(topic, *((key, Owner(key, f"n{key}")) for key in range(4)), (0, b"not json"))
    reader = reader_of(topic, make_settings())
    assert reader.read([(0,), (3,), (9,)], ["name"]) == [{"name": "n0"}, {"name": "n3"}, None]
    put(topic, (3, None), (1, Owner(1, "new")))
    assert reader.read([(3,), (1,)], ["name", "key"]) == [None, {"name": "new", "key": 1}]
    reader.close()
    again = reader_of(topic, make_settings())
    assert again.read([(3,), (1,)], ["name"]) == [None, {"name": "new"}]
    again.close()


def test_a_topic_with_more_keys_than_are_kept_is_an_error(
    topic: Any, make_settings: Callable[..., StreamSettings]
) -> None:
    put(topic, *((key, Owner(key, "n")) for key in range(4)))
    reader = reader_of(topic, make_settings(), limit=3)
    with pytest.raises(StreamError, match="more than 3 keys: give lookup a larger cache_rows"):
        reader.read([(0,)], ["name"])
    reader.close()


def test_tables_that_are_not_there_are_worth_another_attempt(
    topic: Any, make_settings: Callable[..., StreamSettings]
) -> None:
    reader = TopicReader(make_settings(), "nothing_here", Owner, "key", 3)
    with pytest.raises(SourceAwayError):
        reader.read([(0,)], ["name"])
    reader.close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    table = CassandraReader(make_settings(cassandra=f"127.0.0.1:{port}"), "owner", ["key"])
    with pytest.raises(AwayError, match="cannot be looked up now"):
        table.read([(0,)], ["name"])
    table.close()


class Cql:
    """A session on a table that comes late, with a primary key of two columns."""

    there = False

    def __init__(self, *_: Any, **__: Any) -> None:
        self.session = self

    def table(self, keyspace: str, table: str) -> Any:
        if not self.there:
            raise SettingError("there is no table ks.owner")
        return SimpleNamespace(primary_key=[SimpleNamespace(name="key"), SimpleNamespace(name="day")])

    def prepare(self, cql: str) -> Any:
        raise ConnectionShutdown("the node was killed")

    def close(self) -> None: ...


def test_a_table_that_comes_late_must_have_the_key_too_and_a_node_that_dies_is_waited_for(
    make_settings: Callable[..., StreamSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_readers, "session_of", Cql)
    table, whole = (CassandraReader(make_settings(), "owner", columns) for columns in (["key"], ["day", "key"]))
    for _ in range(2):
        with pytest.raises(AwayError, match="there is no table"):
            table.read([(0,)], ["name"])
    monkeypatch.setattr(Cql, "there", True)
    with pytest.raises(StreamError, match="is looked up by key; its primary key is key, day"):
        table.read([(0,)], ["name"])
    with pytest.raises(AwayError, match="the node was killed"):
        whole.read([(0, 0)], ["name"])
