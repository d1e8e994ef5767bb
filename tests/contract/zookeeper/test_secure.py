"""TLS with certificates of clients, and SASL DIGEST-MD5 with users: kazoo on ours and on a real server."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.engines.real_zookeeper import RealZooKeeper
from kazoo.client import KazooClient
from kazoo.exceptions import AuthFailedError, InvalidACLError, NoAuthError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import Id, make_acl

from smackbox.net.service import ServiceThread
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

pytestmark = [
    pytest.mark.contract,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # kazoo drops a socket
]

CERTIFICATES = Path(__file__).parents[2] / "certificates"
USERS = {"bob": "secret", "alice": "p@ss w0rd"}
TIMEOUT_S = 10.0
SUBJECT = "CN=client,OU=tests,O=smackbox"
Connect = Callable[..., KazooClient]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The plain address and the one with TLS."""
    if "SMACK_REAL_ZOOKEEPER" in os.environ:
        directory = tmp_path_factory.mktemp("zookeeper") / "real"
        with RealZooKeeper(directory, users=USERS, certificates=CERTIFICATES) as real:
            yield real.address, real.secure_address
        return
    settings = ZooKeeperSettings(
        secure_port=0,
        ssl_certfile=CERTIFICATES / "server.pem",
        ssl_keyfile=CERTIFICATES / "server.key",
        ssl_cafile=CERTIFICATES / "ca.pem",
        sasl_users=USERS,
    )
    server = ZooKeeperServer(settings)
    with ServiceThread(server) as started:
        yield started.url, f"127.0.0.1:{server.running.secure_port}"


@pytest.fixture
def connect(addresses: tuple[str, str]) -> Iterator[Connect]:
    clients: list[KazooClient] = []

    def connect(*, user: str | None = None, password: str = "", tls: bool = False, **options: Any) -> KazooClient:
        if user is not None:
            options["sasl_options"] = {"mechanism": "DIGEST-MD5", "username": user, "password": password}
        if tls:
            options |= {"use_ssl": True, "ca": str(CERTIFICATES / "ca.pem")}
        client = KazooClient(addresses[tls], timeout=6.0, **options)
        clients.append(client)
        client.start(TIMEOUT_S)
        return client

    yield connect
    for client in clients:
        client.stop()
        client.close()


@pytest.mark.parametrize("user", USERS)
def test_a_user_logs_in_and_owns_what_is_theirs(connect: Connect, unique: Callable[[str], str], user: str) -> None:
    client = connect(user=user, password=USERS[user])
    path = f"/{unique('sasl')}"
    client.create(path, b"mine", acl=[make_acl("sasl", user, all=True)])
    assert client.get(path)[0] == b"mine"
    client.create(f"{path}/auth", acl=[make_acl("auth", "", all=True)])
    assert [entry.id for entry in client.get_acls(f"{path}/auth")[0]] == [Id("sasl", user)]
    with pytest.raises(NoAuthError):
        connect().get(path)


def test_a_wrong_password_fails(connect: Connect) -> None:
    """For a user that is not known the real server gives no answer; ours refuses that alike (`test_digest_login`)."""
    # kazoo says that it is connected before it logs in; where the refusal is faster, its start sees no connection.
    with pytest.raises((AuthFailedError, KazooTimeoutError)):
        client = connect(user="bob", password="wrong")
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            client.exists("/")


def test_what_an_acl_may_name(connect: Connect, unique: Callable[[str], str]) -> None:
    client = connect()
    for number, (scheme, identity) in enumerate([("sasl", "bob@realm"), ("sasl", "bob/host@R"), ("x509", SUBJECT)]):
        client.create(f"/{unique('acl')}{number}", acl=[make_acl(scheme, identity, all=True)])
    with pytest.raises(InvalidACLError):
        client.create(f"/{unique('acl')}", acl=[make_acl("x509", "no subject", all=True)])


def test_a_certificate_is_an_identity(connect: Connect, unique: Callable[[str], str]) -> None:
    key = {"certfile": str(CERTIFICATES / "client.pem"), "keyfile": str(CERTIFICATES / "client.key")}
    client = connect(tls=True, **key)
    path = f"/{unique('tls')}"
    client.create(path, b"mine", acl=[make_acl("auth", "", all=True)])
    assert [entry.id for entry in client.get_acls(path)[0]] == [Id("x509", SUBJECT)]
    assert client.get(path)[0] == b"mine"
    with pytest.raises(NoAuthError):
        connect().get(path)


def test_who_shows_no_certificate_gets_no_session(connect: Connect) -> None:
    with pytest.raises(KazooTimeoutError):
        connect(tls=True, connection_retry={"max_tries": 1})


def test_a_login_over_tls_adds_a_second_identity(connect: Connect, unique: Callable[[str], str]) -> None:
    key = {"certfile": str(CERTIFICATES / "client.pem"), "keyfile": str(CERTIFICATES / "client.key")}
    client = connect(tls=True, user="bob", password="secret", **key)
    path = f"/{unique('both')}"
    client.create(path, acl=[make_acl("auth", "", all=True)])
    assert {entry.id for entry in client.get_acls(path)[0]} == {Id("sasl", "bob"), Id("x509", SUBJECT)}


class Raw:
    """A session whose SASL tokens are sent as they are."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), TIMEOUT_S)
        self._send(struct.pack(">iqiqi", 0, 0, 6_000, 0, 0))
        assert self.receive() is not None

    def step(self, token: bytes) -> tuple[int, bytes | None] | None:
        self._send(struct.pack(">iii", 1, 102, len(token)) + token)
        answer = self.receive()
        if answer is None:
            return None
        code, length = struct.unpack_from(">ii", answer, 12)
        return code, None if length < 0 else answer[20:]

    def receive(self) -> bytes | None:
        data = b""
        while len(data) < 4 or len(data) < 4 + struct.unpack_from(">i", data)[0]:
            received = self._socket.recv(4096)
            if not received:
                return None
            data += received
        return data[4:]

    def _send(self, data: bytes) -> None:
        self._socket.sendall(struct.pack(">i", len(data)) + data)

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("first", [b"", b"garbage"])
def test_the_challenge(addresses: tuple[str, str], first: bytes) -> None:
    raw = Raw(addresses[0])
    try:
        answer = raw.step(first)
        assert answer is not None
        code, challenge = answer
        assert code == 0
        assert challenge is not None
        parts = challenge.split(b",")
        assert parts[0] == b'realm="zk-sasl-md5"'
        assert parts[1].startswith(b'nonce="')
        assert parts[2:] == [b"charset=utf-8", b"algorithm=md5-sess"]
    finally:
        raw.close()


@pytest.mark.parametrize(
    "token", [b"", b"garbage", b"\xff", b'username="bob"', b'username="bob",username="bob"', b"response=" + b"0" * 5000]
)
def test_a_response_that_is_none_ends_the_connection(addresses: tuple[str, str], token: bytes) -> None:
    raw = Raw(addresses[0])
    try:
        raw.step(b"")
        assert raw.step(token) == (-115, None)
        assert raw.receive() is None
    finally:
        raw.close()


def test_the_secure_port_speaks_tls_alone(addresses: tuple[str, str]) -> None:
    host, _, port = addresses[1].rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as plain:
        plain.sendall(b"ruok" * 4)
        try:
            assert not plain.recv(16).startswith(b"imok")
        except ConnectionResetError:
            pass
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    context.load_cert_chain(CERTIFICATES / "client.pem", CERTIFICATES / "client.key")
    with (
        socket.create_connection((host, int(port)), TIMEOUT_S) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"ruok")
        assert secure.recv(16) == b"imok"
