"""The life of an agent: registered, disconnected, reconnected, unreachable, drained, gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smackbox.mesos.master.state.entities import Agent, EventSink, Executor, Framework, Task
from smackbox.mesos.master.state.frameworks import add_framework
from smackbox.mesos.master.state.master import Master, time_info
from smackbox.mesos.master.state.offers import rescind_all
from smackbox.mesos.master.state.operations import drop_operations, drop_pending
from smackbox.mesos.master.state.registry import GONE_LIMIT, UNREACHABLE_LIMIT, agent_record, record
from smackbox.mesos.master.state.task_states import is_terminal
from smackbox.mesos.master.state.tasks import (
    add_executor,
    add_task,
    remove_executor,
    remove_task,
    status_of,
    tell,
    tell_of,
    update_task,
)
from smackbox.mesos.resources.resources import Resources

if TYPE_CHECKING:
    from smackbox.mesos.wire import messages
    from smackbox.mesos.wire.link_messages import LinkExecutor
    from smackbox.mesos.wire.messages import (
        AgentInfo,
        DrainInfo,
        ExecutorInfo,
        FrameworkInfo,
        MasterResponseGetAgentsAgent,
        Resource,
    )


@dataclass(slots=True)
class Subscription:
    """An agent's SUBSCRIBE, and its event stream."""

    info: AgentInfo
    version: str
    tasks: list[messages.Task]
    executors: list[LinkExecutor]
    frameworks: list[FrameworkInfo]
    checkpointed: list[Resource]
    drained: bool
    address: str
    sink: EventSink
    stream_id: str


def subscribe(master: Master, asked: Subscription) -> None:
    """Register an agent, at once or when it is in the registry; an agent that is not allowed is shut down."""
    agent_id = asked.info.get("id", {}).get("value")
    if agent_id is not None and agent_id in master.registry.gone:
        _turn_away(asked.sink, "Agent has been marked gone by an operator")
    elif _machine_is_down(master, asked):
        _turn_away(asked.sink, "Machine is `DOWN`")
    elif agent_id is None:
        new = master.new_id("S")
        asked.info = {**asked.info, "id": {"value": new}}
        _admit(master, asked, new, {})
    elif agent_id in master.agents or agent_id in master.recovered_agents:
        known = master.registry.agents.get(agent_id)
        if known is not None and known["info"] == asked.info:
            _enter(master, asked, agent_id)
        else:
            _admit(master, asked, agent_id, {})
    else:
        _admit(master, asked, agent_id, record(f"unreachable/{agent_id}", None))


def _admit(master: Master, asked: Subscription, agent_id: str, more: dict[str, bytes | None]) -> None:
    known = master.registry.agents.get(agent_id)
    deactivated = known is not None and known.get("deactivated", False)
    drain = None if known is None else known.get("drain")
    master.changing_agents.add(agent_id)

    def admitted() -> None:
        master.changing_agents.discard(agent_id)
        _enter(master, asked, agent_id)

    def failed(_: str) -> None:
        master.changing_agents.discard(agent_id)
        asked.sink.close()

    master.commit(
        {**agent_record(agent_id, asked.info, deactivated=deactivated, drain=drain), **more}, admitted, failed
    )


