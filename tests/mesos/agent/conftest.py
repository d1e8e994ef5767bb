"""Agents in this process, on a fake master, that leave no process behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.mesos.agent.fake_master import FakeMaster

from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.net.service import ServiceThread

StartAgent = Callable[..., AgentService]


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    fake = FakeMaster()
    with ServiceThread(fake):
        yield fake


@pytest.fixture
def start_agent(master: FakeMaster, tmp_path: Path) -> Iterator[StartAgent]:
    """Starts agents on one directory; `stop(agent)` of what it returns is the fixture's own at the end."""
    threads: dict[int, ServiceThread] = {}

    def start(**settings: Any) -> AgentService:
        values = {
            "dir": tmp_path / "work",
            "port": 0,
            "master": master.url,
            "resources": "cpus:4;mem:1024;disk:1024",
            "switch_user": False,
            **settings,
        }
        service = AgentService(MesosAgentSettings(**values))
        thread = ServiceThread(service)
        thread.start()
        threads[id(service)] = thread
        service.thread = thread  # type: ignore[attr-defined]
        return service

    yield start
    for thread in threads.values():
        if thread._thread.is_alive():
            thread.call(thread.service.running.kill_tasks(0))  # type: ignore[attr-defined]
            thread.stop()


@pytest.fixture
def agent(start_agent: StartAgent) -> AgentService:
    return start_agent()


def stop(service: AgentService) -> None:
    """As SIGTERM does: the tasks go on."""
    service.thread.stop()  # type: ignore[attr-defined]
