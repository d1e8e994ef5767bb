"""One client's socket: frames are cut from what arrives, all of them answered in one pass, and sent at once.

A pass is what one read of the socket delivered: its writes go to the store as one batch, and the answers leave in one
write after the batch is applied. While a slow client does not take its answers, or a slow disk keeps them back, nothing
more is read from it, so what is kept for it is bounded by one pass. A pass that takes long, or whose answers are large,
is cut there and goes on after other connections had their turn. Events are not asked for one by one, so a client that
leaves too many of them unread is cut off. Over the limits of all connections together (`budget`) one answer is made at
a time, and only for who takes it, and the rest of a large request is not read.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from time import perf_counter
from typing import cast

from smackbox.base.errors import ProtocolError, StorageError
from smackbox.cassandra.execution.context import ServerState
from smackbox.cassandra.protocol import dispatch
from smackbox.cassandra.protocol.session import Session
from smackbox.cassandra.protocol.startup import PROTOCOL_VERSIONS
from smackbox.cassandra.server.budget import Budget
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

log = logging.getLogger(__name__)

WRITE_HIGH_WATER_BYTES = 1024 * 1024
PASS_LIMIT_S = 0.02
PASS_ANSWER_BYTES = 1024 * 1024
UNREAD_EVENT_BYTES = 1024 * 1024
# what is not larger comes with one read of the socket, whether there is room for it or not
SMALL_FRAME_BYTES = 64 * 1024


_REFUSED_WHEN_OVERLOADED = frozenset({frames.QUERY, frames.PREPARE, frames.EXECUTE, frames.BATCH})


@dataclass(frozen=True, slots=True)
class Parts:
    """What the connections of one server need of it. `logins` is None where nobody has to log in."""

    settings: CassandraSettings
    state: ServerState
    statements: Statements
    clients: Clients
    budget: Budget
    commit: GroupCommit
    logins: Logins | None
    clock: ServerClock


class Arrival(asyncio.Protocol):
    """A socket that has just been accepted: it becomes a `Connection`, or is closed where there are too many."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # uvloop's is one by its methods alone
        if self._parts.clients.is_full:
            stream.abort()
            return
        connection = Connection(stream, self._parts)
        self._parts.clients.add(connection)
        stream.set_protocol(connection)