def _enter(master: Master, asked: Subscription, agent_id: str) -> None:
    """The agent is in the registry: update the state with its report."""
    if asked.sink.closed:
        return
    master.recovered_agents.pop(agent_id, None)
    agent = master.agents.get(agent_id)
    total = _total(asked)
    if agent is None:
        agent = _add(master, asked, agent_id, total)
        for task in [task for task in asked.tasks if not is_terminal(task["state"])]:
            _comes_back(master, agent, task)
    else:
        old, agent.sink = agent.sink, None
        if old is not None:
            old.close()
        rescind_all(master, agent)
        agent.info, agent.version, agent.address = asked.info, asked.version, asked.address
        agent.reregistered_ms = master.clock.wall_ms()
        _reconcile(master, agent, asked)
        drop_pending(master, agent)
        agent.total = total
        master.allocator.update_total(agent_id, total)
        master.allocator.agents[agent_id].info = asked.info
    agent.sink = asked.sink
    agent.stream_id = asked.stream_id
    master.agent_streams[asked.stream_id] = agent
    agent.unanswered_pings = 0
    agent.next_ping_ms = master.now_ms + master.options.agent_ping_timeout_ms
    agent.send(
        {
            "type": "SUBSCRIBED",
            "subscribed": {
                "agent_id": {"value": agent_id},
                "ping_interval_s": master.options.agent_ping_timeout_ms / 1_000,
                "max_pings": master.options.max_agent_ping_timeouts,
                "master_info": master.info(),
            },
        }
    )
    master.allocator.set_agent_active(agent_id, agent.active)
    for framework_id in {framework["id"]["value"] for framework in asked.frameworks if "id" in framework}:
        if master.is_completed(framework_id):
            agent.send({"type": "SHUTDOWN_FRAMEWORK", "shutdown_framework": {"framework_id": {"value": framework_id}}})
    if agent.drain is not None and agent.drain["state"] == "DRAINING":
        agent.send({"type": "DRAIN", "drain": agent.drain["config"]})
        check_drained(master, agent)
    master.allocation_wanted = True


def _add(master: Master, asked: Subscription, agent_id: str, total: Resources) -> Agent:
    known = master.registry.agents.get(agent_id)
    drain = None if known is None else known.get("drain")
    now_ms = master.clock.wall_ms()
    agent = Agent(
        agent_id,
        asked.info,
        total,
        asked.address,
        asked.version,
        now_ms,
        deactivated=known is not None and known.get("deactivated", False),
        drain=drain,
        drain_began_ms=now_ms if drain else None,
        capabilities=[{"type": capability} for capability in AGENT_CAPABILITIES],
    )
    master.agents[agent_id] = agent
    _take_over(master, agent, asked)
    master.allocator.add_agent(agent_id, asked.info, total, agent.used())
    master.allocator.set_agent_active(agent_id, False)
    master.publish({"type": "AGENT_ADDED", "agent_added": {"agent": agent_model(agent)}})
    return agent


AGENT_CAPABILITIES = (
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "AGENT_OPERATION_FEEDBACK",
    "AGENT_DRAINING",
    "TASK_RESOURCE_LIMITS",
)


def _take_over(master: Master, agent: Agent, asked: Subscription) -> None:
    """Add the frameworks, executors and tasks of an agent that is new to this master."""
    for info in asked.frameworks:
        framework_id = info.get("id", {}).get("value")
        if framework_id is None or framework_id in master.frameworks or master.is_completed(framework_id):
            continue
        framework = add_framework(master, framework_id, info, principal=info.get("principal"), suppressed=[])
        framework.recovered = True
        timeout_s = max(info.get("failover_timeout", 0.0), 0.0)
        grace_ms = max(int(timeout_s * 1_000), master.options.agent_reregister_timeout_ms)
        framework.fails_over_until_ms = master.now_ms + grace_ms
    for report in asked.executors:
        owner = master.frameworks.get(report["framework_id"]["value"])
        if owner is not None:
            executor = report["executor_info"]
            add_executor(owner, agent, Executor(executor, _resources(executor), _role(executor, owner)))
    for message in asked.tasks:
        owner = master.frameworks.get(message["framework_id"]["value"])
        if owner is not None and message["task_id"]["value"] not in owner.tasks:
            add_task(master, owner, agent, _task(message, owner))


def _task(message: messages.Task, framework: Framework) -> Task:
    message.setdefault("statuses", [])
    return Task(message, _resources(message), _role(message, framework), in_use=not is_terminal(message["state"]))


