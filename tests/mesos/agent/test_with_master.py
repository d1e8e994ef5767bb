"""Our agent and our master together, seen through the v1 scheduler API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.mesos.agent.raw_scheduler import RawScheduler

from smackbox.mesos.agent.server.service import AgentService
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.master.server.service import MasterServer
from smackbox.mesos.master.settings import MasterSettings
from smackbox.net.service import ServiceThread
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

FAST = {"allocation_interval": "50ms", "scheduler_heartbeat_interval": "1secs"}


@pytest.fixture
def real_master() -> Iterator[MasterServer]:
    server = MasterServer(MasterSettings(**FAST))  # type: ignore[arg-type]
    with ServiceThread(server):
        yield server


def agent_settings(directory: Path, master: str) -> MesosAgentSettings:
    return MesosAgentSettings(
        dir=directory, master=master, resources="cpus:4;mem:1024;disk:1024", switch_user=False, kill_tasks_on_stop=True
    )


def test_tasks_of_a_framework(real_master: MasterServer, tmp_path: Path) -> None:
    service = AgentService(agent_settings(tmp_path, real_master.url))
    with ServiceThread(service), RawScheduler(real_master.url) as scheduler:
        assert service.running.is_registered
        for number in range(10):
            scheduler.run(f"t{number}", "exit 0" if number % 2 else "exit 3")
        for number in range(10):
            assert scheduler.terminal(f"t{number}")["state"] == ("TASK_FINISHED" if number % 2 else "TASK_FAILED")
            assert scheduler.states(f"t{number}")[:2] == ["TASK_STARTING", "TASK_RUNNING"]
        scheduler.run("long", "sleep 1000")
        scheduler.state("long", "TASK_RUNNING")
        scheduler.kill("long")
        assert scheduler.terminal("long")["state"] == "TASK_KILLED"


def test_an_agent_comes_back_with_its_task(real_master: MasterServer, tmp_path: Path) -> None:
    settings = agent_settings(tmp_path, real_master.url)
    keeping = MesosAgentSettings(
        **{**{n: getattr(settings, n) for n in settings.__struct_fields__}, "kill_tasks_on_stop": False}
    )
    with RawScheduler(real_master.url) as scheduler:
        with ServiceThread(AgentService(keeping)):
            scheduler.run("t", "until [ -e go ]; do sleep 0.01; done")
            scheduler.state("t", "TASK_RUNNING")
        sandbox = next(tmp_path.glob("slaves/*/frameworks/*/executors/t/runs/latest")).resolve()
        with ServiceThread(AgentService(settings)):
            (sandbox / "go").touch()
            assert scheduler.terminal("t")["state"] == "TASK_FINISHED"
            assert scheduler.states("t") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]


def test_a_master_that_is_found_in_zookeeper_and_fails_over(tmp_path: Path) -> None:
    with ServiceThread(ZooKeeperServer(ZooKeeperSettings(min_session_timeout_ms=500, tick_time_ms=100))) as zookeeper:
        url = f"zk://{zookeeper.url}/mesos"
        service = AgentService(agent_settings(tmp_path / "agent", url))
        first = ServiceThread(MasterServer(MasterSettings(zk=url, **FAST)))  # type: ignore[arg-type]
        first.start()
        second = ServiceThread(MasterServer(MasterSettings(zk=url, **FAST)))  # type: ignore[arg-type]
        second.start()
        try:
            with ServiceThread(service), RawScheduler(first.url) as scheduler:
                scheduler.run("t", "sleep 1000")
                scheduler.state("t", "TASK_RUNNING")
                first.stop()
                scheduler.url = second.url
                scheduler.wait(
                    lambda: sum(event["type"] == "SUBSCRIBED" for event in scheduler.events) >= 2, "second subscription"
                )
                scheduler.wait(lambda: service.running.is_registered, "registered agent")
                scheduler.kill("t")
                assert scheduler.terminal("t")["state"] == "TASK_KILLED"
        finally:
            second.stop()
