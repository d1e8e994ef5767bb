"""The server: connections, sessions' clocks, and the order of things on the wire.

All packets of one socket read are handled in one pass. Their replies, and the events that they caused on any
connection, are held back until the log is written (and with `sync` is on the disk); then they go out in order. What a
client hears of has therefore outlived a kill of this process.

When the disk refuses, nothing of what was held back goes out: every connection is closed, so that clients do not know
whether their last requests were done, and no other is taken until the log is written. Sessions do not expire meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import cast

import msgspec

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import ProtocolError, StartError, StorageError
from smackbox.net.listener import bind
from smackbox.net.tls import server_context, subject_name
from smackbox.store.data_dir import DataDir
from smackbox.store.fs import Disk, FileSystem
from smackbox.zookeeper.handlers import dispatch
from smackbox.zookeeper.handlers.call import Call, Caller
from smackbox.zookeeper.handlers.four_letter_words import WORDS, ConnectionFigures, ServerFigures, answer
from smackbox.zookeeper.settings import ZooKeeperSettings
from smackbox.zookeeper.state.acl import SUPER
from smackbox.zookeeper.state.database import Database
from smackbox.zookeeper.state.digest_login import DigestLogin, LoginFailed
from smackbox.zookeeper.wire.codes import Code, Op
from smackbox.zookeeper.wire.jute import Reader
from smackbox.zookeeper.wire.records import connect_response, event, packet, read_connect, reply

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


class ZooKeeperServer:
    """One ZooKeeper: a `Service`."""

    name = "zookeeper"

    def __init__(
        self, settings: ZooKeeperSettings, *, clock: Clock | None = None, fs: FileSystem | None = None
    ) -> None:
        settings.check()
        self.settings = settings
        self.refusing = False
        self._fs: FileSystem = fs or Disk()
        self.database: Database
        self.connections: set[ZooKeeperConnection] = set()
        self._clock: Clock = clock or SystemClock()
        self._data_dir: DataDir | None = None
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._port = self.secure_port = 0
        self._received = self._sent = 0
        self._latency_count, self._latency_sum, self._latency_max = 0, 0.0, 0.0
        self._last_sweep_ms = 0
        self._held: list[tuple[ZooKeeperConnection, list[bytes], bool]] = []
        self._syncing: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """`host:port`, as clients' connect strings take it."""
        return f"{self.settings.host}:{self._port}"

    # --- life

    async def start(self) -> None:
        """Open the data directory, then the port. Raises `StartError`."""
        settings = self.settings
        listener = bind(settings.host, settings.port, name=self.name, insecure=settings.insecure)
        secure: socket.socket | None = None
        try:
            self._port = listener.getsockname()[1]
            tls = self._tls()
            if settings.secure_port is not None:
                known = settings.ssl_client_auth == "need"
                insecure = settings.insecure
                secure = bind(
                    settings.host, settings.secure_port, name=self.name, insecure=insecure, authenticated=known
                )
                self.secure_port = secure.getsockname()[1]
            self._data_dir = DataDir.open(settings.dir)
            try:
                self.database = Database(self._data_dir.path, self._clock, self._fs)
            except StorageError as error:
                raise StartError(str(error)) from error
            if self.database.cut_bytes:
                log.warning("cut %d bytes off the end of a torn transaction log", self.database.cut_bytes)
            loop = asyncio.get_running_loop()
            self._servers.append(await loop.create_server(lambda: ZooKeeperConnection(self), sock=listener))
            if secure is not None:
                made = await loop.create_server(lambda: ZooKeeperConnection(self), sock=secure, ssl=tls)
                self._servers.append(made)
        except BaseException:
            listener.close()
            if secure is not None:
                secure.close()
            if self._data_dir is not None:
                self._data_dir.close()
            raise
        self._last_sweep_ms = self._clock.monotonic_ms()
        self._tick()

    def _tls(self) -> ssl.SSLContext | None:
        """Raises `StartError` when the certificates cannot be read."""
        settings = self.settings
        if settings.secure_port is None or settings.ssl_certfile is None:
            return None
        verify = {"none": ssl.CERT_NONE, "want": ssl.CERT_OPTIONAL, "need": ssl.CERT_REQUIRED}[settings.ssl_client_auth]
        return server_context(self.name, settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_cafile, verify)

    async def probe(self) -> None:
        """Ask for a session and end it. Raises `StartError`."""
        reader, writer = await asyncio.open_connection(self.settings.host, self._port)
        try:
            writer.write(packet(struct.pack(">iqiq", 0, 0, self.settings.min_session_timeout_ms, 0) + _LENGTH.pack(0)))
            (length,) = _LENGTH.unpack(await reader.readexactly(4))
            answered = await reader.readexactly(length)
            if _LENGTH.unpack_from(answered, 4)[0] == 0:
                raise StartError(f"{self.url} gives no session")
            writer.write(packet(_HEADER.pack(1, Op.CLOSE_SESSION)))
            await reader.readexactly(20)
        finally:
            writer.close()
            await writer.wait_closed()

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.close()
        if self._syncing is not None:
            await self._syncing
        if hasattr(self, "database"):
            try:
                self.database.close()
            except StorageError as error:
                log.error("zookeeper stops without its last transactions, which it acknowledged to nobody: %s", error)
        if self._data_dir is not None:
            self._data_dir.close()

    def _tick(self) -> None:
        """Sessions that are silent, nodes whose time is over, a snapshot that is due."""
        more = False
        try:
            if self.refusing:
                self._try_again()
            else:
                more = self._keep_house()
        finally:
            delay_s = 0 if more else self.settings.tick_time_ms / 4_000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _keep_house(self) -> bool:
        """Whether a snapshot is under way."""
        database = self.database
        for session_id in database.expire_sessions():
            for connection in [one for one in self.connections if one.session_id == session_id]:
                connection.close()
        if self._clock.monotonic_ms() - self._last_sweep_ms >= self.settings.sweep_interval_ms:
            self._last_sweep_ms = self._clock.monotonic_ms()
            database.sweep()
        self.release()
        try:
            return not self.refusing and database.snapshot_step()
        except StorageError as error:
            log.error("no snapshot could be written: %s", error)
            return False

    # --- a disk that refuses

    def _refuse(self, error: StorageError) -> None:
        """The log cannot be written: answer nobody until it can."""
        log.error("zookeeper closes all connections, for its log cannot be written: %s", error)
        self.refusing = True
        self._held.clear()
        self.database.outbox.clear()
        for connection in list(self.connections):
            connection.close()

    def _try_again(self) -> None:
        database = self.database
        try:
            database.journal.flush()
            if self.settings.sync:
                database.journal.sync()
        except StorageError:
            return
        log.warning("zookeeper's log can be written again")
        self.refusing = False
        for session in database.sessions.all():
            database.sessions.touch(session, database.monotonic_ms())

    # --- sessions

    def negotiate(self, timeout_ms: int) -> int:
        return min(max(timeout_ms, self.settings.min_session_timeout_ms), self.settings.max_session_timeout_ms)

    def connect(self, connection: ZooKeeperConnection, request: bytes) -> bytes | None:
        """The answer to a ConnectRequest, or None where the connection is to be closed without one."""
        asked = read_connect(request)
        database = self.database
        if asked.last_zxid_seen > database.zxid:
            log.info("%s has seen a later transaction than there is: closed", connection.peer)
            return None
        timeout_ms = self.negotiate(asked.timeout_ms)
        if asked.session_id == 0:
            session_id = secrets.randbelow(SESSION_ID_LIMIT) + 1
            session = database.create_session(session_id, timeout_ms, secrets.token_bytes(PASSWORD_BYTES))
        else:
            now_ms = database.monotonic_ms()
            resumed = database.sessions.resume(asked.session_id, asked.password, timeout_ms, now_ms)
            if resumed is None:
                return connect_response(0, 0, bytes(PASSWORD_BYTES))
            session = resumed
            for other in [one for one in self.connections if one.session_id == session.id]:
                other.close()
        connection.open_session(session.id)
        return connect_response(session.timeout_ms, session.id, session.password)

    # --- replies

    def hold(self, connection: ZooKeeperConnection, replies: list[bytes], *, last: bool = False) -> None:
        """Send these after the log is written; `last` closes the connection then."""
        self._held.append((connection, replies, last))

    def release(self) -> None:
        """Write the log, then send what was held back, events before the replies of those who caused them."""
        database = self.database
        if self.refusing:
            return
        try:
            database.journal.flush()
        except StorageError as error:
            self._refuse(error)
            return
        events: dict[ZooKeeperConnection, list[bytes]] = {}
        for watcher, kind, path in database.outbox:
            if isinstance(watcher, ZooKeeperConnection):
                events.setdefault(watcher, []).append(event(kind, path))
        database.outbox.clear()
        held = [(connection, packets, False) for connection, packets in events.items()]
        self._held = held + self._held
        if not self._held:
            return
        if self.settings.sync:
            if self._syncing is None:
                self._syncing = asyncio.get_running_loop().create_task(self._sync_then_send())
        else:
            self._send(self._held)
            self._held = []

    async def _sync_then_send(self) -> None:
        try:
            while self._held:
                held, self._held = self._held, []
                await asyncio.to_thread(self.database.journal.sync)
                self._send(held)
        except StorageError as error:
            self._refuse(error)
        finally:
            self._syncing = None

    def _send(self, held: list[tuple[ZooKeeperConnection, list[bytes], bool]]) -> None:
        for connection, replies, last in held:
            self._sent += len(replies)
            connection.send(b"".join(replies), len(replies))
            if last:
                connection.close()

    # --- figures

    def count(self, requests: int, seconds: float) -> None:
        self._received += requests
        self._latency_count += requests
        self._latency_sum += seconds * 1_000
        self._latency_max = max(self._latency_max, seconds * 1_000)

    def four_letter_word(self, word: str) -> str:
        settings = {"clientPort": self._port, **msgspec.structs.asdict(self.settings)}
        del settings["sasl_users"]
        figures = ServerFigures(
            self.database,
            [one.figures for one in self.connections],
            self._port,
            self._received,
            self._sent,
            0.0,
            self._latency_sum / max(self._latency_count, 1),
            self._latency_max,
            settings,
        )
        return answer(word, figures, self.settings.four_letter_words)