def _comes_back(master: Master, agent: Agent, message: messages.Task) -> None:
    """A task that was unreachable still runs: notify its framework."""
    framework = master.frameworks.get(message["framework_id"]["value"])
    task_id = message["task_id"]["value"]
    if framework is None or framework.unreachable.pop(task_id, None) is None:
        return
    state = str(message.get("status_update_state", message["state"]))
    text = "Agent reregistered"
    tell(
        framework,
        status_of(master, framework, task_id, state, "REASON_AGENT_REREGISTERED", text, agent_id=agent.id),
    )


def _reconcile(master: Master, agent: Agent, asked: Subscription) -> None:
    """Tasks that the agent no longer has are lost; unknown ones are added."""
    there = {(task["framework_id"]["value"], task["task_id"]["value"]) for task in asked.tasks}
    for (framework_id, task_id), task in list(agent.tasks.items()):
        if (framework_id, task_id) in there:
            continue
        framework = master.frameworks[framework_id]
        if not task.terminal:
            text = "Task is unknown to the agent"
            state = "TASK_DROPPED" if task.state == "TASK_STAGING" else "TASK_GONE"
            update_task(master, task, tell_of(framework, master, task, state, "REASON_RECONCILIATION", text))
        remove_task(master, task)
    executors = {
        (executor["framework_id"]["value"], executor["executor_info"]["executor_id"]["value"])
        for executor in asked.executors
    }
    for framework_id, executor_id in list(agent.executors):
        if (framework_id, executor_id) not in executors:
            remove_executor(master, master.frameworks.get(framework_id), agent, framework_id, executor_id)
    before = agent.used()
    _take_over_missing(master, agent, asked)
    for key, resources in agent.used().items():
        if more := resources - before.get(key, Resources()):
            master.allocator.allocated(key[0], key[1], agent.id, more)


def _take_over_missing(master: Master, agent: Agent, asked: Subscription) -> None:
    known = Subscription(
        asked.info,
        asked.version,
        [
            task
            for task in asked.tasks
            if (task["framework_id"]["value"], task["task_id"]["value"]) not in agent.tasks
            and not is_terminal(task["state"])
        ],
        [
            executor
            for executor in asked.executors
            if (executor["framework_id"]["value"], executor["executor_info"]["executor_id"]["value"])
            not in agent.executors
        ],
        asked.frameworks,
        [],
        asked.drained,
        asked.address,
        asked.sink,
        asked.stream_id,
    )
    _take_over(master, agent, known)


def disconnected(master: Master, agent: Agent, stream_id: str) -> None:
    """The stream has ended; from now on unanswered pings limit the time to reconnect."""
    if agent.stream_id != stream_id or agent.sink is None:
        return
    agent.sink = None
    master.allocator.set_agent_active(agent.id, False)
    rescind_all(master, agent)


def ping(master: Master, agent: Agent) -> None:
    """Send a ping when it is due; after too many without an answer the agent is unreachable."""
    agent.next_ping_ms = master.now_ms + master.options.agent_ping_timeout_ms
    if agent.unanswered_pings >= master.options.max_agent_ping_timeouts:
        mark_unreachable(master, agent.id)
        return
    agent.unanswered_pings += 1
    agent.send({"type": "PING"})


def mark_unreachable(master: Master, agent_id: str) -> None:
    """An agent does not answer: when that is stored, its tasks become lost or unreachable."""
    if agent_id in master.changing_agents:
        return
    agent = master.agents.get(agent_id)
    info = agent.info if agent is not None else master.registry.agents[agent_id]["info"]
    since_ms = master.clock.wall_ms()
    changes = {
        **record(f"agent/{agent_id}", None),
        **record(f"unreachable/{agent_id}", {"since_ms": since_ms, "info": info}),
    }
    if len(master.registry.unreachable) >= UNREACHABLE_LIMIT:
        changes.update(record(f"unreachable/{next(iter(master.registry.unreachable))}", None))
    master.changing_agents.add(agent_id)

    def marked() -> None:
        master.changing_agents.discard(agent_id)
        master.recovered_agents.pop(agent_id, None)
        master.count("slave_unreachable_completed")
        lost = master.agents.get(agent_id)
        if lost is not None:
            text = f"Agent {lost.hostname} is unreachable"
            remove_agent(master, lost, "TASK_UNREACHABLE", "REASON_AGENT_REMOVED", text, since_ms)

    master.commit(changes, marked, lambda _: master.changing_agents.discard(agent_id))


