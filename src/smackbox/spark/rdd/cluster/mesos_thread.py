"""The thread in which a context talks to Mesos: a scheduler driver and the framework of its executors."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import socket
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from smackbox.base.clock import SystemClock
from smackbox.base.errors import SettingError, SmackError
from smackbox.mesos_framework.driver import ElectedMasters, FixedMasters, Masters, SchedulerDriver
from smackbox.mesos_framework.term import CAPABILITIES
from smackbox.net.http import basic_authorization
from smackbox.net.http_client import HttpClient
from smackbox.spark.rdd.cluster.channel import url_host
from smackbox.spark.rdd.cluster.executor import ORDER_VARIABLE, SECRET_VARIABLE, Order
from smackbox.spark.rdd.cluster.framework import Ended, ExecutorFramework, Launched
from smackbox.spark.rdd.cluster.settings import CACHE_FRACTION, MASTER_SCHEME, ClusterSettings

Json = dict[str, Any]

TICK_S = 0.25
TEARDOWN_TIMEOUT_S = 5.0
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
        self._master = master.removeprefix(MASTER_SCHEME)
        self._settings = settings
        self._driver_address = driver_address
        self._secret = secret
        self._idle = idle
        self._modules = module_path()
        self._clock = SystemClock()
        self._info = self._framework_info(name)
        self._ended = ended
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._torn_down = asyncio.Event()
        self._framework: ExecutorFramework
        self._driver: SchedulerDriver
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._wanted: tuple[float, frozenset[str]] = (0.0, frozenset())
        self._thread = threading.Thread(target=self._run, name="mesos", daemon=True)
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S):
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
        if not self._driver.subscribed:
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
        if framework.error and not self._driver.subscribed:
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

    # --- what the scheduler driver asks and says

    def framework_info(self) -> Json:
        """The FrameworkInfo to subscribe with."""
        if self._framework.framework_id is None:
            return self._info
        return {**self._info, "id": {"value": self._framework.framework_id}}

    def event(self, event: Json) -> None:
        """Hand an event to the framework."""
        framework = self._framework
        match event.get("type"):
            case "SUBSCRIBED":
                framework.subscribed(event["subscribed"]["framework_id"]["value"])
            case "OFFERS":
                framework.offers(event["offers"]["offers"])
            case "UPDATE":
                framework.update(event["update"]["status"])
            case "ERROR":
                framework.refused(event["error"]["message"])
        framework.take_effects()

    def disconnected(self) -> None:
        """The subscription has ended."""
        self._framework.disconnected()
        if self._stopping.is_set():
            self._torn_down.set()

    # --- the thread

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
        async with AsyncExitStack() as parts:
            masters = await self._masters(parts)
            client = HttpClient()
            parts.push_async_callback(client.close)
            headers = {}
            if self._settings.principal and self._settings.secret:
                headers["Authorization"] = basic_authorization(self._settings.principal, self._settings.secret)
            self._driver = SchedulerDriver(masters, self, client, headers)
            self._framework = ExecutorFramework(self._clock, self._driver, self._settings, self._command, self._ended)
            running = asyncio.create_task(self._driver.run())
            self._started.set()
            try:
                await self._tick(running)
                await self._tear_down()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def _tick(self, running: asyncio.Task[None]) -> None:
        while not self._stopping.is_set():
            launched = [each for each in self._framework.executors.values() if not each.leaving]
            self._framework.release(self._idle(self._clock.monotonic_ms() / 1_000, launched))
            self._framework.tick()
            self._framework.take_effects()
            if running.done():
                running.result()
            try:
                async with asyncio.timeout(TICK_S):
                    await self._stopping.wait()
            except TimeoutError:
                pass

    async def _tear_down(self) -> None:
        """The master ends the subscription when it has the call."""
        if not self._driver.subscribed:
            return
        self._driver.call("TEARDOWN")
        try:
            async with asyncio.timeout(TEARDOWN_TIMEOUT_S):
                await self._torn_down.wait()
        except TimeoutError:
            log.warning("Mesos did not take the application out within %.0f s", TEARDOWN_TIMEOUT_S)

    def _do(self, action: Callable[[], None]) -> None:
        def act() -> None:
            action()
            self._framework.take_effects()

        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError as error:
            raise SmackError("the connection to Mesos has ended") from error

    async def _masters(self, parts: AsyncExitStack) -> Masters:
        if not self._master.startswith("zk://"):
            return FixedMasters(*self._master.split(","))
        from smackbox.election.coordinator import Coordinator
        from smackbox.election.zookeeper_url import ZooKeeperUrl

        coordinator = Coordinator(ZooKeeperUrl.parse(self._master))
        await coordinator.start()
        parts.push_async_callback(coordinator.stop)
        return ElectedMasters(coordinator)

    def _framework_info(self, name: str) -> Json:
        settings = self._settings
        info: Json = {
            "user": getpass.getuser(),
            "name": name,
            "roles": [settings.role],
            "failover_timeout": settings.failover_timeout_s,
            "checkpoint": True,
            "hostname": socket.gethostname(),
            "capabilities": [{"type": capability} for capability in CAPABILITIES],
        }
        if settings.principal:
            info["principal"] = settings.principal
        return info

    def _command(self, executor: Launched) -> Json:
        settings = self._settings
        cache_bytes = int(executor.memory_mb * MB * CACHE_FRACTION / executor.cores)
        order = Order(executor.executor_id, self._driver_address, executor.cores, cache_bytes, self._modules)
        variables = {
            "PYTHONPATH": os.pathsep.join(self._modules),
            "PYTHONHASHSEED": "0",
            **settings.environment,
            ORDER_VARIABLE: msgspec.json.encode(order).decode(),
            SECRET_VARIABLE: self._secret,
        }
        python = settings.python or os.environ.get("PYSPARK_PYTHON") or sys.executable
        command: Json = {
            "shell": False,
            "value": python,
            "arguments": [python, "-m", "smackbox.spark.rdd.cluster.executor"],
            "environment": {"variables": [{"name": name, "value": value} for name, value in variables.items()]},
            "uris": [{"value": uri} for uri in settings.uris],
        }
        found: Json = {"command": command}
        if settings.labels:
            found["labels"] = {"labels": [{"key": key, "value": value} for key, value in settings.labels.items()]}
        if settings.image:
            found["container"] = {"type": "DOCKER", "docker": {"image": settings.image, "network": "HOST"}}
        return found


def module_path() -> list[str]:
    """This process's module path without Python's own library, which executors have of their own."""
    own = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    packages = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    found = []
    for entry in sys.path:
        path = Path(entry).absolute()
        is_library = any(folder in {path, path.parent} for folder in own) and path not in packages
        if not is_library and not (path.suffix == ".zip" and path.stem.startswith("python3")):
            found.append(str(path))
    return list(dict.fromkeys(found))


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
