"""The agent's state machine: it takes the master's orders, controls containers, and reports the tasks' states.

An order is checkpointed before it is carried out. After a restart, the agent starts tasks that were ordered and never
started, continues with those that run, and reports those that have ended. None is started twice: whether a container
was ever started is recorded in its status file, which the container itself writes (see `Containers.find`).
"""

from __future__ import annotations

import base64
import logging
import uuid
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from smackbox.base.errors import ProtocolError, StorageError
from smackbox.mesos.agent.state.checkpoints import Checkpoints, ExecutorRecord, TaskRecord
from smackbox.mesos.agent.state.container import Containers, ContainerSpec, Ended, Started
from smackbox.mesos.agent.state.container_specs import ContainerSpecs
from smackbox.mesos.agent.state.entities import (
    COMMAND,
    COMPLETED_FRAMEWORKS_LIMIT,
    CUSTOM,
    DEFAULT,
    RUNNING,
    TERMINATED,
    TERMINATING,
    AgentExecutor,
    AgentFramework,
    AgentTask,
)
from smackbox.mesos.agent.state.executor_environment import (
    SecretError,
    duration,
    shutdown_grace_period_ms,
)
from smackbox.mesos.agent.state.options import AgentOptions
from smackbox.mesos.agent.state.status_updates import StatusUpdates, TaskKey
from smackbox.mesos.agent.state.task_run import (
    KILL_GRACE_MS,
    LAUNCH_FAILED,
    TaskRun,
    describe,
    grace_period_ms,
)
from smackbox.mesos.agent.state.timers import Timers
from smackbox.mesos.agent.state.volumes import AgentVolumes
from smackbox.mesos.version import VERSION

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkCall, LinkExecutor, LinkExitedExecutor, LinkUpdate
    from smackbox.mesos.wire.messages import (
        ExecutorEvent,
        ExecutorInfo,
        FrameworkInfo,
        KillPolicy,
        TaskGroupInfo,
        TaskInfo,
        TaskStatus,
    )


log = logging.getLogger(__name__)
CAPABILITIES = ("MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT", "AGENT_DRAINING")
AGENT_REASONS = frozenset(
    {
        LAUNCH_FAILED,
        "REASON_CONTAINER_LIMITATION",
        "REASON_CONTAINER_LIMITATION_DISK",
        "REASON_CONTAINER_LIMITATION_MEMORY",
        "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
        "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
        "REASON_EXECUTOR_TERMINATED",
        "REASON_RESOURCES_UNKNOWN",
        "REASON_TASK_INVALID",
        "REASON_TASK_UNKNOWN",
        "REASON_AGENT_RESTARTED",
    }
)
"""States whose source is the agent itself; for all others it is the executor, even if the agent acts as one."""


