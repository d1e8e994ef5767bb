"""SKIPPED.md is complete: each row is refused as it says, and every statement of CQL is served or has a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cassandra.test_security import log_in
from tests.cassandra.test_server import Client, error_of

import smackbox.cassandra
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread

SKIPPED = Path(smackbox.cassandra.__file__ or "").with_name("SKIPPED.md")
ROWS = re.findall(r"^\| [^|]+ \| `(.+?)` \| ([0-9a-f]{4}) \| .+ \|$", SKIPPED.read_text(encoding="utf-8"), re.MULTILINE)

# every alternative of `cqlStatement` in Cassandra 5's Parser.g, each with the least that it takes
GRAMMAR = [
    "SELECT * FROM k.t",
    "INSERT INTO k.t (a) VALUES (1)",
    "UPDATE k.t SET b = 1 WHERE a = 1",
    "BEGIN BATCH APPLY BATCH",
    "DELETE FROM k.t WHERE a = 1",
    "USE k",
    "TRUNCATE k.t",
    "CREATE KEYSPACE k2 WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE k.t2 (a int PRIMARY KEY, b int)",
    "CREATE INDEX i ON k.t2 (b)",
    "CREATE TYPE k.ty (a int)",
    "ALTER TYPE k.ty ADD b int",
    "ALTER TABLE k.t2 ADD c int",
    "ALTER KEYSPACE k2 WITH durable_writes = false",
    "DESCRIBE KEYSPACES",
    "DROP INDEX k.i",
    "DROP TABLE k.t2",
    "DROP TYPE k.ty",
    "DROP KEYSPACE k2",
    "CREATE USER u",
    "ALTER USER u SUPERUSER",
    "DROP USER u",
    "CREATE ROLE r",
    "CREATE ROLE q",
    "ALTER ROLE r WITH LOGIN = true",
    "GRANT SELECT ON k.t TO r",
    "GRANT r TO q",
    "REVOKE SELECT ON k.t FROM r",
    "REVOKE r FROM q",
    "LIST ALL PERMISSIONS",
    "LIST ROLES",
    "LIST USERS",
    "DROP ROLE r",
    "CREATE TRIGGER x ON k.t USING 'X'",
    "DROP TRIGGER x ON k.t",
    "CREATE FUNCTION k.f (a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return a;'",
    "CREATE OR REPLACE FUNCTION k.f (a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return a;'",
    "DROP FUNCTION k.f",
    "CREATE AGGREGATE k.g (int) SFUNC f STYPE int",
    "DROP AGGREGATE k.g",
    "CREATE MATERIALIZED VIEW k.v AS SELECT * FROM k.t WHERE a IS NOT NULL PRIMARY KEY (a)",
    "ALTER MATERIALIZED VIEW k.v WITH comment = 'x'",
    "DROP MATERIALIZED VIEW k.v",
    "ADD IDENTITY 'i' TO ROLE 'r'",
    "DROP IDENTITY 'i'",
]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    settings = CassandraSettings(authenticator="PasswordAuthenticator", authorizer="CassandraAuthorizer")
    with ServiceThread(CassandraServer(settings)) as thread, Client(thread) as found:
        assert log_in(found, "cassandra", "cassandra")[0] == 16
        found.query("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        found.query("CREATE TABLE k.t (a int PRIMARY KEY, b int)")
        yield found


def test_the_table_was_read() -> None:
    assert len(ROWS) > 15


@pytest.mark.parametrize(("statement", "code"), ROWS)
def test_a_row_is_refused_with_its_error(client: Client, statement: str, code: str) -> None:
    found, message = error_of(client.query(statement))
    assert f"{found:04x}" == code, message
    assert message


def test_every_statement_is_served_or_has_a_row(client: Client) -> None:
    listed = {_start(statement) for statement, _ in ROWS}
    unknown = []
    for statement in GRAMMAR:
        opcode, body = client.query(statement)
        if opcode == 0 and _start(statement) not in listed:
            unknown.append((statement, error_of((opcode, body))[1]))
    assert not unknown


def _start(statement: str) -> str:
    """What kind of statement it is: its first words."""
    words = statement.replace("OR REPLACE ", "").split()
    if words[0] in {"GRANT", "REVOKE", "LIST"}:
        return words[0]
    return " ".join(words[:2])
