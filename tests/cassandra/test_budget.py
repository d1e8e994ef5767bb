"""What all connections together are kept is bounded, whether they send without an end or do not read."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.cassandra.test_limits import (
    ANSWER_BYTES,
    ERROR,
    HEADER,
    QUERY,
    READ_BYTES,
    READY,
    REPLICATION,
    RESULT,
    STARTUP,
    Client,
    _until,
    connection_of,
    frame,
    query_frame,
)

from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.server.connection import SMALL_FRAME_BYTES, Connection
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.wire.compression import compress, decompress
from smackbox.cassandra.wire.frames import FLAG_COMPRESSED
from smackbox.cassandra.wire.segments import PAYLOAD_LIMIT, UNPACK_BYTES
from smackbox.net.service import ServiceThread

MIB = 1024 * 1024
LIMIT = 4 * MIB
LARGE = 1 * MIB
OVERLOADED = 0x1001


@pytest.fixture
def server() -> Iterator[CassandraServer]:
    settings = CassandraSettings(
        native_transport_max_request_data_in_flight_bytes=LIMIT,
        native_transport_max_request_data_in_flight_per_ip_bytes=LIMIT,
    )
    service = CassandraServer(settings)
    with ServiceThread(service), Client(service.url).startup() as client:
        assert client.query(f"CREATE KEYSPACE k WITH replication = {REPLICATION}")[0] == RESULT
        assert client.query("CREATE TABLE k.t (k int PRIMARY KEY, v text)")[0] == RESULT
        assert client.query(f"INSERT INTO k.t (k, v) VALUES (0, '{'v' * ANSWER_BYTES}')")[0] == RESULT
        yield service
        assert client.is_served()


def insert_frame(key: int, size: int) -> bytes:
    return query_frame(f"INSERT INTO k.t (k, v) VALUES ({key}, '{'x' * size}')", stream=key)


def v5(count: int, size: int) -> bytes:
    """So many INSERTs of that size, one after another."""
    text = "INSERT INTO k.t (k, v) VALUES (1, '%s')" % ("x" * size)
    return b"".join(query_frame(text, version=5, stream=stream) for stream in range(count))


def string_map(options: dict[str, str]) -> bytes:
    body = struct.pack(">H", len(options))
    for text in (part for pair in options.items() for part in pair):
        body += struct.pack(">H", len(text)) + text.encode()
    return body


def throwing(url: str) -> Client:
    """A client that asks for OVERLOADED."""
    client = Client(url)
    options = {"CQL_VERSION": "3.0.0", "THROW_ON_OVERLOAD": "1"}
    client.send(frame(STARTUP, string_map(options)))
    assert client.receive()[1] == READY
    return client


def test_requests_that_do_not_come_to_their_end(server: CassandraServer) -> None:
    """Of 20 clients that have sent most of a large request, so many are read as there is room for."""
    count = 20
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(server.url).startup()) for _ in range(count)]
        requests = [insert_frame(key, LARGE) for key in range(count)]
        senders = [
            threading.Thread(target=client.socket.sendall, args=(request[:-1],))
            for client, request in zip(clients, requests, strict=True)
        ]
        for sender in senders:
            sender.start()
        with Client(server.url).startup() as other:
            waits = lambda: len(server.running.parts.budget._waiting)  # noqa: E731
            assert _until(lambda: other.is_served() and waits() >= count - LIMIT // LARGE)
            assert server.running.parts.budget.used <= LIMIT + count * (SMALL_FRAME_BYTES + 2 * READ_BYTES)
            held = sum(connection.kept_bytes for connection in list(server.running.clients.connected))
            assert held <= LIMIT + count * 2 * READ_BYTES
            assert other.is_served()

        def finish(client: Client, request: bytes, sender: threading.Thread) -> None:
            sender.join()
            client.socket.sendall(request[-1:])

        finishers = [
            threading.Thread(target=finish, args=made) for made in zip(clients, requests, senders, strict=True)
        ]
        for finisher in finishers:
            finisher.start()
        assert [client.receive()[1] for client in clients] == [RESULT] * count
        for finisher in finishers:
            finisher.join()
        assert _until(lambda: clients[0].is_served() and server.running.parts.budget.used < LARGE)


def test_readers_that_do_not_read(server: CassandraServer) -> None:
    """Together they are kept the limit and one answer each, and who reads goes on."""
    count, asked = 40, 100
    queries = b"".join(query_frame("SELECT v FROM k.t WHERE k = 0", stream=stream) for stream in range(asked))
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(server.url).startup()) for _ in range(count)]
        for client in clients:
            client.socket.sendall(queries)
        with Client(server.url).startup() as other:
            budget = server.running.parts.budget
            assert _until(
                lambda: other.is_served() and (budget.used > LIMIT - 2 * ANSWER_BYTES or bool(budget._waiting))
            )
            assert all(other.query("SELECT v FROM k.t WHERE k = 0")[0] == RESULT for _ in range(100))
            kept = sum(connection.owed_bytes() for connection in list(server.running.clients.connected))
            assert kept <= LIMIT + count * (READ_BYTES + 2 * ANSWER_BYTES)
        for client in clients:
            found = [client.receive() for _ in range(asked)]
            assert [(stream, opcode) for stream, opcode, _ in found] == [(stream, RESULT) for stream in range(asked)]


def test_who_asks_for_it_is_told_of_the_overload(server: CassandraServer) -> None:
    with ExitStack() as stack:
        holders = [stack.enter_context(Client(server.url).startup()) for _ in range(LIMIT // LARGE)]
        for key, holder in enumerate(holders):
            request = insert_frame(key, LARGE - 4096)
            holder.send(request[: READ_BYTES * 2])
        client = stack.enter_context(throwing(server.url))
        assert _until(
            lambda: client.query("SELECT")[0] == ERROR and server.running.parts.budget.used > LIMIT - LARGE // 2
        )
        client.send(insert_frame(77, LARGE))
        stream, opcode, body = client.receive()
        assert (stream, opcode, int.from_bytes(body[:4], "big")) == (77, ERROR, OVERLOADED)
        assert b"Request breached limit on bytes in flight. (Endpoint: " in body
        assert client.is_served()  # what followed of the refused request was passed over
        for key, holder in enumerate(holders):
            holder.send(insert_frame(key, LARGE - 4096)[READ_BYTES * 2 :])
            assert holder.receive()[1] == RESULT
        client.send(insert_frame(78, LARGE))
        assert client.receive()[:2] == (78, RESULT)


def test_one_address_does_not_take_it_all() -> None:
    settings = CassandraSettings(
        native_transport_max_request_data_in_flight_bytes=LIMIT,
        native_transport_max_request_data_in_flight_per_ip_bytes=LARGE,
    )
    service = CassandraServer(settings)
    with ServiceThread(service), Client(service.url).startup() as first, throwing(service.url) as second:
        first.send(frame(QUERY, bytes(LARGE - 100))[:READ_BYTES])
        assert _until(lambda: second.is_served() and service.running.parts.budget.used >= LARGE - 100)
        second.send(HEADER.pack(4, 0, 5, QUERY, LARGE))
        second.send(bytes(LARGE))
        stream, opcode, body = second.receive()
        assert (stream, opcode) == (5, ERROR)
        assert f"/{LARGE} bytes, Global: ".encode() in body


def test_one_request_larger_than_the_limit_is_served_when_it_is_alone(server: CassandraServer) -> None:
    with Client(server.url).startup() as client:
        client.send(insert_frame(1, 2 * LIMIT))
        assert client.receive()[:2] == (1, RESULT)
        assert server.running.parts.budget.highest >= 2 * LIMIT


def test_what_segments_unpack_to_is_kept_a_part_at_a_time(
    server: CassandraServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that take 20 MB come in 100 kB, and are answered without being kept at once."""
    kept = [0]
    begin_pass = Connection.begin_pass

    def watched(connection: Connection) -> None:
        kept[0] = max(kept[0], connection.kept_bytes)
        begin_pass(connection)

    monkeypatch.setattr(Connection, "begin_pass", watched)
    count = 200
    with Client(server.url, 5, "lz4").startup("lz4") as client:
        client.send(v5(count, LARGE // 10))
        found = [client.receive()[:2] for _ in range(count)]
    assert found == [(key, RESULT) for key in range(count)]
    assert kept[0] < UNPACK_BYTES + PAYLOAD_LIMIT + LARGE // 10 + 1000
    # a request larger than a part comes together all the same
    with Client(server.url, 5, "lz4").startup("lz4") as client:
        client.send(v5(1, 2 * LARGE))
        assert client.receive()[1] == RESULT


@pytest.mark.parametrize("throws", [False, True])
def test_a_body_that_unpacks_to_much_waits_for_room(server: CassandraServer, throws: bool) -> None:
    with ExitStack() as stack:
        holder = stack.enter_context(Client(server.url).startup())
        request = insert_frame(0, LIMIT - LARGE // 2)
        holder.send(request[: READ_BYTES * 2])
        client = stack.enter_context(Client(server.url))
        options = {"CQL_VERSION": "3.0.0", "COMPRESSION": "lz4"} | ({"THROW_ON_OVERLOAD": "1"} if throws else {})
        client.send(frame(STARTUP, string_map(options)))
        assert client.receive()[1] == READY
        other = stack.enter_context(Client(server.url).startup())
        assert _until(lambda: other.is_served() and server.running.parts.budget.used > LIMIT - LARGE)
        plain = insert_frame(1, LARGE)
        client.send(frame(QUERY, compress("lz4", plain[HEADER.size :]), flags=FLAG_COMPRESSED, stream=9))
        if throws:
            stream, opcode, body = client.receive()
            body = decompress("lz4", body, LARGE)
            assert (stream, opcode, int.from_bytes(body[:4], "big")) == (9, ERROR, OVERLOADED)
        else:
            waits = connection_of(server, client)
            assert _until(lambda: other.is_served() and waits in server.running.parts.budget._waiting)
        holder.send(request[READ_BYTES * 2 :])
        assert holder.receive()[1] == RESULT
        if not throws:
            assert client.receive()[:2] == (9, RESULT)


def test_what_a_lost_connection_was_kept_is_given_back(server: CassandraServer) -> None:
    with Client(server.url).startup() as other:
        for _ in range(10):
            client = Client(server.url).startup()
            client.send(insert_frame(1, LARGE)[:-1])
            connection = connection_of(server, client)
            assert _until(lambda: other.is_served() and server.running.parts.budget.used >= LARGE)
            client.socket.close()
            assert _until(lambda: other.is_served() and connection not in server.running.clients.connected)  # noqa: B023
            assert server.running.parts.budget.used < LARGE
    assert server.running.parts.budget._kept.keys() <= server.running.clients.connected
