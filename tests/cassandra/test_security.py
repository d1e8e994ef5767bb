"""Roles and permissions over a restart and kill -9, passwords as kept, settings that do not go together."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.cassandra.test_server import Client, error_of

from smackbox.base.errors import StartError
from smackbox.cassandra.execution.security import CHECKED_PASSWORDS_LIMIT, Security, credentials
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.state import passwords, resources
from smackbox.cassandra.wire.cql.parser import parse
from smackbox.cassandra.wire.errors import BadCredentials, SyntaxFault
from smackbox.cli.main import group
from smackbox.net.service import ServiceThread

SECURED = {"authenticator": "PasswordAuthenticator", "authorizer": "CassandraAuthorizer"}
SCRYPT_HASH = "$scrypt$ln=14,r=8,p=1$AAECAwQFBgcICQoLDA0ODw==$UDPF+c6UAbOfYLbXfh5BLsQrn+UidWRbQyyDP5iuTDg="
BCRYPT_HASH = "$2a$10$ortIdbthOtO8OYoJnMhkoOOya3kCKoL3qROy6a.IiO/Agpgkf7fSy"


def log_in(client: Client, user: str, password: str, version: int = 4) -> tuple[int, bytes]:
    assert client.call(version, 1, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0")[0] == 3
    token = b"\0" + user.encode() + b"\0" + password.encode()
    return client.call(version, 15, struct.pack(">i", len(token)) + token)


def run(client: Client, *statements: str) -> None:
    for statement in statements:
        opcode, body = client.query(statement)
        assert opcode != 0, (statement, body)


@pytest.fixture(scope="module")
def secured() -> Iterator[ServiceThread]:
    with ServiceThread(CassandraServer(CassandraSettings(**SECURED))) as thread:
        yield thread


@pytest.fixture
def admin(secured: ServiceThread) -> Iterator[Client]:
    with Client(secured) as client:
        assert log_in(client, "cassandra", "cassandra")[0] == 16
        yield client


def test_roles_and_permissions_are_there_after_a_restart(tmp_path: Path) -> None:
    settings = CassandraSettings(dir=tmp_path, **SECURED)
    with ServiceThread(CassandraServer(settings)) as thread, Client(thread) as client:
        assert log_in(client, "cassandra", "cassandra")[0] == 16
        run(
            client,
            "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
            "CREATE TABLE k.t (a int PRIMARY KEY)",
            "CREATE ROLE 'a/b' WITH PASSWORD = 'x' AND LOGIN = true",
            "CREATE ROLE gone WITH PASSWORD = 'x' AND LOGIN = true",
            "CREATE ROLE team",
            "GRANT SELECT ON k.t TO team",
            "GRANT MODIFY ON k.t TO 'a/b'",
            "REVOKE MODIFY ON k.t FROM 'a/b'",
            "GRANT team TO 'a/b'",
            "DROP ROLE gone",
            "ALTER ROLE cassandra WITH PASSWORD = 'changed'",
        )
    with ServiceThread(CassandraServer(settings)) as thread, Client(thread) as client:
        assert log_in(client, "a/b", "x")[0] == 16
        run(client, "SELECT * FROM k.t")
        assert error_of(client.query("INSERT INTO k.t (a) VALUES (1)"))[0] == 0x2100
        for user, password in (("gone", "x"), ("cassandra", "cassandra")):
            with Client(thread) as refused:
                assert error_of(log_in(refused, user, password))[0] == 0x0100
        with Client(thread) as again:
            assert log_in(again, "cassandra", "changed")[0] == 16


_VICTIM = """
import sys, time
from pathlib import Path
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cli.main import group
from smackbox.net.service import ServiceThread

settings = CassandraSettings(dir=Path(sys.argv[1]), authenticator="PasswordAuthenticator",
                             authorizer="CassandraAuthorizer")
with ServiceThread(CassandraServer(settings)) as thread:
    print(thread.url, flush=True)
    sys.stdin.read()
