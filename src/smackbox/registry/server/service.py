"""`RegistryServer`: the HTTP API over the schemas' topic. Requests that write run one at a time."""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from smackbox.base.errors import StartError
from smackbox.net.http import HttpRequest, HttpResponse, basic_credentials
from smackbox.net.http_server import HttpServer
from smackbox.net.metrics_endpoint import MetricsEndpoint
from smackbox.net.service import Server
from smackbox.net.tls import server_context
from smackbox.registry.handlers.routes import handle, refused, writes
from smackbox.registry.server.schema_log import SchemaLog
from smackbox.registry.settings import RegistrySettings
from smackbox.registry.state.subjects import Subjects
from smackbox.registry.wire.errors import Refusal

UNAUTHORIZED = {"WWW-Authenticate": 'Basic realm="SchemaRegistry"'}


@dataclass(frozen=True, slots=True)
class RunningRegistry:
    """The registry while it serves."""

    subjects: Subjects
    log: SchemaLog
    http: HttpServer
    closing: AsyncExitStack

    @property
    def url(self) -> str:
        """What clients call `schema.registry.url`."""
        return self.http.url

    async def probe(self) -> None:
        """Read to the topic's end. Raises `StartError`."""
        try:
            await self.log.catch_up()
        except Refusal as error:
            raise StartError(f"{self.url}: {error}") from error

    async def stop(self) -> None:
        """Answer what is under way, then close the topic."""
        await self.closing.aclose()


@dataclass(slots=True)
class _Requests:
    settings: RegistrySettings
    subjects: Subjects
    log: SchemaLog
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """One request, from its credentials to what it wrote."""
        if request.path == "/healthz":
            return HttpResponse.json({"status": "ok"})
        if not self._is_authenticated(request):
            response = refused(Refusal(401, "Unauthorized"))
            response.headers.update(UNAUTHORIZED)
            return response
        if not writes(request):
            return handle(self.subjects, request).response
        async with self.turn:
            try:
                await self.log.catch_up()
                outcome = handle(self.subjects, request)
                if outcome.records:
                    await self.log.write(outcome.records)
            except Refusal as refusal:
                return refused(refusal)
            return outcome.response

    def _is_authenticated(self, request: HttpRequest) -> bool:
        users = self.settings.auth_users
        if not users:
            return True
        given = basic_credentials(request.headers.get("authorization"))
        if given is None:
            return False
        user, password = given
        expected = users.get(user)
        return expected is not None and hmac.compare_digest(expected.encode(), password.encode())


class RegistryServer(Server[RunningRegistry]):
    """A schema registry: a `Service`."""

    name = "registry"

    def __init__(self, settings: RegistrySettings) -> None:
        super().__init__()
        settings.check()
        self._settings = settings

    async def open(self) -> RunningRegistry:
        """Read the topic, then listen. Raises `StartError`."""
        settings = self._settings
        _check_installed()
        subjects = Subjects(settings.schema_compatibility_level)
        async with AsyncExitStack() as opened:
            log = SchemaLog(settings, subjects.apply)
            await log.open()
            opened.push_async_callback(log.close)
            http = HttpServer(
                self.name,
                _Requests(settings, subjects, log).answer,
                host=settings.host,
                port=settings.port,
                insecure=settings.insecure,
                authenticated=bool(settings.auth_users),
                tls=_tls(settings),
            )
            await http.start()
            opened.push_async_callback(http.stop)
            if settings.metrics_port is not None:
                metrics = await MetricsEndpoint.open(
                    _metrics(subjects), settings.host, settings.metrics_port, insecure=settings.insecure
                )
                opened.push_async_callback(metrics.close)
            return RunningRegistry(subjects, log, http, opened.pop_all())
        raise AssertionError("the block returns")


def _check_installed() -> None:
    from importlib.util import find_spec

    for module in ("jsonschema", "google.protobuf"):
        try:
            found = find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise StartError("the schema registry is not installed: pip install 'smackbox[registry]'")


def _tls(settings: RegistrySettings) -> ssl.SSLContext | None:
    if settings.ssl_certfile is None:
        return None
    return server_context("registry", settings.ssl_certfile, settings.ssl_keyfile, None, ssl.CERT_NONE)


def _metrics(subjects: Subjects) -> Any:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily

    class Collector:
        def collect(self) -> Iterator[GaugeMetricFamily]:
            names = subjects.subjects()
            yield GaugeMetricFamily("smackbox_registry_subjects", "Subjects", len(names))
            count = sum(len(subjects.versions(name)) for name in names)
            yield GaugeMetricFamily("smackbox_registry_versions", "Versions of all subjects", count)

    registry = CollectorRegistry()
    registry.register(Collector())
    return registry
