"""What is in frames: the versions that are answered, and the flags of rows with and without metadata."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from tests.contract.cassandra.raw import TIMEOUT_S, Prepared, RawClient

from smackbox.cassandra.wire.frames import ERROR, FLAG_BETA, HEADER, OPTIONS, SUPPORTED

pytestmark = pytest.mark.contract

UNSET = "Beta version of the protocol used (6/v6-beta), but USE_BETA flag is unset"
UNKNOWN = "Invalid or unsupported protocol version (7); supported versions are (3/v3, 4/v4, 5/v5, 6/v6-beta)"
OTHER = "Invalid message version. Got {} but previous messages on this connection had version 4/v4"
STARTUP_4 = bytes.fromhex("0400000101000000160001000b43514c5f56455253494f4e0005332e302e30")


class Line:
    """A socket with whole frames."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=TIMEOUT_S)
        self._file = self.socket.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def ask(self, frame: bytes) -> tuple[int, int, int, int, str]:
        """Version, flags, stream, opcode, and the text of an error."""
        self.socket.sendall(frame)
        version, flags, stream, opcode, length = HEADER.unpack(self._file.read(HEADER.size))
        body = self._file.read(length)
        return version, flags, stream, opcode, body[6:].decode() if opcode == ERROR else ""


@pytest.fixture
def line(cassandra_address: tuple[str, int]) -> Iterator[Line]:
    found = Line(cassandra_address)
    yield found
    found.close()


def options(version: int, flags: int = 0) -> bytes:
    return HEADER.pack(version, flags, 7, OPTIONS, 0)


def test_the_beta_version_is_served_to_who_asks_for_it(line: Line) -> None:
    assert line.ask(options(6, FLAG_BETA)) == (0x86, FLAG_BETA, 7, SUPPORTED, "")


def test_the_beta_version_is_refused_without_its_flag(line: Line) -> None:
    assert line.ask(options(6)) == (0x86, FLAG_BETA, 0, ERROR, UNSET)


def test_a_later_version_is_refused_in_the_last_stable_one(line: Line) -> None:
    assert line.ask(options(7, FLAG_BETA)) == (0x85, 0, 0, ERROR, UNKNOWN)


@pytest.mark.parametrize(("frame", "shown"), [(options(3), "3/v3"), (options(6, FLAG_BETA), "6/v6-beta")])
def test_one_connection_has_one_version(line: Line, frame: bytes, shown: str) -> None:
    line.ask(STARTUP_4)
    assert line.ask(frame) == (0x84, 0, 7, ERROR, OTHER.format(shown))


@pytest.fixture(params=[4, 5, 6])
def client(request: pytest.FixtureRequest, cassandra_address: tuple[str, int]) -> Iterator[RawClient]:
    found = RawClient(cassandra_address, request.param)
    yield found
    found.close()


@pytest.fixture
def table(client: RawClient, unique: Callable[[str], str]) -> Iterator[str]:
    keyspace = unique("versions")
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    assert not client.query(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}").is_error
    client.query(f"CREATE TABLE {keyspace}.t (k int, c int, v int, PRIMARY KEY (k, c))")
    for c in range(3):
        client.query(f"INSERT INTO {keyspace}.t (k, c, v) VALUES (1, {c}, {c})")
    yield f"{keyspace}.t"
    client.query(f"DROP KEYSPACE {keyspace}")


def test_flags_of_rows_to_a_query(client: RawClient, table: str) -> None:
    text = f"SELECT v FROM {table} WHERE k = 1"
    shown = [
        client.query(text, skip_metadata=skip, page_size=size).flags for skip in (False, True) for size in (None, 2)
    ]
    assert shown == [0x1, 0x3, 0x5, 0x7]
    assert bool(client.answer_flags & FLAG_BETA) == (client.version == 6)
    condition = f"UPDATE {table} SET v = 1 WHERE k = 1 AND c = 1 IF v = 99"
    assert client.query(condition, skip_metadata=True).flags == 0x5
    assert client.query(f"DESCRIBE TABLE {table}", skip_metadata=True).flags == 0x5


@pytest.mark.parametrize("where", ["k = 1", "k = 1 AND c = 1", "k = 7"])
def test_flags_of_rows_to_a_prepared_statement(client: RawClient, table: str, where: str) -> None:
    prepared = client.prepare(f"SELECT v FROM {table} WHERE {where}")
    assert isinstance(prepared, Prepared)
    more = 0x2 if where == "k = 1" else 0
    shown = [
        client.execute(prepared, [], skip_metadata=skip, page_size=size).flags
        for skip in (False, True)
        for size in (None, 2)
    ]
    assert shown == [0x1, 0x1 | more, 0x5, 0x5 | more]


def test_a_point_read_with_values(client: RawClient, table: str) -> None:
    prepared = client.prepare(f"SELECT v FROM {table} WHERE k = ? AND c = ?")
    assert isinstance(prepared, Prepared)
    values: list[bytes | None] = [b"\x00\x00\x00\x01", b"\x00\x00\x00\x02"]
    assert [client.execute(prepared, values, skip_metadata=skip).flags for skip in (False, True)] == [0x1, 0x5]


def test_a_condition_tells_its_columns_whatever_is_asked(client: RawClient, table: str) -> None:
    prepared = client.prepare(f"UPDATE {table} SET v = 1 WHERE k = 1 AND c = 1 IF v = 99")
    assert isinstance(prepared, Prepared)
    assert client.execute(prepared, [], skip_metadata=True).flags == 0x1