"""


def test_what_was_granted_survives_kill_9(tmp_path: Path) -> None:
    class Address:
        url = ""

    process = subprocess.Popen(
        [sys.executable, "-c", _VICTIM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        Address.url = process.stdout.readline().strip()
        with Client(Address) as client:  # type: ignore[arg-type]
            assert log_in(client, "cassandra", "cassandra")[0] == 16
            run(
                client,
                "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                "CREATE TABLE k.t (a int PRIMARY KEY)",
                "CREATE ROLE alice WITH PASSWORD = 'x' AND LOGIN = true",
                "GRANT SELECT ON k.t TO alice",
            )
            os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    with ServiceThread(CassandraServer(CassandraSettings(dir=tmp_path, **SECURED))) as thread, Client(thread) as client:
        assert log_in(client, "alice", "x")[0] == 16
        run(client, "SELECT * FROM k.t")


def test_roles_need_a_login() -> None:
    with ServiceThread(CassandraServer(CassandraSettings())) as thread, Client(thread) as client:
        client.startup()
        for statement in ("CREATE ROLE r", "LIST ROLES", "GRANT SELECT ON k.t TO r", "LIST USERS"):
            code, message = error_of(client.query(statement))
            assert (code, message) == (
                0x2100,
                "You have to be logged in and not anonymous to perform this request",
            )


def test_without_an_authorizer_who_is_logged_in_may_all() -> None:
    settings = CassandraSettings(authenticator="PasswordAuthenticator")
    with ServiceThread(CassandraServer(settings)) as thread, Client(thread) as admin, Client(thread) as client:
        assert log_in(admin, "cassandra", "cassandra")[0] == 16
        run(admin, "CREATE ROLE alice WITH PASSWORD = 'x' AND LOGIN = true")
        assert log_in(client, "alice", "x")[0] == 16
        run(client, "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        code, message = error_of(client.query("GRANT SELECT ON KEYSPACE k TO alice"))
        assert (code, message) == (0x2200, "GRANT operation is not supported by AllowAllAuthorizer")


def test_an_authorizer_needs_an_authenticator() -> None:
    server = CassandraServer(CassandraSettings(authorizer="CassandraAuthorizer"))
    with pytest.raises(StartError, match="AllowAllAuthenticator can't be used with CassandraAuthorizer"):
        ServiceThread(server).__enter__()


def test_beyond_loopback_only_with_logins() -> None:
    with pytest.raises(StartError, match="without authentication"):
        ServiceThread(CassandraServer(CassandraSettings(host="0.0.0.0"))).__enter__()
    with ServiceThread(CassandraServer(CassandraSettings(host="0.0.0.0", **SECURED))) as thread:
        assert thread.url.startswith("0.0.0.0:")


def test_the_default_password_beyond_loopback_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    local = CassandraSettings(dir=tmp_path, **SECURED)
    with ServiceThread(CassandraServer(local)):
        assert "still has the default password" not in caplog.text
    open_to_others = CassandraSettings(host="0.0.0.0", dir=tmp_path, **SECURED)
    with ServiceThread(CassandraServer(open_to_others)) as thread:
        assert "cassandra still has the default password" in caplog.text
        with Client(thread) as client:
            assert log_in(client, "cassandra", "cassandra")[0] == 16
            run(client, "ALTER ROLE cassandra WITH PASSWORD = 'other'")
    caplog.clear()
    with ServiceThread(CassandraServer(open_to_others)):
        assert "still has the default password" not in caplog.text


def test_a_password_is_compared_once(secured: ServiceThread, admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    run(admin, "CREATE ROLE once WITH PASSWORD = 'x' AND LOGIN = true")
    compared: list[str] = []
    matches = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda *given: compared.append(given[0]) or matches(*given))
    for password, expected in (("x", 16), ("x", 16), ("y", 0), ("x", 16)):
        with Client(secured) as client:
            assert log_in(client, "once", password)[0] == expected
    assert compared == ["x", "y"]
    run(admin, "ALTER ROLE once WITH PASSWORD = 'z'")
    with Client(secured) as client:
        assert log_in(client, "once", "x")[0] == 0
    assert compared == ["x", "y", "x"]


def test_frames_behind_a_login_wait_for_it(secured: ServiceThread) -> None:
    startup = b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"
    token = b"\0cassandra\0cassandra"
    query = b"SELECT key FROM system.local"
    bodies = [
        (1, startup),
        (15, struct.pack(">i", len(token)) + token),
        (7, struct.pack(">i", len(query)) + query + b"\x00\x01\x00"),
    ]
    with Client(secured) as client:
        client.socket.sendall(
            b"".join(struct.pack(">BBhBi", 4, 0, 1, opcode, len(body)) + body for opcode, body in bodies)
        )
        assert [client.receive()[2] for _ in bodies] == [3, 16, 8]


def test_a_client_that_goes_while_its_password_is_compared(secured: ServiceThread, admin: Client) -> None:
    for number in range(8):
        with Client(secured) as client:
            assert client.call(4, 1, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0")[0] == 3
            token = b"\0cassandra\0wrong" + str(number).encode()
            client.send(4, 15, struct.pack(">i", len(token)) + token)
    run(admin, "SELECT key FROM system.local")


def test_passwords_as_kept() -> None:
    hashed = passwords.hash_password("pässword", bytes(range(16)))
    assert hashed.startswith("$2a$10$..CA.uOD/eaGAOmJB.yMBu")  # which is how bcrypt writes that salt
    for kept in (hashed, SCRYPT_HASH):
        assert passwords.matches("pässword", kept)
        assert not passwords.matches("password", kept)
        assert passwords.can_check(kept)
    assert passwords.matches("cassandra", BCRYPT_HASH)
    assert not passwords.matches("x", "nonsense")
    assert not passwords.can_check("nonsense")
    assert not passwords.matches("x", "$2a$99$" + "." * 53)
    long = passwords.hash_password("x" * 100, bytes(16))
    assert passwords.matches("x" * 72, long)


def test_a_hashed_password(secured: ServiceThread, admin: Client) -> None:
    hashed = passwords.hash_password("known", bytes(16))
    run(admin, f"CREATE ROLE hashed WITH HASHED PASSWORD = '{hashed}' AND LOGIN = true")
    with Client(secured) as client:
        assert log_in(client, "hashed", "known")[0] == 16


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (b"", "Password must not be null"),
        (b"abc", "Password must not be null"),
        (b"\0user\0", "Password must not be null"),
        (b"\0\0password", "Authentication ID must not be null"),
        (b"user\0password", "Authentication ID must not be null"),
        (b"a\0b\0c\0d", "Credential format error"),
    ],
)
def test_tokens_that_name_nobody(token: bytes, message: str) -> None:
    with pytest.raises(BadCredentials, match=message):
        credentials(token)


def test_the_passwords_remembered_are_bounded(secured: ServiceThread) -> None:
    server = secured.service
    assert isinstance(server, CassandraServer)
    security: Security = server.running.state.security
    for number in range(CHECKED_PASSWORDS_LIMIT + 10):
        security.remember("x", str(number))
    assert len(security._checked) <= CHECKED_PASSWORDS_LIMIT


@pytest.mark.parametrize(
    ("resource", "shown", "above"),
    [
        ("data", "<all keyspaces>", ()),
        ("data/k", "<keyspace k>", ("data",)),
        ("data/k/*", "<all tables in k>", ("data/k", "data")),
        ("data/k/t", "<table k.t>", ("data/k/*", "data/k", "data")),
        ("roles", "<all roles>", ()),
        ("roles/a/b", "<role a/b>", ("roles",)),
        ("functions/k", "<all functions in k>", ("functions",)),
        ("functions/k/f[int^text]", "<function k.f(int, text)>", ("functions/k", "functions")),
        ("mbeans", "<all mbeans>", ()),
        ("mbean/a:b=c/d", "<mbean a:b=c/d>", ("mbeans",)),
    ],
)
def test_resources(resource: str, shown: str, above: tuple[str, ...]) -> None:
    assert resources.shown(resource) == shown
    assert resources.chain(resource) == (resource, *above)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE ROLE",
        "CREATE ROLE r WITH",
        "CREATE ROLE r WITH LOGIN = 1",
        "CREATE ROLE r WITH PASSWORD 'x'",
        "CREATE USER u WITH 'x'",
        "GRANT SELECT ON k.t",
        "GRANT SELECT k.t TO r",
        "GRANT SELECT, ON k.t TO r",
        "REVOKE SELECT ON k.t TO r",
        "REVOKE r TO q",
        "LIST",
        "LIST NOTHING",
        "LIST ROLES FOR r",
        "DROP USER",
        "ALTER ROLE r WITH ACCESS TO DATACENTERS {}",
        "CREATE ROLE r WITH OPTIONS = {'a':",
        "CREATE ROLE r WITH OPTIONS = {'a': 1",
    ],
)
def test_not_cql(text: str) -> None:
    with pytest.raises(SyntaxFault):
        parse(text)


def test_the_tool_logs_in(secured: ServiceThread, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["cql", "SELECT key FROM system.local", "--cassandra", secured.url, "--username", "cassandra"]
    monkeypatch.setenv("SMACK_CASSANDRA_PASSWORD", "cassandra")
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    assert "local" in result.output
    refused = CliRunner().invoke(group, [*arguments, "--password", "wrong"])
    assert "Provided username cassandra and/or password are incorrect" in str(refused.exception)


_WORDS = (
    "CREATE ALTER DROP GRANT REVOKE LIST ROLE USER ROLES USERS WITH PASSWORD HASHED OPTIONS ACCESS TO FROM ALL CIDRS "
    "DATACENTERS LOGIN SUPERUSER ON OF AND IF NOT EXISTS SELECT MODIFY PERMISSIONS KEYSPACE TABLES IN FUNCTION MBEAN "
    "NORECURSIVE r k.t 'x' = true { } ( ) , : 1 ;"
)


@given(st.lists(st.sampled_from(_WORDS.split()), max_size=12))
def test_any_words_are_a_statement_or_not_cql(words: list[str]) -> None:
    with contextlib.suppress(SyntaxFault):
        parse(" ".join(["CREATE", *words]))
    with contextlib.suppress(SyntaxFault):
        parse(" ".join(words))


@given(st.binary(max_size=40))
def test_any_token_names_somebody_or_is_refused(token: bytes) -> None:
    with contextlib.suppress(BadCredentials):
        user, password = credentials(token)
        assert user
        assert password
