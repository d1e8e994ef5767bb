"""Frames out of bytes: cut anywhere, stopped and resumed anywhere, decoded or not, each comes once, whole, in order."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.net.fake_transport import FakeTransport, feed

from smackbox.base.errors import ProtocolError, StorageError
from smackbox.net.connection import FREE, SMALL_FRAME_BYTES, UNREAD, UNREAD_PUSH_BYTES, FrameConnection
from smackbox.net.read_buffer import ReadBuffer

FRAME_LIMIT = 1_000_000
BUSY, LATER = FREE, FREE << 1
SWITCH = b"switch"


class Inverting:
    """A decoder that inverts each byte, and gives a few at a time."""

    def __init__(self) -> None:
        self._waiting = b""
        self.is_behind = False

    def feed(self, data: bytes | memoryview, limit: int = 7, /) -> bytes:
        self._waiting += bytes(data)
        taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        self.is_behind = bool(self._waiting)
        return inverted(taken)


def inverted(data: bytes) -> bytes:
    return bytes(255 - byte for byte in data)


def switch(connection: Connection, body: bytes) -> None:
    if body == SWITCH:
        connection.decode_with(Inverting())


class Connection(FrameConnection):
    """Frames of a length of four bytes; `on_frame` may do to the connection what a protocol does."""

    def __init__(self, on_frame: Callable[[Connection, bytes], None] = lambda *_: None) -> None:
        super().__init__(ReadBuffer(64))
        self.frames: list[bytes] = []
        self.passes: list[int] = []
        self.failures: list[Exception] = []
        self.is_refusing = False
        self._on_frame = on_frame
        self._in_pass = 0
        self._taken = True
        self.connection_made(FakeTransport())

    @property
    def fake(self) -> FakeTransport:
        assert isinstance(self.transport, FakeTransport)
        return self.transport

    def opened(self) -> None:
        pass

    def begin_pass(self) -> None:
        self._in_pass = 0

    def frame_bytes(self, data: memoryview, position: int) -> int:
        (length,) = struct.unpack_from(">i", data, position)
        if not 0 <= length <= FRAME_LIMIT:
            raise ProtocolError(f"{length} bytes")
        return 4 + int(length)

    def handle(self, frame: memoryview) -> None:
        body = bytes(frame[4:])
        self._taken = True
        self._on_frame(self, body)
        if self._taken:
            self.frames.append(body)
            self._in_pass += 1

    def put_back(self) -> None:
        self._taken = False
        super().put_back()

    def announced(self, begun: memoryview, size: int) -> None:
        if self.is_refusing:
            self.skip()

    def end_pass(self) -> None:
        self.passes.append(self._in_pass)

    def broken(self, error: ProtocolError | StorageError) -> None:
        self.failures.append(error)
        self.abort()


def packed(bodies: list[bytes]) -> bytes:
    return b"".join(struct.pack(">i", len(body)) + body for body in bodies)


def run_until_idle(loop: asyncio.AbstractEventLoop) -> None:
    for _ in range(1_000):
        loop.call_soon(loop.stop)
        loop.run_forever()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def in_loop(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    async def run() -> None:
        work()

    loop.run_until_complete(run())


bodies = st.lists(st.binary(max_size=200), max_size=12)
cuts = st.lists(st.integers(1, 90), min_size=1, max_size=8)


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    offset = 0
    for size in cycle(sizes):
        if offset >= len(data):
            return
        yield data[offset : offset + size]
        offset += size


@given(bodies, cuts)
def test_frames_cut_anywhere(sent: list[bytes], sizes: list[int]) -> None:
    connection = Connection()
    for piece in pieces(packed(sent), sizes):
        feed(connection, piece)
    assert connection.frames == sent
    assert connection.kept_bytes == 0


@given(bodies, cuts, st.lists(st.sampled_from(["stop", "turn", "back", "none"]), min_size=1, max_size=7))
def test_frames_of_a_connection_that_stops_and_goes_on(sent: list[bytes], sizes: list[int], acts: list[str]) -> None:
    """Whatever comes while it is stopped is kept and handled afterwards; a frame that was put back comes again."""
    loop = asyncio.new_event_loop()
    script = cycle(acts)
    again: set[int] = set()

    def act(connection: Connection, body: bytes) -> None:
        what = next(script)
        number = len(connection.frames)
        if what == "stop":
            connection.stop(BUSY)
            asyncio.get_running_loop().call_later(0, connection.go, BUSY)
        elif what == "turn":
            connection.yield_turn()
        elif what == "back" and number not in again:
            again.add(number)
            connection.stop(LATER)
            connection.put_back()
            asyncio.get_running_loop().call_soon(connection.go, LATER)

    connection = Connection(act)
    try:
        for piece in pieces(packed(sent), sizes):
            in_loop(loop, lambda piece=piece: feed(connection, piece))  # type: ignore[misc]
        run_until_idle(loop)
        assert connection.frames == sent
        assert connection.fake.reads
        assert connection.kept_bytes == 0
    finally:
        loop.close()


@given(bodies, cuts, bodies)
def test_what_follows_the_frame_that_brings_a_decoder_is_decoded(
    before: list[bytes], sizes: list[int], after: list[bytes]
) -> None:
    """The same when it came with that frame in one read, and when it unpacks to more than one pass."""
    loop = asyncio.new_event_loop()
    connection = Connection(switch)
    try:
        for piece in pieces(packed([*before, SWITCH]) + inverted(packed(after)), sizes):
            in_loop(loop, lambda piece=piece: feed(connection, piece))  # type: ignore[misc]
        run_until_idle(loop)
        assert connection.frames == [*before, SWITCH, *after]
        assert connection.kept_bytes == 0
    finally:
        loop.close()


def test_all_frames_of_one_read_are_one_pass() -> None:
    connection = Connection()
    feed(connection, packed([b"a", b"b", b"c"]))
    assert connection.passes == [3]


@pytest.mark.parametrize("error", [ProtocolError("no"), StorageError("full")])
def test_an_error_ends_the_pass_before_it_is_told(error: Exception) -> None:
    """What the frames before it were answered goes out first."""

    def fail(connection: Connection, body: bytes) -> None:
        if body == b"bad":
            raise error

    connection = Connection(fail)
    feed(connection, packed([b"good", b"bad", b"never"]))
    assert connection.frames == [b"good"]
    assert connection.passes == [1]
    assert connection.failures == [error]
    assert connection.fake.aborted


class Broken:
    """A decoder that finds a wrong checksum."""

    is_behind = False

    def feed(self, data: bytes | memoryview, limit: int = 7, /) -> bytes:
        raise ProtocolError("a wrong checksum")


def test_an_error_of_the_decoder_ends_the_connection() -> None:
    connection = Connection(lambda own, _: own.decode_with(Broken()))
    feed(connection, packed([SWITCH, b"never"]))
    feed(connection, b"never")
    assert [str(failure) for failure in connection.failures] == ["a wrong checksum"] * 2
    assert connection.frames == [SWITCH]


def test_a_length_that_is_not_allowed_ends_the_connection() -> None:
    connection = Connection()
    feed(connection, packed([b"good"]) + struct.pack(">i", FRAME_LIMIT + 1) + b"rest")
    assert connection.frames == [b"good"]
    assert [str(failure) for failure in connection.failures] == [f"{FRAME_LIMIT + 1} bytes"]


def test_nothing_is_read_or_handled_while_the_peer_does_not_take_its_answers(loop: asyncio.AbstractEventLoop) -> None:
    connection = Connection()
    connection.pause_writing()
    assert not connection.fake.reads
    feed(connection, packed([b"late"]))  # it was on its way
    assert connection.frames == []
    in_loop(loop, connection.resume_writing)
    run_until_idle(loop)
    assert connection.frames == [b"late"]
    assert connection.fake.reads


def test_one_reason_that_is_gone_is_not_the_last(loop: asyncio.AbstractEventLoop) -> None:
    connection = Connection()
    connection.stop(BUSY)
    connection.stop(UNREAD)
    in_loop(loop, lambda: connection.go(BUSY))
    run_until_idle(loop)
    assert connection.stops == UNREAD
    assert not connection.fake.reads


def test_a_large_frame_is_announced_and_may_be_skipped() -> None:
    connection = Connection()
    connection.is_refusing = True
    feed(connection, packed([b"x" * (SMALL_FRAME_BYTES + 1), b"next"]))
    assert connection.frames == [b"next"]
    assert connection.kept_bytes == 0


def test_a_frame_in_its_own_buffer_counts_with_its_whole_size() -> None:
    connection = Connection()
    feed(connection, packed([b"x" * 5_000])[:100])
    assert connection.kept_bytes == 5_004


def test_frames_behind_a_close_are_not_handled() -> None:
    connection = Connection(lambda own, body: own.close() if body == b"last" else None)
    feed(connection, packed([b"last", b"never"]))
    assert connection.frames == [b"last"]
    assert connection.fake.closed


def test_a_peer_that_does_not_read_its_events_is_cut_off() -> None:
    connection = Connection()
    connection.push(b"x" * UNREAD_PUSH_BYTES)
    assert not connection.fake.aborted
    connection.push(b"x")
    assert connection.fake.aborted
