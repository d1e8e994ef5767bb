"""The server on its socket: what strange clients get, limits, metrics, sync, reset, start and stop."""

from __future__ import annotations

import asyncio
import socket
import struct
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smackbox.base.errors import StartError
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.server.probe import probe
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import ServiceThread


@pytest.fixture(scope="module")
def server() -> Iterator[ServiceThread]:
    settings = CassandraSettings(native_transport_max_frame_size_bytes=1024 * 1024, metrics_port=0)
    with ServiceThread(CassandraServer(settings)) as thread:
        yield thread


class Client:
    """A socket that speaks frames."""

    def __init__(self, thread: ServiceThread) -> None:
        host, _, port = thread.url.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)

    def send(self, version: int, opcode: int, body: bytes, *, flags: int = 0, stream: int = 1) -> None:
        self.socket.sendall(struct.pack(">BBhBi", version, flags, stream, opcode, len(body)) + body)

    def receive(self) -> tuple[int, int, int, bytes]:
        """version, stream, opcode, body."""
        version, _, stream, opcode, length = struct.unpack(">BBhBi", self._exactly(9))
        return version, stream, opcode, self._exactly(length)

    def call(self, version: int, opcode: int, body: bytes) -> tuple[int, bytes]:
        self.send(version, opcode, body)
        _, _, answered, answer = self.receive()
        return answered, answer

    def query(self, text: str) -> tuple[int, bytes]:
        encoded = text.encode()
        return self.call(4, 7, struct.pack(">i", len(encoded)) + encoded + b"\x00\x01\x00")

    def startup(self, version: int = 4) -> None:
        assert self.call(version, 1, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0")[0] == 2

    def is_closed(self) -> bool:
        while received := self.socket.recv(65536):
            del received
        return True

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            received = self.socket.recv(size - len(found))
            if not received:
                raise ConnectionError("closed")
            found += received
        return found

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def error_of(answer: tuple[int, bytes]) -> tuple[int, str]:
    opcode, body = answer
    assert opcode == 0, body
    code, length = struct.unpack_from(">iH", body)
    return code, body[6 : 6 + length].decode()


def test_an_unknown_version_is_refused_with_those_that_are_known(server: ServiceThread) -> None:
    with Client(server) as client:
        client.send(66, 5, b"", stream=7)
        version, stream, opcode, body = client.receive()
        assert (version, stream) == (0x85, 0)
        code, message = error_of((opcode, body))
        assert code == 0x0A
        assert message == (
            "Invalid or unsupported protocol version (66); supported versions are (3/v3, 4/v4, 5/v5, 6/v6-beta)"
        )
        assert client.is_closed()


def test_nothing_but_startup_and_options_comes_first(server: ServiceThread) -> None:
    with Client(server) as client:
        code, message = error_of(client.query("SELECT * FROM system.local"))
        assert (code, message) == (0x0A, "Unexpected message QUERY, expecting STARTUP or OPTIONS")
        client.startup()
        assert client.query("SELECT key FROM system.local")[0] == 8


def test_byte_by_byte_is_as_good_as_at_once(server: ServiceThread) -> None:
    with Client(server) as client:
        client.startup()
        text = b"SELECT key FROM system.local"
        body = struct.pack(">i", len(text)) + text + b"\x00\x01\x00"
        for byte in struct.pack(">BBhBi", 4, 0, 5, 7, len(body)) + body:
            client.socket.sendall(bytes([byte]))
        assert client.receive()[1:3] == (5, 8)


def test_many_frames_in_one_read_are_answered_in_order(server: ServiceThread) -> None:
    with Client(server) as client:
        client.startup()
        text = b"SELECT key FROM system.local"
        body = struct.pack(">i", len(text)) + text + b"\x00\x01\x00"
        client.socket.sendall(b"".join(struct.pack(">BBhBi", 4, 0, n, 7, len(body)) + body for n in range(300)))
        assert [client.receive()[1] for _ in range(300)] == list(range(300))


def test_a_frame_over_the_limit_is_refused_and_the_connection_closed(server: ServiceThread) -> None:
    with Client(server) as client:
        client.startup()
        client.socket.sendall(struct.pack(">BBhBi", 4, 0, 1, 7, 2 * 1024 * 1024))
        code, message = error_of(client.receive()[2:])
        assert code == 0x2200
        assert "exceeds maximum allowed length" in message
        assert client.is_closed()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(min_size=1, max_size=200), after_startup=st.booleans())
def test_any_bytes_get_an_error_or_a_closed_connection(server: ServiceThread, junk: bytes, after_startup: bool) -> None:
    with Client(server) as client:
        if after_startup:
            client.startup()
        client.socket.sendall(junk)
        client.socket.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.socket.recv(65536):
            received += chunk
        assert not received or received[4] in {0, 2, 3, 6, 8}
    with Client(server) as other:  # nobody else notices
        other.startup()
        assert other.query("SELECT key FROM system.local")[0] == 8


def test_connections_over_the_limit_are_closed() -> None:
    settings = CassandraSettings(native_transport_max_concurrent_connections=3)
    with ServiceThread(CassandraServer(settings)) as thread:
        clients = [Client(thread) for _ in range(3)]
        for client in clients:
            client.startup()
        with Client(thread) as fourth:
            try:
                assert fourth.is_closed()
            except ConnectionError:
                pass  # a reset is as good
        for client in clients:
            client.socket.close()