def mark_gone(master: Master, agent_id: str) -> None:
    """An operator marks the agent as gone for good."""
    agent = master.agents.get(agent_id)
    known = master.registry.agents.get(agent_id) or master.registry.unreachable.get(agent_id)
    changes = {
        **record(f"agent/{agent_id}", None),
        **record(f"unreachable/{agent_id}", None),
        **record(
            f"gone/{agent_id}", {"since_ms": master.clock.wall_ms(), "info": {} if known is None else known["info"]}
        ),
    }
    if len(master.registry.gone) >= GONE_LIMIT:
        changes.update(record(f"gone/{next(iter(master.registry.gone))}", None))
    master.changing_agents.add(agent_id)

    def marked() -> None:
        master.changing_agents.discard(agent_id)
        master.recovered_agents.pop(agent_id, None)
        if agent is not None and agent_id in master.agents:
            text = "Agent has been marked gone"
            agent.send({"type": "SHUTDOWN", "shutdown": {"message": text}})
            remove_agent(master, agent, "TASK_GONE_BY_OPERATOR", "REASON_AGENT_REMOVED_BY_OPERATOR", text)

    master.commit(changes, marked, lambda _: master.changing_agents.discard(agent_id))


def unsubscribe(master: Master, agent: Agent) -> None:
    """The agent unregisters."""

    def left() -> None:
        if master.agents.get(agent.id) is agent:
            remove_agent(master, agent, "TASK_LOST", "REASON_AGENT_REMOVED", f"Agent {agent.hostname} unregistered")

    master.commit(record(f"agent/{agent.id}", None), left)


def remove_agent(
    master: Master, agent: Agent, state: str, reason: str, said: str, unreachable_ms: int | None = None
) -> None:
    """Remove the agent from state, and report all its tasks to their frameworks in `state`."""
    sink, agent.sink = agent.sink, None
    master.agent_streams.pop(agent.stream_id, None)
    rescind_all(master, agent)
    drop_operations(
        master, agent, "OPERATION_UNREACHABLE" if state == "TASK_UNREACHABLE" else "OPERATION_GONE_BY_OPERATOR"
    )
    for task in list(agent.tasks.values()):
        framework = master.frameworks[task.framework_id]
        if not task.terminal:
            status = status_of(
                master, framework, task.id, state, reason, said, agent_id=agent.id, unreachable_ms=unreachable_ms
            )
            update_task(master, task, status, latest=status["state"])
            tell(framework, status)
        remove_task(master, task, unreachable=state == "TASK_UNREACHABLE")
    for framework_id, executor_id in list(agent.executors):
        remove_executor(master, master.frameworks.get(framework_id), agent, framework_id, executor_id)
    del master.agents[agent.id]
    master.allocator.remove_agent(agent.id)
    for framework in master.frameworks.values():
        framework.executors.pop(agent.id, None)
        framework.send({"type": "FAILURE", "failure": {"agent_id": {"value": agent.id}}})
    for key in [status for status in master.inverse_statuses if status[1] == agent.id]:
        del master.inverse_statuses[key]
    if sink is not None:
        sink.close()
    master.publish({"type": "AGENT_REMOVED", "agent_removed": {"agent_id": {"value": agent.id}}})


# --- drain and deactivation


def agent_changes(agent: Agent, *, deactivated: bool, drain: DrainInfo | None) -> dict[str, bytes | None]:
    """The new record of an agent that is deactivated, drained, or neither."""
    return agent_record(agent.id, agent.info, deactivated=deactivated, drain=drain)