class Agent:
    """One agent. `to_master(call)`, set by the server, is called only while it is subscribed."""

    def __init__(
        self,
        settings: AgentOptions,
        checkpoints: Checkpoints,
        timers: Timers,
        containers: Containers,
        new_uuid: Callable[[], uuid.UUID],
    ) -> None:
        self.settings = settings
        self.checkpoints = checkpoints
        self.timers = timers
        self.containers = containers
        self.volumes = AgentVolumes(checkpoints, settings.work_dir)
        self.specs = ContainerSpecs(settings, checkpoints, self.volumes)
        self.frameworks: dict[str, AgentFramework] = {}
        self.completed: deque[AgentFramework] = deque(maxlen=COMPLETED_FRAMEWORKS_LIMIT)
        self.updates = StatusUpdates(timers, self._forward)
        self.runs: dict[TaskKey, TaskRun] = {}
        self.channels: dict[tuple[str, str], Callable[[ExecutorEvent], None]] = {}
        """Event streams to custom executors, by framework and executor."""
        self.id: str | None = None
        self.is_subscribed = False
        self.is_draining = False
        self.is_drained = False
        self.drain_grace_ms: int | None = None
        self.to_master: Callable[[LinkCall], None] = lambda _: None
        self.on_shutdown: Callable[[str], None] = lambda _: None
        self.on_retired: Callable[[AgentExecutor], None] = lambda _: None
        """Called when an executor has ended; its sandbox may be collected."""
        self.counters: dict[str, int] = {}
        self.capabilities = list(CAPABILITIES)
        self.started_ms = timers.clock.wall_ms()
        self._shutdown_reason: str | None = None
        self._new_uuid = new_uuid

    # --- the master

    @property
    def registered_id(self) -> str:
        """The id from the master. Raises `ProtocolError` before there is one, as no order can precede it."""
        if self.id is None:
            raise ProtocolError("the master sent an order before SUBSCRIBED")
        return self.id

    def subscribe_call(self) -> LinkCall:
        """The agent's resources and tasks, for a master that may know less."""
        tasks = [
            task.message(self.updates.head(task.key))
            for framework in self.frameworks.values()
            for executor in framework.executors.values()
            for task in executor.tasks.values()
        ]
        executors: list[LinkExecutor] = [
            {"framework_id": {"value": framework.id}, "executor_info": executor.info}
            for framework in self.frameworks.values()
            for executor in framework.executors.values()
            if executor.kind != COMMAND and executor.state != TERMINATED and not executor.is_orphan
        ]
        return {
            "type": "SUBSCRIBE",
            "subscribe": {
                "agent_info": self.settings.info(self.id),
                "version": VERSION,
                "ip": self.settings.ip,
                "capabilities": [{"type": capability} for capability in CAPABILITIES],
                "tasks": tasks,
                "executors": executors,
                "frameworks": [framework.info for framework in self.frameworks.values() if not framework.is_orphan],
                "checkpointed_resources": self.volumes.resources,
                "drained": self.is_drained,
            },
        }

    def subscribed(self, agent_id: str) -> None:
        """The master has registered the agent; unacknowledged statuses are sent to it."""
        if self.id != agent_id:
            self.id = agent_id
            self.write_info()
        self.is_subscribed = True
        self.updates.resend()

    def write_info(self) -> None:
        """Checkpoint the agent's information, for the next start to compare."""
        self.checkpoints.write("agent", {"info": self.settings.info(self.id), "port": self.settings.port})

    def disconnected(self) -> None:
        """The master is disconnected: nothing is sent until the next subscription."""
        self.is_subscribed = False

    def tell_master(self, call: LinkCall) -> None:
        """Send a call to the master, if it is connected."""
        if self.is_subscribed:
            self.to_master(call)

    def executors(self) -> list[AgentExecutor]:
        """All executors that have not ended."""
        return [executor for framework in self.frameworks.values() for executor in framework.executors.values()]

    # --- launches

    def framework(self, info: FrameworkInfo) -> AgentFramework:
        """The framework of that `FrameworkInfo`, created and checkpointed if it is new."""
        framework_id = info["id"]["value"]
        framework = self.frameworks.get(framework_id)
        if framework is None:
            framework = self.frameworks[framework_id] = AgentFramework(info)
            self.checkpoints.framework(framework_id, info)
        elif framework.info != info:
            framework.info = info
            self.checkpoints.framework(framework_id, info)
        return framework

    def make_executor(self, framework: AgentFramework, info: ExecutorInfo, kind: str) -> AgentExecutor:
        """A new executor, checkpointed."""
        container_id = str(self._new_uuid())
        executor_id = info["executor_id"]["value"]
        directory = (
            self.settings.work_dir
            / "slaves"
            / self.registered_id
            / "frameworks"
            / framework.id
            / "executors"
            / executor_id
            / "runs"
            / container_id
        )
        executor = AgentExecutor(framework.id, info, kind, container_id, directory)
        framework.executors[executor_id] = executor
        record: ExecutorRecord = {"info": info, "kind": kind, "container_id": container_id, "directory": str(directory)}
        self.checkpoints.executor(framework.id, executor_id, record)
        return executor

    def add_task(self, executor: AgentExecutor, info: TaskInfo, group: tuple[str, ...] = ()) -> AgentTask:
        """A task of that executor, checkpointed with its container."""
        task = AgentTask(executor.framework_id, executor.id, info, group=group)
        executor.tasks[task.id] = task
        container_id = executor.container_id
        if executor.kind == DEFAULT:
            container_id = f"{container_id}.{self._new_uuid()}"
        task.container_id = container_id
        self._write_task(task)
        self.count("slave/tasks_launched")
        return task

    def run_builtin(self, framework: AgentFramework, executor: AgentExecutor, tasks: list[AgentTask]) -> None:
        """Launch tasks that the agent runs itself."""
        executor.state = RUNNING
        runs = []
        for task in tasks:
            run = self._make_run(framework, executor, task)
            if run is None:
                break
            runs.append(run)
        if len(runs) < len(tasks):
            for task in tasks:
                if not task.is_terminal:
                    self.status(
                        task, "TASK_KILLED", reason="REASON_TASK_KILLED_DURING_LAUNCH", message="Its group failed"
                    )
            self.ended(tasks[0])
            return
        if executor.kind == DEFAULT:
            self.containers.resize(executor.container_id, executor.resources())
        for run in runs:
            self.runs[run.task.key] = run
        for run in runs:
            if not run.task.is_terminal:
                run.launch()

    def launch_custom(self, framework: AgentFramework, executor: AgentExecutor) -> None:
        """Start the executor's process; it must subscribe before its timeout."""
        try:
            executor.spec = self.executor_spec(framework, executor)
        except SecretError as error:
            self._custom_ended(executor, Ended(None, started=False, reason=LAUNCH_FAILED, message=str(error)))
            return
        timeout_ms = self.settings.executor_registration_timeout_ms
        executor.timer = self.timers.after(
            timeout_ms,
            lambda: self._give_up(
                executor,
                "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
                f"Executor did not register within {duration(timeout_ms)}",
            ),
        )
        self.containers.launch(
            executor.spec,
            lambda started: self._custom_started(executor, started),
            lambda ended: self._custom_ended(executor, ended),
        )

    def wait_for_custom(self, executor: AgentExecutor) -> None:
        """After a restart, give executors a moment to reconnect."""
        timeout_ms = self.settings.executor_reregistration_timeout_ms
        executor.timer = self.timers.after(
            timeout_ms,
            lambda: self._give_up(
                executor,
                "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
                f"Executor did not re-register within {duration(timeout_ms)}",
            ),
        )

    def resume_custom(self, executor: AgentExecutor, spec: ContainerSpec) -> None:
        """Watch the container of an executor that outlived the agent's earlier process."""
        self.containers.resume(
            spec,
            lambda started: self._custom_started(executor, started),
            lambda ended: self._custom_ended(executor, ended),
        )

    # --- shutdown

    def shut_down_executor(self, executor: AgentExecutor, grace_ms: int | None = None) -> None:
        """Ask it to end its tasks and itself; after the grace period it is killed."""
        if grace_ms is None:
            grace_ms = shutdown_grace_period_ms(self.settings, executor.info)
        if executor.is_builtin:
            for task in list(executor.tasks.values()):
                if (run := self.runs.get(task.key)) is not None:
                    run.kill(grace_ms)
            return
        if executor.state in {TERMINATING, TERMINATED}:
            return
        executor.state = TERMINATING
        executor.stop_timer()
        self.send_executor(executor, {"type": "SHUTDOWN"})
        if (executor.framework_id, executor.id) not in self.channels:
            grace_ms = 0
        executor.timer = self.timers.after(grace_ms, lambda: self.containers.destroy(executor.container_id))

    def shut_down_framework(self, framework: AgentFramework, grace_ms: int | None = None) -> None:
        """Shut down a framework's executors, by force after `grace_ms`."""
        framework.shutting_down = True
        for executor in list(framework.executors.values()):
            self.shut_down_executor(executor, grace_ms)
        self.sweep(framework)

    def shut_down(self, message: str) -> None:
        """Shut the agent down for good: kill everything, then delete its id."""
        self.is_subscribed = False
        self._shutdown_reason = message
        for framework in list(self.frameworks.values()):
            self.shut_down_framework(framework, 0)
        self._check_over()

    def drain(self, max_grace_ms: int | None) -> None:
        """Kill all tasks, each with the shorter of its own grace period and the given one."""
        self.is_draining = True
        self.drain_grace_ms = max_grace_ms
        for framework in list(self.frameworks.values()):
            for executor in list(framework.executors.values()):
                for task in list(executor.tasks.values()):
                    self.kill_task(executor, task, self.drain_policy(task))
        self._check_over()

    def drain_policy(self, task: AgentTask) -> KillPolicy | None:
        """How a task is killed for a drain; None if the agent is not draining."""
        if self.drain_grace_ms is None:
            return None
        own_ms = grace_period_ms(task.info.get("kill_policy"))
        grace_ms = min(KILL_GRACE_MS if own_ms is None else own_ms, self.drain_grace_ms)
        return {"grace_period": {"nanoseconds": grace_ms * 1_000_000}}

    def kill_task(self, executor: AgentExecutor, task: AgentTask, policy: KillPolicy | None) -> None:
        """Kill a task, with its own grace period or that of `policy`."""
        if task.is_terminal:
            return
        if executor.is_builtin:
            if (run := self.runs.get(task.key)) is not None:
                run.kill(grace_period_ms(policy))
            return
        for queued in executor.queued:
            if task in queued:
                executor.queued.remove(queued)
                for task_info in queued:
                    self.status(
                        task_info,
                        "TASK_KILLED",
                        reason="REASON_TASK_KILLED_DURING_LAUNCH",
                        message="Killed before delivery to the executor",
                        source="SOURCE_AGENT",
                    )
                if not executor.queued and executor.state != RUNNING:
                    self.shut_down_executor(executor, 0)
                return
        event: ExecutorEvent = {"type": "KILL", "kill": {"task_id": task.info["task_id"]}}
        if policy is not None:
            event["kill"]["kill_policy"] = policy
        self.send_executor(executor, event)

    # --- statuses

    def status(self, task: AgentTask, state: str, **fields: object) -> None:
        """A status created by the agent. `fields` are those of `TaskStatus`; None means not set."""
        framework = self.frameworks.get(task.framework_id)
        executor = None if framework is None else framework.executors.get(task.executor_id)
        set_fields = {name: value for name, value in fields.items() if value is not None}
        status = cast("TaskStatus", {"task_id": task.info["task_id"], "state": state, **set_fields})
        if fields.get("source") is None:
            own = fields.get("reason") in AGENT_REASONS
            status["source"] = "SOURCE_AGENT" if own else "SOURCE_EXECUTOR"
        run = self.runs.get(task.key)
        if run is not None and run.started is not None:
            status["container_status"] = self.specs.status(run.spec, run.started)
        status["uuid"] = base64.b64encode(self._new_uuid().bytes).decode()
        self.take_status(framework, executor, task, status)

    def take_status(
        self,
        framework: AgentFramework | None,
        executor: AgentExecutor | None,
        task: AgentTask | None,
        status: TaskStatus,
    ) -> None:
        """Checkpoint a status and queue it for the framework."""
        status["agent_id"] = {"value": self.registered_id}
        status.setdefault("timestamp", self.timers.clock.wall_ms() / 1_000)
        if executor is not None:
            status.setdefault("executor_id", {"value": executor.id})
        if task is None or framework is None or executor is None:
            return
        task.seen.add(status["uuid"])
        if task.is_terminal:
            return
        task.take(status)
        self._line_up(framework, executor, task, status)

    def _line_up(self, framework: AgentFramework, executor: AgentExecutor, task: AgentTask, status: TaskStatus) -> None:
        if framework.is_checkpointed:
            try:
                self.checkpoints.update(framework.id, executor.id, task.id, status)
            except StorageError as error:
                # it is sent anyway: for a framework nothing is worse than the same status twice
                log.error("a status will not survive the agent: %s", error)
        self.updates.add(task.key, status)
        if task.is_terminal:
            self.count(f"slave/{task.state.lower().replace('task_', 'tasks_')}")
            if executor.kind == CUSTOM and executor.state == RUNNING:
                self.containers.resize(executor.container_id, executor.resources())

    def killing(self, task: AgentTask, grace_ms: int) -> None:
        """A task is being killed, and has this long to end by itself."""
        task.kill_grace_ms = grace_ms
        self._write_task(task)

    def ended(self, task: AgentTask) -> None:
        """A task that the agent ran has ended. If it failed, its group ends too; with the last task, so does its
        executor.
        """
        framework = self.frameworks[task.framework_id]
        executor = framework.executors[task.executor_id]
        self.runs.pop(task.key, None)
        if task.state != "TASK_FINISHED":
            for other in task.group:
                if (run := self.runs.get((framework.id, other))) is not None:
                    run.kill()
        if all(task.is_terminal for task in executor.tasks.values()):
            executor.state = TERMINATED
            if executor.kind == DEFAULT:
                self._tell_exit(executor, 0)
        elif executor.kind == DEFAULT:
            self.containers.resize(executor.container_id, executor.resources())
        self.sweep(framework)

    def acknowledge(self, framework_id: str, task_id: str, uuid_text: str) -> None:
        """The framework has acknowledged a status; after a terminal one the task is completed."""
        key = (framework_id, task_id)
        status = self.updates.acknowledge(key, uuid_text)
        framework = self.frameworks.get(framework_id)
        executor_and_task = None if framework is None else framework.task(task_id)
        if status is None or framework is None or executor_and_task is None:
            return
        executor, task = executor_and_task
        if framework.is_checkpointed:
            try:
                self.checkpoints.acknowledged(framework_id, executor.id, task_id, uuid_text)
            except StorageError as error:
                log.error("a status will be sent again after the agent's restart: %s", error)
        if task.is_terminal and not self.updates.is_pending(key):
            self.sweep(framework)

    # --- custom executors

    def send_executor(self, executor: AgentExecutor, event: ExecutorEvent) -> None:
        """Send an event. Like in Mesos it is dropped if the executor is not connected; essential events are sent when
        it subscribes again.
        """
        channel = self.channels.get((executor.framework_id, executor.id))
        if channel is not None:
            channel(event)

    def deliver(self, executor: AgentExecutor) -> None:
        """Deliver the queued tasks to a subscribed executor."""
        queued, executor.queued = executor.queued, []
        for tasks in queued:
            for task in tasks:
                task.delivered = True
            if tasks[0].group:
                group: TaskGroupInfo = {"tasks": [task.info for task in tasks]}
                self.send_executor(executor, {"type": "LAUNCH_GROUP", "launch_group": {"task_group": group}})
            else:
                self.send_executor(executor, {"type": "LAUNCH", "launch": {"task": tasks[0].info}})

    def _give_up(self, executor: AgentExecutor, reason: str, message: str) -> None:
        executor.timer = None
        executor.state = TERMINATING
        executor.pending_reason = ("TASK_FAILED", reason, message)
        self.containers.destroy(executor.container_id)

    def _custom_started(self, executor: AgentExecutor, started: Started) -> None:
        executor.pid = started.pid

    def _custom_ended(self, executor: AgentExecutor, ended: Ended) -> None:
        framework = self.frameworks[executor.framework_id]
        executor.stop_timer()
        executor.state = TERMINATED
        self.channels.pop((framework.id, executor.id), None)
        partition_aware = framework.has("PARTITION_AWARE")
        undelivered = {task.id for queued in executor.queued for task in queued}
        executor.queued.clear()
        for task in list(executor.tasks.values()):
            if task.is_terminal:
                continue
            if executor.pending_reason is not None:
                state, reason, message = executor.pending_reason
            elif ended.reason is not None:
                state, reason, message = "TASK_FAILED", ended.reason, ended.message
            else:
                state = "TASK_LOST"
                if partition_aware:
                    state = "TASK_DROPPED" if task.id in undelivered else "TASK_GONE"
                reason = "REASON_EXECUTOR_TERMINATED"
                message = describe(ended.status).replace("Command", "Executor")
            limitation = {"resources": ended.limitation} if ended.limitation else None
            self.status(task, state, reason=reason, message=message, limitation=limitation, source="SOURCE_AGENT")
        self._tell_exit(executor, ended.status or 0)
        self.sweep(framework)

    def _tell_exit(self, executor: AgentExecutor, status: int) -> None:
        self.count("slave/executors_terminated")
        exited: LinkExitedExecutor = {
            "framework_id": {"value": executor.framework_id},
            "executor_id": {"value": executor.id},
            "status": status,
        }
        self.tell_master({"type": "EXITED_EXECUTOR", "exited_executor": exited})

    # --- containers

    def _make_run(self, framework: AgentFramework, executor: AgentExecutor, task: AgentTask) -> TaskRun | None:
        """None if the container cannot be described: then the task has failed."""
        try:
            spec = self.task_spec(framework, executor, task)
        except SecretError as error:
            self.status(task, "TASK_FAILED", reason=LAUNCH_FAILED, message=str(error))
            return None
        return TaskRun(
            task,
            spec,
            self.timers,
            self.containers,
            self,
            sends_killing=framework.has("TASK_KILLING_STATE"),
            lost_state="TASK_GONE" if framework.has("PARTITION_AWARE") else "TASK_LOST",
        )

    def resume_builtin(self, framework: AgentFramework, executor: AgentExecutor, task: AgentTask) -> TaskRun | None:
        """The run of a recovered task, to be launched or resumed."""
        run = self._make_run(framework, executor, task)
        if run is not None:
            self.runs[task.key] = run
        return run

    def task_spec(self, framework: AgentFramework, executor: AgentExecutor, task: AgentTask) -> ContainerSpec:
        """The container of a task of the built-in executors."""
        return self.specs.of_task(self.registered_id, framework, executor, task)

    def executor_spec(self, framework: AgentFramework, executor: AgentExecutor) -> ContainerSpec:
        """The container of an executor."""
        return self.specs.of_executor(self.registered_id, framework, executor)

    # --- bookkeeping

    def count(self, name: str) -> None:
        """Increment a counter of `/metrics/snapshot`."""
        self.counters[name] = self.counters.get(name, 0) + 1

    def _write_task(self, task: AgentTask) -> None:
        record: TaskRecord = {"info": task.info, "container_id": task.container_id, "group": task.group}
        if task.kill_grace_ms is not None:
            record["kill_grace_ms"] = task.kill_grace_ms
        self.checkpoints.task(task.framework_id, task.executor_id, task.id, record)

    def _forward(self, key: TaskKey, status: TaskStatus) -> None:
        if not self.is_subscribed:
            return
        update: LinkUpdate = {"framework_id": {"value": key[0]}, "status": status}
        framework = self.frameworks.get(key[0])
        executor_and_task = None if framework is None else framework.task(key[1])
        if executor_and_task is not None:
            update["latest_state"] = executor_and_task[1].state
        self.tell_master({"type": "UPDATE", "updates": [update]})

    def sweep(self, framework: AgentFramework) -> None:
        """Remove tasks, executors and frameworks that have ended and are acknowledged."""
        for executor in list(framework.executors.values()):
            for task in list(executor.tasks.values()):
                over = task.is_terminal and task.key not in self.runs
                if framework.shutting_down and over:
                    self._cut_short(task)
                if over and not self.updates.is_pending(task.key):
                    del executor.tasks[task.id]
                    executor.completed.append(task)
                    self.checkpoints.remove_task(framework.id, executor.id, task.id)
            if executor.state == TERMINATED and not executor.tasks:
                del framework.executors[executor.id]
                framework.completed.append(executor)
                self.checkpoints.remove_executor(framework.id, executor.id)
                self.on_retired(executor)
        if not framework.executors and self.frameworks.get(framework.id) is framework:
            del self.frameworks[framework.id]
            self.completed.append(framework)
            self.checkpoints.remove_framework(framework.id)
            self._check_over()

    def _cut_short(self, task: AgentTask) -> None:
        """Nobody acknowledges for a framework that is shut down: the task's end is reported to the master once."""
        latest = self.updates.latest(task.key)
        if latest is not None and latest is not self.updates.head(task.key):
            self._forward(task.key, latest)
        self.updates.forget(task.key)

    def _check_over(self) -> None:
        """Nothing runs any more: check whether a shutdown was requested."""
        if self.frameworks:
            return
        if self.is_draining:
            self.is_draining = False
            self.is_drained = True
        if self._shutdown_reason is not None:
            message, self._shutdown_reason = self._shutdown_reason, None
            self.checkpoints.forget_agent()
            self.id = None
            self.on_shutdown(message)