def test_a_slow_reader_is_not_read_from(server: ServiceThread) -> None:
    with Client(server) as client:
        client.startup()
        text = b"SELECT * FROM system_schema.columns"
        body = struct.pack(">i", len(text)) + text + b"\x00\x01\x00"
        frame = struct.pack(">BBhBi", 4, 0, 1, 7, len(body)) + body
        client.socket.setblocking(False)
        sent = 0
        with pytest.raises(BlockingIOError):
            while sent < 200_000:
                client.socket.send(frame * 100)
                sent += 100
        assert sent < 200_000
    with Client(server) as other:
        other.startup()
        assert other.query("SELECT key FROM system.local")[0] == 8


def test_the_address_dialled_is_the_address_told(server: ServiceThread) -> None:
    port = int(server.url.rpartition(":")[2])
    with Client(server) as client:
        client.startup()
        body = client.query("SELECT rpc_port FROM system.local")[1]
        assert body.endswith(struct.pack(">ii", 4, port))


def test_metrics_are_served(server: ServiceThread) -> None:
    service = server.service
    assert isinstance(service, CassandraServer)
    assert service.metrics_url is not None
    with urllib.request.urlopen(service.metrics_url, timeout=10) as answer:
        text = answer.read().decode()
    assert "smackbox_cassandra_requests_total" in text
    assert "smackbox_cassandra_connections" in text


def test_reset_leaves_no_user_keyspace(server: ServiceThread) -> None:
    service = server.service
    assert isinstance(service, CassandraServer)
    with Client(server) as client:
        client.startup()
        client.query("CREATE KEYSPACE gone WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TABLE gone.t (k int PRIMARY KEY)")
        server.call(service.reset())
        assert error_of(client.query("SELECT * FROM gone.t"))[0] == 0x2200
    assert not service.running.state.catalog.user_keyspaces()


def test_sync_answers_after_the_log_is_on_the_disk(tmp_path: Path) -> None:
    synced = 0
    with ServiceThread(CassandraServer(CassandraSettings(dir=tmp_path / "data", sync=True))) as thread:
        service = thread.service
        assert isinstance(service, CassandraServer)
        original = service.running.state.engine.store.sync

        def count() -> None:
            nonlocal synced
            synced += 1
            original()

        service.running.state.engine.store.sync = count  # type: ignore[method-assign]
        with Client(thread) as client:
            client.startup()
            client.query("CREATE KEYSPACE s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            client.query("CREATE TABLE s.t (k int PRIMARY KEY)")
            for number in range(5):
                assert client.query(f"INSERT INTO s.t (k) VALUES ({number})") == (8, b"\x00\x00\x00\x01")
    assert synced >= 7


def test_a_taken_port_is_one_clear_line(server: ServiceThread) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(StartError, match="Address already in use"):
        ServiceThread(CassandraServer(CassandraSettings(port=port))).start()


def test_the_probe_asks_the_protocol(server: ServiceThread) -> None:
    host, _, port = server.url.rpartition(":")
    asyncio.run(probe(host, int(port)))
    with socket.create_server(("127.0.0.1", 0)) as mute:

        async def ask() -> None:
            await asyncio.wait_for(probe("127.0.0.1", mute.getsockname()[1]), 0.2)

        with pytest.raises(TimeoutError):
            asyncio.run(ask())


def test_what_was_prepared_and_where_a_page_ended_outlive_the_server(tmp_path: Path) -> None:
    settings = CassandraSettings(dir=tmp_path / "data")
    with ServiceThread(CassandraServer(settings)) as thread, Client(thread) as client:
        client.startup()
        for statement in (
            "CREATE KEYSPACE p WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
            "CREATE TABLE p.t (a int, b int, PRIMARY KEY (a, b))",
            "CREATE TABLE p.gone (a int PRIMARY KEY)",
            "CREATE TABLE p.grown (a int PRIMARY KEY)",
            *(f"INSERT INTO p.t (a, b) VALUES (1, {number})" for number in range(10)),
        ):
            assert client.query(statement)[0] == 8
        select, gone, grown = (
            client.call(4, 9, long_string(text))[1][6:22]
            for text in ("SELECT b FROM p.t WHERE a = 1", "SELECT * FROM p.gone", "SELECT * FROM p.grown")
        )
        state = paging_state(client.call(4, 10, execute_page(select, 4, b""))[1])
        assert client.query("DROP TABLE p.gone")[0] == 8
        assert client.query("ALTER TABLE p.grown ADD b int")[0] == 8
    with ServiceThread(CassandraServer(settings)) as thread, Client(thread) as client:
        client.startup()
        opcode, body = client.call(4, 10, execute_page(select, 4, state))
        assert opcode == 8
        assert [value for value in range(10) if struct.pack(">ii", 4, value) in body] == [4, 5, 6, 7]
        for changed in (gone, grown):
            opcode, body = client.call(4, 10, execute_page(changed, 4, b""))
            assert (opcode, body[:4]) == (0, b"\x00\x00\x25\x00")
            assert body.endswith(changed)
        opcode, body = client.query("SELECT prepared_id, query_string FROM system.prepared_statements")
        assert b"SELECT b FROM p.t WHERE a = 1" in body
        assert b"p.gone" not in body


def long_string(text: str) -> bytes:
    return struct.pack(">i", len(text)) + text.encode()


def execute_page(statement: bytes, size: int, state: bytes) -> bytes:
    body = struct.pack(">H", len(statement)) + statement + struct.pack(">HBi", 1, 0x04 | (0x08 if state else 0), size)
    return body + (struct.pack(">i", len(state)) + state if state else b"")


def paging_state(body: bytes) -> bytes:
    flags, _ = struct.unpack_from(">ii", body, 4)
    assert flags & 2
    (size,) = struct.unpack_from(">i", body, 12)
    return body[16 : 16 + size]
