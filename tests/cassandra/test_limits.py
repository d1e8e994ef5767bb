"""What a server keeps for its clients is bounded: many connections, slow readers, slow disks, and bytes of any kind."""

from __future__ import annotations

import random
import resource
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smackbox.base.errors import StorageError
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.server.connection import (
    PASS_ANSWER_BYTES,
    UNSYNCED,
    Connection,
)
from smackbox.cassandra.server.group_commit import Recipient
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.wire.segments import SegmentReader, crc24, encode_segments
from smackbox.net.connection import UNREAD, UNREAD_PUSH_BYTES
from smackbox.net.service import ServiceThread

CONNECTIONS = 1000
FRAME_LIMIT = 256 * 1024
READ_BYTES = 256 * 1024  # what an event loop takes from a socket at once
TIMEOUT_S = 30
HEADER = struct.Struct(">BBhBi")
ERROR, STARTUP, READY, OPTIONS, SUPPORTED, QUERY, RESULT, REGISTER = 0, 1, 2, 5, 6, 7, 8, 11
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
_SERVER = """
import sys
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import run
run(CassandraServer(CassandraSettings(native_transport_max_concurrent_connections=int(sys.argv[1]))))
"""


def frame(opcode: int, body: bytes, *, version: int = 4, flags: int = 0, stream: int = 1) -> bytes:
    return HEADER.pack(version, flags, stream, opcode, len(body)) + body


def startup_frame(version: int = 4, compression: str = "") -> bytes:
    options = {"CQL_VERSION": "3.0.0"} | ({"COMPRESSION": compression} if compression else {})
    body = struct.pack(">H", len(options))
    for text in (part for pair in options.items() for part in pair):
        body += struct.pack(">H", len(text)) + text.encode()
    return frame(STARTUP, body, version=version)


def query_frame(text: str, *, version: int = 4, stream: int = 1) -> bytes:
    options = b"\x00\x01\x00" if version < 5 else b"\x00\x01\x00\x00\x00\x00"
    return frame(QUERY, struct.pack(">i", len(text)) + text.encode() + options, version=version, stream=stream)


SELECT = query_frame("SELECT key FROM system.local")


class Client:
    """A socket that speaks frames of v4 and, after STARTUP, segments of v5."""

    def __init__(self, url: str, version: int = 4, compression: str = "") -> None:
        host, _, port = url.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        self.version = version
        self._compressed = compression == "lz4"
        self._segments: SegmentReader | None = None
        self._buffer = bytearray()

    def startup(self, compression: str = "") -> Client:
        self.socket.sendall(startup_frame(self.version, compression))
        assert self.receive()[1] == READY
        if self.version == 5:
            self._segments = SegmentReader(compressed=self._compressed)
        return self

    def send(self, data: bytes) -> None:
        self.socket.sendall(encode_segments([data], compressed=self._compressed) if self._segments else data)

    def receive(self) -> tuple[int, int, bytes]:
        """stream, opcode, body. Raises `ConnectionError` when the server has closed."""
        _, _, stream, opcode, length = HEADER.unpack(self._exactly(HEADER.size))
        return stream, opcode, self._exactly(length)

    def query(self, text: str) -> tuple[int, bytes]:
        self.send(query_frame(text, version=self.version))
        return self.receive()[1:]

    def is_served(self) -> bool:
        return self.query("SELECT key FROM system.local")[0] == RESULT

    def opcodes_until_closed(self) -> list[int]:
        """Of everything the server still says. It hangs up in the end, or this raises `TimeoutError`."""
        opcodes = []
        try:
            while True:
                opcodes.append(self.receive()[1])
        except ConnectionError:
            return opcodes

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            received = self.socket.recv(READ_BYTES)
            if not received:
                raise ConnectionError("closed")
            if self._segments is None:
                self._buffer += received
                continue
            self._buffer += self._segments.feed(received)
            while self._segments.is_behind:
                self._buffer += self._segments.feed(b"")
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


# ---- many connections ------------------------------------------------------------------------------------------------


