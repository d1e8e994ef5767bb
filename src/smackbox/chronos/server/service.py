"""Chronos as a service: it adds a REST API and metrics to a framework."""

from __future__ import annotations

from smackbox.base.clock import Clock, SystemClock
from smackbox.chronos.handlers.api import Api
from smackbox.chronos.handlers.routes import handle
from smackbox.chronos.settings import ChronosSettings
from smackbox.chronos.state import entry as states
from smackbox.chronos.state.chronos import Chronos
from smackbox.mesos_framework.driver import SchedulerDriver
from smackbox.mesos_framework.framework import Framework, Place
from smackbox.mesos_framework.server import FrameworkServer
from smackbox.mesos_framework.term import Term
from smackbox.net.http import Answer, HttpRequest, HttpResponse


class ChronosFramework(Framework[Chronos]):
    """Chronos' state and its REST API."""

    def __init__(self, settings: ChronosSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def new_machine(self, driver: SchedulerDriver) -> Chronos:
        return Chronos(
            self._clock,
            driver,
            failure_retry_ms=self._settings.failure_retry,
            missed_runs=self._settings.missed_runs,
            unreachable_timeout_ms=round(self._settings.unreachable_timeout * 1000),
        )

    def local_answer(self, machine: Chronos | None, request: HttpRequest) -> Answer | None:
        if request.path == "/metrics":
            gauges = {f"chronos.{name}": {"value": value} for name, value in _metrics(machine).items()}
            return HttpResponse.json({"version": "4.0.0", "gauges": gauges})
        if request.path == "/metrics/prometheus":
            lines = [
                f"# TYPE chronos_{name} gauge\nchronos_{name} {value}\n" for name, value in _metrics(machine).items()
            ]
            return HttpResponse(200, "".join(lines).encode(), "text/plain; version=0.0.4")
        return super().local_answer(machine, request)

    def answer(self, term: Term[Chronos], place: Place, request: HttpRequest) -> Answer:
        settings = self._settings
        defaults = {"cpus": settings.mesos_task_cpu, "mem": settings.mesos_task_mem, "disk": settings.mesos_task_disk}
        return handle(Api(term.machine, place.host_port, defaults), request)


class ChronosServer(FrameworkServer[Chronos]):
    """Chronos: a `Service`."""

    def __init__(self, settings: ChronosSettings, *, clock: Clock | None = None) -> None:
        framework = ChronosFramework(settings, clock or SystemClock())
        super().__init__("chronos", settings.mesos_framework_name, settings, framework)


def _metrics(chronos: Chronos | None) -> dict[str, int]:
    if chronos is None:
        return {"leading": 0}
    runs = list(chronos.runs.values())
    return {
        "leading": 1,
        "jobs": len(chronos.entries),
        "jobs_disabled": sum(entry.job.disabled for entry in chronos.entries.values()),
        "runs_waiting": sum(run.state == states.WAITING for run in runs),
        "runs_on": sum(run.state != states.WAITING for run in runs),
        "successes": sum(entry.success_count for entry in chronos.entries.values()),
        "errors": sum(entry.error_count for entry in chronos.entries.values()),
    }
