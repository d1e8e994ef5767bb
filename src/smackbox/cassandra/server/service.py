"""The service: `CassandraServer` starts and stops, and `RunningServer` is the server in between."""

from __future__ import annotations

import asyncio
import gc
import secrets
import socket
import ssl
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from smackbox.base.clock import Clock, SystemClock
from smackbox.cassandra.execution.column_masks import show_masks
from smackbox.cassandra.execution.context import ServerState
from smackbox.cassandra.execution.results import SchemaChange
from smackbox.cassandra.execution.security import PASSWORD_AUTHENTICATOR, Security
from smackbox.cassandra.execution.vector_upkeep import Vectors
from smackbox.cassandra.server.clients import Clients
from smackbox.cassandra.server.connection import Connection, Parts
from smackbox.cassandra.server.encryption import probe_context, tls_context
from smackbox.cassandra.server.group_commit import GroupCommit
from smackbox.cassandra.server.logins import Logins
from smackbox.cassandra.server.probe import probe
from smackbox.cassandra.server.security_settings import check_security
from smackbox.cassandra.server.server_clock import ServerClock
from smackbox.cassandra.server.snapshot import STORE, finish_restoring
from smackbox.cassandra.server.stats import Stats
from smackbox.cassandra.server.tools import REQUESTS, Requests
from smackbox.cassandra.server.upkeep import Upkeep
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.state.auth_rows import show_roles
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.engine import SCHEMA_FAMILY, Engine
from smackbox.cassandra.state.node import Node
from smackbox.cassandra.state.roles import Roles
from smackbox.cassandra.state.system_rows import SystemRows
from smackbox.cassandra.statements.registry import Statements
from smackbox.net.byte_budget import ByteBudget
from smackbox.net.control import ControlSocket, Served
from smackbox.net.listener import bind, is_loopback
from smackbox.net.metrics_endpoint import MetricsEndpoint
from smackbox.net.open_files import raise_open_file_limit
from smackbox.net.read_buffer import ReadBuffer
from smackbox.net.service import Server
from smackbox.store.data_dir import DataDir
from smackbox.store.rocks import RocksStore, open_store

