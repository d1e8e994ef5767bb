"""One connection: first a ConnectRequest or a four-letter word, then requests."""

from __future__ import annotations

import logging
import secrets
import struct
import time
from collections.abc import Callable
from typing import ClassVar

import msgspec

from smackbox.base.errors import ProtocolError, StorageError
from smackbox.net.connection import FrameConnection
from smackbox.net.tls import subject_name
from smackbox.zookeeper.handlers import dispatch
from smackbox.zookeeper.handlers.call import Call, Caller
from smackbox.zookeeper.handlers.four_letter_words import WORDS, ConnectionStats, ServerStats, answer
from smackbox.zookeeper.server.parts import Parts
from smackbox.zookeeper.server.replies import Client
from smackbox.zookeeper.state.acl import SUPER
from smackbox.zookeeper.state.digest_login import DigestLogin, LoginFailed
from smackbox.zookeeper.wire.codes import Code, Op
from smackbox.zookeeper.wire.jute import Reader
from smackbox.zookeeper.wire.records import connect_response, read_connect, reply

SESSION_ID_LIMIT = 1 << 55
FOUR_LETTERS = 4
PASSWORD_BYTES = 16
NONCE_BYTES = 30
NULL_BUFFER = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i")
_HEADER = struct.Struct(">ii")
_WORDS = {word.encode(): word for word in WORDS}

log = logging.getLogger(__name__)