class ZooKeeperConnection(asyncio.Protocol):
    """One connection: first a ConnectRequest or a four-letter word, then requests."""

    def __init__(self, server: ZooKeeperServer) -> None:
        self.peer = ""
        self.session_id = 0
        self.figures = ConnectionFigures("", 0, 0)
        self._server = server
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
        self.figures.peer = self.peer
        self._caller.identities.add(("ip", address[0]))
        subject = subject_name(transport.get_extra_info("peercert"))
        if subject is not None:
            self._caller.identities.add(("x509", subject))
        if self._server.refusing:
            transport.close()
            return
        if len(self._server.connections) >= self._server.settings.max_client_cnxns:
            log.warning("%s refused: max_client_cnxns %d is reached", self.peer, self._server.settings.max_client_cnxns)
            transport.close()
            return
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        if hasattr(self._server, "database"):
            self._server.database.watches.remove_watcher(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self not in self._server.connections:
            return
        if self.session_id == 0 and (word := _WORDS.get(bytes(self._buffer[:FOUR_LETTERS]))):
            self._transport.write(self._server.four_letter_word(word).encode())
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
        self.figures.received += requests
        self._server.count(requests, time.perf_counter() - began)
        self._server.release()

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read from either."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def open_session(self, session_id: int) -> None:
        self.session_id = self._caller.session_id = self.figures.session_id = session_id
        self._handle = self._request

    def send(self, data: bytes, packets: int) -> None:
        if not self._transport.is_closing():
            self.figures.sent += packets
            self._transport.write(data)

    def close(self) -> None:
        self._server.connections.discard(self)
        self._transport.close()

    def _end_of_packet(self, position: int) -> int | None:
        if len(self._buffer) - position < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, position)
        if not 0 <= length <= self._server.settings.jute_maxbuffer:
            raise ProtocolError(f"a packet of {length} bytes (jute_maxbuffer {self._server.settings.jute_maxbuffer})")
        end: int = position + _LENGTH.size + length
        return end if end <= len(self._buffer) else None

    def _connect(self, request: bytes) -> None:
        answered = self._server.connect(self, request)
        if answered is None:
            self.close()
        else:
            self._server.hold(self, [answered], last=self.session_id == 0)

    def _request(self, request: bytes) -> None:
        if len(request) < _HEADER.size:
            raise ProtocolError(f"a request of {len(request)} bytes")
        xid, kind = _HEADER.unpack_from(request)
        database = self._server.database
        session = database.sessions.get(self.session_id)
        if session is None:
            self.close()
            return
        database.sessions.touch(session, database.monotonic_ms())
        if kind == Op.PING:
            self._server.hold(self, [reply(xid, database.zxid, Code.OK)])
        elif kind == Op.CLOSE_SESSION:
            database.close_session(self.session_id)
            self._server.hold(self, [reply(xid, database.zxid, Code.OK)], last=True)
        elif kind == Op.SASL and self._server.settings.sasl_users:
            self._log_in(xid, Reader(request[_HEADER.size :]))
        else:
            code, record = dispatch.handle(kind, Call(Reader(request[_HEADER.size :]), self._caller, database))
            if kind == Op.AUTH:
                self._become_super()
            self._server.hold(self, [reply(xid, database.zxid, code, record)], last=code is Code.AUTH_FAILED)

    def _log_in(self, xid: int, reader: Reader) -> None:
        """One step of SASL; a login that fails ends the connection."""
        if self._login is None:
            nonce = secrets.token_urlsafe(NONCE_BYTES)
            self._login = DigestLogin(self._server.settings.sasl_users, nonce)
        try:
            token = self._login.step(reader.buffer() or b"")
        except LoginFailed as error:
            log.warning("%s: %s", self.peer, error)
            self._server.hold(self, [reply(xid, 0, Code.AUTH_FAILED, NULL_BUFFER)], last=True)
            return
        if self._login.user is not None:
            self._caller.identities.add(("sasl", self._login.user))
        self._server.hold(self, [reply(xid, 0, Code.OK, _LENGTH.pack(len(token)) + token)])

    def _become_super(self) -> None:
        wanted = self._server.settings.super_digest
        if wanted is not None and ("digest", wanted) in self._caller.identities:
            self._caller.identities.add(SUPER)
