"""Chronos as a service: what it adds to a framework is its REST API and figures."""

from __future__ import annotations

from smackbox.base.clock import Clock
from smackbox.chronos.handlers.api import Api
from smackbox.chronos.handlers.routes import handle
from smackbox.chronos.settings import ChronosSettings
from smackbox.chronos.state import entry as states
from smackbox.chronos.state.chronos import Chronos
from smackbox.mesos_framework.driver import SchedulerDriver
from smackbox.mesos_framework.server import FrameworkServer
from smackbox.mesos_framework.term import Term
from smackbox.net.http import Answer, HttpRequest, HttpResponse


class ChronosServer(FrameworkServer[Chronos]):
    name = "chronos"

    def __init__(self, settings: ChronosSettings, *, clock: Clock | None = None) -> None:
        super().__init__(settings, settings.mesos_framework_name, clock)
        self.settings = settings

    def new_machine(self, driver: SchedulerDriver) -> Chronos:
        return Chronos(
            self.clock,
            driver,
            failure_retry_ms=self.settings.failure_retry,
            missed_runs=self.settings.missed_runs,
            unreachable_timeout_ms=round(self.settings.unreachable_timeout * 1000),
        )

    def local_answer(self, request: HttpRequest) -> Answer | None:
        chronos = self.term.machine if self.term is not None else None
        if request.path == "/metrics":
            gauges = {f"chronos.{name}": {"value": value} for name, value in _figures(chronos).items()}
            return HttpResponse.json({"version": "4.0.0", "gauges": gauges})
        if request.path == "/metrics/prometheus":
            lines = [
                f"# TYPE chronos_{name} gauge\nchronos_{name} {value}\n" for name, value in _figures(chronos).items()
            ]
            return HttpResponse(200, "".join(lines).encode(), "text/plain; version=0.0.4")
        return super().local_answer(request)

    def answer(self, term: Term[Chronos], request: HttpRequest) -> Answer:
        settings = self.settings
        defaults = {"cpus": settings.mesos_task_cpu, "mem": settings.mesos_task_mem, "disk": settings.mesos_task_disk}
        return handle(Api(term.machine, self.address.partition("://")[2], defaults), request)


def _figures(chronos: Chronos | None) -> dict[str, int]:
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
