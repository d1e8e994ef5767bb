"""What kazoo has no request for, byte by byte: persistent watches, their removal, counts, refusals."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

TIMEOUT_S = 10.0
OPEN = struct.pack(">ii", 1, 31) + struct.pack(">i", 5) + b"world" + struct.pack(">i", 6) + b"anyone"
CREATED, DELETED, CHANGED, CHILDREN = 1, 2, 3, 4


class Reply(NamedTuple):
    xid: int
    zxid: int
    code: int
    record: bytes


class Client:
    """A connection with a session; events are kept apart from replies."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), TIMEOUT_S)
        self.events: list[tuple[int, str]] = []
        self._xid = 0
        self.send(struct.pack(">iqiq", 0, 0, 6_000, 0) + struct.pack(">i", 16) + bytes(16) + b"\0")
        self.session = self.receive()

    def send(self, packet: bytes) -> None:
        self.socket.sendall(struct.pack(">i", len(packet)) + packet)

    def receive(self) -> bytes:
        (length,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(length)

    def call(self, kind: int, record: bytes = b"", xid: int | None = None) -> Reply:
        if xid is None:
            self._xid += 1
            xid = self._xid
        self.send(struct.pack(">ii", xid, kind) + record)
        while True:
            reply = self.receive()
            head = Reply(*struct.unpack_from(">iqi", reply), reply[16:])
            if head.xid == xid:
                return head
            assert head.xid == -1
            kind_of_event, _, length = struct.unpack_from(">iii", head.record)
            self.events.append((kind_of_event, head.record[12 : 12 + length].decode()))

    def create(self, path: str, flags: int = 0) -> Reply:
        return self.call(1, text(path) + text("") + OPEN + struct.pack(">i", flags))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionResetError("closed by the server")
            data += more
        return data


def text(value: str) -> bytes:
    return struct.pack(">i", len(value)) + value.encode()


@pytest.fixture
def connect(zookeeper_address: str) -> Iterator[Callable[[], Client]]:
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(Client(zookeeper_address))
        return clients[-1]

    yield connect
    for client in clients:
        client.socket.close()


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()


@pytest.fixture
def root(client: Client, unique: Callable[[str], str]) -> str:
    path = f"/{unique('wire')}"
    assert client.create(path).code == 0
    return path


def test_persistent_and_recursive_watches(connect: Callable[[], Client], client: Client, root: str) -> None:
    persistent, recursive = connect(), connect()
    assert persistent.call(106, text(root) + struct.pack(">i", 0)).code == 0
    reply = recursive.call(106, text(root) + struct.pack(">i", 1))
    assert (reply.code, reply.record) == (0, bytes(4))  # an ErrorResponse, which Java's client reads
    client.create(f"{root}/a")
    client.create(f"{root}/a/b")
    for path in (root, f"{root}/a/b"):
        client.call(5, text(path) + text("1") + struct.pack(">i", -1))
    client.call(2, text(f"{root}/a/b") + struct.pack(">i", -1))
    client.call(5, text(root) + text("2") + struct.pack(">i", -1))
    for watcher in (persistent, recursive):
        watcher.call(11, xid=-2)
    assert persistent.events == [(CHILDREN, root), (CHANGED, root), (CHANGED, root)]
    assert recursive.events == [
        (CREATED, f"{root}/a"),
        (CREATED, f"{root}/a/b"),
        (CHANGED, root),
        (CHANGED, f"{root}/a/b"),
        (DELETED, f"{root}/a/b"),
        (CHANGED, root),
    ]


def test_an_event_comes_before_the_reply_of_its_change(client: Client, root: str) -> None:
    client.call(4, text(root) + b"\1")
    client.call(5, text(root) + text("1") + struct.pack(">i", -1))
    assert client.events == [(CHANGED, root)]


@pytest.mark.parametrize(("kind", "other"), [(1, 2), (2, 1)])
def test_watches_are_checked_and_removed(client: Client, root: str, kind: int, other: int) -> None:
    client.call(8 if kind == 1 else 4, text(root) + b"\1")
    assert client.call(17, text(root) + struct.pack(">i", kind)).code == 0
    assert client.call(17, text(root) + struct.pack(">i", other)).code == -121
    assert client.call(18, text(root) + struct.pack(">i", kind)).code == 0
    assert client.call(18, text(root) + struct.pack(">i", kind)).code == -121
    client.call(5, text(root) + text("1") + struct.pack(">i", -1))
    client.create(f"{root}/child")
    assert client.events == []


def test_counts_and_ephemerals(client: Client, root: str) -> None:
    client.create(f"{root}/a")
    client.create(f"{root}/a/b")
    client.create(f"{root}/e", flags=1)
    assert client.call(104, text(root)).record == struct.pack(">i", 3)
    assert client.call(103, text(root)).record == struct.pack(">i", 1) + text(f"{root}/e")


def test_reads_can_be_asked_together(client: Client, root: str) -> None:
    client.create(f"{root}/a")
    head = struct.Struct(">i?i")
    request = head.pack(4, False, -1) + text(root) + b"\0" + head.pack(8, False, -1) + text(root) + b"\0"
    request += head.pack(4, False, -1) + text(f"{root}/none") + b"\0" + head.pack(-1, True, -1)
    reply = client.call(22, request)
    assert reply.code == 0
    stat_length = 68
    data_end = 9 + 4 + stat_length
    assert head.unpack_from(reply.record) == (4, False, 0)
    assert reply.record[data_end:] == (
        head.pack(8, False, 0) + struct.pack(">i", 1) + text("a")
        + head.pack(-1, False, -101) + struct.pack(">i", -101)
        + head.pack(-1, True, -1)
    )  # fmt: skip


@pytest.mark.parametrize("path", ["", "a", "//", "/.", "/..", "/a\x00", "/a\x1f", "/a\x7f", "/\ue000", "/\ufff0"])
def test_paths_that_are_none(client: Client, path: str) -> None:
    encoded = path.encode()
    record = struct.pack(">i", len(encoded)) + encoded + text("") + OPEN + struct.pack(">i", 0)
    assert client.call(1, record).code == -8


@pytest.mark.parametrize("path", ["/none/", "/none//b", "/./a", "/none/.."])
def test_the_parent_is_looked_for_before_the_path_is_judged(client: Client, path: str) -> None:
    assert client.create(path).code == -101


def test_a_node_whose_time_is_over_is_swept(client: Client, root: str) -> None:
    path = f"{root}/soon"
    created = client.call(21, text(path) + text("") + OPEN + struct.pack(">iq", 5, 1))
    assert created.code == 0
    assert struct.unpack_from(">q", created.record, 4 + len(path) + 44) == (0,)  # no ephemeralOwner is shown
    client.call(3, text(path) + b"\1")
    while not client.events:
        client.call(11, xid=-2)
    assert client.events == [(DELETED, path)]


@pytest.mark.parametrize("flags", [7, -1, 99])
def test_flags_that_are_none(client: Client, root: str, flags: int) -> None:
    assert client.create(f"{root}/n", flags).code == -8


def test_the_roots_own_nodes_stay(client: Client) -> None:
    for path in ("/", "/zookeeper", "/zookeeper/config"):
        assert client.call(2, text(path) + struct.pack(">i", -1)).code == -8


def test_an_empty_acl_is_refused(client: Client, root: str) -> None:
    record = text(f"{root}/n") + text("") + struct.pack(">i", 0) + struct.pack(">i", 0)
    assert client.call(1, record).code == -114


def test_an_unknown_scheme_of_authentication_ends_the_connection(client: Client) -> None:
    reply = client.call(100, struct.pack(">i", 0) + text("nobody") + text("x"), xid=-4)
    assert reply.code == -115
    with pytest.raises(ConnectionResetError):
        client.receive()


def test_a_session_cannot_be_taken_with_a_wrong_password(connect: Callable[[], Client], zookeeper_address: str) -> None:
    owner = connect()
    (session_id,) = struct.unpack_from(">q", owner.session, 8)
    host, _, port = zookeeper_address.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as thief:
        packet = struct.pack(">iqiq", 0, 0, 6_000, session_id) + struct.pack(">i", 16) + b"x" * 16 + b"\0"
        thief.sendall(struct.pack(">i", len(packet)) + packet)
        answer = thief.recv(1024)
    assert struct.unpack_from(">iiq", answer, 4) == (0, 0, 0)


@pytest.mark.parametrize("garbage", [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n"])
def test_garbage_ends_that_connection_alone(client: Client, zookeeper_address: str, garbage: bytes) -> None:
    host, _, port = zookeeper_address.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as stranger:
        stranger.sendall(garbage)
        stranger.shutdown(socket.SHUT_WR)
        assert stranger.recv(1) == b""
    assert client.call(11, xid=-2).code == 0
