"""What an EXECUTE answers after a change of the schema, in every protocol version, with and without skipped metadata.

A client trusts the columns that it was told of when it prepared, so a change of the table makes it prepare again.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator

import pytest
from tests.contract.cassandra.raw import Prepared, RawClient

STATEMENTS = (
    ("SELECT * FROM {t} WHERE k = ?", 1),
    ("SELECT k FROM {t} WHERE k = ?", 1),
    ("SELECT v FROM {t} WHERE k = ?", 1),
    ("SELECT count(*) FROM {t}", 0),
    ("INSERT INTO {t} (k, v) VALUES (?, ?)", 2),
    ("INSERT INTO {t} (k, v) VALUES (?, ?) IF NOT EXISTS", 2),
    ("DELETE FROM {t} WHERE k = ?", 1),
)
UNPREPARED = 0x2500
CHANGES = {
    "ALTER TABLE {t} ADD a int": True,
    "ALTER TABLE {t} DROP v": True,
    "ALTER TABLE {t} DROP w": True,
    "ALTER TABLE {t} RENAME k TO kk": True,
    "ALTER TABLE {t} WITH default_time_to_live = 1000": True,
    "ALTER TABLE {t} WITH gc_grace_seconds = 1000": True,
    "CREATE INDEX ON {t} (v)": True,
    "DROP TABLE {t}": True,
    "DROP TABLE {t}; CREATE TABLE {t} (k int PRIMARY KEY, v int, w int)": True,
    "ALTER TABLE {t} WITH comment = 'x'": False,
    "CREATE TABLE {t}_other (k int PRIMARY KEY)": False,
    "TRUNCATE {t}": False,
    "CREATE TYPE {t}_type (x int)": False,
}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def keyspace(cassandra_address: tuple[str, int]) -> Iterator[str]:
    name = f"prepared_{uuid.uuid4().hex[:12]}"
    admin = RawClient(cassandra_address, 4)
    assert not admin.query(
        f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    ).error
    yield name
    admin.query(f"DROP KEYSPACE {name}")
    admin.close()


@pytest.fixture(params=[3, 4, 5])
def client(request: pytest.FixtureRequest, cassandra_address: tuple[str, int]) -> Iterator[RawClient]:
    found = RawClient(cassandra_address, request.param)
    yield found
    found.close()


@pytest.fixture
def table(client: RawClient, keyspace: str) -> str:
    name = f"{keyspace}.t{next(_numbers)}"
    assert not client.query(f"CREATE TABLE {name} (k int PRIMARY KEY, v int, w int)").error
    for k in (1, 2):
        client.query(f"INSERT INTO {name} (k, v, w) VALUES ({k}, {k * 10}, {k * 100})")
    return name


@pytest.mark.parametrize("change", CHANGES)
def test_every_statement_after_a_change(client: RawClient, table: str, change: str) -> None:
    prepared = []
    for text, marks in STATEMENTS:
        found = client.prepare(text.format(t=table))
        assert isinstance(found, Prepared)
        prepared.append((found, [(1).to_bytes(4, "big")] * marks))
    for found, values in prepared:
        assert not client.execute(found, values, skip_metadata=True).error
    for statement in change.format(t=table).split("; "):
        assert not client.query(statement).error
    for number, (found, values) in enumerate(prepared):
        for skip_metadata in (bool(number % 2), not number % 2):
            answer = client.execute(found, values, skip_metadata=skip_metadata)
            assert answer.error == (UNPREPARED if CHANGES[change] else 0), STATEMENTS[number]
            if CHANGES[change]:
                assert answer.unprepared == found.statement_id


def test_who_prepares_again_sees_the_new_columns(client: RawClient, table: str) -> None:
    text = f"SELECT * FROM {table} WHERE k = ?"
    before = client.prepare(text)
    assert isinstance(before, Prepared)
    client.query(f"ALTER TABLE {table} ADD a int")
    key = [(1).to_bytes(4, "big")]
    assert client.execute(before, key, skip_metadata=True).error == UNPREPARED
    after = client.prepare(text)
    assert isinstance(after, Prepared)
    assert after.statement_id == before.statement_id
    assert after.columns == ["k", "a", "v", "w"]
    assert (after.result_id != before.result_id) == (client.version >= 5)
    assert client.execute(after, key, skip_metadata=True).column_count == 4
    assert client.execute(before, key, skip_metadata=True).column_count == 4
    if client.version >= 5:
        # the old id of the metadata is known to be old: metadata comes although it is not asked for
        answer = client.execute(before, key, skip_metadata=True)
        assert answer.result_id == after.result_id
        assert answer.columns == ("k", "a", "v", "w")


REPLICATION = "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
# statements by the table: t has no user type, w one that is not frozen, f a frozen one
OF_TABLES = (
    ("t", "SELECT * FROM {k}.t WHERE k = ?"),
    ("t", "DELETE FROM {k}.t WHERE k = ?"),
    ("w", "SELECT * FROM {k}.w WHERE k = ?"),
    ("w", "SELECT n FROM {k}.w WHERE k = ?"),
    ("w", "DELETE FROM {k}.w WHERE k = ?"),
    ("f", "SELECT * FROM {k}.f WHERE k = ?"),
    ("f", "DELETE FROM {k}.f WHERE k = ?"),
)
OF_KEYSPACES = {
    "DROP KEYSPACE {k}": "twf",
    "DROP KEYSPACE {k}; CREATE KEYSPACE {k} " + REPLICATION: "twf",
    f"DROP KEYSPACE {{k}}; CREATE KEYSPACE {{k}} {REPLICATION}; CREATE TABLE {{k}}.t (k int PRIMARY KEY, v int)": "twf",
    "ALTER KEYSPACE {k} WITH durable_writes = false": "",
    "ALTER TYPE {k}.u ADD z int": "wf",
    "ALTER TYPE {k}.u RENAME x TO xx": "wf",
    "ALTER TYPE {k}.free ADD z int": "",
    "DROP TYPE {k}.free": "",
}


@pytest.mark.parametrize("change", OF_KEYSPACES)
def test_statements_after_a_change_of_a_type_or_keyspace(client: RawClient, change: str) -> None:
    keyspace = f"prepared_{uuid.uuid4().hex[:12]}"
    for statement in (
        f"CREATE KEYSPACE {keyspace} {REPLICATION}",
        f"CREATE TYPE {keyspace}.u (x int)",
        f"CREATE TYPE {keyspace}.free (x int)",
        f"CREATE TABLE {keyspace}.t (k int PRIMARY KEY, v int)",
        f"CREATE TABLE {keyspace}.w (k int PRIMARY KEY, a {keyspace}.u, n int)",
        f"CREATE TABLE {keyspace}.f (k int PRIMARY KEY, a frozen<{keyspace}.u>, n int)",
    ):
        assert not client.query(statement).error
    key = [(1).to_bytes(4, "big")]
    prepared = []
    for table, text in OF_TABLES:
        found = client.prepare(text.replace("{k}", keyspace))
        assert isinstance(found, Prepared)
        assert not client.execute(found, key, skip_metadata=True).error
        prepared.append((table, found))
    try:
        for statement in change.replace("{k}", keyspace).split("; "):
            assert not client.query(statement).error
        for table, found in prepared:
            answer = client.execute(found, key, skip_metadata=True)
            assert answer.error == (UNPREPARED if table in OF_KEYSPACES[change] else 0), (table, found.statement_id)
    finally:
        client.query(f"DROP KEYSPACE IF EXISTS {keyspace}")
