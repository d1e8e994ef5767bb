"""One client's socket: all frames that have arrived are answered in one pass and sent together.

A pass handles the data of one read from the socket: its writes go to the store as one batch, and its answers are sent
in one write after the batch is applied. While a slow client does not read its answers, or a slow disk delays them,
nothing more is read from it, so its buffers are bounded by one pass. A pass that takes long, or whose answers are
large, is interrupted and continues after other connections had their turn. Events are not requested one by one, so a
client that leaves too many of them unread is disconnected. Above the limits for all connections together
(`ByteBudget`), answers are produced one at a time, and only for clients that read them, and the rest of a large request
is not read. The client waits or, if it set THROW_ON_OVERLOAD in STARTUP, gets OVERLOADED for each request, as with
Cassandra's `native_transport_max_request_data_in_flight`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar

from smackbox.base.errors import ProtocolError, StorageError
from smackbox.cassandra.execution.context import ServerState
from smackbox.cassandra.protocol import dispatch
from smackbox.cassandra.protocol.session import Session
from smackbox.cassandra.protocol.startup import PROTOCOL_VERSIONS
from smackbox.cassandra.server.clients import Clients
from smackbox.cassandra.server.group_commit import GroupCommit
from smackbox.cassandra.server.logins import Logins
from smackbox.cassandra.server.server_clock import ServerClock
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.statements.registry import Statements
from smackbox.cassandra.wire import frames, responses
from smackbox.cassandra.wire.compression import compress, decompress, decompressed_size
from smackbox.cassandra.wire.errors import CqlError, Invalid, Overloaded, ProtocolViolation, ServerFault
from smackbox.cassandra.wire.segments import SegmentReader, encode_segments
from smackbox.net import connection
from smackbox.net.byte_budget import ByteBudget
from smackbox.net.connection import SMALL_FRAME_BYTES, FrameConnection
from smackbox.net.read_buffer import ReadBuffer

log = logging.getLogger(__name__)

PASS_LIMIT_S = 0.02
PASS_ANSWER_BYTES = 1024 * 1024

# why reading from a connection is paused, besides the reasons that all protocols share
NO_ROOM = connection.FREE
UNSYNCED = connection.FREE << 1
LOGIN = connection.FREE << 2

_REJECTED_WHEN_OVERLOADED = frozenset({frames.QUERY, frames.PREPARE, frames.EXECUTE, frames.BATCH})


@dataclass(frozen=True, slots=True)
class Parts:
    """What a server's connections share. `logins` is None if nobody has to log in."""

    settings: CassandraSettings
    state: ServerState
    statements: Statements
    clients: Clients
    budget: ByteBudget
    commit: GroupCommit
    logins: Logins | None
    clock: ServerClock
    read_buffer: ReadBuffer


class RejectedError(ProtocolError):
    """The connection ends with this frame: a protocol error with its own version and stream."""

    def __init__(self, version: int, stream: int, error: CqlError) -> None:
        super().__init__(str(error))
        self.frame = frames.frame(version, stream, frames.ERROR, responses.error_body(error))


