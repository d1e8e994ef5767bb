"""Rows that a compiled binder takes leave what the general execution leaves, or nothing and its error."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.protocol import dispatch
from smackbox.cassandra.protocol.session import Session
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.state import engine as engine_module
from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.statements.registry import Statement
from smackbox.cassandra.wire import frames
from smackbox.net.service import ServiceThread

NOW_US = 1_700_000_000_000_000
Value = bytes | None

# primary key, the other columns, the order in which an INSERT names them
SHAPES = {
    "one_key": ("k", "k int, v text, w bigint", "k, v, w"),
    "cells_out_of_order": ("k", "k text, z blob, a int, m text", "m, k, a, z"),
    "clustered": ("k, c, d", "k uuid, c timeuuid, d text, v text", "k, c, d, v"),
    "clustering_last_and_descending": ("k, c, d", "k int, c text, d int, v ascii", "v, d, c, k"),
    "key_of_two": ("(a, b), c", "a int, b text, c varint, v boolean", "v, b, c, a"),
    "checked_types": ("k, c", "k inet, c decimal, v frozen<list<int>>, w date, x duration", "k, x, c, v, w"),
    "key_only": ("k, c", "k int, c blob", "k, c"),
    "vectors": ("k", "k int, v vector<float, 3>, w tuple<int, text>", "w, v, k"),
}
DESCENDING = {"clustering_last_and_descending": " WITH CLUSTERING ORDER BY (c DESC, d ASC)"}


class Home:
    """A session without a socket, and two tables of each shape: one for batches, one for single statements."""

    def __init__(self, server: CassandraServer) -> None:
        self.server = server
        running = server.running
        self.session = Session(running.state, running.statements, Endpoint("127.0.0.1", 0))
        self.session.version = 4
        self.session.ready = True
        self.run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        for name, (key, columns, _) in SHAPES.items():
            for table in (f"{name}_a", f"{name}_b"):
                self.run(f"CREATE TABLE k.{table} ({columns}, PRIMARY KEY ({key})){DESCENDING.get(name, '')}")

    def run(self, text: str, values: Sequence[Value] = ()) -> object:
        statement = self.server.running.statements.statement(text, None)
        context = Context(self.server.running.state, Endpoint("127.0.0.1", 0), values, NOW_US)
        found = statement.run(context)
        self.server.running.parts.commit.flush()
        return getattr(found, "body", None)

    def insert(self, shape: str, table: str) -> Statement:
        names = SHAPES[shape][2]
        marks = ", ".join("?" * len(names.split(", ")))
        return self.server.running.statements.prepare(f"INSERT INTO k.{table} ({names}) VALUES ({marks})", None)

    def batch(self, rows: Sequence[tuple[Statement, Sequence[Value]]], more: bytes = b"") -> bytes:
        body = batch_body(rows, more)
        answer = dispatch.answer(self.session, 4, 0, 1, frames.BATCH, body, NOW_US)
        self.server.running.parts.commit.flush()
        return answer

    def rows(self, table: str) -> object:
        return self.run(f"SELECT * FROM k.{table}")


def batch_body(rows: Sequence[tuple[Statement, Sequence[Value]]], more: bytes = b"") -> bytes:
    body = struct.pack(">BH", 0, len(rows))
    for statement, values in rows:
        body += b"\x01" + struct.pack(">H", len(statement.statement_id)) + statement.statement_id
        body += struct.pack(">H", len(values)) + b"".join(map(wire, values))
    return body + struct.pack(">HB", 1, 0) + more


def int_bytes(number: int) -> bytes:
    return struct.pack(">i", number)


def wire(value: Value) -> bytes:
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    server = CassandraServer(CassandraSettings())
    with ServiceThread(server):
        yield Home(server)


texts = st.text(alphabet="ab\0é€", max_size=5).map(str.encode)
LENGTHS = {"int": 4, "bigint": 8, "boolean": 1, "date": 4, "uuid": 16}
ORDINARY = {
    "text": texts,
    "ascii": st.text(alphabet="ab\0", max_size=5).map(str.encode),
    "blob": st.binary(max_size=6),
    "varint": st.binary(min_size=1, max_size=4),
    "decimal": st.binary(min_size=1, max_size=3).map(lambda digits: int_bytes(-len(digits)) + digits),
    "inet": st.sampled_from([4, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    "duration": st.sampled_from([b"\x02\x04\x06", b"\x00\x00\x00"]),
    "timeuuid": st.binary(min_size=16, max_size=16).map(lambda value: value[:6] + b"\x1a" + value[7:]),
    "frozen<list<int>>": st.lists(st.integers(0, 9), max_size=3).map(
        lambda items: struct.pack(">i", len(items)) + b"".join(struct.pack(">ii", 4, item) for item in items)
    ),
    "vector<float, 3>": st.binary(min_size=12, max_size=12),
    "frozen<tuple<int, text>>": texts.map(lambda text: struct.pack(">iii", 4, 7, len(text)) + text),
}  # fmt: skip
# wrong for some types, right for others
STRANGE = st.sampled_from([None, b"", b"\xff\xfe", b"\x00" * 3, b"\x00" * 16, b"a\x80"])


def value_of(kind: str) -> st.SearchStrategy[Value]:
    length = LENGTHS.get(kind)
    return ORDINARY[kind] if length is None else st.binary(min_size=length, max_size=length)


def kinds_of(home: Home, shape: str) -> list[str]:
    return [bind.kind.cql for bind in home.insert(shape, f"{shape}_a").binds]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), shape=st.sampled_from(sorted(SHAPES)), strange=st.integers(0, 3).map(lambda number: not number))
def test_batches_leave_what_single_statements_leave(home: Home, data: st.DataObject, shape: str, strange: bool) -> None:
    kinds = kinds_of(home, shape)
    values = [st.one_of(STRANGE, value_of(kind)) if strange else value_of(kind) for kind in kinds]
    rows = data.draw(st.lists(st.tuples(*values), min_size=1, max_size=6))
    into_a, into_b = home.insert(shape, f"{shape}_a"), home.insert(shape, f"{shape}_b")
    answer = home.batch([(into_a, row) for row in rows])
    fault = None
    for row in rows:
        try:
            home.run(into_b.text, row)
        except Exception as error:  # noqa: BLE001 - the kinds of refusals are not what is compared
            fault = error
            break
    assert answer[4] == (frames.RESULT if fault is None else frames.ERROR)
    if fault is not None:
        home.run(f"TRUNCATE k.{shape}_b")
    assert home.rows(f"{shape}_a") == home.rows(f"{shape}_b")
    for table in ("a", "b"):
        home.run(f"TRUNCATE k.{shape}_{table}")


EXAMPLES = {
    "text": b"\xc3\xa9", "ascii": b"a", "blob": b"", "varint": b"\x01", "decimal": bytes(5), "inet": bytes(4),
    "duration": bytes(3), "timeuuid": bytes(6) + b"\x10" + bytes(9), "frozen<list<int>>": bytes(4),
    "vector<float, 3>": bytes(12), "frozen<tuple<int, text>>": int_bytes(4) + bytes(8),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_ordinary_rows_do_not_go_the_general_way(home: Home, shape: str) -> None:
    insert = home.insert(shape, f"{shape}_a")
    assert insert.insert is not None
    row = [EXAMPLES.get(kind) or bytes(LENGTHS.get(kind, 0)) for kind in kinds_of(home, shape)]
    body = batch_body([(insert, row)] * 3)
    found = insert.insert.rows(body, 3, 3, lead(insert))
    assert found is not None
    assert len(found[0]) == 3
    assert found[1] == len(body) - 3


def lead(statement: Statement) -> bytes:
    return batch_body([(statement, [None] * len(statement.binds))])[3 : 3 + 3 + 16 + 2]


def test_statements_that_take_turns(home: Home) -> None:
    first, second = home.insert("one_key", "one_key_a"), home.insert("key_only", "key_only_a")
    rows: list[tuple[Statement, Sequence[Value]]] = []
    for number in range(10):
        rows.append((first, (int_bytes(number), b"v", struct.pack(">q", number))))
        rows.append((second, (int_bytes(number % 2), b"c%d" % number)))
    assert home.batch(rows)[4] == frames.RESULT
    assert home.run("SELECT count(*) FROM k.one_key_a") == struct.pack(">iq", 8, 10)
    assert home.run("SELECT count(*) FROM k.key_only_a") == struct.pack(">iq", 8, 10)
    home.run("TRUNCATE k.one_key_a")
    home.run("TRUNCATE k.key_only_a")


def test_any_end_of_the_message_is_an_error_and_leaves_nothing(home: Home) -> None:
    insert = home.insert("clustered", "clustered_a")
    key = bytes(6) + b"\x10" + bytes(9)
    body = batch_body([(insert, (key, key, b"d", b"v%d" % number)) for number in range(3)])
    for end in range(len(body)):
        assert dispatch.answer(home.session, 4, 0, 1, frames.BATCH, body[:end], NOW_US)[4] == frames.ERROR
    home.server.running.parts.commit.flush()
    assert home.rows("clustered_a") == b""


def test_a_row_that_batches_write_again_and_again_is_merged(home: Home) -> None:
    insert = home.insert("one_key", "one_key_a")
    assert insert.insert is not None
    for number in range(500):
        row = (int_bytes(1), b"v%03d" % number, bytes(8))
        home.batch([(insert, row), (insert, (int_bytes(number), b"", bytes(8)))])
    (row_key, _), *_ = insert.insert.rows(batch_body([(insert, row)]), 3, 1, lead(insert))[0]  # type: ignore[index]
    assert len(list(home.server.running.state.engine.fragments(row_key))) < 10 * engine_module.MERGE_AFTER
    assert home.run("SELECT v FROM k.one_key_a WHERE k = 1") == struct.pack(">i", 4) + b"v499"
    home.run("TRUNCATE k.one_key_a")
