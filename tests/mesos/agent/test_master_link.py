"""The agent's link to its master: calls in order, and a new subscription whenever the old one is in doubt."""

from __future__ import annotations

import pytest
from tests.mesos.agent.conftest import StartAgent
from tests.mesos.agent.fake_master import FakeMaster

from smackbox.mesos.agent.server import master_link
from smackbox.mesos.agent.server.service import AgentService
from smackbox.net.service import ServiceThread


def test_a_call_that_is_refused_leads_to_a_new_subscription(agent: AgentService, master: FakeMaster) -> None:
    master.refuses = 403
    task = master.run("true")
    master.wait(lambda: agent.running.agent.runs or agent.running.agent.updates.is_pending(("f", task)))
    master.refuses = None
    assert master.terminal(task)["state"] == "TASK_FINISHED"
    assert master.states(task) == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]


def test_a_master_is_silent_for_as_long_as_it_said_and_no_longer(
    start_agent: StartAgent, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_link, "SUBSCRIBE_TIMEOUT_S", 0.3)
    start_agent()
    task = master.run("sleep 1")
    master.state(task, "TASK_RUNNING")
    assert master.terminal(task)["state"] == "TASK_FINISHED"
    assert len(master.subscribes) == 1
    master.ping_interval_s = 0.02
    master.hang_up()
    master.wait(lambda: len(master.subscribes) >= 4, "subscriptions after silence")


def test_an_agent_waits_for_its_master(start_agent: StartAgent, master: FakeMaster) -> None:
    master.refuses = 503
    agent = start_agent(registration_wait="100ms")
    assert not agent.running.is_registered
    master.refuses = None
    master.wait(lambda: agent.running.is_registered, "registered agent")


def test_a_master_that_comes_back_on_its_address(start_agent: StartAgent) -> None:
    first = FakeMaster()
    with ServiceThread(first):
        agent = start_agent(master=first.url)
        port = int(first.url.rpartition(":")[2])
        task = first.run("until [ -e go ]; do sleep 0.02; done")
        first.state(task, "TASK_RUNNING")
    second = FakeMaster(port=port)
    with ServiceThread(second):
        second.wait(lambda: second.subscribes, "subscription")
        assert [one["task_id"]["value"] for one in second.subscribes[0]["tasks"]] == [task]
        second.kill(task)
        assert second.terminal(task)["state"] == "TASK_KILLED"
        second.wait(lambda: not agent.running.agent.frameworks, "end of the framework")


def test_a_thousand_updates_go_in_few_calls(agent: AgentService, master: FakeMaster) -> None:
    master.acknowledges = False
    tasks = [master.run("true") for _ in range(50)]
    for task in tasks:
        master.state(task, "TASK_STARTING")
    master.hang_up()
    master.wait(lambda: master.subscribes[1:], "second subscription")
    before = len(master.calls)
    master.wait(lambda: sum(len(call.get("updates", [])) for call in master.calls[before:]) >= 40, "updates again")
    updates = [call for call in master.calls[before:] if call["type"] == "UPDATE"]
    assert len(updates) < 25, "those that wait go together"