class Connection(FrameConnection):
    """The asyncio side of a `Session`."""

    HEAD_BYTES: ClassVar[int] = frames.HEADER_LENGTH

    session: Session

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.read_buffer)
        self.peer = ("", 0)
        self._parts = parts
        self._segments: SegmentReader | None = None
        self._answers: list[bytes] = []
        self._answered_bytes = 0
        self._deadline = 0.0
        self._has_room = True
        self._rejects = False
        self._unsynced_bytes = 0

    def opened(self) -> None:
        parts, transport = self._parts, self.transport
        peer = transport.get_extra_info("peername") or ("", 0)
        own = transport.get_extra_info("sockname") or ("127.0.0.1", 0)
        self.peer = (peer[0], peer[1])
        self.session = Session(parts.state, parts.statements, Endpoint(own[0], own[1]))
        self.session.client = peer[0] or own[0]
        self.session.tell = parts.clients.broadcast
        self.session.clock = parts.clock.now_us
        if parts.clients.is_full:
            self.abort()
        else:
            parts.clients.add(self)

    def closed(self) -> None:
        self._parts.clients.forget(self)
        self._parts.budget.forget(self)

    def resume_writing(self) -> None:
        self._account()
        super().resume_writing()

    # --- buffered bytes

    def owed_bytes(self) -> int:
        """The bytes kept for this client: an incomplete request, and unsent answers."""
        return self.kept_bytes + self._unsent_bytes()

    def _unsent_bytes(self) -> int:
        return self._unsynced_bytes + self.transport.get_write_buffer_size()

    def _account(self) -> None:
        self._parts.budget.keep(self, self.owed_bytes())

    def try_again(self) -> None:
        """There may be room for more."""
        self.go(NO_ROOM)

    def _wait_for_room(self) -> None:
        self.stop(NO_ROOM)
        self._parts.budget.wait(self)

    def _throws_on_overload(self) -> bool:
        return self.session.options.get("THROW_ON_OVERLOAD") == "1"

    # --- answers on their way to the disk and to the client

    def send_now(self, answers: bytes) -> None:
        """Send answers that do not depend on the disk."""
        self.transport.write(answers)

    def hold(self, size: int) -> None:
        """Answers of `size` bytes wait for the disk."""
        self._unsynced_bytes += size
        if self._unsynced_bytes > self.WRITE_HIGH_WATER_BYTES:
            self.stop(UNSYNCED)

    def release(self, answers: bytes) -> None:
        """Send the held answers: their writes are on the disk."""
        self._unsynced_bytes -= len(answers)
        if self.transport.is_closing():
            return
        self.transport.write(answers)
        self._account()
        if self._unsynced_bytes <= self.WRITE_HIGH_WATER_BYTES:
            self.go(UNSYNCED)

    def fail(self, reason: str) -> None:
        """Drop the held answers: their writes did not reach the disk."""
        if not self.transport.is_closing():
            self._end(reason)

    def send(self, frame: bytes) -> None:
        """Send a frame that answers no request, i.e. an event."""
        self.push(self._framed([frame]))

    # --- a pass

    def begin_pass(self) -> None:
        self._deadline = perf_counter() + PASS_LIMIT_S
        self._answered_bytes = 0
        self._has_room = self._parts.budget.has_room(self, self.owed_bytes())
        self._rejects = not self._has_room and self._throws_on_overload()
        if not self._has_room and not self._rejects and self._unsent_bytes():
            self._wait_for_room()

    def frame_bytes(self, data: memoryview, position: int) -> int:
        version, flags, stream, _, length = frames.HEADER.unpack_from(data, position)
        own = self.session.version
        if not frames.is_served(version, flags) or (own and version != own):
            raise self._wrong_version(version, flags, stream)
        limit = self._parts.settings.native_transport_max_frame_size_bytes
        if length < 0:
            raise RejectedError(version, stream, ProtocolViolation(f"Invalid frame body length {length}"))
        if length > limit:
            message = f"Request is too big: length {length} exceeds maximum allowed length {limit}."
            raise RejectedError(version, stream, Invalid(message))
        return frames.HEADER_LENGTH + int(length)

    def handle(self, frame: memoryview) -> None:
        session = self.session
        version, flags, stream, opcode, _ = frames.HEADER.unpack_from(frame)
        body = bytes(frame[frames.HEADER_LENGTH :])
        rejected = self._rejects and opcode in _REJECTED_WHEN_OVERLOADED
        if flags & frames.FLAG_COMPRESSED and version < 5 and session.compression and not rejected:
            if self._fits(decompressed_size(session.compression, body)):
                body = decompress(session.compression, body, self._parts.settings.native_transport_max_frame_size_bytes)
            elif self._throws_on_overload():
                rejected = True
            else:
                self._wait_for_room()
                self.put_back()
                return
        if opcode == frames.AUTH_RESPONSE and self._checks_password(flags, body):
            self.put_back()
            return
        had_started = session.version
        if rejected:
            answer = self._overload(stream)
        else:
            answer = dispatch.answer(session, version, flags, stream, opcode, body, self._parts.clock.now_us())
        if session.compression and version < 5 and had_started:
            answer = _compressed(session.compression, answer)
        self._answers.append(answer)
        self._answered_bytes += len(answer)
        if session.version and not had_started and version >= 5:
            self._begin_segments()
        has_turn = self._has_room or self._rejects
        if not has_turn or self._answered_bytes > PASS_ANSWER_BYTES or perf_counter() > self._deadline:
            self.yield_turn()

    def end_pass(self) -> None:
        """Apply the writes of the pass, and send its answers. Raises `StorageError`."""
        if self._answers:
            answers, self._answers = self._answers, []
            self._parts.commit.flush()
            self._parts.commit.answer(self, self._framed(answers))
        self._account()

    def announced(self, begun: memoryview, size: int) -> None:
        """Make room for all of a large request."""
        if self._parts.budget.has_room(self, size + self._unsent_bytes()):
            return
        if self._throws_on_overload():
            self._answers.append(self._overload(frames.HEADER.unpack_from(begun)[2]))
            self.skip()
        else:
            self._wait_for_room()

    def _fits(self, size: int) -> bool:
        """Whether a request of that size fits beside what is buffered."""
        return size <= SMALL_FRAME_BYTES or self._parts.budget.has_room(self, self.owed_bytes() + size)

    def _begin_segments(self) -> None:
        """After the answer to STARTUP, both sides use segments."""
        self._parts.commit.flush()
        self.transport.write(b"".join(self._answers))
        self._answers = []
        self._segments = SegmentReader(compressed=self.session.compression == "lz4")
        self.decode_with(self._segments)

    def _overload(self, stream: int) -> bytes:
        budget = self._parts.budget
        message = (
            f"Request breached limit on bytes in flight. (Endpoint: {budget.used_by(self.peer[0])}/"
            f"{budget.limit_per_ip} bytes, Global: {budget.used}/{budget.limit} bytes.) Server is currently in an "
            "overloaded state and cannot accept more requests."
        )
        body = responses.error_body(Overloaded(message))
        return frames.frame(self.session.version or 4, stream, frames.ERROR, body)

    def _checks_password(self, flags: int, body: bytes) -> bool:
        """Whether a password must be compared first; the pass continues after that."""
        session, logins = self.session, self._parts.logins
        token = session.login_token(flags, body)
        if token is None or logins is None or not logins.check(session, token, lambda: self.go(LOGIN)):
            return False
        self.stop(LOGIN)
        return True

    def _framed(self, answers: list[bytes]) -> bytes:
        if self._segments is None:
            return answers[0] if len(answers) == 1 else b"".join(answers)
        return encode_segments(answers, compressed=self.session.compression == "lz4")

    # --- the end

    def broken(self, error: ProtocolError | StorageError) -> None:
        if self.transport.is_closing():
            return
        if isinstance(error, RejectedError):
            self.transport.write(self._framed([error.frame]))
            self.close()
        else:
            self._end(str(error))

    def _wrong_version(self, version: int, flags: int, stream: int) -> RejectedError:
        own = self.session.version
        answer_version = own or (max if version > frames.BETA_VERSION else min)(frames.SUPPORTED_VERSIONS)
        if version == frames.BETA_VERSION and not flags & frames.FLAG_BETA:
            message = f"Beta version of the protocol used ({_shown(version)}), but USE_BETA flag is unset"
            answer_version, stream = version, 0
        elif frames.is_served(version, flags):
            message = (
                f"Invalid message version. Got {_shown(version)} but previous messages on this connection had "
                f"version {_shown(own)}"
            )
        else:
            message = (
                f"Invalid or unsupported protocol version ({version & 0x7F}); supported versions are "
                f"({', '.join(PROTOCOL_VERSIONS)})"
            )
            stream = 0
        if self._segments is not None:
            answer_version = own  # a client that uses segments cannot read another version in them
        return RejectedError(answer_version, stream, ProtocolViolation(message))

    def _end(self, reason: str) -> None:
        """The peer broke the protocol, or the disk failed: send the error, log it once and close."""
        log.warning("closing the connection from %s:%d: %s", *self.peer, reason)
        body = responses.error_body(ServerFault(reason))
        version = self.session.version or 4
        self.transport.write(self._framed([frames.frame(version, 0, frames.ERROR, body)]))
        self.close()


def _compressed(algorithm: str, answer: bytes) -> bytes:
    """A response frame with its body compressed, as in v3 and v4."""
    version, flags, stream, opcode, _ = frames.HEADER.unpack_from(answer)
    body = compress(algorithm, answer[frames.HEADER_LENGTH :])
    return frames.HEADER.pack(version, flags | frames.FLAG_COMPRESSED, stream, opcode, len(body)) + body


def _shown(version: int) -> str:
    """A version as in SUPPORTED."""
    return next(name for name in PROTOCOL_VERSIONS if name.startswith(f"{version}/"))
