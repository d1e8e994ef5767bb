"""Lists that a client binds: with nulls in them, empty, with counts below zero; and values of IN that are not set."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest
from tests.contract.cassandra.raw import UNSET, Answer, Prepared, RawClient

pytestmark = pytest.mark.contract


def number(value: int) -> bytes:
    return struct.pack(">i", value)


def listed(*items: bytes | None) -> bytes:
    return number(len(items)) + b"".join(
        number(-1) if item is None else number(len(item)) + item for item in items
    )  # fmt: skip


ONE = number(1)
BELOW_ZERO = number(-1)
WITH_NULL = listed(ONE, None)
FILTER = "SELECT c FROM @ WHERE v IN {} ALLOW FILTERING"
KEYED = "SELECT c FROM @ WHERE k = 1 AND c IN {}"
INSERT = "INSERT INTO @ (k, c, {}) VALUES (2, 1, ?)"
ROWS: dict[str, tuple[list[object], tuple[tuple[bytes, ...], ...]]] = {
    FILTER.format("(?, ?)"): ([ONE, UNSET], ((ONE,),)),
    FILTER.format("(?,?)"): ([ONE, None], ((ONE,),)),
    FILTER.format("(?, ?, ?)"): ([None, UNSET, UNSET], ()),
    FILTER.format("?"): ([WITH_NULL], ((ONE,),)),
    FILTER.format(" ?"): ([listed()], ()),
    KEYED.format("?"): ([listed()], ()),
    "SELECT c FROM @ WHERE (c) IN ? AND k = 1": ([listed(b"")], ()),
}
NOTHING_THERE = "The data cannot be deserialized as a {}"
NOT_ALLOWED = "Null value read when not allowed"
REFUSED: dict[str, tuple[list[object], str]] = {
    FILTER.format("(?)"): ([UNSET], "Unsupported unset value for column v"),
    FILTER.format("( ?)"): ([None], "Unsupported null value for column v"),
    FILTER.format("?"): ([None], "Invalid null value for column v"),
    FILTER.format(" ?"): ([UNSET], "Invalid unset value for column v"),
    FILTER.format("  ?"): ([BELOW_ZERO], NOTHING_THERE.format("list")),
    KEYED.format("?"): ([WITH_NULL], "Invalid null value in condition for column c"),
    KEYED.format(" ?"): ([None], "Invalid null value for column c"),
    KEYED.format("  ?"): ([BELOW_ZERO], NOTHING_THERE.format("list")),
    "SELECT c FROM @ WHERE k IN ?": ([WITH_NULL], "Invalid null value in condition for column k"),
    "SELECT c FROM @ WHERE  k IN ?": ([BELOW_ZERO], NOTHING_THERE.format("list")),
    "UPDATE @ SET v = 9 WHERE k = 1 AND c = 1 IF v IN ?": ([BELOW_ZERO], NOTHING_THERE.format("list")),
    "UPDATE @ SET m = m - ? WHERE k = 1 AND c = 1": ([BELOW_ZERO], NOTHING_THERE.format("set")),
    INSERT.format("l"): ([BELOW_ZERO], NOTHING_THERE.format("list")),
    INSERT.format("f"): ([BELOW_ZERO], NOTHING_THERE.format("list")),
    INSERT.format("e"): ([BELOW_ZERO], NOTHING_THERE.format("set")),
    INSERT.format("m"): ([BELOW_ZERO], NOTHING_THERE.format("map")),
    INSERT.format(" e"): ([WITH_NULL], NOT_ALLOWED),
    INSERT.format("fs"): ([WITH_NULL], NOT_ALLOWED),
    INSERT.format(" m"): ([number(1) + number(1) + b"a" + number(-1)], NOT_ALLOWED),
    "SELECT c FROM @ LIMIT ?": ([None], "Invalid null value of limit"),
    "SELECT c FROM @ PER PARTITION LIMIT ?": ([None], "Invalid null value of limit"),
    "SELECT  c FROM @ PER PARTITION LIMIT ?": ([number(0)], "LIMIT must be strictly positive"),
    "SELECT  c FROM @ LIMIT ?": ([number(-1)], "LIMIT must be strictly positive"),
}


class Table:
    def __init__(self, client: RawClient, keyspace: str) -> None:
        self.client = client
        self.name = f"{keyspace}.t"

    def execute(self, text: str, values: list[object]) -> Answer:
        prepared = self.client.prepare(text.replace("@", self.name))
        assert isinstance(prepared, Prepared), prepared
        return self.client.execute(prepared, values, skip_metadata=False)


@pytest.fixture
def table(cassandra_address: tuple[str, int], unique: Callable[[str], str]) -> Iterator[Table]:
    client = RawClient(cassandra_address, 5)
    keyspace = unique("lists")
    client.query(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    )
    columns = "v int, l list<int>, e set<int>, m map<text, int>, f frozen<list<int>>, fs frozen<set<int>>"
    client.query(f"CREATE TABLE {keyspace}.t (k int, c int, {columns}, PRIMARY KEY (k, c))")
    client.query(f"INSERT INTO {keyspace}.t (k, c, v) VALUES (1, 1, 1)")
    yield Table(client, keyspace)
    client.query(f"DROP KEYSPACE {keyspace}")
    client.close()


def test_rows_that_lists_ask_for(table: Table) -> None:
    for text, (values, rows) in ROWS.items():
        answer = table.execute(text, values)
        assert (answer.message, answer.rows) == ("", rows), text


def test_what_is_refused(table: Table) -> None:
    for text, (values, message) in REFUSED.items():
        answer = table.execute(text, values)
        assert (answer.error, answer.message) == (0x2200, message), text


def test_a_frozen_list_keeps_its_nulls(table: Table) -> None:
    assert not table.execute("INSERT INTO @ (k, c, f) VALUES (2, 1, ?)", [WITH_NULL]).is_error
    assert table.execute("SELECT f FROM @ WHERE k = 2", []).rows == ((WITH_NULL,),)


def test_a_condition_finds_null_in_a_bound_list(table: Table) -> None:
    update = "UPDATE @ SET v = 9 WHERE k = 1 AND c = 9 IF v IN ?"
    assert table.execute(update, [listed(None)]).rows == ((b"\x01",),)
