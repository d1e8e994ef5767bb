"""A framework as a service: a REST API, and leading or standing by.

With `zk`, any number of these may run: one leads, the others pass requests on to it and take over when it is gone, with
its state, and so with its tasks. Without, this one leads, and keeps its state in its directory.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import ssl
from abc import abstractmethod
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Generic

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StartError, StorageError
from smackbox.election.state_store import StateStore
from smackbox.election.zookeeper_url import ZooKeeperUrl
from smackbox.mesos_framework.driver import ElectedMasters, FixedMasters, Masters, SchedulerDriver
from smackbox.mesos_framework.proxy import Proxy
from smackbox.mesos_framework.settings import FrameworkSettings
from smackbox.mesos_framework.term import M, Message, Term
from smackbox.net.http import JSON, Answer, HttpRequest, HttpResponse, basic_credentials
from smackbox.net.http_client import HttpClient
from smackbox.net.http_server import HttpServer
from smackbox.net.tls import client_context, server_context
from smackbox.store.data_dir import DataDir

if TYPE_CHECKING:
    from smackbox.election.coordinator import Coordinator

LEADER_PREFIX = "leader_"
TERM_RETRY_S = 1.0

log = logging.getLogger(__name__)


class FrameworkServer(Generic[M]):
    """A `Service`. A framework says what its machine is and how it answers requests."""

    name = "framework"

    def __init__(self, settings: FrameworkSettings, framework_name: str, clock: Clock | None = None) -> None:
        settings.check()
        self.term: Term[M] | None = None
        self.clock: Clock = clock or SystemClock()
        self.address = ""
        """How other processes reach this one, as a URL."""
        self.leader: str | None = None
        """The leader's address."""
        self.http: HttpServer
        self._settings = settings
        self._framework_name = framework_name
        self._proxy: Proxy | None = None
        self._peers_tls: ssl.SSLContext | None = None
        self._masters: Masters
        self._coordinators: list[Coordinator] = []
        self._election: Coordinator | None = None
        self._data_dir: DataDir | None = None
        self._store: StateStore | None = None
        self._leading = False
        self._losses = 0
        """How often leadership was lost: what a term has loaded holds only while this does not change."""
        self._term_losses = 0
        self._led = asyncio.Event()
        self._turn = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    # --- what a framework adds

    @abstractmethod
    def new_machine(self, driver: SchedulerDriver) -> M:
        """Its state, empty."""

    @abstractmethod
    def answer(self, term: Term[M], request: HttpRequest) -> Answer:
        """A request to the leader."""

    def local_answer(self, request: HttpRequest) -> Answer | None:
        """What every process answers by itself; None where the leader has to."""
        return HttpResponse.text("pong") if request.path == "/ping" else None

    async def term_begins(self, term: Term[M]) -> None:
        """Start what runs while this process leads."""

    async def term_ends(self, term: Term[M]) -> None:
        """Stop it."""

    # --- life

    @property
    def url(self) -> str:
        return self.http.url

    async def start(self) -> None:
        """Raises `StartError`, `SettingError`."""
        settings = self._settings
        tls: ssl.SSLContext | None = None
        if settings.ssl_certfile is not None:
            tls = server_context(self.name, settings.ssl_certfile, settings.ssl_keyfile, None, ssl.CERT_NONE)
        self.http = HttpServer(
            self.name,
            self._answer,
            host=settings.host,
            port=settings.port,
            insecure=settings.insecure,
            authenticated=settings.http_credentials is not None,
            tls=tls,
        )
        await self.http.start()
        self.address = f"{'https' if tls else 'http'}://{settings.hostname or settings.host}:{self.http.port}"
        if settings.mesos_ssl_cafile is not None:
            self._peers_tls = client_context(self.name, settings.mesos_ssl_cafile)
        self._proxy = Proxy(self.name, self.address, self._peers_tls)
        try:
            await self._connect()
        except BaseException:
            await self.stop()
            raise
        self._life = asyncio.create_task(self._live())

    async def probe(self) -> None:
        """Raises `StartError` where the API does not answer; waits until somebody leads where only this one can."""
        if not self.url.startswith("https"):
            client = HttpClient()
            try:
                answer = await client.request("GET", self.url + "/ping")
            finally:
                await client.close()
            if answer.body != b"pong":
                raise StartError(f"{self.url} does not answer: {answer.status}")
        if self._settings.zk is None:
            await self._led.wait()

    async def stop(self) -> None:
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        await self._end_term()
        await self.http.stop()
        if self._proxy is not None:
            await self._proxy.close()
        for coordinator in self._coordinators:
            await coordinator.stop()
        if self._store is not None:
            await self._store.close()
        if self._data_dir is not None:
            self._data_dir.close()

    async def _connect(self) -> None:
        settings = self._settings
        scheme = "http" if settings.mesos_ssl_cafile is None else "https"
        if settings.master.startswith("zk://"):
            self._masters = ElectedMasters(await self._coordinator(settings.master), scheme=scheme)
        else:
            masters = settings.master.split(",")
            self._masters = FixedMasters(*(one if "://" in one else f"{scheme}://{one}" for one in masters))
        if settings.zk is None:
            from smackbox.election.state_file import FileStateStore

            self._data_dir = DataDir.open(settings.dir)
            self._store = FileStateStore(self._data_dir.path, sync=settings.sync)
            self.leader = self.address
            self._elected()
            return
        from smackbox.election.state_zookeeper import ZooKeeperStateStore

        self._election = await self._coordinator(settings.zk)
        self._store = ZooKeeperStateStore(self._election, "state")
        self._election.watch_leader(LEADER_PREFIX, self._leader_is)
        self._election.contend(LEADER_PREFIX, self.address.encode(), self._elected, self._lost)

    async def _coordinator(self, url: str) -> Coordinator:
        from smackbox.election.coordinator import Coordinator

        coordinator = Coordinator(ZooKeeperUrl.parse(url))
        await coordinator.start()
        self._coordinators.append(coordinator)
        return coordinator

    # --- leading

    def abdicate(self) -> None:
        """Give the place to another one, and stand again at the end of the line."""
        if self._election is not None:
            self._election.resign()

    def _leader_is(self, data: bytes | None) -> None:
        self.leader = None if data is None else data.decode()

    def _elected(self) -> None:
        self._leading = True
        self._turn.set()

    def _lost(self) -> None:
        self._leading = False
        self._losses += 1
        self._turn.set()

    async def _live(self) -> None:
        """Begin a term when elected, end it when not."""
        while True:
            await self._turn.wait()
            self._turn.clear()
            if not self._leading or self._losses != self._term_losses:
                await self._end_term()
            if self._leading and self.term is None:
                await self._begin_term()

    async def _begin_term(self) -> None:
        losses = self._term_losses = self._losses

        def fenced() -> None:
            if losses == self._losses:
                self._lost()
                self.abdicate()

        settings = self._settings
        principal, secret = settings.mesos_authentication_principal, settings.secret()
        info: Message = {
            "user": settings.mesos_user,
            "name": self._framework_name,
            "failover_timeout": settings.failover_timeout,
            "roles": [settings.mesos_role],
            "webui_url": self.address,
            "hostname": settings.hostname or settings.host,
        }
        if principal is not None:
            info["principal"] = principal
        assert self._store is not None
        credentials = (principal, secret) if principal is not None and secret is not None else None
        term = Term(self._store, self._masters, self.new_machine, info, credentials, fenced, self._peers_tls)
        try:
            begun = await self._begun(term)
        except BaseException:
            await term.end()
            raise
        if not begun or losses != self._losses:
            await term.end()
            self._turn.set()
            return
        await self.term_begins(term)
        self.term = term
        self._led.set()
        log.info("leading as %s", self.address)

    async def _begun(self, term: Term[M]) -> bool:
        try:
            await term.begin()
            return True
        except StorageError as error:
            log.error("cannot take over the state: %s", error)
        except Exception:
            log.exception("cannot go on from the stored state")
        await asyncio.sleep(TERM_RETRY_S)
        return False

    async def _end_term(self) -> None:
        term, self.term = self.term, None
        if term is not None:
            await self.term_ends(term)
            await term.end()

    # --- requests

    def _answer(self, request: HttpRequest) -> Answer | Awaitable[Answer]:
        if request.path != "/ping" and not self._is_authenticated(request):
            challenge = {"WWW-Authenticate": 'Basic realm="Mesosphere"'}
            return HttpResponse(401, b'{"message":"Invalid username or password."}', JSON, challenge)
        return self.local_answer(request) or self._leaders_answer(request)

    def _is_authenticated(self, request: HttpRequest) -> bool:
        wanted = self._settings.http_credentials
        if wanted is None:
            return True
        given = basic_credentials(request.headers.get("authorization"))
        return given is not None and hmac.compare_digest(":".join(given).encode(), wanted.encode())

    async def _leaders_answer(self, request: HttpRequest) -> Answer:
        term = self.term
        if term is None:
            if self.leader is None or self.leader == self.address or self._proxy is None:
                return HttpResponse.json({"message": "Could not determine the current leader"}, 503)
            return await self._proxy.forward(request, self.leader)
        answer = self.answer(term, request)
        if term.machine.effects:
            try:
                await term.committed()
            except StorageError as error:
                return HttpResponse.json({"message": f"the change may not be kept: {error}"}, 503)
        return answer