class Connection(asyncio.Protocol):
    """The asyncio side of a `Session`."""

    def __init__(self, transport: asyncio.Transport, parts: Parts) -> None:
        self.transport = transport
        self._parts = parts
        self._buffer = bytearray()
        self._segments: SegmentReader | None = None
        self._waiting = False
        self._more = False
        self._overloaded = False
        self._frame_bytes = 0
        self._skipped_bytes = 0
        self._unsynced_bytes = 0
        self._unread_event_bytes = 0
        peer = transport.get_extra_info("peername") or ("", 0)
        own = transport.get_extra_info("sockname") or ("127.0.0.1", 0)
        self.peer = (peer[0], peer[1])
        transport.set_write_buffer_limits(WRITE_HIGH_WATER_BYTES)
        self.session = Session(parts.state, parts.statements, Endpoint(own[0], own[1]))
        self.session.client = peer[0] or own[0]
        self.session.tell = parts.clients.broadcast
        self.session.clock = parts.clock.now_us

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._parts.clients.forget(self)
        self._parts.budget.forget(self)

    def pause_writing(self) -> None:
        self._waiting = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._waiting = False
        self._account()
        self._resume()

    def try_again(self) -> None:
        """There may be room for more now."""
        self._overloaded = False
        if not self.transport.is_closing():
            self._resume()

    def kept_bytes(self) -> int:
        """What is kept for this client: a request that has not come to its end, and answers not taken."""
        return max(len(self._buffer), self._frame_bytes) + self._unsent_bytes()

    def _unsent_bytes(self) -> int:
        return self._unsynced_bytes + self.transport.get_write_buffer_size()

    def _account(self) -> None:
        self._parts.budget.keep(self, self.kept_bytes())

    def _wait_for_room(self) -> None:
        self._overloaded = True
        self.transport.pause_reading()
        self._parts.budget.wait(self)

    def send_now(self, answers: bytes) -> None:
        """Send answers that need not wait for the disk."""
        self.transport.write(answers)

    def hold(self, size: int) -> None:
        """Answers of `size` bytes wait for the disk."""
        self._unsynced_bytes += size
        if self._is_full() and not self.transport.is_closing():
            self.transport.pause_reading()

    def release(self, answers: bytes) -> None:
        """Send answers that were held: what they tell of is on the disk."""
        was_full = self._is_full()
        self._unsynced_bytes -= len(answers)
        if self.transport.is_closing():
            return
        self.transport.write(answers)
        self._account()
        if was_full:
            self._resume()

    def fail(self, reason: str) -> None:
        """Answers that were held may not be sent: what they tell of did not reach the disk."""
        if not self.transport.is_closing():
            self._break(reason)

    def _is_full(self) -> bool:
        """Whether no more answers are to be made at the moment."""
        return self._waiting or self._overloaded or self._unsynced_bytes > WRITE_HIGH_WATER_BYTES

    def _resume(self) -> None:
        if self._more or self._is_full() or self.transport.is_closing():
            return  # the rest of the pass comes first
        self.transport.resume_reading()
        if self._buffer or (self._segments is not None and self._segments.is_behind):
            try:
                self._pass()
            except (ProtocolError, StorageError) as error:
                self._break(str(error))

    def data_received(self, data: bytes) -> None:
        try:
            if self._segments is not None:
                # what comes while earlier requests wait stays as small as it came
                waits = self._more or self._is_full()
                data = self._segments.feed(data, 0) if waits else self._segments.feed(data)
            if self._skipped_bytes:
                data = self._skip(data)
            self._buffer += data
            self._pass()
        except (ProtocolError, StorageError) as error:
            self._break(str(error))

    def _go_on(self) -> None:
        """The rest of a pass that was cut."""
        self._more = False
        if self._is_full() or self.transport.is_closing():
            return
        try:
            self._pass()
        except (ProtocolError, StorageError) as error:
            self._break(str(error))
            return
        if not (self._more or self._is_full() or self.transport.is_closing()):
            self.transport.resume_reading()

    def send(self, frame: bytes) -> None:
        """Send a frame that answers no request: an event."""
        if self.transport.is_closing():
            return
        if not self.transport.get_write_buffer_size():
            self._unread_event_bytes = 0
        self._unread_event_bytes += len(frame)
        self.transport.write(self._framed([frame]))
        if self._unread_event_bytes > UNREAD_EVENT_BYTES:
            log.warning("closing the connection from %s:%d: it does not read its events", *self.peer)
            self.transport.abort()

    def _pass(self) -> None:
        """Answer every whole frame in the buffer."""
        if self._is_full() or self._more or self.transport.is_closing():
            return
        answers: list[bytes] = []
        buffer = self._buffer
        offset = 0
        size = len(buffer)
        session = self.session
        now_us = self._parts.clock.now_us
        head = frames.HEADER
        limit = self._parts.settings.native_transport_max_frame_size_bytes
        deadline = perf_counter() + PASS_LIMIT_S
        answered = 0
        unfinished = (0, 0)
        budget = self._parts.budget
        has_room = budget.has_room(self, self.kept_bytes())
        throws = not has_room and session.options.get("THROW_ON_OVERLOAD") == "1"
        if not has_room and not throws and self._unsent_bytes():
            self._wait_for_room()
            return
        while size - offset >= frames.HEADER_LENGTH:
            version, flags, stream, opcode, length = head.unpack_from(buffer, offset)
            if not frames.is_served(version, flags) or (session.version and version != session.version):
                self._refuse_version(version, flags, stream, answers)
                return
            if length < 0 or length > limit:
                self._parts.commit.flush()
                self._send(answers)
                self._refuse_length(version, stream, length, limit)
                return
            start = offset + frames.HEADER_LENGTH
            if size < start + length:
                unfinished = (stream, frames.HEADER_LENGTH + length)
                break
            self._frame_bytes = 0
            body = bytes(buffer[start : start + length])
            begin = offset
            offset = start + length
            refused = throws and opcode in _REFUSED_WHEN_OVERLOADED
            if flags & frames.FLAG_COMPRESSED and version < 5 and session.compression and not refused:
                try:
                    if not self._fits(decompressed_size(session.compression, body)):
                        if session.options.get("THROW_ON_OVERLOAD") != "1":
                            offset = begin
                            self._wait_for_room()
                            break
                        refused = True
                    body = b"" if refused else decompress(session.compression, body, limit)
                except ProtocolError:
                    self._parts.commit.flush()
                    self._send(answers)  # of the frames before it
                    raise
            if opcode == frames.AUTH_RESPONSE and self._checks_password(session, flags, body):
                offset = begin
                break
            had_started = session.version
            if refused:
                answer = self._overload(stream)
            else:
                answer = dispatch.answer(session, version, flags, stream, opcode, body, now_us())
            if session.compression and version < 5 and had_started:
                answer = _compressed(session.compression, answer)
            answers.append(answer)
            answered += len(answer)
            if session.version and not had_started and version >= 5:
                # what comes after the answer to STARTUP is in segments, on both sides
                self._parts.commit.flush()
                self.transport.write(b"".join(answers))
                answers = []
                compressed = session.compression == "lz4"
                rest = bytes(buffer[offset:])
                del buffer[:]
                self._segments = SegmentReader(compressed=compressed)
                buffer += self._segments.feed(rest)
                offset = 0
                size = len(buffer)
            if answered > PASS_ANSWER_BYTES or perf_counter() > deadline or not (has_room or throws):
                self._more = True
                self.transport.pause_reading()
                asyncio.get_running_loop().call_soon(self._go_on)
                break
        if offset:
            del buffer[:offset]
        if answers:
            try:
                self._parts.commit.flush()
            except StorageError as error:
                self._break(str(error))
                return
            self._send(answers)
        if unfinished[1] > SMALL_FRAME_BYTES and not self._frame_bytes:
            self._make_room(*unfinished)
        if self._segments is not None and self._segments.is_behind and not (self._more or self._is_full()):
            self._unpack_more(self._segments)
        self._account()

    def _unpack_more(self, segments: SegmentReader) -> None:
        """The requests that were unpacked are answered: the next part, after other connections had their turn."""
        if self.transport.is_closing():
            return
        data = segments.feed(b"")
        self._buffer += self._skip(data) if self._skipped_bytes else data
        self._more = True
        self.transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._go_on)

    def _fits(self, size: int) -> bool:
        """Whether there is room for a request of that size beside what is kept."""
        return size <= SMALL_FRAME_BYTES or self._parts.budget.has_room(self, self.kept_bytes() + size)

    def _make_room(self, stream: int, frame_bytes: int) -> None:
        """See to it that there is room for all of the request that has begun to come, once for each."""
        self._frame_bytes = frame_bytes
        if self._parts.budget.has_room(self, self.kept_bytes()):
            return
        self._frame_bytes = 0
        if self.session.options.get("THROW_ON_OVERLOAD") == "1":
            self._skipped_bytes = frame_bytes - len(self._buffer)
            self._buffer.clear()
            self._send([self._overload(stream)])
        else:
            self._wait_for_room()

    def _skip(self, data: bytes) -> bytes:
        """What follows a request that was refused before it had come."""
        skipped = min(self._skipped_bytes, len(data))
        self._skipped_bytes -= skipped
        return data[skipped:]

    def _overload(self, stream: int) -> bytes:
        body = responses.error_body(Overloaded(self._parts.budget.reason(self)))
        return frames.frame(self.session.version or 4, stream, frames.ERROR, body)

    def _checks_password(self, session: Session, flags: int, body: bytes) -> bool:
        """Whether a password has to be compared first; the pass goes on when that is done."""
        token = session.login_token(flags, body)
        if token is None or self._parts.logins is None or not self._parts.logins.check(session, token, self._go_on):
            return False
        self._more = True
        self.transport.pause_reading()
        return True

    def _send(self, answers: list[bytes]) -> None:
        if answers:
            self._parts.commit.answer(self, self._framed(answers))

    def _framed(self, answers: list[bytes]) -> bytes:
        if self._segments is None:
            return answers[0] if len(answers) == 1 else b"".join(answers)
        return encode_segments(answers, compressed=self.session.compression == "lz4")

    def _refuse_version(self, version: int, flags: int, stream: int, answers: list[bytes]) -> None:
        self._parts.commit.flush()
        self._send(answers)
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
            answer_version = own  # a client that reads segments reads no other version in them
        body = responses.error_body(ProtocolViolation(message))
        self.transport.write(self._framed([frames.frame(answer_version, stream, frames.ERROR, body)]))
        self._buffer.clear()
        self.transport.close()

    def _refuse_length(self, version: int, stream: int, length: int, limit: int) -> None:
        error: CqlError = (
            ProtocolViolation(f"Invalid frame body length {length}")
            if length < 0
            else Invalid(f"Request is too big: length {length} exceeds maximum allowed length {limit}.")
        )
        frame = frames.frame(version, stream, frames.ERROR, responses.error_body(error))
        self.transport.write(self._framed([frame]))
        self._buffer.clear()
        self.transport.close()

    def _break(self, reason: str) -> None:
        """The peer broke the protocol, or the disk failed it: say so, log it once and close."""
        log.warning("closing the connection from %s:%d: %s", *self.peer, reason)
        body = responses.error_body(ServerFault(reason))
        version = self.session.version or 4
        self.transport.write(self._framed([frames.frame(version, 0, frames.ERROR, body)]))
        self.transport.close()


def _compressed(algorithm: str, answer: bytes) -> bytes:
    """A response frame with its body compressed, as v3 and v4 have it."""
    version, flags, stream, opcode, _ = frames.HEADER.unpack_from(answer)
    body = compress(algorithm, answer[frames.HEADER_LENGTH :])
    return frames.HEADER.pack(version, flags | frames.FLAG_COMPRESSED, stream, opcode, len(body)) + body


def _shown(version: int) -> str:
    """As in the list of versions in SUPPORTED."""
    return next(name for name in PROTOCOL_VERSIONS if name.startswith(f"{version}/"))
