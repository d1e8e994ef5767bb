"""The thread in which a context talks to Mesos: a scheduler driver and the framework of its executors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from smackbox.base.clock import SystemClock
from smackbox.base.errors import SettingError, SmackError
from smackbox.spark.mesos_link import MASTER_SCHEME, MesosLink, framework_info, labels, module_path, python_command
from smackbox.spark.rdd.cluster.channel import url_host
from smackbox.spark.rdd.cluster.executor import ORDER_VARIABLE, SECRET_VARIABLE, Order
from smackbox.spark.rdd.cluster.framework import Ended, ExecutorFramework, Launched
from smackbox.spark.rdd.cluster.settings import CACHE_FRACTION, ClusterSettings

Json = dict[str, Any]

START_TIMEOUT_S = 30.0
MB = 1 << 20

log = logging.getLogger(__name__)


class MesosThread:
    """Runs from its making to `stop`. Raises `SmackError` where it cannot begin.

    `idle` gives those of the launched executors to release at a moment (seconds, monotonic); `ended` is called for
    each that is over.
    """

    def __init__(
        self,
        master: str,
        name: str,
        settings: ClusterSettings,
        driver_address: str,
        secret: str,
        ended: Callable[[Ended], None],
        idle: Callable[[float, Iterable[Launched]], list[str]],
    ) -> None:
        self._master = master
        self._settings = settings
        self._driver_address = driver_address
        self._secret = secret
        self._idle = idle
        self._modules = module_path()
        self._clock = SystemClock()
        credentials = (settings.principal, settings.secret) if settings.principal and settings.secret else None
        info = framework_info(name, settings.role, settings.failover_timeout_s, settings.principal)
        self._link = MesosLink(
            master,
            info if not settings.webui_url else {**info, "webui_url": settings.webui_url},
            credentials,
            lambda driver: ExecutorFramework(self._clock, driver, settings, self._task, ended),
            self._release_idle,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mesos", daemon=True)
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S):
            self._stopping.set()
            raise SmackError(f"{master} could not be reached within {START_TIMEOUT_S:.0f} s")
        if self._error is not None:
            raise self._error

    # --- what the pool asks, from its thread

    def want(self, cores: float, hosts: frozenset[str]) -> None:
        self._do(lambda: self._framework.want(cores, hosts))

    def registered(self, executor_id: str) -> None:
        self._do(lambda: self._framework.registered(executor_id))

    def find(self, executor_id: str) -> Launched | None:
        return self._framework.executors.get(executor_id)

    @property
    def is_growing(self) -> bool:
        framework = self._framework
        return framework.wants_offers() or not all(each.registered for each in list(framework.executors.values()))

    def lacking(self) -> str:
        framework = self._framework
        if not self._link.driver.subscribed:
            return f"Mesos does not answer at {self._master}"
        starting = len(framework.executors)
        if starting:
            return f"{starting} executors were launched and have not reached the driver at {self._driver_address} yet"
        needs = (
            f"executors of {self._settings.executor_cores or 1} cpus and "
            f"{self._settings.container_mb(self._settings.memory_mb)} MB for the role {self._settings.role}"
        )
        last = f"; the last one: {framework.last_failure}" if framework.last_failure else ""
        if not framework.lacking:
            return f"Mesos makes no offers; wanted are {needs}{last}"
        return f"no offer suits ({framework.lacking}); wanted are {needs}{last}"

    def failure(self) -> str | None:
        framework = self._framework
        if self._error is not None:
            return f"the connection to Mesos ended: {self._error}"
        if framework.error and not self._link.driver.subscribed:
            return f"Mesos refuses this application: {framework.error}"
        if framework.is_hopeless:
            return (
                "on every agent executors ended before they reached the driver; the last one: "
                f"{framework.last_failure}. Its sandbox's stderr says more"
            )
        return None

    def stop(self) -> None:
        """Take the framework out of Mesos, and its executors with it."""
        loop = self._loop
        if loop is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    # --- the thread

    @property
    def _framework(self) -> ExecutorFramework:
        return self._link.machine

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._error = error
            if self._started.is_set():
                log.exception("the connection to Mesos ended")
        finally:
            self._started.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._link.run(self._stopping, self._started.set)

    def _release_idle(self) -> None:
        launched = [each for each in self._framework.executors.values() if not each.leaving]
        self._framework.release(self._idle(self._clock.monotonic_ms() / 1_000, launched))

    def _do(self, action: Callable[[], None]) -> None:
        def act() -> None:
            action()
            self._link.take_effects()

        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has ended; `failure` says why
            self._loop.call_soon_threadsafe(act)

    def _task(self, executor: Launched) -> Json:
        """What a TaskInfo says of an executor beside its name and resources."""
        settings = self._settings
        cache_bytes = int(executor.memory_mb * MB * CACHE_FRACTION / executor.cores)
        order = Order(executor.executor_id, self._driver_address, executor.cores, cache_bytes, self._modules)
        variables = {
            "PYTHONHASHSEED": "0",
            **settings.environment,
            ORDER_VARIABLE: msgspec.json.encode(order).decode(),
            SECRET_VARIABLE: self._secret,
        }
        arguments = ["-m", "smackbox.spark.rdd.cluster.executor"]
        command = python_command(settings.python, arguments, variables)
        command["uris"] = [{"value": uri, "cache": settings.caches_uris} for uri in settings.uris]
        task: Json = {"command": command, **labels(settings.labels)}
        if settings.image:
            docker = {"image": settings.image, "network": "HOST", "force_pull_image": settings.pulls_image}
            task["container"] = {"type": "DOCKER", "docker": docker, "volumes": list(settings.volumes)}
        return task


def reachable_host(master: str) -> str:
    """The address of this machine on the way to a master. Raises `SettingError`."""
    first = master.removeprefix(MASTER_SCHEME).split(",")[0]
    split = urlsplit(first if "://" in first else f"//{first}")
    try:
        host, port = split.hostname or "", split.port or 5050
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except (OSError, ValueError) as error:
        raise SettingError(f"{master}: there is no way to that host ({error}); see spark.driver.host") from error


def driver_address(settings: ClusterSettings, host: str, port: int) -> str:
    """Where executors reach the driver."""
    return f"{url_host(settings.driver_host or host)}:{port}"
