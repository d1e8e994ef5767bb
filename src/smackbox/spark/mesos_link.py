"""A framework that stores nothing, on a loop: its machine, the scheduler driver, and time.

What the machine decides happens at once. Executors of a context and a driver submitted once are run by it: whoever is
gone takes what runs for it along, after the failover timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import socket
import sys
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar

from smackbox.mesos_framework.driver import ElectedMasters, FixedMasters, Masters, SchedulerDriver
from smackbox.mesos_framework.effects import Effects
from smackbox.mesos_framework.term import CAPABILITIES, Machine
from smackbox.net.http import basic_authorization
from smackbox.net.http_client import HttpClient

Json = dict[str, Any]

MASTER_SCHEME = "mesos://"
TICK_S = 0.25
TEARDOWN_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Machine)


class MesosLink(Generic[M]):
    """`info` are the fields of FrameworkInfo beside id and capabilities; `credentials` are principal and secret."""

    def __init__(
        self,
        master: str,
        info: Json,
        credentials: tuple[str, str] | None,
        new_machine: Callable[[SchedulerDriver], M],
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._master = master.removeprefix(MASTER_SCHEME)
        self._info = info
        self._headers = {"Authorization": basic_authorization(*credentials)} if credentials is not None else {}
        self._new_machine = new_machine
        self._on_tick = on_tick
        self._torn_down = asyncio.Event()
        self._is_leaving = False
        self.client: HttpClient
        self.driver: SchedulerDriver
        self.machine: M

    async def run(self, stopping: asyncio.Event, started: Callable[[], None] = lambda: None) -> None:
        """Be subscribed until `stopping` is set; then take the framework out of Mesos, with all that it runs."""
        async with AsyncExitStack() as parts:
            masters = await self._masters(parts)
            self.client = HttpClient()
            parts.push_async_callback(self.client.close)
            self.driver = SchedulerDriver(masters, self, self.client, self._headers)
            self.machine = self._new_machine(self.driver)
            running = asyncio.create_task(self.driver.run())
            started()
            try:
                await self._tick(stopping, running)
                await self._tear_down()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    def take_effects(self) -> None:
        """Do what the machine has decided."""
        while self.machine.effects:
            effects, self.machine.effects = self.machine.effects, Effects()
            for piece in (*effects.earlier, effects):
                for action in piece.actions:
                    action()

    # --- what the scheduler driver asks and says

    def framework_info(self) -> Json:
        """The FrameworkInfo to subscribe with, with the id once there is one."""
        info = {**self._info, "checkpoint": True, "capabilities": [{"type": kind} for kind in CAPABILITIES]}
        if self.machine.framework_id is not None:
            info["id"] = {"value": self.machine.framework_id}
        return info

    def event(self, event: Json) -> None:
        """Hand an event to the machine."""
        match event.get("type"):
            case "SUBSCRIBED":
                self.machine.subscribed(event["subscribed"]["framework_id"]["value"])
            case "OFFERS":
                self.machine.offers(event["offers"]["offers"])
            case "UPDATE":
                self.machine.update(event["update"]["status"])
            case "ERROR":
                self.machine.refused(event["error"]["message"])
        self.take_effects()

    def disconnected(self) -> None:
        """The subscription has ended."""
        self.machine.disconnected()
        if self._is_leaving:
            self._torn_down.set()

    # --- inside

    async def _tick(self, stopping: asyncio.Event, running: asyncio.Task[None]) -> None:
        while not stopping.is_set():
            self._on_tick()
            self.machine.tick()
            self.take_effects()
            if running.done():
                running.result()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await stopping.wait()

    async def _tear_down(self) -> None:
        """The master ends the subscription when it has the call."""
        if not self.driver.subscribed:
            return
        self._is_leaving = True
        self.driver.call("TEARDOWN")
        try:
            async with asyncio.timeout(TEARDOWN_TIMEOUT_S):
                await self._torn_down.wait()
        except TimeoutError:
            log.warning("Mesos did not take the framework out within %.0f s", TEARDOWN_TIMEOUT_S)

    async def _masters(self, parts: AsyncExitStack) -> Masters:
        if not self._master.startswith("zk://"):
            return FixedMasters(*self._master.split(","))
        from smackbox.election.coordinator import Coordinator
        from smackbox.election.zookeeper_url import ZooKeeperUrl

        coordinator = Coordinator(ZooKeeperUrl.parse(self._master))
        await coordinator.start()
        parts.push_async_callback(coordinator.stop)
        return ElectedMasters(coordinator)


def framework_info(name: str, role: str, failover_timeout_s: float, principal: str) -> Json:
    """The fields of FrameworkInfo for this user on this machine."""
    info: Json = {
        "user": getpass.getuser(),
        "name": name,
        "roles": [role],
        "failover_timeout": failover_timeout_s,
        "hostname": socket.gethostname(),
    }
    return {**info, "principal": principal} if principal else info


def labels(values: Mapping[str, str]) -> Json:
    """Labels as a field of a TaskInfo; nothing where there are none."""
    return {"labels": {"labels": [{"key": key, "value": value} for key, value in values.items()]}} if values else {}


def python_command(python: str, arguments: list[str], variables: dict[str, str]) -> Json:
    """A CommandInfo that runs this package's modules with another machine's Python, this one's where none is named."""
    value = python or os.environ.get("PYSPARK_PYTHON") or sys.executable
    environment = {"PYTHONPATH": os.pathsep.join(module_path()), **variables}
    return {
        "shell": False,
        "value": value,
        "arguments": [value, *arguments],
        "environment": {"variables": [{"name": name, "value": text} for name, text in environment.items()]},
    }


def module_path() -> list[str]:
    """This process's module path without Python's own library, which other machines have of their own."""
    own = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    packages = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    found = []
    for entry in sys.path:
        path = Path(entry).absolute()
        is_library = any(folder in {path, path.parent} for folder in own) and path not in packages
        if not is_library and not (path.suffix == ".zip" and path.stem.startswith("python3")):
            found.append(str(path))
    return list(dict.fromkeys(found))