def apply_change(master: Master, agent: Agent, *, deactivated: bool, drain: DrainInfo | None) -> None:
    """Apply a stored deactivation or drain of an agent."""
    agent.deactivated = deactivated
    if drain is not None and agent.drain is None:
        agent.drain_began_ms = master.clock.wall_ms()
    agent.drain = drain
    master.allocator.set_agent_active(agent.id, agent.active)
    if deactivated:
        rescind_all(master, agent)
    else:
        agent.drain_began_ms = None
        master.allocation_wanted = True
    if drain is not None and drain["state"] == "DRAINING":
        agent.send({"type": "DRAIN", "drain": drain["config"]})
        check_drained(master, agent)


def check_drained(master: Master, agent: Agent) -> None:
    """When its tasks have ended and are acknowledged, a draining agent is drained, and gone if requested."""
    if agent.drain is None or agent.drain["state"] != "DRAINING" or agent.tasks or agent.operations:
        return
    if agent.id in master.changing_agents:
        return
    config = agent.drain["config"]
    if config.get("mark_gone"):
        mark_gone(master, agent.id)
        return
    drained: DrainInfo = {"state": "DRAINED", "config": config}
    master.changing_agents.add(agent.id)

    def stored() -> None:
        master.changing_agents.discard(agent.id)
        agent.drain = drained

    master.commit(
        agent_changes(agent, deactivated=True, drain=drained),
        stored,
        lambda _: master.changing_agents.discard(agent.id),
    )


def agent_model(agent: Agent) -> MasterResponseGetAgentsAgent:
    """An agent as in the operator API."""
    model: MasterResponseGetAgentsAgent = {
        "agent_info": agent.info,
        "active": agent.active,
        "deactivated": agent.deactivated,
        "version": agent.version,
        "pid": agent.pid,
        "registered_time": time_info(agent.registered_ms),
        "total_resources": agent.total.to_messages(),
        "allocated_resources": [
            message for (_, role), used in agent.used().items() for message in used.to_messages(role=role)
        ],
        "offered_resources": [
            message for offer in agent.offers.values() for message in offer.resources.to_messages(role=offer.role)
        ],
        "capabilities": agent.capabilities,
    }
    if agent.reregistered_ms is not None:
        model["reregistered_time"] = time_info(agent.reregistered_ms)
    if agent.drain is not None:
        model["drain_info"] = agent.drain
        if agent.drain_began_ms is not None:
            model["estimated_drain_start_time"] = time_info(agent.drain_began_ms)
    return model


def _turn_away(sink: EventSink, said: str) -> None:
    sink.send({"type": "SHUTDOWN", "shutdown": {"message": said}})
    sink.close()


def _machine_is_down(master: Master, asked: Subscription) -> bool:
    hostname, ip = asked.info["hostname"].lower(), asked.address.rpartition(":")[0]
    machine = master.registry.machines.get(f"{hostname}|{ip}")
    return machine is not None and machine.get("mode") == "DOWN"


def _total(asked: Subscription) -> Resources:
    """The agent's total: reservations and volumes from its checkpoint, the rest as configured."""
    total = Resources.from_messages(asked.info.get("resources", []))
    for kind, amount in Resources.from_messages(asked.checkpointed):
        base = kind.without_operations()
        total.subtract_in_place(base, kind.size if kind.shared else amount)
        total.add_in_place(kind, amount)
    return total


def _resources(message: messages.Task | ExecutorInfo) -> Resources:
    return Resources.from_messages(message.get("resources", []))


def _role(message: messages.Task | ExecutorInfo, framework: Framework) -> str:
    for resource in message.get("resources", []):
        role = resource.get("allocation_info", {}).get("role")
        if role is not None:
            return str(role)
    return framework.roles[0] if framework.roles else "*"