@contextmanager
def server_process(connections: int) -> Iterator[tuple[str, int]]:
    """The url and the process id of a server with its own limit of open files."""
    process = subprocess.Popen([sys.executable, "-c", _SERVER, str(connections)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("ready cassandra "), line
        yield line.split()[2], process.pid
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def open_files(count: int) -> Iterator[None]:
    """At least `count` of them for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory_mb(pid: int) -> float:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def test_a_thousand_connections_are_served_and_one_more_is_closed() -> None:
    with server_process(CONNECTIONS) as (url, pid), open_files(CONNECTIONS + 200), ExitStack() as stack:
        idle = memory_mb(pid)
        clients = [stack.enter_context(Client(url)).startup() for _ in range(CONNECTIONS)]
        for client in clients:
            client.send(SELECT)
        assert [client.receive()[1] for client in clients] == [RESULT] * CONNECTIONS
        print(f"memory: {idle:.0f} MB idle, {memory_mb(pid):.0f} MB with {CONNECTIONS} connections")
        with Client(url) as refused, pytest.raises(ConnectionError):
            refused.send(startup_frame())
            refused.receive()
        assert all(client.is_served() for client in clients)
        clients[0].socket.shutdown(socket.SHUT_RDWR)
        # the place is free once the server has seen the end of that connection
        assert _until(lambda: _connects(url))


def _connects(url: str) -> bool:
    try:
        with Client(url) as client:
            return client.startup().is_served()
    except ConnectionError:
        return False


def _until(condition: Callable[[], bool], tries: int = 10_000) -> bool:
    """Whether `condition`, which asks the server something each time, comes true."""
    return any(condition() for _ in range(tries))


def test_the_server_takes_as_many_files_as_it_may() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(
        int(entry.name) for entry in Path("/dev/fd").iterdir()
    )  # what this process has open already counts too
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, highest + 256), hard))
    try:
        with ServiceThread(CassandraServer(CassandraSettings())):
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---- slow readers, slow disks ----------------------------------------------------------------------------------------

ANSWER_BYTES = 64 * 1024
QUERIES = 3000


class Kept:
    """The most that a server ever kept for one connection, looked at whenever it sends that connection something."""

    def __init__(self, service: CassandraServer, connection: Connection) -> None:
        self.written = self.unread = self.held = 0
        self._connection = connection
        commit = service.running.parts.commit
        answer = commit.answer

        def watched(recipient: Recipient, answers: bytes) -> None:
            answer(recipient, answers)
            if recipient is connection:
                self.look()

        commit.answer = watched  # type: ignore[method-assign]

    def look(self) -> None:
        self.written = max(self.written, self._connection.transport.get_write_buffer_size())
        self.unread = max(self.unread, self._connection.kept_bytes)
        self.held = max(self.held, self._connection._unsynced_bytes)


def connection_of(service: CassandraServer, client: Client) -> Connection:
    own = client.socket.getsockname()[1]
    found = next(client for client in list(service.running.clients.connected) if client.peer[1] == own)
    assert isinstance(found, Connection)
    return found


def fill(client: Client) -> None:
    """A row whose answer has `ANSWER_BYTES`."""
    client.query(f"CREATE KEYSPACE slow WITH replication = {REPLICATION}")
    client.query("CREATE TABLE slow.t (k int PRIMARY KEY, v text)")
    assert client.query(f"INSERT INTO slow.t (k, v) VALUES (1, '{'v' * ANSWER_BYTES}')")[0] == RESULT


def many_queries() -> bytes:
    return b"".join(query_frame("SELECT v FROM slow.t WHERE k = 1", stream=stream) for stream in range(QUERIES))


def read_all(client: Client) -> None:
    """Every answer is there, whole, in order."""
    for stream in range(QUERIES):
        answered, opcode, body = client.receive()
        assert (answered, opcode) == (stream, RESULT)
        assert body.endswith(b"v" * ANSWER_BYTES)


@pytest.mark.parametrize("sync", [False, True], ids=["default", "sync"])
def test_a_slow_reader_is_kept_one_pass(sync: bool) -> None:
    with ServiceThread(CassandraServer(CassandraSettings(sync=sync))) as thread:
        service = thread.service
        assert isinstance(service, CassandraServer)
        with Client(thread.url).startup() as slow, Client(thread.url).startup() as other:
            fill(other)
            connection = connection_of(service, slow)
            kept = Kept(service, connection)
            sender = threading.Thread(target=slow.socket.sendall, args=(many_queries(),))
            sender.start()
            # each look is a request of another client that is served
            assert _until(lambda: other.is_served() and connection.stops & UNREAD)
            sender.join(TIMEOUT_S)
            assert all(other.is_served() for _ in range(200))
            assert connection.stops & UNREAD
            one_pass = PASS_ANSWER_BYTES + 2 * ANSWER_BYTES
            assert kept.written <= Connection.WRITE_HIGH_WATER_BYTES + one_pass + kept.held
            assert kept.held <= Connection.WRITE_HIGH_WATER_BYTES + one_pass
            assert kept.unread <= 2 * READ_BYTES
            read_all(slow)
            assert slow.is_served()


def test_a_slow_reader_that_breaks_the_protocol_is_told_so_in_the_end(server: ServiceThread) -> None:
    text = random.Random(1).randbytes(ANSWER_BYTES).hex()  # which does not get much smaller
    with Client(server.url, 4, "lz4") as slow, Client(server.url).startup() as other:
        other.query(f"CREATE KEYSPACE told WITH replication = {REPLICATION}")
        other.query("CREATE TABLE told.t (k int PRIMARY KEY, v text)")
        assert other.query(f"INSERT INTO told.t (k, v) VALUES (1, '{text}')")[0] == RESULT
        slow.startup("lz4")
        service = server.service
        assert isinstance(service, CassandraServer)
        connection = connection_of(service, slow)
        count = 500
        asked = [query_frame("SELECT v FROM told.t WHERE k = 1", stream=stream) for stream in range(count)]
        slow.send(b"".join(asked) + frame(QUERY, b"\x00\x00\x00\x10 no block of lz4", flags=1))
        assert _until(lambda: other.is_served() and connection.stops & UNREAD)
        assert slow.opcodes_until_closed() == [RESULT] * count + [ERROR]


def test_a_slow_disk_holds_one_pass_of_answers() -> None:
    go_on = threading.Event()
    with ServiceThread(CassandraServer(CassandraSettings(sync=True))) as thread:
        service = thread.service
        assert isinstance(service, CassandraServer)
        with Client(thread.url).startup() as client:
            fill(client)
            connection = connection_of(service, client)
            kept = Kept(service, connection)
            sync = service.running.state.engine.store.sync

            def stuck() -> None:
                assert go_on.wait(TIMEOUT_S)
                sync()

            async def has_stopped() -> bool:
                return connection.stops == UNSYNCED

            service.running.state.engine.store.sync = stuck  # type: ignore[method-assign]
            sender = threading.Thread(target=client.socket.sendall, args=(many_queries(),))
            sender.start()
            assert _until(lambda: thread.call(has_stopped()))
            assert kept.held <= Connection.WRITE_HIGH_WATER_BYTES + PASS_ANSWER_BYTES + 2 * ANSWER_BYTES
            assert kept.unread <= 2 * READ_BYTES
            go_on.set()
            read_all(client)
            sender.join(TIMEOUT_S)
            assert client.is_served()


def test_a_disk_that_does_not_sync_ends_the_connection_without_an_answer() -> None:
    with ServiceThread(CassandraServer(CassandraSettings(sync=True))) as thread:
        service = thread.service
        assert isinstance(service, CassandraServer)
        with Client(thread.url).startup() as client, Client(thread.url).startup() as later:
            fill(client)
            sync = service.running.state.engine.store.sync

            def broken() -> None:
                raise StorageError("the store refused to sync: no space left")

            service.running.state.engine.store.sync = broken  # type: ignore[method-assign]
            client.send(query_frame("INSERT INTO slow.t (k, v) VALUES (2, 'lost')"))
            assert client.opcodes_until_closed() == [ERROR]
            service.running.state.engine.store.sync = sync  # type: ignore[method-assign]
            assert later.is_served()


def test_a_client_that_does_not_read_its_events_is_closed() -> None:
    with ServiceThread(CassandraServer(CassandraSettings())) as thread:
        service = thread.service
        assert isinstance(service, CassandraServer)
        with Client(thread.url).startup() as deaf, Client(thread.url).startup() as other:
            connection = connection_of(service, deaf)
            event = frame(12, bytes(ANSWER_BYTES), version=0x84, stream=-1)
            most = 0

            async def tell() -> bool:
                nonlocal most
                connection.send(event)
                most = max(most, connection.transport.get_write_buffer_size())
                return connection.transport.is_closing()

            assert _until(lambda: thread.call(tell()))
            assert most <= UNREAD_PUSH_BYTES + 2 * ANSWER_BYTES
            assert other.is_served()


# ---- any bytes -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[ServiceThread]:
    with ServiceThread(CassandraServer(CassandraSettings(native_transport_max_frame_size_bytes=FRAME_LIMIT))) as thread:
        yield thread


@pytest.fixture(scope="module")
def witness(server: ServiceThread) -> Iterator[Client]:
    """A connection that was there before, and must not notice."""
    with Client(server.url).startup() as client:
        yield client


KINDS = [(3, ""), (4, ""), (4, "lz4"), (4, "snappy"), (5, ""), (5, "lz4")]
any_kind = st.sampled_from(KINDS)
fuzz = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


def started(server: ServiceThread, kind: tuple[int, str]) -> Client:
    return Client(server.url, *kind).startup(kind[1])


def end_of(client: Client, data: bytes) -> list[int]:
    """The answer to a client that sends `data` as it is, and then nothing more."""
    try:
        client.socket.sendall(data)
        client.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the server has hung up already
    return client.opcodes_until_closed()


@fuzz
@given(junk=st.binary(min_size=1, max_size=400))
def test_any_bytes_before_startup(server: ServiceThread, witness: Client, junk: bytes) -> None:
    with Client(server.url) as client:
        assert set(end_of(client, junk)) <= {ERROR, SUPPORTED, READY}
    assert witness.is_served()


@fuzz
@given(junk=st.binary(min_size=1, max_size=400), kind=any_kind)
def test_any_bytes_after_startup(server: ServiceThread, witness: Client, junk: bytes, kind: tuple[int, str]) -> None:
    with started(server, kind) as client:
        assert set(end_of(client, junk)) <= {ERROR, SUPPORTED, READY, RESULT}
    assert witness.is_served()


@fuzz
@given(
    opcode=st.integers(0, 255),
    flags=st.integers(0, 255),
    stream=st.integers(-32768, 32767),
    body=st.binary(max_size=300),
    kind=any_kind,
)
def test_any_body_in_a_whole_frame(
    server: ServiceThread, witness: Client, opcode: int, flags: int, stream: int, body: bytes, kind: tuple[int, str]
) -> None:
    """Each is answered on its stream, or the connection is closed: what is asked after it is never left waiting."""
    version, _ = kind
    with started(server, kind) as client:
        client.send(frame(opcode, body, version=version, flags=flags, stream=stream))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive()[0] in {stream, 0}
        client.opcodes_until_closed()
    assert witness.is_served()


def broken_segments() -> dict[str, bytes]:
    """Uncompressed, each with one thing wrong."""
    good = encode_segments([query_frame("SELECT key FROM system.local", version=5)], compressed=False)
    length = len(good) - 10
    return {
        "header checksum": good[:3] + bytes([good[3] ^ 1]) + good[4:],
        "header bit": bytes([good[0] ^ 1]) + good[1:],
        "payload checksum": good[:-1] + bytes([good[-1] ^ 0x80]),
        "payload bit": good[:8] + bytes([good[8] ^ 4]) + good[9:],
        "length too small": _with_length(good, length - 1),
        "length too large": _with_length(good, length + 1),
        "a frame without segment": query_frame("SELECT key FROM system.local", version=5),
    }


def _with_length(segment: bytes, length: int) -> bytes:
    header = (length | 1 << 17).to_bytes(3, "little")
    return header + crc24(header).to_bytes(3, "little") + segment[6:]


@pytest.mark.parametrize("name", broken_segments())
def test_a_broken_segment_is_an_error_and_the_end(server: ServiceThread, witness: Client, name: str) -> None:
    with started(server, (5, "")) as client:
        assert client.is_served()
        opcodes = end_of(client, broken_segments()[name])
        assert opcodes == ([] if name == "length too large" else [ERROR])
    assert witness.is_served()


@pytest.mark.parametrize("claimed", [1, 10, 100_000], ids=lambda size: f"{size} bytes")
def test_a_segment_that_does_not_decompress_is_an_error_and_the_end(server: ServiceThread, claimed: int) -> None:
    import zlib

    payload = bytes(random.Random(claimed).randbytes(50))
    header = (len(payload) | claimed << 17 | 1 << 34).to_bytes(5, "little")
    checksum = zlib.crc32(payload, zlib.crc32(b"\xfa\x2d\x55\xca")).to_bytes(4, "little")
    with started(server, (5, "lz4")) as client:
        assert end_of(client, header + crc24(header).to_bytes(3, "little") + payload + checksum) == [ERROR]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("length", [FRAME_LIMIT + 1, 2**31 - 1, -1, -(2**31)])
def test_a_frame_over_the_limit_is_an_error_and_the_end(
    server: ServiceThread, witness: Client, kind: tuple[int, str], length: int
) -> None:
    with started(server, kind) as client:
        assert client.is_served()
        client.send(query_frame("SELECT key FROM system.local", version=kind[0]))
        client.send(HEADER.pack(kind[0], 0, 1, QUERY, length))
        assert client.opcodes_until_closed() == [RESULT, ERROR]
    assert witness.is_served()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_another_version_in_mid_connection_is_an_error_and_the_end(
    server: ServiceThread, kind: tuple[int, str]
) -> None:
    with started(server, kind) as client:
        client.send(query_frame("SELECT key FROM system.local", version=3 if kind[0] != 3 else 4))
        assert client.opcodes_until_closed() == [ERROR]


@pytest.mark.parametrize("algorithm", ["lz4", "snappy"])
def test_a_body_that_claims_to_be_huge_is_not_decompressed(server: ServiceThread, algorithm: str) -> None:
    claim = struct.pack(">I", 2**31) if algorithm == "lz4" else b"\xff\xff\xff\xff\x0f"
    with started(server, (4, algorithm)) as client:
        client.send(frame(QUERY, claim + b"\x00" * 20, flags=1))
        _, opcode, body = client.receive()
        assert opcode == ERROR
        assert b"more than" in body
        assert client.opcodes_until_closed() == []
