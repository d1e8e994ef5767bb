"""A master and an agent that run real work, and a pair of masters with an election."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.master.server.service import MasterServer
from smackbox.mesos.master.settings import MasterSettings
from smackbox.net.service import ServiceThread
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

# avmesos sees an event only when the next one comes
MASTER = {"allocation_interval": "100ms", "scheduler_heartbeat_interval": "200ms"}


def agent(directory: Path, master: str) -> AgentService:
    return AgentService(
        MesosAgentSettings(
            dir=directory,
            master=master,
            resources="cpus:4;mem:1024;disk:1024;ports:[31000-31010]",
            switch_user=False,
            kill_tasks_on_stop=True,
        )
    )


@pytest.fixture
def master_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a master with one agent."""
    with ExitStack() as stack:
        master = stack.enter_context(ServiceThread(MasterServer(MasterSettings(**MASTER))))  # type: ignore[arg-type]
        stack.enter_context(ServiceThread(agent(tmp_path, master.url)))
        yield master.url


@pytest.fixture
def elected_masters(tmp_path: Path) -> Iterator[str]:
    """The `zk://…` of two masters with one agent."""
    with ExitStack() as stack:
        zookeeper = stack.enter_context(ServiceThread(ZooKeeperServer(ZooKeeperSettings(tick_time_ms=200))))
        url = f"zk://{zookeeper.url}/mesos"
        for _ in range(2):
            stack.enter_context(ServiceThread(MasterServer(MasterSettings(zk=url, **MASTER))))  # type: ignore[arg-type]
        stack.enter_context(ServiceThread(agent(tmp_path, url)))
        yield url
