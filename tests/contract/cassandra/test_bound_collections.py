"""Sets and maps that a client sends out of order: they are kept, found and compared in order, at any depth."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest
from tests.contract.cassandra.raw import Answer, Prepared, RawClient


def number(value: int) -> bytes:
    return value.to_bytes(4, "big", signed=True)


def collection(*items: bytes) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(struct.pack(">i", len(item)) + item for item in items)


def pairs(*items: tuple[int, int]) -> bytes:
    body = b"".join(struct.pack(">iiii", 4, key, 4, value) for key, value in items)
    return struct.pack(">i", len(items)) + body


UNSORTED = collection(number(3), number(2))
SORTED = collection(number(2), number(3))


@pytest.fixture
def client(cassandra_address: tuple[str, int], unique: Callable[[str], str]) -> Iterator[tuple[RawClient, str]]:
    found = RawClient(cassandra_address, 4)
    keyspace = unique("bound")
    assert not found.query(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    ).error
    yield found, keyspace
    found.query(f"DROP KEYSPACE {keyspace}")
    found.close()


def execute(client: RawClient, text: str, *values: bytes | None) -> Answer:
    prepared = client.prepare(text)
    assert isinstance(prepared, Prepared), text
    answer = client.execute(prepared, list(values), skip_metadata=False)
    assert not answer.error, text
    return answer


def test_as_a_partition_key(client: tuple[RawClient, str]) -> None:
    raw, keyspace = client
    raw.query(f"CREATE TABLE {keyspace}.y (k frozen<set<frozen<set<int>>>> PRIMARY KEY, v int)")
    unsorted, in_order = collection(UNSORTED, collection(number(1))), collection(collection(number(1)), SORTED)
    execute(raw, f"INSERT INTO {keyspace}.y (k, v) VALUES (?, 1)", unsorted)
    assert raw.query(f"SELECT k FROM {keyspace}.y").rows == ((in_order,),)
    for key in (unsorted, in_order):
        assert len(execute(raw, f"SELECT v FROM {keyspace}.y WHERE k = ?", key).rows) == 1
        assert len(execute(raw, f"SELECT v FROM {keyspace}.y WHERE k IN ?", collection(key)).rows) == 1
    assert len(execute(raw, f"SELECT v FROM {keyspace}.y WHERE k IN (?, ?)", unsorted, in_order).rows) == 1
    assert len(raw.query(f"SELECT v FROM {keyspace}.y WHERE k = {{{{3, 2}}, {{1}}}}").rows) == 1


def test_in_columns_filters_and_conditions(client: tuple[RawClient, str]) -> None:
    raw, keyspace = client
    raw.query(
        f"CREATE TABLE {keyspace}.t (k int, c frozen<set<int>>, n int, f frozen<set<int>>, fm frozen<map<int, int>>, "
        "fl frozen<list<frozen<set<int>>>>, PRIMARY KEY (k, c))"
    )
    insert = f"INSERT INTO {keyspace}.t (k, c, f, fm, fl) VALUES (1, ?, ?, ?, ?)"
    execute(raw, insert, UNSORTED, UNSORTED, pairs((3, 1), (2, 2)), collection(UNSORTED))
    assert raw.query(f"SELECT c, f, fm, fl FROM {keyspace}.t").rows == (
        (SORTED, SORTED, pairs((2, 2), (3, 1)), collection(SORTED)),
    )
    for key in (SORTED, UNSORTED):
        assert len(execute(raw, f"SELECT k FROM {keyspace}.t WHERE k = 1 AND c = ?", key).rows) == 1
        assert len(execute(raw, f"SELECT k FROM {keyspace}.t WHERE k = 1 AND c IN ?", collection(key)).rows) == 1
    update = f"UPDATE {keyspace}.t SET n = 1 WHERE k = 1 AND c = {{2, 3}}"
    for column, literal in (("f", "{2, 3}"), ("fm", "{3: 1, 2: 2}"), ("fl", "[{3, 2}]")):
        assert len(raw.query(f"SELECT k FROM {keyspace}.t WHERE {column} = {literal} ALLOW FILTERING").rows) == 1
        assert raw.query(f"{update} IF {column} = {literal}").rows == ((b"\x01",),)
    assert execute(raw, f"{update} IF f = ?", UNSORTED).rows == ((b"\x01",),)
    assert execute(raw, f"{update} IF f IN ?", collection(UNSORTED)).rows == ((b"\x01",),)