class ZooKeeperConnection(FrameConnection, Client):
    """One connection: first a ConnectRequest or a four-letter word, then requests."""

    HEAD_BYTES: ClassVar[int] = _LENGTH.size
    WRITE_HIGH_WATER_BYTES: ClassVar[int] = 4 * 1024 * 1024

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.read_buffer)
        self.peer = ""
        self.session_id = 0
        self.stats = ConnectionStats("", 0, 0)
        self._parts = parts
        self._replies = parts.replies
        self._caller = Caller(0, self)
        self._login: DigestLogin | None = None
        self._handle: Callable[[bytes], None] = self._connect
        self._began = 0.0
        self._requests = 0

    def opened(self) -> None:
        address = self.transport.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}"
        self.stats.peer = self.peer
        self._caller.identities.add(("ip", address[0]))
        subject = subject_name(self.transport.get_extra_info("peercert"))
        if subject is not None:
            self._caller.identities.add(("x509", subject))
        limit = self._parts.settings.max_client_cnxns
        if self._replies.refusing:
            self.close()
        elif len(self._replies.clients) >= limit:
            log.warning("%s refused: max_client_cnxns %d is reached", self.peer, limit)
            self.close()
        else:
            self._replies.clients.add(self)

    def closed(self) -> None:
        self._replies.clients.discard(self)
        self._parts.database.watches.remove_watcher(self)

    def broken(self, error: ProtocolError | StorageError) -> None:
        log.warning("%s: %s; closed", self.peer, error)
        self.close()

    def send(self, data: bytes, packets: int) -> None:
        if not self.transport.is_closing():
            self.stats.sent += packets
            self.transport.write(data)

    def close(self) -> None:
        self._replies.clients.discard(self)
        super().close()

    # --- a pass

    def begin_pass(self) -> None:
        self._began = time.perf_counter()
        self._requests = 0

    def frame_bytes(self, data: memoryview, position: int) -> int:
        if self.session_id == 0 and bytes(data[position : position + FOUR_LETTERS]) in _WORDS:
            return FOUR_LETTERS
        (length,) = _LENGTH.unpack_from(data, position)
        if not 0 <= length <= self._parts.settings.jute_maxbuffer:
            raise ProtocolError(f"a packet of {length} bytes (jute_maxbuffer {self._parts.settings.jute_maxbuffer})")
        return _LENGTH.size + int(length)

    def handle(self, frame: memoryview) -> None:
        if self.session_id == 0 and (word := _WORDS.get(bytes(frame))):
            self.transport.write(self._four_letter_word(word).encode())
            self.close()
            return
        self._requests += 1
        self._handle(bytes(frame[_LENGTH.size :]))

    def end_pass(self) -> None:
        self.stats.received += self._requests
        self._parts.latency.count(self._requests, time.perf_counter() - self._began)
        self._replies.release()

    def _connect(self, request: bytes) -> None:
        answered = self._open_session(request)
        if answered is None:
            self.close()
        else:
            self._replies.hold(self, [answered], last=self.session_id == 0)

    def _open_session(self, request: bytes) -> bytes | None:
        """The answer to a ConnectRequest, or None if the connection must be closed without one."""
        connect = read_connect(request)
        settings, database = self._parts.settings, self._parts.database
        if connect.last_zxid_seen > database.zxid:
            log.info("%s has seen a transaction newer than the last one: closed", self.peer)
            return None
        timeout_ms = min(max(connect.timeout_ms, settings.min_session_timeout_ms), settings.max_session_timeout_ms)
        if connect.session_id == 0:
            session_id = secrets.randbelow(SESSION_ID_LIMIT) + 1
            session = database.create_session(session_id, timeout_ms, secrets.token_bytes(PASSWORD_BYTES))
        else:
            now_ms = database.monotonic_ms()
            resumed = database.sessions.resume(connect.session_id, connect.password, timeout_ms, now_ms)
            if resumed is None:
                return connect_response(0, 0, bytes(PASSWORD_BYTES))
            session = resumed
            for other in [client for client in self._replies.clients if client.session_id == session.id]:
                other.close()
        self.session_id = self._caller.session_id = self.stats.session_id = session.id
        self._handle = self._request
        return connect_response(session.timeout_ms, session.id, session.password)

    def _request(self, request: bytes) -> None:
        if len(request) < _HEADER.size:
            raise ProtocolError(f"a request of {len(request)} bytes")
        xid, kind = _HEADER.unpack_from(request)
        database = self._parts.database
        session = database.sessions.get(self.session_id)
        if session is None:
            self.close()
            return
        database.sessions.touch(session, database.monotonic_ms())
        if kind == Op.PING:
            self._replies.hold(self, [reply(xid, database.zxid, Code.OK)])
        elif kind == Op.CLOSE_SESSION:
            database.close_session(self.session_id)
            self._replies.hold(self, [reply(xid, database.zxid, Code.OK)], last=True)
        elif kind == Op.SASL and self._parts.settings.sasl_users:
            self._log_in(xid, Reader(request[_HEADER.size :]))
        else:
            code, record = dispatch.handle(kind, Call(Reader(request[_HEADER.size :]), self._caller, database))
            if kind == Op.AUTH:
                self._become_super()
            self._replies.hold(self, [reply(xid, database.zxid, code, record)], last=code is Code.AUTH_FAILED)

    def _log_in(self, xid: int, reader: Reader) -> None:
        """One step of SASL; a failed login closes the connection."""
        if self._login is None:
            nonce = secrets.token_urlsafe(NONCE_BYTES)
            self._login = DigestLogin(self._parts.settings.sasl_users, nonce)
        try:
            token = self._login.step(reader.buffer() or b"")
        except LoginFailed as error:
            log.warning("%s: %s", self.peer, error)
            self._replies.hold(self, [reply(xid, 0, Code.AUTH_FAILED, NULL_BUFFER)], last=True)
            return
        if self._login.user is not None:
            self._caller.identities.add(("sasl", self._login.user))
        self._replies.hold(self, [reply(xid, 0, Code.OK, _LENGTH.pack(len(token)) + token)])

    def _become_super(self) -> None:
        super_digest = self._parts.settings.super_digest
        if super_digest is not None and ("digest", super_digest) in self._caller.identities:
            self._caller.identities.add(SUPER)

    def _four_letter_word(self, word: str) -> str:
        parts, latency = self._parts, self._parts.latency
        settings = {"clientPort": parts.port, **msgspec.structs.asdict(parts.settings)}
        del settings["sasl_users"]
        stats = ServerStats(
            parts.database,
            [client.stats for client in parts.replies.clients if isinstance(client, ZooKeeperConnection)],
            parts.port,
            latency.requests,
            parts.replies.sent,
            latency.min_ms,
            latency.average_ms,
            latency.max_ms,
            settings,
        )
        return answer(word, stats, parts.settings.four_letter_words)
