"""Marathon as a service: it adds events, health checks and a REST API to a framework."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smackbox.base.clock import Clock, SystemClock
from smackbox.election.zookeeper_url import ZooKeeperUrl
from smackbox.marathon.handlers.api import Api
from smackbox.marathon.handlers.routes import handle
from smackbox.marathon.handlers.service_ports import LOCAL_PORT_MAX, LOCAL_PORT_MIN
from smackbox.marathon.server.event_bus import EventBus
from smackbox.marathon.server.health_checker import HealthChecker
from smackbox.marathon.server.metrics import metrics, prometheus
from smackbox.marathon.settings import MarathonSettings
from smackbox.marathon.state.marathon import Marathon
from smackbox.marathon.state.versions import VERSIONS_LIMIT
from smackbox.mesos_framework.driver import SchedulerDriver
from smackbox.mesos_framework.framework import EndTerm, Framework, Place
from smackbox.mesos_framework.server import FrameworkServer
from smackbox.mesos_framework.term import Term
from smackbox.net.http import Answer, HttpRequest, HttpResponse
from smackbox.net.http_client import HttpClient
from smackbox.net.tls import unverified

VERSION = "1.11.24"


class MarathonFramework(Framework[Marathon]):
    """Marathon's state, its events, its health checks and its REST API."""

    def __init__(self, settings: MarathonSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._bus = EventBus(clock)

    def new_machine(self, driver: SchedulerDriver) -> Marathon:
        settings = self._settings
        return Marathon(
            self._clock,
            driver,
            self._bus.publish,
            lambda: str(uuid.uuid4()),
            role=settings.mesos_role,
            principal=settings.mesos_authentication_principal,
            secrets=_secrets(settings.secrets_dir),
        )

    def begin_term(self, term: Term[Marathon]) -> EndTerm:
        checker = HealthChecker(term.machine, HttpClient(tls=unverified()), term.decided)
        term.on_tick = checker.follow

        async def end() -> None:
            term.on_tick = lambda: None
            await checker.stop()

        return end

    def close(self) -> None:
        self._bus.close()

    def local_answer(self, machine: Marathon | None, request: HttpRequest) -> Answer | None:
        if request.path == "/metrics":
            return HttpResponse.json(metrics(machine))
        if request.path == "/metrics/prometheus":
            return prometheus(machine)
        return super().local_answer(machine, request)

    def answer(self, term: Term[Marathon], place: Place, request: HttpRequest) -> Answer:
        info = self._info(term, place)
        return handle(Api(term.machine, self._bus.subscribe, place.abdicate, place.host_port, info), request)

    def _info(self, term: Term[Marathon], place: Place) -> dict[str, Any]:
        settings = self._settings
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
            "http_config": {"http_port": place.http_port, "https_port": None},
            "zookeeper_config": {"zk": zk, "zk_max_versions": VERSIONS_LIMIT},
        }


class MarathonServer(FrameworkServer[Marathon]):
    """Marathon: a `Service`."""

    def __init__(self, settings: MarathonSettings, *, clock: Clock | None = None) -> None:
        framework = MarathonFramework(settings, clock or SystemClock())
        super().__init__("marathon", settings.framework_name, settings, framework)


def _secrets(folder: Path | None) -> Callable[[str], str | None]:
    def read(source: str) -> str | None:
        if folder is None or any(part in {"", ".", ".."} for part in source.split("/")):
            return None
        with contextlib.suppress(OSError):
            return (folder / source).read_text().rstrip("\n")
        return None

    return read