HOST_ID_KEY = b"h"
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that accepts connections. `metrics` is None unless a port is set for them."""

    settings: CassandraSettings
    port: int
    directory: Path
    parts: Parts
    control: ControlSocket
    upkeep: Upkeep
    listening: asyncio.Server
    metrics: MetricsEndpoint | None
    resources: ExitStack

    @property
    def url(self) -> str:
        """The address of its listener, `host:port`."""
        return f"{self.settings.host}:{self.port}"

    @property
    def state(self) -> ServerState:
        """The data and the state that statements use."""
        return self.parts.state

    @property
    def statements(self) -> Statements:
        """The prepared statements."""
        return self.parts.statements

    @property
    def clients(self) -> Clients:
        """The connected clients."""
        return self.parts.clients

    async def probe(self) -> None:
        """Probe it over its own socket. Raises `ProtocolError`."""
        host = self.settings.host
        await probe(
            "127.0.0.1" if host in {"", "0.0.0.0"} else host,  # noqa: S104
            self.port,
            probe_context() if self.settings.client_encryption_certfile is not None else None,
            only_handshake=self.settings.client_encryption_client_auth == "required",
        )

    async def stop(self) -> None:
        """Send pending answers, then close connections and files."""
        try:
            if self.metrics is not None:
                await self.metrics.close()
            await self.control.close()
            await self.upkeep.stop()
            self.listening.close()
            await self.parts.commit.finish()
            await self.clients.close(CLOSE_TIMEOUT_S)
        finally:
            self.resources.close()

    async def reset(self) -> None:
        """Drop every user keyspace, for tests that share a server."""
        catalog = self.state.catalog
        for keyspace in catalog.user_keyspaces():
            catalog.drop_keyspace(keyspace.name)
            change = SchemaChange("DROPPED", "KEYSPACE", keyspace.name)
            self.state.security.schema_changed(change, None)
            self.clients.broadcast(change)
        self.parts.commit.flush()


class CassandraServer(Server[RunningServer]):
    """A CQL server with a single node."""

    name = "cassandra"

    def __init__(self, settings: CassandraSettings, *, clock: Clock | None = None) -> None:
        super().__init__()
        self.settings = settings
        self._clock = clock or SystemClock()

    @property
    def metrics_url(self) -> str | None:
        """The URL of its metrics; None if they are not served."""
        metrics = self.running.metrics
        return metrics.url if metrics is not None else None

    async def open(self) -> RunningServer:
        """Open the server. Raises `StartError` when the port is taken or the directory is unusable."""
        return await start(self.settings, self._clock)

    async def reset(self) -> None:
        """Drop every user keyspace, for tests that share a server."""
        await self.running.reset()


async def start(settings: CassandraSettings, clock: Clock) -> RunningServer:
    """Start a server that accepts connections. Raises `StartError` when the port is taken or the directory is
    unusable.
    """
    check_security(settings)
    raise_open_file_limit()
    tls = tls_context(settings)
    authenticated = (
        settings.authenticator == PASSWORD_AUTHENTICATOR or settings.client_encryption_client_auth == "required"
    )
    listener = bind(
        settings.host, settings.port, name=CassandraServer.name, insecure=settings.insecure, authenticated=authenticated
    )
    try:
        return await _open(settings, clock, listener, tls)
    except BaseException:
        listener.close()
        raise


async def _open(
    settings: CassandraSettings, clock: Clock, listener: socket.socket, tls: ssl.SSLContext | None
) -> RunningServer:
    """Open the store, and serve its data."""
    with ExitStack() as opened:
        data_dir = DataDir.open(settings.dir)
        opened.callback(data_dir.close)
        finish_restoring(data_dir.path)
        store = open_store(data_dir.path / STORE, families=(SCHEMA_FAMILY,))
        opened.callback(store.close)
        server_clock = ServerClock(clock)
        state = _open_state(settings, store, server_clock)
        logins = Logins(state.security) if state.security.authenticates else None
        if logins is not None:
            opened.callback(logins.close)
        budget = ByteBudget(
            settings.native_transport_max_request_data_in_flight_bytes,
            settings.native_transport_max_request_data_in_flight_per_ip_bytes,
        )
        opened.callback(budget.close)
        parts = Parts(
            settings,
            state,
            Statements(state),
            Clients(settings.native_transport_max_concurrent_connections),
            budget,
            GroupCommit(store, state.engine, server_clock, sync=settings.sync),
            logins,
            server_clock,
            ReadBuffer(),
        )
        return await _serve(settings, parts, store, data_dir.path, listener, tls, opened)


async def _serve(
    settings: CassandraSettings, parts: Parts, store: RocksStore, directory: Path, listener: socket.socket,
    tls: ssl.SSLContext | None, opened: ExitStack,
) -> RunningServer:  # fmt: skip
    """Start to accept connections and control requests. The running server must close everything in `opened`."""
    if parts.logins is not None and not is_loopback(settings.host):
        await parts.logins.warn_of_default(settings.host)
    state = parts.state
    port = listener.getsockname()[1]
    upkeep = Upkeep(directory, store, state, parts.clock)
    stats = Stats(
        settings, f"{settings.host}:{port}", directory / STORE, store, state, parts.statements, parts.clients, upkeep,
        parts.clock,
    )  # fmt: skip
    stats.add_to(state.system_rows)
    requests = Requests(directory, store, parts.commit, upkeep, parts.clients)
    served = Served(CassandraServer.name, f"{settings.host}:{port}", requests.numbers, REQUESTS, requests.serve)
    control = await ControlSocket.open(directory, served)
    metrics = await _metrics(settings, parts)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(parts), sock=listener, ssl=tls)
    upkeep.start()
    gc.freeze()
    return RunningServer(settings, port, directory, parts, control, upkeep, listening, metrics, opened.pop_all())


async def _metrics(settings: CassandraSettings, parts: Parts) -> MetricsEndpoint | None:
    if settings.metrics_port is None:
        return None
    from smackbox.cassandra.server.metrics import registry

    metrics_registry = registry(parts.clients, parts.state)
    return await MetricsEndpoint.open(
        metrics_registry, settings.host, settings.metrics_port, insecure=settings.insecure
    )


def _open_state(settings: CassandraSettings, store: RocksStore, clock: ServerClock) -> ServerState:
    engine = Engine(store)
    catalog = Catalog(store, engine)
    node = Node(settings.cluster_name, settings.data_center, settings.rack, _host_id(store, engine), clock.now_s())
    system_rows = SystemRows(catalog, node)
    show_masks(system_rows, catalog)
    security = Security(
        Roles(store, engine),
        catalog,
        secrets.token_bytes,
        settings.authenticator,
        settings.authorizer,
        masking=settings.dynamic_data_masking_enabled,
    )
    engine.flush()
    show_roles(system_rows, security.roles)
    return ServerState(
        catalog,
        engine,
        system_rows,
        secrets.token_bytes,
        settings.batch_size_warn_threshold_bytes,
        settings.batch_size_fail_threshold_bytes,
        security,
        Vectors(catalog, engine, threading.Lock()),
        materialized_views=settings.materialized_views_enabled,
        masking=settings.dynamic_data_masking_enabled,
    )


def _host_id(store: RocksStore, engine: Engine) -> UUID:
    """The node's id, created at its first start."""
    host_id = store.get(HOST_ID_KEY, SCHEMA_FAMILY)
    if host_id is None:
        host_id = uuid4().bytes
        engine.batch.put(HOST_ID_KEY, host_id, store.family(SCHEMA_FAMILY))
        engine.pending += 1
        engine.flush()
    return UUID(bytes=host_id)
