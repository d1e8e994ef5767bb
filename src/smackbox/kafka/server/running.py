"""A broker that serves: its data directory, its listeners, its background work and its control socket."""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smackbox.base.clock import Clock
from smackbox.base.errors import StartError, StorageError
from smackbox.kafka.server import backup
from smackbox.kafka.server.connections import Connections
from smackbox.kafka.server.listeners import Listener
from smackbox.kafka.server.upkeep import Upkeep
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.broker import Broker
from smackbox.net.control import CONTROL_FILE
from smackbox.store.data_dir import LOCK_FILE, DataDir
from smackbox.store.fs import FileSystem

PROBE_REQUESTS = (
    b"\x00\x00\x00\x0f\x00\x12\x00\x00\x00\x00\x00\x01\x00\x05probe",  # ApiVersions v0
    b"\x00\x00\x00\x13\x00\x03\x00\x01\x00\x00\x00\x02\x00\x05probe\x00\x00\x00\x00",  # Metadata v1, no topics
)

HOLD_LIMIT_S = 20.0
"""The longest time for which a request may hold back others: clients give up after 30 s."""

log = logging.getLogger(__name__)


@dataclass
class RunningKafka:
    """`ports` has one port for each listener, in order. `reset` replaces the broker."""

    settings: KafkaSettings
    listeners: list[Listener]
    ports: list[int]
    data_dir: DataDir
    fs: FileSystem
    clock: Clock
    broker: Broker
    upkeep: Upkeep
    connections: Connections
    servers: list[asyncio.Server]
    parts: AsyncExitStack  # the metrics endpoint and the control socket

    @property
    def url(self) -> str:
        """`host:port`, for clients' `bootstrap.servers`."""
        return f"{self.settings.host}:{self.ports[0]}"

    async def probe(self) -> None:
        """Send ApiVersions and Metadata over a separate socket. Raises `StartError` when the answers are not from this
        broker.
        """
        host = self.settings.host if self.settings.host not in {"0.0.0.0", "::"} else "localhost"  # noqa: S104
        main = self.listeners[0]
        if main.tls and self.settings.ssl_client_auth == "required":
            return  # only clients with a certificate are answered
        tls = None
        if main.tls:
            tls = ssl.create_default_context()
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(host, self.ports[0], ssl=tls)
        requests = PROBE_REQUESTS[:1] if main.sasl else PROBE_REQUESTS
        try:
            for correlation_id, request in enumerate(requests, start=1):
                writer.write(request)
                length, answered = struct.unpack(">ii", await reader.readexactly(8))
                await reader.readexactly(length - 4)
                if answered != correlation_id:
                    raise StartError(f"something other than kafka answers on {self.url}")
        except (asyncio.IncompleteReadError, OSError) as error:
            raise StartError(f"kafka does not answer on {self.url}: {error}") from error
        finally:
            writer.close()

    async def stop(self) -> None:
        """Close connections, flush and close files, unlock the data directory."""
        for server in self.servers:
            server.close()
        self.connections.close_all()
        await self.parts.aclose()
        await self.upkeep.end()
        await asyncio.sleep(0)  # connection_lost has been called
        try:
            self.broker.close()
        except StorageError:
            log.exception("kafka could not flush everything")
        self.data_dir.close()

    # --- requests on the control socket

    async def serve(self, request: backup.Backup | backup.Stage | backup.Resume) -> msgspec.Struct:
        """Copy or link the data in their current state, or resume afterwards. Raises `OSError`, `StorageError`."""
        match request:
            case backup.Stage(target=target, hold_s=hold_s):
                staged = backup.stage(self.data_dir.path, self._topics(), Path(target))
                silence = self.connections.hold(min(hold_s, HOLD_LIMIT_S))
                return msgspec.structs.replace(staged, silence=silence)
            case backup.Resume(silence=silence):
                return backup.Resumed(self.connections.resume(silence))
            case backup.Backup(target=target):
                moment = backup.Moment(self.data_dir.path, self._topics())
                try:
                    return await asyncio.to_thread(moment.copy, Path(target))
                finally:
                    moment.close()

    def _topics(self) -> list[Path]:
        return sorted({partition.directory for partition in self.broker.catalog.partitions()})

    def numbers(self) -> dict[str, int]:
        """The figures that the broker's status shows."""
        broker = self.broker
        partitions = list(broker.catalog.partitions())
        return {
            "connections": broker.metrics.connections,
            "topics": len(broker.catalog.topics),
            "partitions": len(partitions),
            "log bytes": sum(partition.log.size for partition in partitions),
            "groups": len(broker.groups.groups),
            "uncleanable partitions": sum(partition.uncleanable for partition in partitions),
        }

    # --- for tests

    async def reset(self) -> None:
        """Delete all topics, groups, offsets and producer ids. Connections are closed; clients reconnect."""
        old = self.broker
        self.connections.close_all()
        await asyncio.sleep(0)  # connection_lost has been called, and parked requests have ended
        await self.upkeep.end()
        old.timers.clear()
        for partition in old.catalog.partitions():
            partition.log.close()
        path = self.data_dir.path
        for entry in list(self.fs.entries(path)):
            if entry.name in {LOCK_FILE, CONTROL_FILE}:
                continue
            if entry.is_dir():
                self.fs.remove_tree(path / entry.name)
            else:
                self.fs.remove(path / entry.name)
        self.broker, self.upkeep = open_broker(self.settings, self.listeners, self.ports, path, self.fs, self.clock)
        self.connections.broker = self.broker


def open_broker(
    settings: KafkaSettings, listeners: list[Listener], ports: list[int], path: Path, fs: FileSystem, clock: Clock
) -> tuple[Broker, Upkeep]:
    """A broker on this directory, with its background work started. Raises `StartError`."""
    broker = Broker(fs, path, settings, clock, uuid.uuid4)
    try:
        broker.open()
    except StorageError as error:
        raise StartError(f"kafka cannot read {path}: {error}") from error
    broker.catalog.listeners = ",".join(
        f"{listener.protocol}://{listener.host}:{port}" for listener, port in zip(listeners, ports, strict=True)
    )
    upkeep = Upkeep(broker, fs, clock)
    upkeep.begin()
    return broker, upkeep
