"""A framework as a service: a REST API, as the leader or a standby.

With `zk`, any number of these may run: one leads, the others proxy requests to it and take over when it is gone, with
its state and tasks. Without it, this process leads, and keeps its state in its directory.
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Generic

from smackbox.base.errors import StartError, StorageError
from smackbox.election.state_store import StateStore
from smackbox.election.zookeeper_url import ZooKeeperUrl
from smackbox.mesos_framework.driver import ElectedMasters, FixedMasters, Masters
from smackbox.mesos_framework.framework import Framework, Place
from smackbox.mesos_framework.leadership import Leadership
from smackbox.mesos_framework.proxy import Proxy
from smackbox.mesos_framework.settings import FrameworkSettings
from smackbox.mesos_framework.term import M, Message
from smackbox.net.http import JSON, Answer, HttpRequest, HttpResponse, basic_credentials
from smackbox.net.http_client import HttpClient
from smackbox.net.http_server import HttpServer
from smackbox.net.service import Server
from smackbox.net.tls import client_context, server_context
from smackbox.store.data_dir import DataDir

if TYPE_CHECKING:
    from smackbox.election.coordinator import Coordinator

LEADER_PREFIX = "leader_"


class RunningFramework(Generic[M]):
    """A framework that serves requests, as the leader or a standby."""

    def __init__(
        self,
        framework: Framework[M],
        http: HttpServer,
        place: Place,
        leadership: Leadership[M],
        proxy: Proxy,
        parts: AsyncExitStack,
        *,
        leads_alone: bool,
    ) -> None:
        self.place = place
        self.leadership = leadership
        self._framework = framework
        self._http = http
        self._proxy = proxy
        self._parts = parts
        self._leads_alone = leads_alone

    @property
    def url(self) -> str:
        """The URL of its HTTP API."""
        return self._http.url

    async def probe(self) -> None:
        """Raises `StartError` if the API does not answer; without other processes, waits for the first term."""
        if not self.url.startswith("https"):
            client = HttpClient()
            try:
                answer = await client.request("GET", self.url + "/ping")
            finally:
                await client.close()
            if answer.body != b"pong":
                raise StartError(f"{self.url} does not answer: {answer.status}")
        if self._leads_alone:
            await self.leadership.led.wait()

    async def stop(self) -> None:
        """End the term, leave the election, close the API and the parts below it."""
        self._framework.close()
        await self.leadership.stop()
        await self._http.stop()
        await self._parts.aclose()

    async def leaders_answer(self, request: HttpRequest) -> Answer:
        """This process's own answer if it leads, once its changes are stored; otherwise the leader's."""
        term, leader = self.leadership.term, self.leadership.leader
        if term is None:
            if leader is None or leader == self.place.address:
                return no_leader()
            return await self._proxy.forward(request, leader)
        answer = self._framework.answer(term, self.place, request)
        if term.machine.effects:
            try:
                await term.committed()
            except StorageError as error:
                return HttpResponse.json({"message": f"the change may not be kept: {error}"}, 503)
        return answer


class FrameworkServer(Server[RunningFramework[M]]):
    """A `Service` of one framework."""

    def __init__(self, name: str, framework_name: str, settings: FrameworkSettings, framework: Framework[M]) -> None:
        super().__init__()
        settings.check()
        self.name = name
        self._framework_name = framework_name
        self._settings = settings
        self._framework = framework

    async def open(self) -> RunningFramework[M]:
        """Listen, and join the election. Raises `StartError`, `SettingError`."""
        settings, framework = self._settings, self._framework
        requests = Requests(settings.http_credentials, framework)
        tls = self._tls()
        http = HttpServer(
            self.name,
            requests.answer,
            host=settings.host,
            port=settings.port,
            insecure=settings.insecure,
            authenticated=settings.http_credentials is not None,
            tls=tls,
        )
        async with AsyncExitStack() as parts, AsyncExitStack() as failed:
            await http.start()
            failed.push_async_callback(http.stop)
            address = f"{'https' if tls else 'http'}://{settings.hostname or settings.host}:{http.port}"
            cafile = settings.mesos_ssl_cafile
            peers_tls = None if cafile is None else client_context(self.name, cafile)
            masters = await self._masters(parts)
            election = None if settings.zk is None else await _coordinator(settings.zk, parts)
            store = self._local_store(parts) if election is None else _zookeeper_store(election)
            parts.push_async_callback(store.close)
            proxy = Proxy(self.name, address, peers_tls)
            parts.push_async_callback(proxy.close)
            abdicate = _stay if election is None else election.resign
            place = Place(address, http.port, abdicate)
            leadership = Leadership(
                store,
                masters,
                framework.new_machine,
                framework.begin_term,
                self._info(address),
                self._credentials(),
                peers_tls,
                abdicate,
            )
            failed.push_async_callback(leadership.stop)
            if election is None:
                leadership.leader = address
                leadership.elected()
            else:
                election.watch_leader(LEADER_PREFIX, leadership.leader_is)
                election.contend(LEADER_PREFIX, address.encode(), leadership.elected, leadership.lost)
            failed.pop_all()
            running = RunningFramework(
                framework, http, place, leadership, proxy, parts.pop_all(), leads_alone=election is None
            )
        requests.machine = lambda: None if leadership.term is None else leadership.term.machine
        requests.leaders_answer = running.leaders_answer
        return running

    def _tls(self) -> ssl.SSLContext | None:
        settings = self._settings
        if settings.ssl_certfile is None:
            return None
        return server_context(self.name, settings.ssl_certfile, settings.ssl_keyfile, None, ssl.CERT_NONE)

    def _credentials(self) -> tuple[str, str] | None:
        """The principal and the secret."""
        principal, secret = self._settings.mesos_authentication_principal, self._settings.secret()
        return (principal, secret) if principal is not None and secret is not None else None

    def _info(self, address: str) -> Message:
        settings = self._settings
        info: Message = {
            "user": settings.mesos_user,
            "name": self._framework_name,
            "failover_timeout": settings.failover_timeout,
            "roles": [settings.mesos_role],
            "webui_url": address,
            "hostname": settings.hostname or settings.host,
        }
        if settings.mesos_authentication_principal is not None:
            info["principal"] = settings.mesos_authentication_principal
        return info

    async def _masters(self, parts: AsyncExitStack) -> Masters:
        settings = self._settings
        scheme = "http" if settings.mesos_ssl_cafile is None else "https"
        if settings.master.startswith("zk://"):
            return ElectedMasters(await _coordinator(settings.master, parts), scheme=scheme)
        masters = settings.master.split(",")
        return FixedMasters(*(master if "://" in master else f"{scheme}://{master}" for master in masters))

    def _local_store(self, parts: AsyncExitStack) -> StateStore:
        from smackbox.election.state_file import FileStateStore

        data_dir = DataDir.open(self._settings.dir)
        parts.callback(data_dir.close)
        return FileStateStore(data_dir.path, sync=self._settings.sync)


class Requests(Generic[M]):
    """Decides whether this process or the leader answers a request. Both callables are set when there is an
    election.
    """

    def __init__(self, http_credentials: str | None, framework: Framework[M]) -> None:
        self.machine: Callable[[], M | None] = lambda: None
        self.leaders_answer: Callable[[HttpRequest], Answer | Awaitable[Answer]] = lambda _: no_leader()
        self._http_credentials = http_credentials
        self._framework = framework

    def answer(self, request: HttpRequest) -> Answer | Awaitable[Answer]:
        """Answer here if this process leads, otherwise from the leader; 401 without valid credentials."""
        if request.path != "/ping" and not self._is_authenticated(request):
            challenge = {"WWW-Authenticate": 'Basic realm="Mesosphere"'}
            return HttpResponse(401, b'{"message":"Invalid username or password."}', JSON, challenge)
        return self._framework.local_answer(self.machine(), request) or self.leaders_answer(request)

    def _is_authenticated(self, request: HttpRequest) -> bool:
        expected = self._http_credentials
        if expected is None:
            return True
        credentials = basic_credentials(request.headers.get("authorization"))
        return credentials is not None and hmac.compare_digest(":".join(credentials).encode(), expected.encode())


def no_leader() -> HttpResponse:
    """503: there is no leader at the moment."""
    return HttpResponse.json({"message": "Could not determine the current leader"}, 503)


def _stay() -> None:
    """A single process stays the leader."""


def _zookeeper_store(election: Coordinator) -> StateStore:
    from smackbox.election.state_zookeeper import ZooKeeperStateStore

    return ZooKeeperStateStore(election, "state")


async def _coordinator(url: str, parts: AsyncExitStack) -> Coordinator:
    from smackbox.election.coordinator import Coordinator

    coordinator = Coordinator(ZooKeeperUrl.parse(url))
    await coordinator.start()
    parts.push_async_callback(coordinator.stop)
    return coordinator
