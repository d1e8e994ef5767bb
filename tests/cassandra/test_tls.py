"""TLS and mutual TLS with the Python driver, and what settings that cannot work say."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import WhiteListRoundRobinPolicy

from smackbox.base.errors import StartError
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread

CERTIFICATES = Path(__file__).parents[1] / "certificates"
SERVER = {
    "client_encryption_certfile": CERTIFICATES / "server.pem",
    "client_encryption_keyfile": CERTIFICATES / "server.key",
    "client_encryption_cafile": CERTIFICATES / "ca.pem",
}


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[CassandraServer]:
    server = CassandraServer(CassandraSettings(**{**SERVER, **request.param}))
    with ServiceThread(server):
        yield server


def connect(server: CassandraServer, *, certificate: bool = False, tls: bool = True, **options: Any) -> Session:
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    if certificate:
        context.load_cert_chain(CERTIFICATES / "client.pem", CERTIFICATES / "client.key")
    host, _, port = server.url.rpartition(":")
    return Cluster(
        [host],
        port=int(port),
        protocol_version=5,
        connect_timeout=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(WhiteListRoundRobinPolicy([host]))},
        ssl_context=context if tls else None,
        ssl_options={"server_hostname": "localhost"} if tls else None,
        **options,
    ).connect()


def served(session: Session) -> bool:
    try:
        return bool(session.execute("SELECT key FROM system.local").one() == ("local",))
    finally:
        session.cluster.shutdown()


@pytest.mark.parametrize("started", [{}], indirect=True)
@pytest.mark.parametrize("compression", [False, True])
def test_a_client_that_trusts_the_authority_is_served(started: CassandraServer, compression: bool) -> None:
    assert served(connect(started, compression=compression))


@pytest.mark.parametrize("started", [{}], indirect=True)
def test_the_table_of_clients_shows_what_they_speak(started: CassandraServer) -> None:
    session = connect(started)
    rows = list(session.execute("SELECT ssl_enabled, ssl_protocol, ssl_cipher_suite FROM system_views.clients"))
    session.cluster.shutdown()
    assert {(row.ssl_enabled, row.ssl_protocol) for row in rows} == {(True, "TLSv1.3")}
    assert all(row.ssl_cipher_suite.startswith("TLS_") for row in rows)


@pytest.mark.parametrize("started", [{}], indirect=True)
def test_plain_bytes_end_that_connection_alone(started: CassandraServer) -> None:
    host, _, port = started.url.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as stranger:
        stranger.sendall(b"\x04\x00\x00\x00\x05\x00\x00\x00\x00")
        assert not stranger.recv(1024).startswith(b"\x84")
    assert served(connect(started))


@pytest.mark.parametrize("started", [{"client_encryption_client_auth": "required"}], indirect=True)
def test_a_required_certificate(started: CassandraServer) -> None:
    with pytest.raises(NoHostAvailable):
        connect(started)
    assert served(connect(started, certificate=True))


@pytest.mark.parametrize("started", [{"client_encryption_client_auth": "optional"}], indirect=True)
def test_an_optional_certificate(started: CassandraServer) -> None:
    assert served(connect(started))
    assert served(connect(started, certificate=True))


@pytest.mark.parametrize("started", [{"authenticator": "PasswordAuthenticator"}], indirect=True)
def test_a_login_inside_tls(started: CassandraServer) -> None:
    assert served(connect(started, auth_provider=PlainTextAuthProvider("cassandra", "cassandra")))
    with pytest.raises(NoHostAvailable, match="0100"):
        connect(started, auth_provider=PlainTextAuthProvider("cassandra", "wrong"))


@pytest.mark.parametrize("started", [{}], indirect=True)
def test_a_large_answer(started: CassandraServer) -> None:
    session = connect(started)
    session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE k.t (a int PRIMARY KEY, b blob)")
    session.execute("INSERT INTO k.t (a, b) VALUES (1, %s)", (bytes(4_000_000),))
    assert len(session.execute("SELECT b FROM k.t WHERE a = 1").one().b) == 4_000_000
    session.cluster.shutdown()


def start(**settings: Any) -> None:
    with ServiceThread(CassandraServer(CassandraSettings(**settings))):
        raise AssertionError("it must not start")


def test_settings_that_cannot_work_say_why(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="needs client_encryption_certfile"):
        start(client_encryption_client_auth="required")
    with pytest.raises(StartError, match="needs client_encryption_certfile"):
        start(client_encryption_keyfile=CERTIFICATES / "server.key")
    with pytest.raises(StartError, match="cannot read its TLS certificates"):
        start(client_encryption_certfile=tmp_path / "none.pem")
    with pytest.raises(StartError, match="verified with client_encryption_cafile"):
        start(**{**SERVER, "client_encryption_cafile": None, "client_encryption_client_auth": "optional"})


def test_beyond_loopback_only_with_certificates() -> None:
    with pytest.raises(StartError, match="will not listen on 0.0.0.0 without authentication"):
        start(host="0.0.0.0", **SERVER)
    settings = CassandraSettings(host="0.0.0.0", client_encryption_client_auth="required", **SERVER)
    with ServiceThread(CassandraServer(settings)) as thread:
        assert thread.url.startswith("0.0.0.0:")
