"""The platform that everything else runs on: ZooKeeper, a Mesos master, an agent, Marathon and Chronos in one process.

It lives in `DIR/platform`. Its state (apps, jobs, due times) survives a crash; before a clean stop the
supervisor removes its own apps and jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any

from smackbox.base.errors import StartError
from smackbox.chronos.server.service import ChronosServer
from smackbox.chronos.settings import ChronosSettings
from smackbox.marathon.server.service import MarathonServer
from smackbox.marathon.settings import MarathonSettings
from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.master.server.service import MasterServer
from smackbox.mesos.master.settings import MasterSettings
from smackbox.net.http_client import HttpClient
from smackbox.net.service import Service
from smackbox.runtime.settings import BoxSettings
from smackbox.zookeeper.server import RunningZooKeeper, ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

FAILURE_RETRY_MS = 5_000
"""Of jobs: shorter than Chronos' minute, as people wait for it."""

ELECTION_TIMEOUT_S = 30.0
ELECTION_LOOK_S = 0.005
MASTERS = "/mesos"
"""The folder of ZooKeeper in which masters stand for election."""

NO_ISOLATION = "posix/cpu,posix/mem"


@dataclass(frozen=True, slots=True)
class Started:
    """One of the platform's servers, as the table shows it."""

    name: str
    url: str
    ready_ms: int


class Platform:
    """Started and stopped as one. `servers` are in the order of the table."""

    def __init__(self, settings: BoxSettings) -> None:
        self.servers: list[Started] = []
        self._settings = settings
        self._running: list[Service] = []

    async def start(self) -> None:
        """Raises `StartError` when a port is taken or a directory cannot be used."""
        settings = self._settings
        directory = settings.dir / "platform"
        common: dict[str, Any] = {"host": settings.host, "insecure": settings.insecure, "sync": settings.sync}
        zookeeper = ZooKeeperServer(
            ZooKeeperSettings(port=settings.zookeeper_port, dir=settings.dir / "zookeeper", **common)
        )
        await self._start(zookeeper)
        end_former_master(zookeeper.running)
        master = MasterServer(
            MasterSettings(
                port=settings.mesos_port,
                dir=directory / "mesos-master",
                zk=f"zk://{zookeeper.url}{MASTERS}",
                cluster="smackbox",
                **common,
            )
        )
        await self._start(master)
        await _elected(master.url)
        at = master.url.partition("://")[2]
        agent = AgentService(
            MesosAgentSettings(
                port=settings.mesos_agent_port,
                dir=directory / "mesos-agent",
                master=at,
                isolation=NO_ISOLATION,
                switch_user=False,
                kill_tasks_on_stop=True,
                **common,
            )
        )
        marathon = MarathonServer(
            MarathonSettings(port=settings.marathon_port, dir=directory / "marathon", master=at, **common)
        )
        chronos = ChronosServer(
            ChronosSettings(
                port=settings.chronos_port,
                dir=directory / "chronos",
                master=at,
                failure_retry=FAILURE_RETRY_MS,
                **common,
            )
        )
        await asyncio.gather(*(self._start(server) for server in (agent, marathon, chronos)))
        order = [zookeeper.name, master.name, agent.name, marathon.name, chronos.name]
        self.servers.sort(key=lambda one: order.index(one.name))

    async def stop(self) -> None:
        """The frameworks first, then the agent with whatever still runs on it, then the rest."""
        for service in sorted(self._running, key=_stopping_order):
            with contextlib.suppress(TimeoutError):
                await service.stop()
        self._running.clear()
        self.servers.clear()

    async def _start(self, service: Service) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        self._running.append(service)
        await service.start()
        await service.probe()
        self.servers.append(Started(service.name, service.url, round((clock() - began) * 1000)))


def end_former_master(zookeeper: RunningZooKeeper) -> None:
    """End the session of a master that was killed with its platform: no need to wait until it expires."""
    zookeeper.end_sessions(zookeeper.ephemeral_owners(MASTERS))


async def _elected(url: str) -> None:
    """Wait until the master leads. Raises `StartError`."""
    client = HttpClient()
    try:
        for _ in range(round(ELECTION_TIMEOUT_S / ELECTION_LOOK_S)):
            if (await client.request("GET", url + "/state-summary")).status == 200:
                return
            await asyncio.sleep(ELECTION_LOOK_S)
    finally:
        await client.close()
    raise StartError(f"the Mesos master at {url} was not elected within {ELECTION_TIMEOUT_S:.0f} s")


def quiet() -> None:
    """Hide the routine log lines of the platform's servers from the user's console."""
    for room in ("election", "mesos_framework", "marathon", "chronos", "mesos", "zookeeper"):
        logging.getLogger(f"smackbox.{room}").setLevel(logging.WARNING)


def _stopping_order(service: Service) -> int:
    return ["chronos", "marathon", "mesos-agent", "mesos-master", "zookeeper"].index(service.name)
