"""One connection: first a ConnectRequest or a four-letter word, then requests."""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
import time
from collections.abc import Callable
from typing import cast

import msgspec

from smackbox.base.errors import ProtocolError
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

WRITE_BUFFER_LIMIT = 4 * 1024 * 1024
SESSION_ID_LIMIT = 1 << 55
FOUR_LETTERS = 4
PASSWORD_BYTES = 16
NONCE_BYTES = 30
NULL_BUFFER = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i")
_HEADER = struct.Struct(">ii")
_WORDS = {word.encode(): word for word in WORDS}

log = logging.getLogger(__name__)


class ZooKeeperConnection(asyncio.Protocol, Client):
    """One connection: first a ConnectRequest or a four-letter word, then requests."""

    def __init__(self, parts: Parts) -> None:
        self.peer = ""
        self.session_id = 0
        self.stats = ConnectionStats("", 0, 0)
        self._parts = parts
        self._replies = parts.replies
        self._caller = Caller(0, self)
        self._login: DigestLogin | None = None
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._handle: Callable[[bytes], None] = self._connect

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_LIMIT)
        address = transport.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}"
        self.stats.peer = self.peer
        self._caller.identities.add(("ip", address[0]))
        subject = subject_name(transport.get_extra_info("peercert"))
        if subject is not None:
            self._caller.identities.add(("x509", subject))
        if self._replies.refusing:
            transport.close()
            return
        limit = self._parts.settings.max_client_cnxns
        if len(self._replies.clients) >= limit:
            log.warning("%s refused: max_client_cnxns %d is reached", self.peer, limit)
            transport.close()
            return
        self._replies.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._replies.clients.discard(self)
        self._parts.database.watches.remove_watcher(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self not in self._replies.clients:
            return
        if self.session_id == 0 and (word := _WORDS.get(bytes(self._buffer[:FOUR_LETTERS]))):
            self._transport.write(self._four_letter_word(word).encode())
            self.close()
            return
        began = time.perf_counter()
        requests = 0
        position = 0
        try:
            while (end := self._end_of_packet(position)) is not None:
                request = bytes(self._buffer[position + 4 : end])
                position = end
                requests += 1
                self._handle(request)
            del self._buffer[:position]
        except ProtocolError as error:
            log.warning("%s: %s; closed", self.peer, error)
            self.close()
        self.stats.received += requests
        self._parts.latency.count(requests, time.perf_counter() - began)
        self._replies.release()

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read from either."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def send(self, data: bytes, packets: int) -> None:
        if not self._transport.is_closing():
            self.stats.sent += packets
            self._transport.write(data)

    def close(self) -> None:
        self._replies.clients.discard(self)
        self._transport.close()

    def _end_of_packet(self, position: int) -> int | None:
        if len(self._buffer) - position < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, position)
        if not 0 <= length <= self._parts.settings.jute_maxbuffer:
            raise ProtocolError(f"a packet of {length} bytes (jute_maxbuffer {self._parts.settings.jute_maxbuffer})")
        end: int = position + _LENGTH.size + length
        return end if end <= len(self._buffer) else None

    def _connect(self, request: bytes) -> None:
        answered = self._open_session(request)
        if answered is None:
            self.close()
        else:
            self._replies.hold(self, [answered], last=self.session_id == 0)

    def _open_session(self, request: bytes) -> bytes | None:
        """The answer to a ConnectRequest, or None where the connection is to be closed without one."""
        asked = read_connect(request)
        settings, database = self._parts.settings, self._parts.database
        if asked.last_zxid_seen > database.zxid:
            log.info("%s has seen a later transaction than there is: closed", self.peer)
            return None
        timeout_ms = min(max(asked.timeout_ms, settings.min_session_timeout_ms), settings.max_session_timeout_ms)
        if asked.session_id == 0:
            session_id = secrets.randbelow(SESSION_ID_LIMIT) + 1
            session = database.create_session(session_id, timeout_ms, secrets.token_bytes(PASSWORD_BYTES))
        else:
            now_ms = database.monotonic_ms()
            resumed = database.sessions.resume(asked.session_id, asked.password, timeout_ms, now_ms)
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
        """One step of SASL; a login that fails ends the connection."""
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
        wanted = self._parts.settings.super_digest
        if wanted is not None and ("digest", wanted) in self._caller.identities:
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
