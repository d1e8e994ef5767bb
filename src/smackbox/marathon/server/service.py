"""Marathon as a service: the REST API, and leading or standing by.

With `zk`, any number of these may run: one leads, the others pass requests on to it and take over when it is gone, with
its state, and so with its tasks. Without, this one leads, and keeps its state in its directory.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import ssl
from collections.abc import Awaitable

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StartError, StorageError
from smackbox.coordination.coordinator import Coordinator
from smackbox.coordination.state_store import FileStateStore, StateStore, ZooKeeperStateStore
from smackbox.coordination.zookeeper_url import ZooKeeperUrl
from smackbox.framework.driver import ElectedMasters, FixedMasters, Masters
from smackbox.marathon.handlers.api import Api
from smackbox.marathon.handlers.routes import handle
from smackbox.marathon.server.event_bus import EventBus
from smackbox.marathon.server.figures import figures, prometheus
from smackbox.marathon.server.proxy import Proxy
from smackbox.marathon.server.term import Term
from smackbox.marathon.settings import MarathonSettings
from smackbox.net.http import Answer, HttpRequest, HttpResponse, basic_credentials
from smackbox.net.http_client import HttpClient
from smackbox.net.http_server import HttpServer
from smackbox.net.tls import server_context
from smackbox.store.data_dir import DataDir

VERSION = "1.11.24"
LEADER_PREFIX = "leader_"
TERM_RETRY_S = 1.0

log = logging.getLogger(__name__)


class MarathonServer:
    """A `Service`."""

    name = "marathon"

    def __init__(self, settings: MarathonSettings, *, clock: Clock | None = None) -> None:
        settings.check()
        self.settings = settings
        self.term: Term | None = None
        self._clock: Clock = clock or SystemClock()
        self._bus = EventBus(self._clock)
        self._http: HttpServer
        self._proxy: Proxy
        self._masters: Masters
        self._coordinator: Coordinator | None = None
        self._mesos_coordinator: Coordinator | None = None
        self._data_dir: DataDir | None = None
        self._store: StateStore
        self._leader: str | None = None
        self._leading = False
        self._led = asyncio.Event()
        self._turn = asyncio.Event()
        self._address = ""
        self._life: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return self._http.url

    # --- life

    async def start(self) -> None:
        """Raises `StartError`."""
        settings = self.settings
        tls: ssl.SSLContext | None = None
        if settings.ssl_certfile is not None:
            tls = server_context(self.name, settings.ssl_certfile, settings.ssl_keyfile, None, ssl.CERT_NONE)
        self._http = HttpServer(
            self.name,
            self._answer,
            host=settings.host,
            port=settings.port,
            insecure=settings.insecure,
            authenticated=settings.http_credentials is not None,
            tls=tls,
        )
        await self._http.start()
        host = settings.hostname or settings.host
        self._address = f"{'https' if tls else 'http'}://{host}:{self._http.port}"
        self._proxy = Proxy(self._address)
        try:
            await self._connect()
        except BaseException:
            await self.stop()
            raise
        self._life = asyncio.create_task(self._live())

    async def _connect(self) -> None:
        settings = self.settings
        if settings.master.startswith("zk://"):
            self._mesos_coordinator = Coordinator(ZooKeeperUrl.parse(settings.master))
            await self._mesos_coordinator.start()
            self._masters = ElectedMasters(self._mesos_coordinator)
        else:
            self._masters = FixedMasters(*settings.master.split(","))
        if settings.zk is None:
            self._data_dir = DataDir.open(settings.dir)
            self._store = FileStateStore(self._data_dir.path, sync=settings.sync)
            self._leader = self._address
            self._elected()
            return
        self._coordinator = Coordinator(ZooKeeperUrl.parse(settings.zk))
        await self._coordinator.start()
        self._store = ZooKeeperStateStore(self._coordinator, "state")
        self._coordinator.watch_leader(LEADER_PREFIX, self._leader_is)
        self._coordinator.contend(LEADER_PREFIX, self._address.encode(), self._elected, self._lost)

    async def probe(self) -> None:
        """Raises `StartError` where the API does not answer, or nobody leads."""
        client = HttpClient()
        scheme_host = self._http.url
        try:
            if not scheme_host.startswith("https"):
                answer = await client.request("GET", scheme_host + "/ping")
                if answer.body != b"pong":
                    raise StartError(f"{scheme_host} does not answer: {answer.status}")
            if self.settings.zk is None:
                await self._led.wait()
        finally:
            await client.close()

    async def stop(self) -> None:
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        await self._end_term()
        self._bus.close()
        await self._http.stop()
        await self._proxy.close()
        for coordinator in (self._coordinator, self._mesos_coordinator):
            if coordinator is not None:
                await coordinator.stop()
        if self._data_dir is not None:
            if hasattr(self, "_store"):
                await self._store.close()
            self._data_dir.close()

    # --- leading

    def _leader_is(self, data: bytes | None) -> None:
        self._leader = None if data is None else data.decode()

    def _elected(self) -> None:
        self._leading = True
        self._turn.set()

    def _lost(self) -> None:
        self._leading = False
        self._turn.set()

    async def _live(self) -> None:
        """Begin a term when elected, end it when not."""
        while True:
            await self._turn.wait()
            self._turn.clear()
            if self._leading and self.term is None:
                await self._begin_term()
            elif not self._leading:
                await self._end_term()

    async def _begin_term(self) -> None:
        term = Term(self.settings, self._clock, self._store, self._masters, self._bus, self._address, self._lost)
        try:
            await term.begin()
        except StorageError as error:
            log.error("cannot take over the state: %s", error)
            await term.end()
            await asyncio.sleep(TERM_RETRY_S)
            self._turn.set()
            return
        self.term = term
        self._led.set()
        log.info("leading as %s", self._address)

    async def _end_term(self) -> None:
        term, self.term = self.term, None
        if term is not None:
            await term.end()

    def _abdicate(self) -> None:
        """Give the place to another one, and stand again at the end of the line."""
        if self._coordinator is not None:
            self._coordinator.resign()

    # --- requests

    def _answer(self, request: HttpRequest) -> Answer | Awaitable[Answer]:
        if request.path == "/ping":
            return HttpResponse.text("pong")
        if self.settings.http_credentials is not None and not self._is_authenticated(request):
            challenge = {"WWW-Authenticate": 'Basic realm="Mesosphere"'}
            return HttpResponse(401, b'{"message":"Invalid username or password."}', "application/json", challenge)
        if request.path == "/metrics":
            return HttpResponse.json(figures(self.term.marathon if self.term is not None else None))
        if request.path == "/metrics/prometheus":
            return prometheus(self.term.marathon if self.term is not None else None)
        return self._serve(request)

    def _is_authenticated(self, request: HttpRequest) -> bool:
        given = basic_credentials(request.headers.get("authorization"))
        wanted = self.settings.http_credentials or ""
        return given is not None and hmac.compare_digest(":".join(given).encode(), wanted.encode())

    async def _serve(self, request: HttpRequest) -> Answer:
        term = self.term
        if term is None:
            if self._leader is None or self._leader == self._address:
                return HttpResponse.json({"message": "Could not determine the current leader"}, 503)
            return await self._proxy.forward(request, self._leader)
        api = Api(
            term.marathon, self._bus.subscribe, self._abdicate, self._address.partition("://")[2], self._info(term)
        )
        answer = handle(api, request)
        if term.marathon.effects:
            try:
                await term.committed()
            except StorageError as error:
                return HttpResponse.json({"message": f"the change may not be kept: {error}"}, 503)
        return answer

    def _info(self, term: Term) -> dict[str, object]:
        settings = self.settings
        info: dict[str, object] = {
            "name": settings.framework_name,
            "version": VERSION,
            "buildref": "smackbox",
            "marathon_config": {
                "master": settings.master,
                "mesos_leader_ui_url": term.driver.master,
                "failover_timeout": settings.failover_timeout,
                "framework_name": settings.framework_name,
                "ha": settings.zk is not None,
                "checkpoint": True,
                "hostname": settings.hostname or settings.host,
                "local_port_min": 10_000,
                "local_port_max": 20_000,
                "executor": "//cmd",
                "mesos_role": None if settings.mesos_role == "*" else settings.mesos_role,
                "mesos_user": settings.mesos_user or None,
                "webui_url": None,
                "features": [],
            },
            "http_config": {"http_port": self._http.port, "https_port": None},
        }
        if settings.zk is not None:
            info["zookeeper_config"] = {"zk": str(ZooKeeperUrl.parse(settings.zk)), "zk_max_versions": 50}
        return info
