"""`ZooKeeperServer` opens one ZooKeeper on the running loop; `RunningZooKeeper` is the running server."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from contextlib import AsyncExitStack
from dataclasses import dataclass

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StartError, StorageError
from smackbox.net.control import ControlSocket, Served
from smackbox.net.listener import bind
from smackbox.net.service import Server
from smackbox.net.tls import server_context
from smackbox.store.data_dir import DataDir
from smackbox.store.fs import Disk, FileSystem
from smackbox.zookeeper.server.connection import ZooKeeperConnection
from smackbox.zookeeper.server.parts import Parts
from smackbox.zookeeper.server.replies import Replies
from smackbox.zookeeper.server.upkeep import Upkeep
from smackbox.zookeeper.settings import ZooKeeperSettings
from smackbox.zookeeper.state.database import Database
from smackbox.zookeeper.wire.codes import Op
from smackbox.zookeeper.wire.records import packet

_LENGTH = struct.Struct(">i")
_HEADER = struct.Struct(">ii")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningZooKeeper:
    """`secure_port` is 0 if there is none."""

    parts: Parts
    secure_port: int
    data_dir: DataDir
    servers: list[asyncio.Server]
    upkeep: Upkeep
    control: ControlSocket

    @property
    def url(self) -> str:
        """`host:port`, for clients' connect strings."""
        return f"{self.parts.settings.host}:{self.parts.port}"

    @property
    def database(self) -> Database:
        """The tree, sessions and watches."""
        return self.parts.database

    def ephemeral_owners(self, path: str) -> set[int]:
        """The sessions that own the ephemeral children of a node; empty if the node does not exist."""
        nodes = self.database.tree.nodes
        folder = nodes.get(path)
        children = folder.children if folder is not None else ()
        return {nodes[f"{path}/{name}"].owner for name in children} - {0}

    def end_sessions(self, session_ids: set[int]) -> None:
        """End these sessions at once, as if they had expired."""
        for session_id in session_ids:
            self.database.close_session(session_id)
        self.parts.replies.release()

    async def probe(self) -> None:
        """Open a session and close it. Raises `StartError`."""
        settings = self.parts.settings
        reader, writer = await asyncio.open_connection(settings.host, self.parts.port)
        try:
            writer.write(packet(struct.pack(">iqiq", 0, 0, settings.min_session_timeout_ms, 0) + _LENGTH.pack(0)))
            (length,) = _LENGTH.unpack(await reader.readexactly(4))
            answered = await reader.readexactly(length)
            if _LENGTH.unpack_from(answered, 4)[0] == 0:
                raise StartError(f"{self.url} opens no session")
            writer.write(packet(_HEADER.pack(1, Op.CLOSE_SESSION)))
            await reader.readexactly(20)
        finally:
            writer.close()
            await writer.wait_closed()

    async def stop(self) -> None:
        """Close all connections, then write and close the log."""
        await self.control.close()
        self.upkeep.end()
        for server in self.servers:
            server.close()
        replies = self.parts.replies
        for client in list(replies.clients):
            client.close()
        await replies.settle()
        try:
            self.database.close()
        except StorageError as error:
            log.error("zookeeper stops without its last transactions, none of which was acknowledged: %s", error)
        self.data_dir.close()


class ZooKeeperServer(Server[RunningZooKeeper]):
    """A ZooKeeper to be opened: its settings, its file system and its clock. Raises `SettingError`."""

    name = "zookeeper"

    def __init__(
        self, settings: ZooKeeperSettings, *, clock: Clock | None = None, fs: FileSystem | None = None
    ) -> None:
        super().__init__()
        settings.check()
        self.settings = settings
        self._fs: FileSystem = fs or Disk()
        self._clock: Clock = clock or SystemClock()

    async def open(self) -> RunningZooKeeper:
        """Bind the ports, open the data directory, serve. Raises `StartError`."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as undo:
            sockets = [self._bind(settings.port, undo, known=False)]
            if settings.secure_port is not None:
                sockets.append(self._bind(settings.secure_port, undo, known=settings.ssl_client_auth == "need"))
            ports = [sock.getsockname()[1] for sock in sockets]
            secure_port = ports[1] if len(ports) > 1 else 0
            contexts = [None, self._tls()]
            data_dir = DataDir.open(settings.dir)
            undo.callback(data_dir.close)
            try:
                database = Database(data_dir.path, self._clock, self._fs)
            except StorageError as error:
                raise StartError(str(error)) from error
            if database.cut_bytes:
                log.warning("truncated %d bytes of an incomplete transaction log", database.cut_bytes)
            parts = Parts(settings, ports[0], database, Replies(database, sync=settings.sync))
            servers = []
            for sock, tls in zip(sockets, contexts, strict=False):
                servers.append(await loop.create_server(lambda: ZooKeeperConnection(parts), sock=sock, ssl=tls))
                undo.callback(servers[-1].close)
            control = await ControlSocket.open(data_dir.path, self._served(parts))
            undo.pop_all()
        return RunningZooKeeper(parts, secure_port, data_dir, servers, Upkeep(parts, self._clock), control)

    def _bind(self, port: int, undo: AsyncExitStack, *, known: bool) -> socket.socket:
        settings = self.settings
        bound = bind(settings.host, port, name=self.name, insecure=settings.insecure, authenticated=known)
        undo.callback(bound.close)
        return bound

    def _tls(self) -> ssl.SSLContext | None:
        """Raises `StartError` when the certificates are unreadable."""
        settings = self.settings
        if settings.secure_port is None or settings.ssl_certfile is None:
            return None
        verify = {"none": ssl.CERT_NONE, "want": ssl.CERT_OPTIONAL, "need": ssl.CERT_REQUIRED}[settings.ssl_client_auth]
        return server_context(self.name, settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_cafile, verify)

    def _served(self, parts: Parts) -> Served:
        def numbers() -> dict[str, int]:
            return {
                "connections": len(parts.replies.clients),
                "sessions": len(list(parts.database.sessions.all())),
                "requests": parts.latency.requests,
            }

        return Served(self.name, f"{parts.settings.host}:{parts.port}", numbers)
