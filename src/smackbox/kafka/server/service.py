"""`KafkaServer`: opens one broker on the running loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from functools import partial

from smackbox.base.clock import Clock, SystemClock
from smackbox.kafka.server.backup import REQUESTS
from smackbox.kafka.server.connection import KafkaConnection
from smackbox.kafka.server.connections import Connections, parse_advertised
from smackbox.kafka.server.listeners import Listener, listeners, tls_context
from smackbox.kafka.server.running import RunningKafka, open_broker
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.control import ControlSocket, Served
from smackbox.net.listener import bind
from smackbox.net.open_files import raise_open_file_limit
from smackbox.net.service import Server
from smackbox.store.data_dir import DataDir
from smackbox.store.fs import Disk, FileSystem


class KafkaServer(Server[RunningKafka]):
    """A broker to be opened: its settings, its file system and its clock. Raises `SettingError`."""

    name = "kafka"

    def __init__(self, settings: KafkaSettings, *, fs: FileSystem | None = None, clock: Clock | None = None) -> None:
        super().__init__()
        self.settings = settings
        self._listeners = listeners(settings)
        self._fs: FileSystem = fs or Disk()
        self._clock: Clock = clock or SystemClock()
        self._advertised = parse_advertised(settings.advertised)

    async def open(self) -> RunningKafka:
        """Bind the ports, open the data directory, serve. Raises `StartError`."""
        raise_open_file_limit()
        settings = self.settings
        async with AsyncExitStack() as undo:
            sockets = [self._bind(listener, undo) for listener in self._listeners]
            ports = [sock.getsockname()[1] for sock in sockets]
            tls = tls_context(settings) if any(listener.tls for listener in self._listeners) else None
            data_dir = DataDir.open(settings.dir)
            undo.callback(data_dir.close)
            broker, upkeep = open_broker(settings, self._listeners, ports, data_dir.path, self._fs, self._clock)
            undo.push_async_callback(upkeep.end)
            connections = Connections(broker, self._advertised)
            loop = asyncio.get_running_loop()
            servers = []
            for listener, sock in zip(self._listeners, sockets, strict=True):
                protocol = partial(KafkaConnection, connections, listener)
                servers.append(await loop.create_server(protocol, sock=sock, ssl=tls if listener.tls else None))
                undo.callback(servers[-1].close)
            parts = await undo.enter_async_context(AsyncExitStack())
            running = RunningKafka(
                settings, self._listeners, ports, data_dir, self._fs, self._clock, broker, upkeep, connections,
                servers, parts,
            )  # fmt: skip
            if settings.metrics_port is not None:
                await self._metrics(running, settings.metrics_port)
            served = Served(self.name, running.url, running.numbers, REQUESTS, running.serve)
            control = await ControlSocket.open(data_dir.path, served)
            parts.push_async_callback(control.close)
            undo.pop_all()
        return running

    async def reset(self) -> None:
        """Delete all data, for tests: `RunningKafka.reset`."""
        await self.running.reset()

    def _bind(self, listener: Listener, undo: AsyncExitStack) -> socket.socket:
        known = listener.sasl or (listener.tls and self.settings.ssl_client_auth == "required")
        insecure = self.settings.insecure
        bound = bind(listener.host, listener.port, name=self.name, insecure=insecure, authenticated=known)
        undo.callback(bound.close)
        return bound

    async def _metrics(self, running: RunningKafka, port: int) -> None:
        from smackbox.kafka.server.metrics import registry
        from smackbox.net.metrics_endpoint import MetricsEndpoint

        metrics_registry = registry(lambda: running.broker)
        endpoint = await MetricsEndpoint.open(
            metrics_registry, self.settings.host, port, insecure=self.settings.insecure
        )
        running.parts.push_async_callback(endpoint.close)
