"""A small pool of machines for tests: ZooKeeper, masters, agents, Marathons, Chronos', each a service in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from smackbox.chronos.server.service import ChronosServer
from smackbox.chronos.settings import ChronosSettings
from smackbox.marathon.server.service import MarathonServer
from smackbox.marathon.settings import MarathonSettings
from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.master.server.service import MasterServer
from smackbox.mesos.master.settings import MasterSettings
from smackbox.net.service import Service, ServiceThread
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

WAIT_TIMEOUT_S = 30.0

T = TypeVar("T")


class Pool:
    """A context manager. `start_…` return the thread of the service; all are stopped in the end, the last first."""

    def __init__(self, directory: Path, *, with_zookeeper: bool = False) -> None:
        self.directory = directory
        self._stack = ExitStack()
        self._count = 0
        self.zookeeper: str | None = None
        self.master = ""
        if with_zookeeper:
            self._zookeeper = ZooKeeperServer(ZooKeeperSettings(min_session_timeout_ms=500))
            self.zookeeper = self.start(self._zookeeper).url

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, service: Service) -> ServiceThread:
        thread = ServiceThread(service)
        thread.start()
        stopped = False

        def stop() -> None:
            nonlocal stopped
            if not stopped:
                stopped = True
                ServiceThread.stop(thread)

        thread.stop = stop  # type: ignore[method-assign]
        self._stack.callback(stop)
        return thread

    def candidates(self, folder: str) -> int:
        """How many stand for election in a folder of ZooKeeper."""
        return len(self._zookeeper.running.ephemeral_owners(folder))

    def start_master(self, **settings: Any) -> ServiceThread:
        zk = None if self.zookeeper is None else f"zk://{self.zookeeper}/mesos"
        thread = self.start(MasterServer(MasterSettings(zk=zk, **settings)))
        self.master = zk or thread.url.partition("://")[2]
        return thread

    def start_agent(self, **settings: Any) -> ServiceThread:
        self._count += 1
        chosen = {
            "dir": self.directory / f"agent{self._count}",
            "resources": "cpus:4;mem:4096;disk:10000;ports:[31000-32000]",
            "isolation": "posix/cpu,posix/mem",
            "switch_user": False,
            "kill_tasks_on_stop": True,
            **settings,
        }
        return self.start(AgentService(MesosAgentSettings(master=self.master, **chosen)))

    def start_marathon(self, **settings: Any) -> ServiceThread:
        zk = None if self.zookeeper is None else f"zk://{self.zookeeper}/marathon"
        return self.start(MarathonServer(MarathonSettings(master=self.master, zk=zk, **settings)))

    def start_chronos(self, **settings: Any) -> ServiceThread:
        zk = None if self.zookeeper is None else f"zk://{self.zookeeper}/chronos"
        return self.start(ChronosServer(ChronosSettings(master=self.master, zk=zk, **settings)))


def until(condition: Callable[[], T], what: str = "the condition") -> T:
    """The first true value of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + WAIT_TIMEOUT_S
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {WAIT_TIMEOUT_S:.0f} s")
        time.sleep(0.02)
