"""The master on its sockets: requests in, streams out, the clock, the store and the election.

Handlers are synchronous; what they want stored is gathered, written in one go, and takes effect then, in order. A
master that loses its leadership closes all its streams and forgets what it knew: its successor has it from the store,
the agents and the frameworks.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import SettingError, StartError, StorageError
from smackbox.election.state_store import Fenced, MemoryStateStore, StateStore
from smackbox.election.zookeeper_url import ZooKeeperUrl
from smackbox.mesos.http.access import Access
from smackbox.mesos.http.answers import Deferred, Refused
from smackbox.mesos.master.handlers import routes
from smackbox.mesos.master.handlers.context import REALMS, Call, MasterContext
from smackbox.mesos.master.server.options import make_access, make_options
from smackbox.mesos.master.settings import MasterSettings
from smackbox.mesos.master.state import offers, ticks
from smackbox.mesos.master.state.entities import EventSink
from smackbox.mesos.master.state.master import Master
from smackbox.mesos.master.state.registry import Commit, Registry
from smackbox.mesos.wire import json_format
from smackbox.net.http import Answer, HttpRequest, basic_credentials
from smackbox.net.http_server import HttpServer
from smackbox.net.tls import server_context, unverified
from smackbox.store.data_dir import DataDir

if TYPE_CHECKING:
    from smackbox.election.coordinator import Coordinator

TICK_S = 0.1
REGISTRY = "registry"
CONTENDER = "json.info_"
LOAD_RETRY_S = 1.0

log = logging.getLogger(__name__)


class MasterServer:
    """One master: a `Service`."""

    name = "mesos-master"

    def __init__(self, settings: MasterSettings, *, clock: Clock | None = None) -> None:
        settings.check()
        self.settings = settings
        self.context = MasterContext(make_access(settings))
        self._clock: Clock = clock or SystemClock()
        self._http: HttpServer
        self._store: StateStore
        self._coordinator: Coordinator | None = None
        self._data_dir: DataDir | None = None
        self._metrics: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._committing: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[None] | None = None
        self._allocating: asyncio.Handle | None = None
        self._first: Master | None = None

    @property
    def url(self) -> str:
        return self._http.url

    @property
    def metrics_url(self) -> str:
        """Where Prometheus' figures are, with `metrics_port`."""
        assert self._metrics is not None
        return str(self._metrics.url)

    # --- life

    async def start(self) -> None:
        """Listen, find out who leads, and read the registry where it is this one. Raises `StartError`."""
        settings = self.settings
        self._http = HttpServer(
            self.name,
            self._handle,
            host=settings.host,
            port=settings.port,
            insecure=settings.insecure,
            authenticated=settings.authenticates_all_who_change,
            tls=self._tls(),
        )
        await self._http.start()
        try:
            self._first = self._make_master(Registry())
            self.context.flags = self._first.options.flags
            if settings.metrics_port is not None:
                await self._start_metrics(settings.metrics_port)
            if settings.zk is None:
                self._data_dir = DataDir.open(settings.dir)
                path = self._data_dir.path
                if settings.dir is None:
                    self._store = MemoryStateStore()
                else:
                    from smackbox.election.state_file import FileStateStore

                    self._store = FileStateStore(path, sync=settings.sync)
                await self._lead()
            else:
                await self._stand(ZooKeeperUrl.parse(settings.zk))
        except BaseException:
            await self.stop()
            raise
        self._tick()

    async def probe(self) -> None:
        """Ask for its health over its own socket. Raises `StartError`."""
        reader, writer = await asyncio.open_connection(
            self.settings.host, self._http.port, ssl=unverified() if self.settings.ssl_cert_file else None
        )
        try:
            writer.write(b"GET /health HTTP/1.1\r\nHost: master\r\nConnection: close\r\n\r\n")
            status = await reader.readline()
        finally:
            writer.close()
        if b" 200 " not in status:
            raise StartError(f"{self.url} does not answer as it should: {status!r}")

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stop_leading()
        await self._http.stop()
        for task in (self._loading, self._committing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._coordinator is not None:
            await self._coordinator.stop()
        if hasattr(self, "_store"):
            await self._store.close()
        if self._data_dir is not None:
            self._data_dir.close()
        if self._metrics is not None:
            await self._metrics.stop()

    def _tls(self) -> ssl.SSLContext | None:
        settings = self.settings
        if settings.ssl_cert_file is None:
            return None
        verify = ssl.CERT_REQUIRED if settings.ssl_require_client_cert else ssl.CERT_NONE
        return server_context(self.name, settings.ssl_cert_file, settings.ssl_key_file, settings.ssl_ca_file, verify)

    async def _start_metrics(self, port: int) -> None:
        from smackbox.mesos.http.prometheus import registry
        from smackbox.mesos.master.handlers.metrics import snapshot
        from smackbox.net.metrics_endpoint import MetricsEndpoint

        made = registry(lambda: snapshot(self.context))
        self._metrics = MetricsEndpoint(made, self.settings.host, port, insecure=self.settings.insecure)
        await self._metrics.start()

    def _make_master(self, registry: Registry) -> Master:
        options = make_options(self.settings, self._http.port, socket.gethostname())
        made = Master(
            options, self._clock, new_uuid=lambda: uuid.uuid4().bytes, shuffle=random.shuffle, registry=registry
        )
        if self._first is not None:
            made.succeed(self._first)
        return made

    # --- who leads

    async def _stand(self, url: ZooKeeperUrl) -> None:
        from smackbox.election.coordinator import Coordinator
        from smackbox.election.state_zookeeper import ZooKeeperStateStore

        timeout_ms = self.settings.milliseconds("zk_session_timeout") or 10_000
        self._coordinator = Coordinator(url, session_timeout_s=timeout_ms / 1_000)
        await self._coordinator.start()
        self._store = ZooKeeperStateStore(self._coordinator, REGISTRY)
        self._coordinator.watch_leader(CONTENDER, self._leader_is)
        assert self._first is not None
        info = json_format.encode(self._first.info())
        self._coordinator.contend(CONTENDER, info, self._elected, self._stop_leading)

    def _leader_is(self, data: bytes | None) -> None:
        try:
            self.context.leader = None if data is None else msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError):
            log.warning("the leading master's node is not JSON")
            self.context.leader = None

    def _elected(self) -> None:
        self._loading = asyncio.get_running_loop().create_task(self._lead(), name="mesos-master-recovery")

    async def _lead(self) -> None:
        """Take over from whoever led before: all that the store has."""
        self.context.leads = True
        if self._coordinator is None and self._first is not None:
            self.context.leader = self._first.info()
        while True:
            try:
                registry = Registry.load(await self._store.load())
                break
            except StorageError as error:
                log.error("the registry cannot be read, trying again: %s", error)
                await asyncio.sleep(LOAD_RETRY_S)
        master = self._make_master(registry)
        for role, weight in _weights(self.settings.weights).items():
            master.allocator.set_weight(role, weight)
            master.registry.weights.setdefault(role, weight)
        ticks.begin_to_lead(master)
        self._first = master
        self.context.master = master
        log.info("leading as %s with %d agents known", master.id, len(registry.agents))

    def _stop_leading(self) -> None:
        self.context.leads = False
        master, self.context.master = self.context.master, None
        if self._loading is not None:
            self._loading.cancel()
        if master is None:
            return
        while master.commits:
            _fail(master.take_commits(), "This master no longer leads")
        sinks: list[EventSink | None] = [one.sink for one in master.subscribers.values()]
        sinks += [one.sink for one in master.frameworks.values()]
        sinks += [one.sink for one in master.agents.values()]
        for framework in master.frameworks.values():
            framework.sink = None
        for agent in master.agents.values():
            agent.sink = None
        for sink in sinks:
            if sink is not None:
                sink.close()

    # --- requests

    def _handle(self, request: HttpRequest) -> Any:
        try:
            answer = self._answer(request)
        except Refused as refused:
            answer = refused.response()
        self._after()
        if isinstance(answer, Deferred):
            return self._wait(answer)
        return answer

    def _answer(self, request: HttpRequest) -> Any:
        log.debug("%s %s from %s", request.method, request.target, request.peer)
        route = routes.find(request.path)
        if route is None:
            raise Refused(404, f"{request.path} is not served")
        realm = routes.realm_of(route, request)
        principal = self._authenticate(realm, request)
        if route.open_handler is not None:
            return route.open_handler(self.context, request, principal)
        assert route.handler is not None
        master = self.context.leading(request)
        return route.handler(Call(self.context, master, request, principal))

    def _authenticate(self, realm: str | None, request: HttpRequest) -> str | None:
        access: Access = self.context.access
        given = basic_credentials(request.headers.get("authorization"))
        known = given is not None and access.knows(*given)
        if realm is None or realm not in access.asked:
            return given[0] if given is not None and known else None
        if given is None or not known:
            raise Refused(401, "", {"WWW-Authenticate": f'Basic realm="{REALMS[realm]}"'})
        return given[0]

    async def _wait(self, deferred: Deferred) -> Answer:
        if deferred.answer is None:
            answered = asyncio.Event()
            deferred.on_answer = answered.set
            await answered.wait()
        assert deferred.answer is not None
        return deferred.answer

    # --- the clock and the store

    def _set_log_level(self, master: Master) -> None:
        """SET_LOGGING_LEVEL holds for a while only."""
        if self.context.log_level and self.context.log_level_until_ms <= master.now_ms:
            self.context.log_level = 0
        logging.getLogger("smackbox.mesos").setLevel(logging.DEBUG if self.context.log_level else logging.NOTSET)

    def _tick(self) -> None:
        if self.context.master is not None:
            ticks.tick(self.context.master)
            self._set_log_level(self.context.master)
            self._after()
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _after(self) -> None:
        """After anything that may have changed something."""
        master = self.context.master
        if master is None:
            return
        if master.commits and (self._committing is None or self._committing.done()):
            self._committing = asyncio.get_running_loop().create_task(self._commit(), name="mesos-master-commit")
        if master.allocation_wanted and self._allocating is None:
            self._allocating = asyncio.get_running_loop().call_soon(self._allocate)

    def _allocate(self) -> None:
        self._allocating = None
        if self.context.master is not None and self.context.master.allocation_wanted:
            offers.allocate(self.context.master)

    async def _commit(self) -> None:
        """Store what has gathered, all at once, then let it take effect."""
        while (master := self.context.master) is not None and master.commits:
            commits = master.take_commits()
            changes = {name: value for commit in commits for name, value in commit.changes.items()}
            try:
                await self._store.store(changes)
            except Fenced as error:
                log.error("%s", error)
                _fail(commits, str(error))
                if self.context.master is master:
                    self._stop_leading()
                return
            except StorageError as error:
                log.error("the registry cannot be written: %s", error)
                _fail(commits, str(error))
                continue
            if self.context.master is not master:
                _fail(commits, "This master no longer leads")
                return
            for commit in commits:
                commit.then()
            self._after()


def _fail(commits: list[Commit], said: str) -> None:
    for commit in commits:
        commit.failed(said)


def _weights(text: str | None) -> dict[str, float]:
    """Of `role=weight,role=weight`. Raises `SettingError`."""
    weights: dict[str, float] = {}
    for part in filter(None, (text or "").split(",")):
        role, equals, number = part.partition("=")
        try:
            weights[role.strip()] = float(number)
        except ValueError as error:
            raise SettingError(f"mesos: weights: {part!r} is not role=number") from error
        if not equals or weights[role.strip()] <= 0:
            raise SettingError(f"mesos: weights: {part!r} is not role=number with a positive number")
    return weights
