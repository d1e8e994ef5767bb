"""The dispatcher as a service: drivers on Mesos, submitted by Spark's REST protocol; its state outlives it."""

from __future__ import annotations

from smackbox.base.clock import Clock, SystemClock
from smackbox.mesos_framework.driver import SchedulerDriver
from smackbox.mesos_framework.framework import Framework, Place
from smackbox.mesos_framework.server import FrameworkServer
from smackbox.mesos_framework.settings import FrameworkSettings
from smackbox.mesos_framework.term import Term
from smackbox.net.http import Answer, HttpRequest
from smackbox.spark.dispatcher.machine import Dispatcher
from smackbox.spark.dispatcher.order import command_of
from smackbox.spark.dispatcher.rest import answer
from smackbox.spark.mesos_link import MASTER_SCHEME


class DispatcherSettings(FrameworkSettings, frozen=True, kw_only=True):
    """The settings of the section `[dispatcher]`."""

    mesos_framework_name: str = "Spark Cluster"


class DispatcherFramework(Framework[Dispatcher]):
    """Its drivers and its REST API."""

    def __init__(self, settings: DispatcherSettings, clock: Clock) -> None:
        self._master = f"{MASTER_SCHEME}{settings.master}"
        self._clock = clock

    def new_machine(self, driver: SchedulerDriver) -> Dispatcher:
        return Dispatcher(self._clock, driver, lambda run: command_of(run, self._master))

    def answer(self, term: Term[Dispatcher], place: Place, request: HttpRequest) -> Answer:
        return answer(term.machine, request)


class DispatcherServer(FrameworkServer[Dispatcher]):
    """A dispatcher: a `Service`."""

    def __init__(self, settings: DispatcherSettings, *, clock: Clock | None = None) -> None:
        framework = DispatcherFramework(settings, clock or SystemClock())
        super().__init__("dispatcher", settings.mesos_framework_name, settings, framework)
