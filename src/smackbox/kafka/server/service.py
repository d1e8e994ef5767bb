"""`KafkaServer`: starts, probes and stops one broker on the running loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import ssl
import struct
import uuid
from functools import partial
from pathlib import Path
from typing import Any

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import ProtocolError, SettingError, StartError, StorageError
from smackbox.kafka.server import backup
from smackbox.kafka.server.connection import READ_BUFFER_BYTES, KafkaConnection
from smackbox.kafka.server.listeners import Listener, listeners, tls_context
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.broker import Broker, Commit
from smackbox.kafka.state.broker_config import MAX_CONNECTIONS
from smackbox.kafka.state.compaction import Cleaning
from smackbox.kafka.wire.compression import CodecMissingError
from smackbox.net.listener import bind
from smackbox.net.open_files import raise_open_file_limit
from smackbox.store import copy_request
from smackbox.store.data_dir import LOCK_FILE, DataDir
from smackbox.store.fs import Disk, FileSystem

NONCE_BYTES = 18
PROBE_REQUESTS = (
    b"\x00\x00\x00\x0f\x00\x12\x00\x00\x00\x00\x00\x01\x00\x05probe",  # ApiVersions v0
    b"\x00\x00\x00\x13\x00\x03\x00\x01\x00\x00\x00\x02\x00\x05probe\x00\x00\x00\x00",  # Metadata v1, no topics
)

log = logging.getLogger(__name__)


class KafkaServer:
    """One broker: its data directory, its listener, its timers."""

    name = "kafka"

    def __init__(self, settings: KafkaSettings, *, fs: FileSystem | None = None, clock: Clock | None = None) -> None:
        self.settings = settings
        self.advertised = _parse_advertised(settings.advertised)
        self.read_buffer = memoryview(bytearray(READ_BUFFER_BYTES))
        self.broker: Broker
        self._fs: FileSystem = fs or Disk()
        self._clock: Clock = clock or SystemClock()
        self._data_dir: DataDir | None = None
        self._listeners = listeners(settings)
        self._servers: list[asyncio.Server] = []
        self._metrics: Any = None
        self._connections: set[KafkaConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._commit_task: asyncio.Task[None] | None = None
        self._cleaning_task: asyncio.Task[None] | None = None
        self._removal_task: asyncio.Task[None] | None = None
        self._backup_task: asyncio.Task[None] | None = None
        self._stopping = False
        self.ports = [0]

    @property
    def url(self) -> str:
        """`host:port`, as clients' `bootstrap.servers` take it."""
        return f"{self.settings.host}:{self.ports[0]}"

    # --- life

    async def start(self) -> None:
        """Open the data directory, then the port. Raises `StartError`."""
        raise_open_file_limit()
        bound: list[tuple[Listener, socket.socket]] = []
        try:
            for listener in self._listeners:
                bound.append((listener, self._bind(listener)))  # noqa: PERF401 - those bound are closed on failure
            self.ports = [sock.getsockname()[1] for _, sock in bound]
            tls = tls_context(self.settings) if any(listener.tls for listener in self._listeners) else None
            self._data_dir = DataDir.open(self.settings.dir)
            self._open_broker()
            loop = asyncio.get_running_loop()
            for listener, sock in bound:
                protocol = partial(KafkaConnection, self, listener)
                self._servers.append(await loop.create_server(protocol, sock=sock, ssl=tls if listener.tls else None))
            if self.settings.metrics_port is not None:
                await self._start_metrics(self.settings.metrics_port)
        except BaseException:
            for _, sock in bound:
                sock.close()
            if self._data_dir is not None:
                self._data_dir.close()
            raise
        self._remove_deleted()
        with contextlib.suppress(ValueError, RuntimeError):  # not the main thread: no signals there
            loop.add_signal_handler(copy_request.SIGNAL, self._backup_is_asked_for)

    def _bind(self, listener: Listener) -> socket.socket:
        known = listener.sasl or (listener.tls and self.settings.ssl_client_auth == "required")
        insecure = self.settings.insecure
        return bind(listener.host, listener.port, name=self.name, insecure=insecure, authenticated=known)

    def new_nonce(self) -> str:
        """The server's part of a SCRAM nonce."""
        return secrets.token_urlsafe(NONCE_BYTES)

    def _open_broker(self) -> None:
        assert self._data_dir is not None
        self.broker = Broker(self._fs, self._data_dir.path, self.settings, self._clock, uuid.uuid4)
        try:
            self.broker.open()
        except StorageError as error:
            raise StartError(f"kafka cannot read {self._data_dir.path}: {error}") from error
        self.broker.catalog.listeners = ",".join(
            f"{listener.protocol}://{listener.host}:{port}"
            for listener, port in zip(self._listeners, self.ports, strict=True)
        )
        self.broker.timers.changed = self._arm
        self.broker.commit_wanted = self._start_commit
        self.broker.cleaning_wanted = self._start_cleaning
        self.broker.catalog.deleted = self._remove_deleted
        self._arm()

    async def _start_metrics(self, port: int) -> None:
        from smackbox.kafka.server.metrics import registry
        from smackbox.net.metrics_endpoint import MetricsEndpoint

        self._metrics = MetricsEndpoint(
            registry(lambda: self.broker), self.settings.host, port, insecure=self.settings.insecure
        )
        await self._metrics.start()

    async def probe(self) -> None:
        """ApiVersions and Metadata over a socket of its own. Raises `StartError` when the answers are not ours."""
        host = self.settings.host if self.settings.host not in {"0.0.0.0", "::"} else "localhost"  # noqa: S104
        main = self._listeners[0]
        if main.tls and self.settings.ssl_client_auth == "required":
            return  # only who has a certificate is answered
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
                    raise StartError(f"something else than kafka answers on {self.url}")
        except (asyncio.IncompleteReadError, OSError) as error:
            raise StartError(f"kafka does not answer on {self.url}: {error}") from error
        finally:
            writer.close()

    async def stop(self) -> None:
        """Close connections, flush and close files, let go of the directory. Safe when `start` failed."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close()
        if self._metrics is not None:
            await self._metrics.stop()
        for task in (self._commit_task, self._cleaning_task, self._removal_task, self._backup_task):
            if task is not None:
                await task
        await asyncio.sleep(0)  # connections hear of their end
        if self._servers:
            self._servers.clear()
            self.broker.timers.changed = None
            try:
                self.broker.close()
            except StorageError:
                log.exception("kafka could not flush everything")
        if self._data_dir is not None:
            self._data_dir.close()
            self._data_dir = None

    async def backup(self, target: Path) -> copy_request.Copied:
        """Copy the data directory as it is at this moment to `target`, while the broker goes on."""
        assert self._data_dir is not None
        try:
            topics = sorted({partition.directory for partition in self.broker.catalog.partitions()})
            moment = backup.Moment(self._data_dir.path, topics)
            try:
                return await asyncio.to_thread(moment.copy, target)
            finally:
                moment.close()
        except (OSError, StorageError) as error:
            log.error("kafka cannot back up to %s: %s", target, error)
            return copy_request.Copied(error=str(error))

    def _backup_is_asked_for(self) -> None:
        assert self._data_dir is not None
        directory = self._data_dir.path
        target = copy_request.take_request(directory)
        if target is None or self._backup_task is not None:
            return

        async def work() -> None:
            copy_request.answer(directory, await self.backup(target))
            self._backup_task = None

        self._backup_task = asyncio.get_running_loop().create_task(work())

    async def reset(self) -> None:
        """Wipe all topics, groups, offsets and producer ids, for tests. Connections are closed; clients reconnect."""
        assert self._data_dir is not None
        old = self.broker
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)  # connections hear of their end, and parked requests go
        old.timers.changed = None
        old.timers.clear()
        for task in (self._commit_task, self._cleaning_task, self._removal_task):
            if task is not None:
                await task
        for partition in old.catalog.partitions():
            partition.log.close()
        fs, path = self._fs, self._data_dir.path
        for entry in list(fs.entries(path)):
            if entry.name == LOCK_FILE:
                continue
            if entry.is_dir():
                fs.remove_tree(path / entry.name)
            else:
                fs.remove(path / entry.name)
        self._open_broker()

    # --- connections

    def admit(self, connection: KafkaConnection) -> bool:
        """Whether one more connection may stay: `max_connections`, or what `max.connections` was changed to."""
        changed = self.broker.catalog.broker_config(MAX_CONNECTIONS)
        if len(self._connections) >= (self.settings.max_connections if changed is None else int(changed)):
            return False
        self._connections.add(connection)
        metrics = self.broker.metrics
        metrics.connections = len(self._connections)
        metrics.connections_total += 1
        return True

    def dismiss(self, connection: KafkaConnection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self.broker.metrics.connections = len(self._connections)

    # --- time

    def _arm(self) -> None:
        """Wake up when the broker's next deadline is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_ms = self.broker.timers.next_deadline_ms()
        if deadline_ms is None:
            return
        delay_s = max(deadline_ms - self._clock.monotonic_ms(), 0) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self.broker.tick()
        finally:
            self._arm()

    # --- work in threads

    def _start_commit(self) -> None:
        """Begin a group commit, unless one is running: that one's end begins the next."""
        if self._commit_task is None:
            self._commit_task = asyncio.get_running_loop().create_task(self._commit_loop())

    async def _commit_loop(self) -> None:
        await asyncio.sleep(0)  # all requests of this turn of the loop share the commit
        while (commit := self.broker.take_commit()) is not None:
            error: StorageError | None = None
            try:
                await asyncio.get_running_loop().run_in_executor(None, _sync_all, commit)
            except StorageError as failure:
                error = failure
                log.error("kafka: %s", failure)
            self.broker.finish_commit(commit, error)
        self._commit_task = None

    def _start_cleaning(self) -> None:
        """Compact what needs it, one partition after the other, unless that is going on."""
        if self._cleaning_task is None:
            self._cleaning_task = asyncio.get_running_loop().create_task(self._clean())

    async def _clean(self) -> None:
        try:
            while not self._stopping and (cleaning := self.broker.next_cleaning()) is not None:
                await self._clean_one(self.broker, cleaning)
        finally:
            self._cleaning_task = None

    async def _clean_one(self, broker: Broker, cleaning: Cleaning) -> None:
        """Compact one partition. One that fails is set aside, so that the others are compacted (KIP-346)."""
        partition = cleaning.partition
        try:
            await asyncio.get_running_loop().run_in_executor(None, cleaning.run, self._fs)
            if broker is self.broker and not self._stopping and broker.catalog.holds(partition):
                cleaning.install()
        except (StorageError, ProtocolError, CodecMissingError) as error:
            if broker.catalog.holds(partition):  # else its topic was deleted while it was compacted
                partition.uncleanable = True
                log.error("kafka: %s-%d is not compacted before a restart: %s", partition.topic, partition.index, error)

    def _remove_deleted(self) -> None:
        """Remove the directories of deleted topics off the loop, unless that is going on."""
        if self._removal_task is None and (paths := self.broker.catalog.take_deleted()):
            self._removal_task = asyncio.get_running_loop().create_task(self._remove(paths))

    async def _remove(self, paths: list[Path]) -> None:
        while paths:
            await asyncio.get_running_loop().run_in_executor(None, self._remove_all, paths)
            paths = self.broker.catalog.take_deleted()
        self._removal_task = None

    def _remove_all(self, paths: list[Path]) -> None:
        for path in paths:
            try:
                self._fs.remove_tree(path)
            except StorageError:
                log.exception("kafka could not remove %s", path)


def _sync_all(commit: Commit) -> None:
    for file in commit.files:
        file.sync()


def _parse_advertised(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdigit()):
        raise SettingError(f"kafka: advertised must be host:port, not {text!r}")
    return host.strip("[]"), int(port)
