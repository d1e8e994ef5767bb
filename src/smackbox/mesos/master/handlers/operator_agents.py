"""Operator calls on agents and frameworks: drain, deactivate, reactivate, mark as gone, tear down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.http.answers import Answer, Refused
from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.state import agents
from smackbox.mesos.master.state.entities import Agent
from smackbox.mesos.master.state.frameworks import remove_framework
from smackbox.net.http import HttpResponse

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import (
        DrainConfig,
        DrainInfo,
        MasterCallDeactivateAgent,
        MasterCallDrainAgent,
        MasterCallMarkAgentGone,
        MasterCallReactivateAgent,
        MasterCallTeardown,
    )


def teardown(call: Call, message: MasterCallTeardown) -> Answer:
    """TEARDOWN: end a framework with all its tasks."""
    return teardown_framework(call, message["framework_id"]["value"])


def teardown_framework(call: Call, framework_id: str) -> Answer:
    """Tear down a framework. Raises `Refused`: 400, 403."""
    framework = call.master.frameworks.get(framework_id)
    if framework is None:
        raise Refused(400, f"No framework found with specified ID: {framework_id}")
    call.require("teardown_frameworks", framework.principal)
    remove_framework(call.master, framework)
    return HttpResponse(200)


def mark_agent_gone(call: Call, message: MasterCallMarkAgentGone) -> Answer:
    """Mark an agent as gone. Raises `Refused`: 404 for an unknown agent, 503 while another change of it is being
    stored.
    """
    master = call.master
    agent_id = message["agent_id"]["value"]
    call.require("mark_agents_gone")
    if agent_id in master.registry.gone:
        return HttpResponse(200)
    if agent_id not in master.registry.agents and agent_id not in master.registry.unreachable:
        raise Refused(404, "Agent not found")
    _not_changing(call, agent_id)
    agents.mark_gone(master, agent_id)
    return call.store({}, lambda: None)


def drain_agent(call: Call, message: MasterCallDrainAgent) -> Answer:
    """Drain an agent: kill its tasks and offer none of its resources. Raises `Refused`."""
    call.require("drain_agents")
    agent = _agent(call, message)
    config: DrainConfig = {}
    if "max_grace_period" in message:
        duration = message["max_grace_period"]
        nanoseconds = duration.get("seconds", 0) * 1_000_000_000 + duration.get("nanos", 0)
        if nanoseconds < 0:
            raise Refused(400, "Expecting 'max_grace_period' to be non-negative")
        config["max_grace_period"] = {"nanoseconds": nanoseconds}
    if message.get("mark_gone"):
        config["mark_gone"] = True
    if agent.drain is not None and agent.drain["config"] != config:
        raise Refused(400, f"Agent {agent.id} is already in the process of draining")
    return _change(call, agent, deactivated=True, drain=agent.drain or {"state": "DRAINING", "config": config})


def deactivate_agent(call: Call, message: MasterCallDeactivateAgent) -> Answer:
    """DEACTIVATE_AGENT: stop offering its resources."""
    call.require("deactivate_agents")
    agent = _agent(call, message)
    return _change(call, agent, deactivated=True, drain=agent.drain)


def reactivate_agent(call: Call, message: MasterCallReactivateAgent) -> Answer:
    """REACTIVATE_AGENT. Raises `Refused`: 400 while it is draining."""
    call.require("reactivate_agents")
    agent = _agent(call, message)
    if agent.drain is not None and agent.drain["state"] == "DRAINING":
        raise Refused(400, f"Agent {agent.id} is still in the DRAINING state")
    return _change(call, agent, deactivated=False, drain=None)


def _agent(call: Call, message: MasterCallDrainAgent | MasterCallDeactivateAgent | MasterCallReactivateAgent) -> Agent:
    agent_id = message["agent_id"]["value"]
    agent = call.master.agents.get(agent_id)
    if agent is None:
        raise Refused(400, f"Agent {agent_id} is not registered")
    _not_changing(call, agent_id)
    return agent


def _not_changing(call: Call, agent_id: str) -> None:
    if agent_id in call.master.changing_agents:
        raise Refused(503, f"Something else is being stored about agent {agent_id}; try again")


def _change(call: Call, agent: Agent, *, deactivated: bool, drain: DrainInfo | None) -> Answer:
    def apply() -> None:
        agents.apply_change(call.master, agent, deactivated=deactivated, drain=drain)

    return call.store(agents.agent_changes(agent, deactivated=deactivated, drain=drain), apply)
