"""TCP under Artery: a listener, and one outgoing connection for each stream of each other system.

An outgoing connection that breaks is opened again after a pause that doubles; what is sent meanwhile waits, in a queue
with a bound. The other side never writes on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

from smackbox.akka.remote.compression import CompressionError, InboundTables, OutboundTables
from smackbox.akka.remote.frames import (
    FRAME_HEAD_BYTES,
    ORDINARY,
    PREAMBLE_SIZE,
    STREAMS,
    Envelope,
    decode,
    encode,
    frame_bytes,
    read_preamble,
)
from smackbox.base.errors import ProtocolError, StorageError
from smackbox.net.connection import FrameConnection
from smackbox.net.listener import bind
from smackbox.net.read_buffer import ReadBuffer

FRAME_LIMIT = 256 * 1024
LARGE_FRAME_LIMIT = 2 * 1024 * 1024
OUT_LIMIT = 3_072
"""Frames that wait for a connection which is not there."""
OUT_BYTES = 8 * 1024 * 1024
"""Bytes that wait in a connection whose reader is slow."""
CONNECT_TIMEOUT_S = 5.0
RETRY_FIRST_S, RETRY_LIMIT_S = 0.2, 5.0
HANGING_S = 1.0
"""The age of an attempt to connect that is given up for another one when the other side shows that it is there."""

Received = Callable[[int, Envelope], None]

log = logging.getLogger("smackbox.akka.remote")


class Inbound(FrameConnection):
    """One connection that another system opened."""

    HEAD_BYTES: ClassVar[int] = FRAME_HEAD_BYTES

    def __init__(
        self,
        received: Received,
        tables: Mapping[int, InboundTables],
        connections: set[Inbound],
        read_buffer: ReadBuffer,
    ) -> None:
        super().__init__(read_buffer)
        self._received = received
        self._tables = tables
        self._connections = connections
        self._stream: int | None = None

    def opened(self) -> None:
        self._connections.add(self)

    def closed(self) -> None:
        self._connections.discard(self)

    def frame_bytes(self, data: memoryview, position: int) -> int:
        return PREAMBLE_SIZE if self._stream is None else frame_bytes(data, position, LARGE_FRAME_LIMIT)

    def handle(self, frame: memoryview) -> None:
        if self._stream is None:
            _, self._stream = read_preamble(bytes(frame))
        else:
            try:
                envelope = decode(bytes(frame[FRAME_HEAD_BYTES:]), self._tables)
            except CompressionError as error:
                # of a table that an earlier incarnation of this system advertised, or of one that is too old
                log.warning("a message is dropped: %s", error)
                return
            self._received(self._stream, envelope)

    def broken(self, error: ProtocolError | StorageError) -> None:
        log.warning("Artery connection from %s closed: %s", self.transport.get_extra_info("peername"), error)
        self.abort()


class Outbound(asyncio.Protocol):
    """One stream to another system."""

    def __init__(self, host: str, port: int, preamble: bytes, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._preamble = preamble
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[bytes] = deque()
        self._batch: list[bytes] = []
        self._pause_s = RETRY_FIRST_S
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._attempted_s = 0.0

    def send(self, frame: bytes) -> bool:
        """False when too much waits already."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if transport.get_write_buffer_size() > OUT_BYTES:
                return False
            if not self._batch:
                asyncio.get_running_loop().call_soon(self._flush)
            self._batch.append(frame)
            return True
        if len(self._waiting) >= OUT_LIMIT:
            return False
        self._waiting.append(frame)
        self._connect()
        return True

    def wake(self) -> None:
        """The other side is there: connect at once instead of after a pause, or after an attempt that hangs."""
        task = self._task
        if task is None or self._closed:
            return
        if asyncio.get_running_loop().time() - self._attempted_s > HANGING_S:
            task.remove_done_callback(self._connected)
            task.cancel()
            self._task = None
            self._pause_s = RETRY_FIRST_S
            self._connect()

    def reset(self) -> None:
        """The other side is another process: what is on its way to the former one is lost."""
        if self._transport is not None:
            self._batch.clear()
            self._transport.abort()
            self._transport = None

    def _flush(self) -> None:
        """What was sent in one turn of the loop is one write."""
        batch, self._batch = self._batch, []
        if self._transport is not None and batch:
            self._transport.write(b"".join(batch))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._pause_s = RETRY_FIRST_S
        self._transport.write(self._preamble + b"".join(self._waiting))
        self._waiting.clear()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None

    def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def _connect(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.ensure_future(self._keep_connecting())
            self._task.add_done_callback(self._connected)

    def _connected(self, _task: asyncio.Task[None]) -> None:
        self._task = None

    async def _keep_connecting(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closed:
            self._attempted_s = loop.time()
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await loop.create_connection(
                        lambda: self,
                        self._host,
                        self._port,
                        ssl=self._tls,
                        server_hostname=self._host if self._tls is not None else None,
                    )
            except (OSError, TimeoutError) as error:
                log.debug("no Artery connection to %s:%d: %s", self._host, self._port, error)
                await asyncio.sleep(self._pause_s)
                self._pause_s = min(RETRY_LIMIT_S, self._pause_s * 2)
            else:
                return


class Transport:
    """All connections of one actor system. `received` gets each envelope with the stream that it came on."""

    def __init__(
        self, received: Received, *, magic: bytes, server_tls: ssl.SSLContext | None, client_tls: ssl.SSLContext | None
    ) -> None:
        self._received = received
        self.tables: dict[int, InboundTables] = {}
        """What other systems, by their uids, may send as numbers."""
        self._magic = magic
        self._server_tls = server_tls
        self._client_tls = client_tls
        self._inbound: set[Inbound] = set()
        self._read_buffer = ReadBuffer()
        self._outbound: dict[tuple[str, int, int], Outbound] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self, host: str, port: int, *, insecure: bool) -> None:
        """Raises `StartError`."""
        sock = bind(host, port, name="akka", insecure=insecure, authenticated=self._server_tls is not None)
        self.port = sock.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=sock, ssl=self._server_tls)

    def _accept(self) -> Inbound:
        return Inbound(self._received, self.tables, self._inbound, self._read_buffer)

    def send(self, host: str, port: int, stream: int, envelope: Envelope, tables: OutboundTables) -> bool:
        """False when the frame is too large, or too much waits."""
        frame = encode(envelope, tables) if stream == ORDINARY else encode(envelope)
        if len(frame) > LARGE_FRAME_LIMIT:
            return False
        key = (host, port, stream)
        outbound = self._outbound.get(key)
        if outbound is None:
            outbound = self._outbound[key] = Outbound(host, port, self._magic + bytes([stream]), self._client_tls)
        return outbound.send(frame)

    def wake(self, host: str, port: int, *, is_new: bool) -> None:
        """A system shows that it is there: connect at once where that waits. `is_new`: it has been started again.

        A connection to its earlier incarnation may look open for a long time after a network partition.
        """
        for stream in STREAMS:
            outbound = self._outbound.get((host, port, stream))
            if outbound is not None:
                if is_new:
                    outbound.reset()
                outbound.wake()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for outbound in self._outbound.values():
            outbound.close()
        for inbound in tuple(self._inbound):
            inbound.abort()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    @property
    def connections(self) -> dict[str, Any]:
        return {"inbound": len(self._inbound), "outbound": len(self._outbound)}
