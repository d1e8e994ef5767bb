"""Recovery after a restart: the earlier agent's checkpoints, and the current state of its containers.

    never started    launch it: an accepted order is carried out
    running          continue with it
    ended            report its result; if that is unknown, the task is LOST (GONE for partition-aware ones)

A framework without `checkpoint` does not survive its agent: its running tasks are killed without a status, as the
master has already sent one. Custom executors have a moment to reconnect.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from smackbox.base.errors import StartError
from smackbox.mesos.agent.state.agent import Agent
from smackbox.mesos.agent.state.checkpoints import RecoveredExecutor, RecoveredFramework, RecoveredTask
from smackbox.mesos.agent.state.container import ENDED, NEVER_STARTED, ContainerSpec, Ended
from smackbox.mesos.agent.state.entities import (
    CUSTOM,
    RUNNING,
    TERMINATED,
    TERMINATING,
    AgentExecutor,
    AgentFramework,
    AgentTask,
)

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import AgentInfo, Attribute, Resource


ANY = "any"
EQUAL = "equal"
ADDITIVE = "additive"
log = logging.getLogger(__name__)


def recover(agent: Agent, *, policy: str = EQUAL) -> None:
    """Recover from the checkpoints. Raises `StartError` when the agent's settings are incompatible."""
    saved = agent.checkpoints.read("agent")
    agent.volumes.recover()
    if saved is not None:
        check_info(saved["info"], agent.settings.info(None), policy)
        agent.id = saved["info"]["id"]["value"]
    for framework in list(agent.checkpoints.recover()):
        _recover_framework(agent, framework)


def check_info(old: AgentInfo, new: AgentInfo, policy: str) -> None:
    """Raises `StartError` if running tasks depend on resources or attributes that the agent no longer has."""
    for name in ("hostname", "domain", "attributes", "resources"):
        before, after = old.get(name), new.get(name)
        if before == after or policy == ANY:
            continue
        if (
            policy == ADDITIVE
            and name == "attributes"
            and _includes(new.get("attributes", []), old.get("attributes", []))
        ):
            continue
        if policy == ADDITIVE and name == "resources" and _includes(new.get("resources", []), old.get("resources", [])):
            continue
        raise StartError(
            f"the agent's {name} changed from {_short(before)} to {_short(after)} since it last ran: give it the "
            "former value, or start it once with --recover=cleanup (this kills its tasks), or with "
            "--reconfiguration-policy=additive where there is only more of it"
        )


def _recover_framework(agent: Agent, recovered: RecoveredFramework) -> None:
    framework = AgentFramework(recovered.info)
    agent.frameworks[framework.id] = framework
    for saved in recovered.executors:
        record = saved.record
        executor = AgentExecutor(
            framework.id, record["info"], record["kind"], record["container_id"], Path(record["directory"])
        )
        framework.executors[executor.id] = executor
        if framework.is_checkpointed:
            _recover_executor(agent, framework, executor, saved)
        else:
            _kill_executor(agent, framework, executor, saved)
    agent.sweep(framework)


def _recover_executor(
    agent: Agent, framework: AgentFramework, executor: AgentExecutor, saved: RecoveredExecutor
) -> None:
    for recovered in saved.tasks:
        task = _task(executor, recovered)
        executor.tasks[task.id] = task
        for status in recovered.statuses:
            task.seen.add(status["uuid"])
            task.take(status)
            if status["uuid"] not in recovered.acknowledged:
                agent.updates.add(task.key, status)
    if executor.kind == CUSTOM:
        _recover_custom(agent, framework, executor)
        return
    executor.state = RUNNING
    for task in list(executor.tasks.values()):
        if not task.is_terminal:
            _recover_run(agent, framework, executor, task)
    if all(task.is_terminal for task in executor.tasks.values()):
        executor.state = TERMINATED


def _recover_run(agent: Agent, framework: AgentFramework, executor: AgentExecutor, task: AgentTask) -> None:
    run = agent.resume_builtin(framework, executor, task)
    if run is None:
        return
    grace_ms = task.kill_grace_ms
    if agent.containers.find(run.spec) == NEVER_STARTED:
        if grace_ms is None:
            run.launch()
        else:
            run.never_started()
        return
    run.resume()
    if grace_ms is not None:
        run.kill(grace_ms)


def _recover_custom(agent: Agent, framework: AgentFramework, executor: AgentExecutor) -> None:
    spec = executor.spec = agent.executor_spec(framework, executor)
    container_state = agent.containers.find(spec)
    if container_state == NEVER_STARTED:
        executor.queued = _groups(list(executor.tasks.values()))
        agent.launch_custom(framework, executor)
        return
    if container_state != ENDED:
        agent.wait_for_custom(executor)
    agent.resume_custom(executor, spec)


def _kill_executor(agent: Agent, framework: AgentFramework, executor: AgentExecutor, saved: RecoveredExecutor) -> None:
    specs: list[ContainerSpec] = []
    if executor.kind == CUSTOM:
        specs.append(agent.executor_spec(framework, executor))
    else:
        specs += [agent.task_spec(framework, executor, _task(executor, recovered)) for recovered in saved.tasks]
    alive = {spec.id: spec for spec in specs if agent.containers.find(spec) != NEVER_STARTED}
    executor.is_orphan = True
    executor.state = TERMINATING if alive else TERMINATED

    def ended(container_id: str) -> None:
        del alive[container_id]
        if not alive:
            executor.state = TERMINATED
            agent.sweep(framework)

    for spec in list(alive.values()):
        log.info("killing container %s of a framework that does not checkpoint", spec.id)
        agent.containers.resume(spec, lambda _: None, partial(_call, ended, spec.id))
        agent.containers.destroy(spec.id)


def _task(executor: AgentExecutor, recovered: RecoveredTask) -> AgentTask:
    record = recovered.record
    return AgentTask(
        executor.framework_id,
        executor.id,
        record["info"],
        group=tuple(record["group"]),
        container_id=record["container_id"],
        kill_grace_ms=record.get("kill_grace_ms"),
    )


def _groups(tasks: list[AgentTask]) -> list[list[AgentTask]]:
    groups: dict[tuple[str, ...], list[AgentTask]] = {}
    for task in tasks:
        groups.setdefault(task.group or (task.id,), []).append(task)
    return list(groups.values())


def _call(ended: Callable[[str], None], container_id: str, _: Ended) -> None:
    ended(container_id)


def _includes(larger: Sequence[Resource | Attribute], smaller: Sequence[Resource | Attribute]) -> bool:
    """Whether each resource or attribute of `smaller` is in `larger`, scalars in at least that amount."""
    for part in smaller:
        matches = [other for other in larger if _without_scalar(other) == _without_scalar(part)]
        if "scalar" in part:
            minimum = part["scalar"]["value"]
            matches = [other for other in matches if "scalar" in other and other["scalar"]["value"] >= minimum]
        if not matches:
            return False
    return True


def _without_scalar(part: Resource | Attribute) -> dict[str, object]:
    return {name: value for name, value in part.items() if name != "scalar"}


def _short(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(
            f"{item.get('name')}:{item.get('scalar', item.get('ranges', item.get('text', item.get('set', {}))))}"
            for item in value
        )
    return repr(value)
