"""The master as a service: its sockets, its store, and the election if it is one of several."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import uuid
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StartError
from smackbox.election.state_store import MemoryStateStore, StateStore
from smackbox.election.zookeeper_url import ZooKeeperUrl
from smackbox.mesos.master.handlers.context import MasterContext
from smackbox.mesos.master.server.leadership import Leadership
from smackbox.mesos.master.server.options import make_access, make_options, parse_weights
from smackbox.mesos.master.server.requests import Requests
from smackbox.mesos.master.settings import MasterSettings
from smackbox.mesos.master.state.master import Master, MasterOptions
from smackbox.mesos.master.state.registry import Registry
from smackbox.mesos.wire import json_format
from smackbox.net.http_server import HttpServer
from smackbox.net.service import Server
from smackbox.net.tls import server_context, unverified
from smackbox.store.data_dir import DataDir

if TYPE_CHECKING:
    from smackbox.election.coordinator import Coordinator

NAME = "mesos-master"
REGISTRY = "registry"
CONTENDER = "json.info_"
DEFAULT_SESSION_TIMEOUT_MS = 10_000


class RunningMaster:
    """A master that serves requests. `parts` are closed last: the store, the election, the metrics."""

    def __init__(
        self,
        settings: MasterSettings,
        context: MasterContext,
        http: HttpServer,
        leadership: Leadership,
        metrics_url: str | None,
        parts: AsyncExitStack,
    ) -> None:
        self.context = context
        self.metrics_url = metrics_url
        """The URL of the Prometheus metrics, if `metrics_port` is set."""
        self._settings = settings
        self._http = http
        self._leadership = leadership
        self._parts = parts

    @property
    def url(self) -> str:
        """The URL of the master's API."""
        return self._http.url

    async def probe(self) -> None:
        """Check its health over its own socket. Raises `StartError`."""
        reader, writer = await asyncio.open_connection(
            self._settings.host, self._http.port, ssl=unverified() if self._settings.ssl_cert_file else None
        )
        try:
            writer.write(b"GET /health HTTP/1.1\r\nHost: master\r\nConnection: close\r\n\r\n")
            status = await reader.readline()
        finally:
            writer.close()
        if b" 200 " not in status:
            raise StartError(f"{self.url} does not answer as it should: {status!r}")

    async def stop(self) -> None:
        """Leave the election, then close the API and the parts below it."""
        self._leadership.lost()
        await self._http.stop()
        await self._leadership.stop()
        await self._parts.aclose()


class MasterServer(Server[RunningMaster]):
    """One master: a `Service`."""

    name = NAME

    def __init__(self, settings: MasterSettings, *, clock: Clock | None = None) -> None:
        super().__init__()
        settings.check()
        self.settings = settings
        self._clock: Clock = clock or SystemClock()
        self._access = make_access(settings)

    async def open(self) -> RunningMaster:
        """Listen, find the leader, and read the registry if it is this one. Raises `StartError`."""
        settings = self.settings
        context = MasterContext(self._access)
        requests = Requests(context)
        http = HttpServer(
            NAME,
            requests.handle,
            host=settings.host,
            port=settings.port,
            insecure=settings.insecure,
            authenticated=settings.authenticates_all_who_change,
            tls=_tls(settings),
        )
        async with AsyncExitStack() as parts, AsyncExitStack() as failed:
            await http.start()
            failed.push_async_callback(http.stop)
            options = make_options(settings, http.port, socket.gethostname())
            context.flags = options.flags
            metrics_url = await _metrics(settings, context, parts)
            new_master = partial(_new_master, options, self._clock)
            master = new_master(Registry())

            coordinator = None if settings.zk is None else await _coordinator(settings, settings.zk, parts)
            store = _local_store(settings, parts) if coordinator is None else _zookeeper_store(coordinator)
            leadership = Leadership(context, store, master, new_master, parse_weights(settings.weights))
            failed.push_async_callback(leadership.stop)
            failed.callback(leadership.lost)
            requests.changed = leadership.changed
            if coordinator is None:
                context.leader = master.info()
                await leadership.lead()
            else:
                coordinator.watch_leader(CONTENDER, leadership.leader_is)
                info = json_format.encode(master.info())
                coordinator.contend(CONTENDER, info, leadership.elected, leadership.lost)
            failed.pop_all()
            return RunningMaster(settings, context, http, leadership, metrics_url, parts.pop_all())


def _new_master(options: MasterOptions, clock: Clock, registry: Registry) -> Master:
    return Master(options, clock, new_uuid=lambda: uuid.uuid4().bytes, shuffle=random.shuffle, registry=registry)


def _local_store(settings: MasterSettings, parts: AsyncExitStack) -> StateStore:
    """A store in the master's directory, or in memory without one."""
    data_dir = DataDir.open(settings.dir)
    parts.callback(data_dir.close)
    if settings.dir is None:
        return MemoryStateStore()
    from smackbox.election.state_file import FileStateStore

    store = FileStateStore(data_dir.path, sync=settings.sync)
    parts.push_async_callback(store.close)
    return store


def _zookeeper_store(coordinator: Coordinator) -> StateStore:
    from smackbox.election.state_zookeeper import ZooKeeperStateStore

    return ZooKeeperStateStore(coordinator, REGISTRY)


async def _coordinator(settings: MasterSettings, zk: str, parts: AsyncExitStack) -> Coordinator:
    from smackbox.election.coordinator import Coordinator

    timeout_ms = settings.milliseconds("zk_session_timeout") or DEFAULT_SESSION_TIMEOUT_MS
    coordinator = Coordinator(ZooKeeperUrl.parse(zk), session_timeout_s=timeout_ms / 1_000)
    await coordinator.start()
    parts.push_async_callback(coordinator.stop)
    return coordinator


async def _metrics(settings: MasterSettings, context: MasterContext, parts: AsyncExitStack) -> str | None:
    if settings.metrics_port is None:
        return None
    from smackbox.mesos.http.prometheus import registry
    from smackbox.mesos.master.handlers.metrics import snapshot
    from smackbox.net.metrics_endpoint import MetricsEndpoint

    metrics_registry = registry(lambda: snapshot(context))
    metrics = await MetricsEndpoint.open(
        metrics_registry, settings.host, settings.metrics_port, insecure=settings.insecure
    )
    parts.push_async_callback(metrics.close)
    return metrics.url


def _tls(settings: MasterSettings) -> ssl.SSLContext | None:
    if settings.ssl_cert_file is None:
        return None
    verify = ssl.CERT_REQUIRED if settings.ssl_require_client_cert else ssl.CERT_NONE
    return server_context(NAME, settings.ssl_cert_file, settings.ssl_key_file, settings.ssl_ca_file, verify)
