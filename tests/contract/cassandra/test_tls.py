"""TLS and mutual TLS with the Python driver, on servers of their own: ours, or real ones."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import WhiteListRoundRobinPolicy

pytestmark = pytest.mark.contract

CERTIFICATES = Path(__file__).parents[2] / "certificates"
PASSWORD = "secret1"
FIRST_ROLE_LIMIT_S = 60.0
Address = tuple[str, int]


def trusting(*, certificate: bool = False) -> ssl.SSLContext:
    """A client's side that trusts our authority, and may show a certificate of it."""
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(CERTIFICATES / "client.pem", CERTIFICATES / "client.key")
    return context


def ours(_: Path, stack: ExitStack, client_auth: str, authenticator: str) -> Address:
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings
    from smackbox.net.service import ServiceThread

    settings = CassandraSettings(
        authenticator=authenticator,  # type: ignore[arg-type]
        client_encryption_certfile=CERTIFICATES / "server.pem",
        client_encryption_keyfile=CERTIFICATES / "server.key",
        client_encryption_cafile=CERTIFICATES / "ca.pem",
        client_encryption_client_auth=client_auth,  # type: ignore[arg-type]
    )
    host, _, port = stack.enter_context(ServiceThread(CassandraServer(settings))).url.rpartition(":")
    return host, int(port)


def real(directory: Path, stack: ExitStack, client_auth: str, authenticator: str) -> Address:
    from bench.engines.real_cassandra import RealCassandra

    stores = _java_stores(directory)
    options = {
        "enabled": "true", "optional": "false", "store_type": "PKCS12",
        "require_client_auth": "true" if client_auth == "required" else "false",
        "keystore": str(stores / "server.p12"), "keystore_password": PASSWORD,
        "truststore": str(stores / "trusted.p12"), "truststore_password": PASSWORD,
    }  # fmt: skip
    config = {
        "authenticator": authenticator,
        "client_encryption_options": "{" + ", ".join(f"{name}: {value}" for name, value in options.items()) + "}",
    }
    tls = trusting(certificate=client_auth == "required")
    address = stack.enter_context(RealCassandra(directory, config, tls=tls)).address
    deadline = time.monotonic() + FIRST_ROLE_LIMIT_S
    while authenticator == "PasswordAuthenticator":  # it makes its first role some time after it answers
        try:
            connect(address, tls, auth_provider=PlainTextAuthProvider("cassandra", "cassandra")).cluster.shutdown()
        except NoHostAvailable:
            if time.monotonic() > deadline:
                raise
        else:
            break
    return address


def _java_stores(directory: Path) -> Path:
    """Our certificates in the form that Java reads."""
    openssl, keytool = shutil.which("openssl"), shutil.which("keytool")
    assert openssl is not None
    assert keytool is not None
    export = [openssl, "pkcs12", "-export", "-in", str(CERTIFICATES / "server.pem")]
    export += ["-inkey", str(CERTIFICATES / "server.key"), "-out", str(directory / "server.p12")]
    subprocess.run([*export, "-passout", f"pass:{PASSWORD}"], check=True, capture_output=True)
    trust = [keytool, "-importcert", "-noprompt", "-alias", "ca", "-file", str(CERTIFICATES / "ca.pem")]
    trust += ["-keystore", str(directory / "trusted.p12"), "-storetype", "PKCS12", "-storepass", PASSWORD]
    subprocess.run(trust, check=True, capture_output=True)
    return directory


def _started(
    on_real: bool, factory: pytest.TempPathFactory, client_auth: str, authenticator: str = "AllowAllAuthenticator"
) -> Iterator[Address]:
    with ExitStack() as stack:
        yield (real if on_real else ours)(factory.mktemp(f"tls-{client_auth}"), stack, client_auth, authenticator)


@pytest.fixture(scope="module")
def encrypted(on_real_cassandra: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    yield from _started(on_real_cassandra, tmp_path_factory, "none")


@pytest.fixture(scope="module")
def with_certificates(on_real_cassandra: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """It asks for a certificate, and for a password as well."""
    yield from _started(on_real_cassandra, tmp_path_factory, "required", "PasswordAuthenticator")


def connect(address: Address, context: ssl.SSLContext | None, **options: Any) -> Session:
    host, port = address
    options = {"protocol_version": 5, "connect_timeout": 5, **options}
    profile = ExecutionProfile(WhiteListRoundRobinPolicy([host]))
    return Cluster(
        [host], port=port, execution_profiles={EXEC_PROFILE_DEFAULT: profile}, ssl_context=context, **options
    ).connect()


def is_served(session: Session) -> bool:
    try:
        return bool(session.execute("SELECT key FROM system.local").one() == ("local",))
    finally:
        session.cluster.shutdown()


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("compression", [False, "lz4"])
def test_a_client_that_trusts_the_authority(encrypted: Address, version: int, compression: Any) -> None:
    assert is_served(connect(encrypted, trusting(), protocol_version=version, compression=compression))


def test_the_clients_that_are_shown(encrypted: Address) -> None:
    session = connect(encrypted, trusting())
    query = "SELECT ssl_enabled, ssl_protocol, ssl_cipher_suite FROM system_views.clients"
    found = {tuple(row) for row in session.execute(query)}
    session.cluster.shutdown()
    assert {(enabled, protocol) for enabled, protocol, _ in found} == {(True, "TLSv1.3")}
    assert all(cipher.startswith("TLS_AES_") for _, _, cipher in found)


def test_a_client_of_another_authority_refuses(encrypted: Address) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(NoHostAvailable):
        connect(encrypted, context)


def test_a_client_without_tls_is_not_served(encrypted: Address) -> None:
    with socket.create_connection(encrypted, 20) as stranger:
        stranger.sendall(b"\x04\x00\x00\x00\x05\x00\x00\x00\x00")
        with suppress(ConnectionResetError):
            assert not stranger.recv(1024).startswith(b"\x84")
    assert is_served(connect(encrypted, trusting()))


def test_tls_from_1_2_on(encrypted: Address) -> None:
    context = trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert is_served(connect(encrypted, context))


def test_a_large_answer(encrypted: Address) -> None:
    session = connect(encrypted, trusting())
    session.execute("CREATE KEYSPACE large WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE large.t (a int PRIMARY KEY, b blob)")
    session.execute("INSERT INTO large.t (a, b) VALUES (1, %s)", (bytes(2_000_000),))
    assert len(session.execute("SELECT b FROM large.t WHERE a = 1").one().b) == 2_000_000
    session.execute("DROP KEYSPACE large")
    session.cluster.shutdown()


def test_a_required_certificate_and_a_password(with_certificates: Address) -> None:
    right, wrong = PlainTextAuthProvider("cassandra", "cassandra"), PlainTextAuthProvider("cassandra", "wrong")
    with pytest.raises(NoHostAvailable):
        connect(with_certificates, trusting(), auth_provider=right)
    with pytest.raises(NoHostAvailable, match="code=0100"):
        connect(with_certificates, trusting(certificate=True), auth_provider=wrong)
    with pytest.raises(NoHostAvailable, match="requires authentication"):
        connect(with_certificates, trusting(certificate=True))
    assert is_served(connect(with_certificates, trusting(certificate=True), auth_provider=right))
