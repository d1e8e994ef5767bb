"""The service: start and stop, the store, the connections, and the clock that the room is told the time by."""

from __future__ import annotations

import asyncio
import gc
import secrets
import ssl
import threading
from pathlib import Path
from uuid import UUID, uuid4

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StorageError
from smackbox.cassandra.execution.column_masks import show_masks
from smackbox.cassandra.execution.context import ServerState
from smackbox.cassandra.execution.results import SchemaChange
from smackbox.cassandra.execution.security import PASSWORD_AUTHENTICATOR, Security
from smackbox.cassandra.execution.vector_upkeep import Vectors
from smackbox.cassandra.protocol.session import Session
from smackbox.cassandra.server.budget import Budget
from smackbox.cassandra.server.connection import Connection
from smackbox.cassandra.server.encryption import probe_context, tls_context
from smackbox.cassandra.server.figures import Figures
from smackbox.cassandra.server.logins import Logins
from smackbox.cassandra.server.probe import probe
from smackbox.cassandra.server.security_settings import check_security
from smackbox.cassandra.server.snapshot import STORE, finish_restoring
from smackbox.cassandra.server.tools import Requests
from smackbox.cassandra.server.upkeep import Upkeep
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.state.auth_rows import show_roles
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.engine import SCHEMA_FAMILY, Engine
from smackbox.cassandra.state.node import Endpoint, Node
from smackbox.cassandra.state.roles import Roles
from smackbox.cassandra.state.system_rows import SystemRows
from smackbox.cassandra.statements.registry import Statements
from smackbox.cassandra.wire import frames, responses
from smackbox.net.listener import bind, is_loopback
from smackbox.net.metrics_endpoint import MetricsEndpoint
from smackbox.net.open_files import raise_open_file_limit
from smackbox.store.data_dir import DataDir
from smackbox.store.rocks import RocksStore, open_store

HOST_ID_KEY = b"h"
CLOSE_TIMEOUT_S = 2.0


