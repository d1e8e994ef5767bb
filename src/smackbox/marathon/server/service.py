"""Marathon as a service: what it adds to a framework is events, health checks and its REST API."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smackbox.base.clock import Clock
from smackbox.election.zookeeper_url import ZooKeeperUrl
from smackbox.marathon.handlers.api import Api
from smackbox.marathon.handlers.routes import handle
from smackbox.marathon.handlers.service_ports import LOCAL_PORT_MAX, LOCAL_PORT_MIN
from smackbox.marathon.server.event_bus import EventBus
from smackbox.marathon.server.figures import figures, prometheus
from smackbox.marathon.server.health_checker import HealthChecker
from smackbox.marathon.settings import MarathonSettings
from smackbox.marathon.state.marathon import Marathon
from smackbox.marathon.state.versions import VERSIONS_LIMIT
from smackbox.mesos_framework.driver import SchedulerDriver
from smackbox.mesos_framework.server import FrameworkServer
from smackbox.mesos_framework.term import Term
from smackbox.net.http import Answer, HttpRequest, HttpResponse
from smackbox.net.http_client import HttpClient
from smackbox.net.tls import unverified

VERSION = "1.11.24"


class MarathonServer(FrameworkServer[Marathon]):
    name = "marathon"

    def __init__(self, settings: MarathonSettings, *, clock: Clock | None = None) -> None:
        super().__init__(settings, settings.framework_name, clock)
        self.settings = settings
        self._bus = EventBus(self.clock)
        self._checker: HealthChecker | None = None

    def new_machine(self, driver: SchedulerDriver) -> Marathon:
        settings = self.settings
        return Marathon(
            self.clock,
            driver,
            self._bus.publish,
            lambda: str(uuid.uuid4()),
            role=settings.mesos_role,
            principal=settings.mesos_authentication_principal,
            secrets=_secrets(settings.secrets_dir),
        )

    async def term_begins(self, term: Term[Marathon]) -> None:
        self._checker = HealthChecker(term.machine, HttpClient(tls=unverified()), term.decided)
        term.on_tick = self._checker.follow

    async def term_ends(self, term: Term[Marathon]) -> None:
        term.on_tick = None
        if self._checker is not None:
            await self._checker.stop()

    async def stop(self) -> None:
        self._bus.close()
        await super().stop()

    def local_answer(self, request: HttpRequest) -> Answer | None:
        machine = self.term.machine if self.term is not None else None
        if request.path == "/metrics":
            return HttpResponse.json(figures(machine))
        if request.path == "/metrics/prometheus":
            return prometheus(machine)
        return super().local_answer(request)

    def answer(self, term: Term[Marathon], request: HttpRequest) -> Answer:
        leader = self.address.partition("://")[2]
        return handle(Api(term.machine, self._bus.subscribe, self.abdicate, leader, self._info(term)), request)

    def _info(self, term: Term[Marathon]) -> dict[str, Any]:
        settings = self.settings
        zk = str(ZooKeeperUrl.parse(settings.zk)) if settings.zk is not None else None
        return {
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
                "local_port_min": LOCAL_PORT_MIN,
                "local_port_max": LOCAL_PORT_MAX,
                "executor": "//cmd",
                "mesos_role": None if settings.mesos_role == "*" else settings.mesos_role,
                "mesos_user": settings.mesos_user or None,
                "webui_url": None,
                "features": [],
            },
            "http_config": {"http_port": self.http.port, "https_port": None},
            "zookeeper_config": {"zk": zk, "zk_max_versions": VERSIONS_LIMIT},
        }


def _secrets(folder: Path | None) -> Callable[[str], str | None]:
    def read(source: str) -> str | None:
        if folder is None or any(part in {"", ".", ".."} for part in source.split("/")):
            return None
        with contextlib.suppress(OSError):
            return (folder / source).read_text().rstrip("\n")
        return None

    return read
