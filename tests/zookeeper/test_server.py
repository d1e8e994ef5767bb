"""The server beyond the contract: `--sync`, its limits, and that what it holds back keeps its order."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from kazoo.client import KazooClient

from smackbox.base.errors import SettingError
from smackbox.net.service import ServiceThread
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

TIMEOUT_S = 10


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[ServiceThread]:
    with ServiceThread(ZooKeeperServer(ZooKeeperSettings(**request.param))) as started:
        yield started


def connect(server: ServiceThread) -> socket.socket:
    host, _, port = server.url.rpartition(":")
    connection = socket.create_connection((host, int(port)), TIMEOUT_S)
    hello = struct.pack(">iqiq", 0, 0, 6_000, 0) + struct.pack(">i", 0)
    connection.sendall(struct.pack(">i", len(hello)) + hello)
    return connection


@pytest.mark.parametrize("server", [{"sync": True}], indirect=True)
def test_with_sync_answers_keep_their_order(server: ServiceThread) -> None:
    client = KazooClient(server.url, timeout=6.0)
    client.start(TIMEOUT_S)
    try:
        client.create("/n")
        pending = []
        for number in range(200):
            pending.append(client.set_async("/n", b"%d" % number))
            pending.append(client.get_async("/n"))
        results = [result.get(timeout=TIMEOUT_S) for result in pending]
        assert [data for data, _ in results[1::2]] == [b"%d" % number for number in range(200)]
        assert [stat.version for stat in results[::2]] == list(range(1, 201))
    finally:
        client.stop()
        client.close()


@pytest.mark.parametrize("server", [{"jute_maxbuffer": 1_000}], indirect=True)
def test_a_packet_over_the_limit_ends_that_connection_alone(server: ServiceThread) -> None:
    with connect(server) as large, connect(server) as other:
        assert large.recv(1024)
        assert other.recv(1024)
        large.sendall(struct.pack(">i", 1_001))
        assert large.recv(1024) == b""
        other.sendall(struct.pack(">iii", 8, -2, 11))
        assert struct.unpack_from(">ii", other.recv(1024)) == (16, -2)


@pytest.mark.parametrize("server", [{"max_client_cnxns": 2}], indirect=True)
def test_connections_over_the_limit_are_refused(server: ServiceThread) -> None:
    with connect(server) as one, connect(server) as two:
        assert one.recv(1024)
        assert two.recv(1024)
        with connect(server) as three, pytest.raises((ConnectionError, AssertionError)):
            assert three.recv(1024)
        one.sendall(struct.pack(">iii", 8, -2, 11))
        assert one.recv(1024)


@pytest.mark.parametrize(("asked", "given"), [(1, 4_000), (5_000, 5_000), (1_000_000, 40_000)])
@pytest.mark.parametrize("server", [{}], indirect=True)
def test_the_time_out_is_negotiated(server: ServiceThread, asked: int, given: int) -> None:
    host, _, port = server.url.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        hello = struct.pack(">iqiq", 0, 0, asked, 0) + struct.pack(">i", 0)
        connection.sendall(struct.pack(">i", len(hello)) + hello)
        assert struct.unpack_from(">i", connection.recv(1024), 8) == (given,)


@pytest.mark.parametrize("server", [{"four_letter_words": "srvr"}], indirect=True)
def test_words_can_be_kept_from_use(server: ServiceThread) -> None:
    host, _, port = server.url.rpartition(":")
    answers = []
    for word in (b"srvr", b"ruok"):
        with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
            connection.sendall(word)
            answers.append(connection.recv(4096))
    assert b"Mode: standalone" in answers[0]
    assert answers[1] == b"ruok is not executed because it is not in the whitelist.\n"


def test_settings_that_cannot_hold_together() -> None:
    with pytest.raises(SettingError, match="min_session_timeout_ms must be positive and at most"):
        ZooKeeperServer(ZooKeeperSettings(min_session_timeout_ms=5, max_session_timeout_ms=4))