class CassandraServer:
    """A CQL server of one node. A `net.service.Service`."""

    name = "cassandra"

    def __init__(self, settings: CassandraSettings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.connections: set[Connection] = set()
        self.budget = Budget(
            settings.native_transport_max_request_data_in_flight_bytes,
            settings.native_transport_max_request_data_in_flight_per_ip_bytes,
        )
        self._clock = clock or SystemClock()
        self._last_us = 0
        self._server: asyncio.Server | None = None
        self._data_dir: DataDir | None = None
        self.store: RocksStore | None = None
        self._metrics: MetricsEndpoint | None = None
        self._port = settings.port
        self._unsynced: list[tuple[Connection, bytes]] = []
        self._syncing: asyncio.Task[None] | None = None
        self.finished_requests = 0
        self.logins: Logins | None = None
        self.requests: Requests | None = None
        self._tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{self.settings.host}:{self._port}"

    @property
    def store_directory(self) -> Path:
        assert self._data_dir is not None
        return self._data_dir.path / STORE

    @property
    def metrics_url(self) -> str | None:
        return self._metrics.url if self._metrics is not None else None

    # ---- a service's life -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises `StartError` when the port is taken or the directory cannot be used."""
        settings = self.settings
        check_security(settings)
        raise_open_file_limit()
        self._tls = tls_context(settings)
        asks_for_certificates = settings.client_encryption_client_auth == "required"
        authenticated = settings.authenticator == PASSWORD_AUTHENTICATOR or asks_for_certificates
        listener = bind(
            settings.host, settings.port, name=self.name, insecure=settings.insecure, authenticated=authenticated
        )
        try:
            self._data_dir = DataDir.open(settings.dir)
            finish_restoring(self._data_dir.path)
            self.store = open_store(self.store_directory, families=(SCHEMA_FAMILY,))
            self._open_room(self.store)
        except BaseException:
            listener.close()
            self._close_store()
            raise
        self._port = listener.getsockname()[1]
        if self.logins is not None and not is_loopback(settings.host):
            await self.logins.warn_of_default(settings.host)
        self.requests = Requests(self, self._data_dir.path)
        self.requests.listen()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), sock=listener, ssl=self._tls)
        if settings.metrics_port is not None:
            from smackbox.cassandra.server.metrics import registry

            self._metrics = MetricsEndpoint(
                registry(self), settings.host, settings.metrics_port, insecure=settings.insecure
            )
            await self._metrics.start()
        self.upkeep.start()
        gc.freeze()

    async def probe(self) -> None:
        host = self.settings.host
        await probe(
            "127.0.0.1" if host in {"", "0.0.0.0"} else host,  # noqa: S104
            self._port,
            probe_context() if self._tls is not None else None,
            only_handshake=self.settings.client_encryption_client_auth == "required",
        )

    async def stop(self) -> None:
        if self._metrics is not None:
            await self._metrics.stop()
        if self.requests is not None:
            await self.requests.close()
            await self.upkeep.stop()
        if self._server is not None:
            self._server.close()
            if self._syncing is not None:
                await self._syncing
            self.flush()
            for connection in list(self.connections):
                if connection.transport is not None:
                    connection.transport.close()
            await self._wait_closed()
        self.budget.close()
        self._close_store()

    async def _wait_closed(self) -> None:
        """Wait until what was sent has left, then close what is left by force."""
        deadline = asyncio.get_running_loop().time() + CLOSE_TIMEOUT_S
        while self.connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.005)
        for connection in list(self.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)

    async def reset(self) -> None:
        """Drop every user keyspace, for tests that share a server."""
        for keyspace in self.state.catalog.user_keyspaces():
            self.state.catalog.drop_keyspace(keyspace.name)
            change = SchemaChange("DROPPED", "KEYSPACE", keyspace.name)
            self.state.security.schema_changed(change, None)
            self._broadcast(change, None)
        self.flush()

    def _open_room(self, store: RocksStore) -> None:
        settings = self.settings
        engine = Engine(store)
        catalog = Catalog(store, engine)
        host_id = store.get(HOST_ID_KEY, SCHEMA_FAMILY)
        if host_id is None:
            host_id = uuid4().bytes
            engine.batch.put(HOST_ID_KEY, host_id, store.family(SCHEMA_FAMILY))
            engine.pending += 1
            engine.flush()
        node = Node(
            settings.cluster_name,
            settings.data_center,
            settings.rack,
            UUID(bytes=host_id),
            self._clock.wall_ms() // 1000,
        )
        system_rows = SystemRows(catalog, node)
        Figures(self).add_to(system_rows)
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
        self.logins = Logins(security) if security.authenticates else None
        self.engine = engine
        self.state = ServerState(
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
        self.statements = Statements(self.state)
        self.upkeep = Upkeep(self)

    def _close_store(self) -> None:
        if self.logins is not None:
            self.logins.close()
        if self.store is not None:
            self.store.close()
            self.store = None
        if self._data_dir is not None:
            self._data_dir.close()
            self._data_dir = None

    # ---- what connections ask of it ---------------------------------------------------------------------------------

    def admit(self, connection: Connection) -> bool:
        if len(self.connections) >= self.settings.native_transport_max_concurrent_connections:
            return False
        self.connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self.budget.forget(connection)
        if connection.session is not None:
            self.finished_requests += connection.session.request_count

    def new_session(self, endpoint: Endpoint) -> Session:
        session = Session(self.state, self.statements, endpoint)
        session.tell = lambda change: self._broadcast(change, session)
        session.clock = self.now_us
        return session

    def now_us(self) -> int:
        """Microseconds since 1970, never twice the same."""
        now = self._clock.wall_us()
        if now <= self._last_us:
            now = self._last_us + 1
        self._last_us = now
        return now

    def now_s(self) -> int:
        return self._clock.wall_ms() // 1000

    def flush(self) -> None:
        """Apply the writes of a pass. Raises `StorageError`."""
        engine = self.engine
        engine.flush()
        engine.tidy(self.now_s())

    def answer(self, connection: Connection, data: bytes) -> None:
        """Send a pass's answers, with `sync` when the writes are on the disk."""
        if not self.settings.sync:
            assert connection.transport is not None
            connection.transport.write(data)
            return
        connection.hold(len(data))
        self._unsynced.append((connection, data))
        if self._syncing is None:
            self._syncing = asyncio.get_running_loop().create_task(self._sync())

    async def _sync(self) -> None:
        """One fsync for all the answers that came together while the one before was under way."""
        try:
            while self._unsynced:
                group, self._unsynced = self._unsynced, []
                assert self.store is not None
                try:
                    await asyncio.to_thread(self.store.sync)
                except StorageError as error:
                    for connection, _ in group:
                        connection.fail(str(error))
                    continue
                for connection, data in group:
                    connection.release(data)
        finally:
            self._syncing = None

    def _broadcast(self, change: SchemaChange, source: Session | None) -> None:
        del source
        body = responses.string("SCHEMA_CHANGE") + responses.schema_change_body(
            change.change, change.target, change.keyspace, change.name
        )
        for connection in self.connections:
            session = connection.session
            if session is not None and "SCHEMA_CHANGE" in session.events:
                connection.send(frames.frame(session.version, frames.EVENT_STREAM, frames.EVENT, body))

    def request_count(self) -> int:
        """How many requests were answered since the start."""
        return self.finished_requests + sum(
            connection.session.request_count for connection in self.connections if connection.session is not None
        )
