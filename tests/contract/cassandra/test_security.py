"""Logins, roles and permissions with the Python driver, on a server of their own: ours, or a real one."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cassandra import Unauthorized
from cassandra.cluster import Cluster, NoHostAvailable, Session
from cassandra.query import BatchStatement
from tests.contract.cassandra.security_script import Logins, answer, connect, statements

SCRIPT = Path(__file__).parents[2] / "golden" / "cassandra_security" / "roles.txt"
QUERY = struct.pack(">i", 28) + b"SELECT key FROM system.local" + b"\x00\x01\x00"
STARTUP = b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"
FIRST_ROLE_LIMIT_S = 60.0
Address = tuple[str, int]


def ours(_: Path, stack: ExitStack, *, masking: bool = False) -> Address:
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings
    from smackbox.net.service import ServiceThread

    settings = CassandraSettings(
        authenticator="PasswordAuthenticator",
        authorizer="CassandraAuthorizer",
        dynamic_data_masking_enabled=masking,
        materialized_views_enabled=masking,
    )
    host, _, port = stack.enter_context(ServiceThread(CassandraServer(settings))).url.rpartition(":")
    return host, int(port)


def real(directory: Path, stack: ExitStack, *, masking: bool = False) -> Address:
    from bench.engines.real_cassandra import RealCassandra

    config = {
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "role_manager": "CassandraRoleManager",
        # what is granted holds at once
        "credentials_validity": "0ms",
        "roles_validity": "0ms",
        "permissions_validity": "0ms",
        "dynamic_data_masking_enabled": str(masking).lower(),
    }
    address = stack.enter_context(RealCassandra(directory, config)).address
    # it makes its first role some time after it answers
    deadline = time.monotonic() + FIRST_ROLE_LIMIT_S
    while True:
        try:
            connect(address, "cassandra", "cassandra").cluster.shutdown()
        except NoHostAvailable:
            if time.monotonic() > deadline:
                raise
        else:
            return address


@pytest.fixture(scope="module")
def secured(on_real_cassandra: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with ExitStack() as stack:
        yield (real if on_real_cassandra else ours)(tmp_path_factory.mktemp("secured"), stack)


@pytest.fixture
def logins(secured: Address) -> Iterator[Logins]:
    with Logins(secured) as found:
        yield found


@pytest.fixture
def admin(logins: Logins) -> Session:
    return logins.session("cassandra")


@pytest.fixture
def user(admin: Session, unique: Callable[[str], str]) -> Iterator[str]:
    """A role that may log in and nothing else; its password is its name."""
    name = unique("user")
    admin.execute(f"CREATE ROLE {name} WITH PASSWORD = '{name}' AND LOGIN = true")
    yield name
    admin.execute(f"DROP ROLE IF EXISTS {name}")


@pytest.fixture
def table(admin: Session, unique: Callable[[str], str]) -> Iterator[str]:
    keyspace = unique("secured")
    admin.execute(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    )
    admin.execute(f"CREATE TABLE {keyspace}.t (a int PRIMARY KEY, b int)")
    yield f"{keyspace}.t"
    admin.execute(f"DROP KEYSPACE {keyspace}")


def login_error(address: Address, name: str, password: str) -> str:
    with pytest.raises(NoHostAvailable) as caught:
        connect(address, name, password)
    return " ".join(map(str, caught.value.errors.values()))


def test_the_recorded_script(secured: Address, logins: Logins) -> None:
    different = []
    for name, statement, recorded in statements(SCRIPT.read_text(encoding="utf-8")):
        found = answer(logins.session(name), statement)
        if found != recorded:
            different.append((name, statement, found, recorded))
    assert not different
    assert "bob is not permitted to log in" in login_error(secured, "bob", "bob")


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("compression", [False, True])
def test_a_login_in_every_version(secured: Address, version: int, compression: bool) -> None:
    session = connect(secured, "cassandra", "cassandra", protocol_version=version, compression=compression)
    assert session.execute("SELECT key FROM system.local").one() == ("local",)
    session.cluster.shutdown()


def test_wrong_credentials(secured: Address, user: str) -> None:
    assert f"Provided username {user} and/or password are incorrect" in login_error(secured, user, "wrong")
    assert "code=0100" in login_error(secured, "nobody_at_all", "x")
    assert "Password must not be null" in login_error(secured, user, "")


def test_a_login_is_asked_for(secured: Address) -> None:
    with pytest.raises(NoHostAvailable, match="requires authentication"):
        Cluster([secured[0]], port=secured[1], protocol_version=5).connect()


@pytest.mark.parametrize(("opcode", "name"), [(7, "QUERY"), (1, "STARTUP"), (5, "OPTIONS"), (11, "REGISTER")])
def test_requests_before_the_login(secured: Address, opcode: int, name: str) -> None:
    with socket.create_connection(secured, 30) as stranger, stranger.makefile("rb") as answers:

        def call(number: int, body: bytes) -> tuple[int, bytes]:
            stranger.sendall(struct.pack(">BBhBi", 4, 0, 1, number, len(body)) + body)
            _, _, _, answered, length = struct.unpack(">BBhBi", answers.read(9))
            return answered, answers.read(length)

        assert call(1, STARTUP) == (3, b"\x00/org.apache.cassandra.auth.PasswordAuthenticator")
        body = {7: QUERY, 1: STARTUP, 5: b"", 11: b"\x00\x01\x00\x0dSCHEMA_CHANGE"}[opcode]
        message = f"Unexpected message {name}, expecting SASL_RESPONSE".encode()
        assert call(opcode, body) == (0, struct.pack(">iH", 10, len(message)) + message)
        token = b"\0cassandra\0wrong"
        assert call(15, struct.pack(">i", len(token)) + token)[1][:4] == b"\x00\x00\x01\x00"
        token = b"\0cassandra\0cassandra"
        assert call(15, struct.pack(">i", len(token)) + token) == (16, b"\xff\xff\xff\xff")
        assert call(7, QUERY)[0] == 8
        assert b"already initialized" in call(1, STARTUP)[1]


def test_prepared_statements_follow_what_is_granted(admin: Session, logins: Logins, user: str, table: str) -> None:
    session = logins.session(user)
    insert = session.prepare(f"INSERT INTO {table} (a, b) VALUES (?, ?)")
    select = session.prepare(f"SELECT b FROM {table} WHERE a = ?")
    with pytest.raises(Unauthorized, match=f"User {user} has no MODIFY permission on <table {table}> or any of its"):
        session.execute(insert, (1, 1))
    admin.execute(f"GRANT MODIFY ON {table} TO {user}")
    session.execute(insert, (1, 1))
    with pytest.raises(Unauthorized, match="no SELECT permission"):
        session.execute(select, (1,))
    admin.execute(f"GRANT SELECT ON {table} TO {user}")
    assert session.execute(select, (1,)).one() == (1,)
    admin.execute(f"REVOKE MODIFY ON {table} FROM {user}")
    with pytest.raises(Unauthorized, match="no MODIFY permission"):
        session.execute(insert, (1, 2))
    assert session.execute(select, (1,)).one() == (1,)


def test_batches_of_prepared_statements(admin: Session, logins: Logins, user: str, table: str) -> None:
    session = logins.session(user)
    insert = session.prepare(f"INSERT INTO {table} (a, b) VALUES (?, ?)")
    batch = BatchStatement()
    batch.add(insert, (1, 1))
    batch.add(insert, (2, 2))
    with pytest.raises(Unauthorized, match="no MODIFY permission"):
        session.execute(batch)
    admin.execute(f"GRANT MODIFY ON {table} TO {user}")
    session.execute(batch)
    assert len(list(admin.execute(f"SELECT a FROM {table}"))) == 2


def test_permissions_come_through_roles(admin: Session, logins: Logins, user: str, table: str) -> None:
    team, company = f"team_{user}", f"company_{user}"
    admin.execute(f"CREATE ROLE {team}")
    admin.execute(f"CREATE ROLE {company}")
    admin.execute(f"GRANT {company} TO {team}")
    admin.execute(f"GRANT SELECT ON KEYSPACE {table.partition('.')[0]} TO {company}")
    session = logins.session(user)
    with pytest.raises(Unauthorized):
        session.execute(f"SELECT * FROM {table}")
    admin.execute(f"GRANT {team} TO {user}")
    session.execute(f"SELECT * FROM {table}")
    admin.execute(f"DROP ROLE {company}")
    with pytest.raises(Unauthorized):
        session.execute(f"SELECT * FROM {table}")
    admin.execute(f"DROP ROLE {team}")


def test_a_new_password_counts_at_once(secured: Address, admin: Session, user: str) -> None:
    connect(secured, user, user).cluster.shutdown()
    admin.execute(f"ALTER ROLE {user} WITH PASSWORD = 'other'")
    assert "incorrect" in login_error(secured, user, user)
    connect(secured, user, "other").cluster.shutdown()
    admin.execute(f"ALTER ROLE {user} WITH LOGIN = false")
    assert f"{user} is not permitted to log in" in login_error(secured, user, "other")


def test_a_dropped_role_may_nothing(admin: Session, logins: Logins, user: str, table: str) -> None:
    admin.execute(f"GRANT SELECT ON {table} TO {user}")
    session = logins.session(user)
    session.execute(f"SELECT * FROM {table}")
    admin.execute(f"DROP ROLE {user}")
    with pytest.raises(Unauthorized):
        session.execute(f"SELECT * FROM {table}")


def test_hashes_are_carried_over(secured: Address, admin: Session, user: str) -> None:
    hashed = "$2a$10$ortIdbthOtO8OYoJnMhkoOOya3kCKoL3qROy6a.IiO/Agpgkf7fSy"  # of cassandra
    admin.execute(f"ALTER ROLE {user} WITH HASHED PASSWORD = '{hashed}'")
    connect(secured, user, "cassandra").cluster.shutdown()
    assert "incorrect" in login_error(secured, user, user)
    shown = admin.execute("SELECT salted_hash FROM system_auth.roles WHERE role = %s", (user,)).one()
    assert shown.salted_hash == hashed
    admin.execute(f"ALTER ROLE {user} WITH PASSWORD = '{user}'")
    own = admin.execute("SELECT salted_hash FROM system_auth.roles WHERE role = %s", (user,)).one().salted_hash
    assert own.startswith("$2a$10$")
    admin.execute(f"ALTER ROLE {user} WITH HASHED PASSWORD = '{own}'")
    connect(secured, user, user).cluster.shutdown()
