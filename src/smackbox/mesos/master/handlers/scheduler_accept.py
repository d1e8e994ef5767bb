"""ACCEPT: a sequence of operations on one or several offers of one agent.

The results of an operation are available to the following ones. What is left of the offers at the end is declined with
the filters. An invalid operation changes nothing: its tasks are reported as TASK_ERROR or TASK_DROPPED, other
operations by their status, if the framework set an operation id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smackbox.mesos.master.handlers.context import Call
from smackbox.mesos.master.state import operations
from smackbox.mesos.master.state.allocator import DEFAULT_REFUSE_SECONDS
from smackbox.mesos.master.state.entities import Agent, Executor, Framework, Offer, Operation, Task, task_message
from smackbox.mesos.master.state.offers import remove_offer
from smackbox.mesos.master.state.operations import OperationError
from smackbox.mesos.master.state.task_validation import (
    TaskError,
    check_enough,
    resources_of,
    validate_group,
    validate_task,
)
from smackbox.mesos.master.state.tasks import add_executor, add_task, status_of, tell
from smackbox.mesos.resources.resources import Resources

if TYPE_CHECKING:
    from smackbox.mesos.wire.link_messages import LinkRunTaskGroup
    from smackbox.mesos.wire.messages import (
        ExecutorInfo,
        OfferOperation,
        OfferOperationLaunchGroup,
        SchedulerCall,
        TaskInfo,
    )


def accept(call: Call, framework: Framework, message: SchedulerCall) -> None:
    """ACCEPT: launch tasks and apply operations on offers; decline the rest."""
    master = call.master
    arguments = message["accept"]
    messages = arguments.get("operations", [])
    refuse_seconds = arguments.get("filters", {}).get("refuse_seconds", DEFAULT_REFUSE_SECONDS)
    ids = [id_["value"] for id_ in arguments.get("offer_ids", [])]
    offers = [offer for offer_id in dict.fromkeys(ids) if (offer := framework.offers.get(offer_id)) is not None]
    problem = _problem(ids, offers)
    agent = master.agents.get(offers[0].agent_id) if offers else None
    if problem is None and (agent is None or not agent.connected):
        problem = ("REASON_AGENT_DISCONNECTED", "Agent disconnected")
    if problem is not None or agent is None:
        for offer in offers:
            remove_offer(master, offer, rescind=False)
        _drop(call, framework, messages, *(problem or ("REASON_INVALID_OFFERS", "No offers specified")))
        return
    for offer in offers:
        remove_offer(master, offer, rescind=False, recover=False)
    accepting = Accepting(call, framework, agent, offers)
    for operation in messages:
        accepting.perform(operation)
    accepting.finish(refuse_seconds)


def _problem(ids: list[str], offers: list[Offer]) -> tuple[str, str] | None:
    reason = "REASON_INVALID_OFFERS"
    if not ids:
        return reason, "No offers specified"
    if len(set(ids)) < len(ids):
        return reason, "Duplicate offer in offer list"
    if len(offers) < len(ids):
        known = {offer.id for offer in offers}
        gone = next(offer_id for offer_id in ids if offer_id not in known)
        return reason, f"Offer {gone} is no longer valid"
    if len({offer.agent_id for offer in offers}) > 1:
        return reason, "Aggregated offers must belong to one single agent"
    if len({offer.role for offer in offers}) > 1:
        return reason, "Aggregated offers must be allocated to the same role"
    return None


def _drop(call: Call, framework: Framework, asked_operations: list[OfferOperation], reason: str, said: str) -> None:
    """The offers are not valid: reject all operations."""
    for operation in asked_operations:
        for task in _tasks(operation):
            agent_id = task["agent_id"]["value"]
            said_of = f"Task launched with invalid offers: {said}" if reason == "REASON_INVALID_OFFERS" else said
            status = status_of(
                call.master, framework, task["task_id"]["value"], "TASK_DROPPED", reason, said_of, agent_id=agent_id
            )
            tell(framework, status)
        if not _tasks(operation):
            operations.refuse(call.master, framework, operation, "OPERATION_DROPPED", said, None)


def _tasks(operation: OfferOperation) -> list[TaskInfo]:
    group = operation.get("launch_group", {}).get("task_group", {})
    return [*operation.get("launch", {}).get("task_infos", []), *group.get("tasks", [])]


class Accepting:
    """The resources available during the operations of one ACCEPT."""

    def __init__(self, call: Call, framework: Framework, agent: Agent, offers: list[Offer]) -> None:
        self._call = call
        self._master = call.master
        self._framework = framework
        self._agent = agent
        self._role = offers[0].role
        self._offered = Resources()
        for offer in offers:
            self._offered += offer.resources
        self._kept: list[Operation] = []

    def perform(self, operation: OfferOperation) -> None:
        """Apply one operation."""
        kind = operation.get("type", "UNKNOWN")
        if kind == "LAUNCH":
            for task in operation.get("launch", {}).get("task_infos", []):
                self._launch(task)
        elif kind == "LAUNCH_GROUP" and "launch_group" in operation:
            self._launch_group(operation["launch_group"])
        else:
            self._convert(kind, operation)

    def finish(self, refuse_seconds: float) -> None:
        """Return the rest, which is filtered for the given number of seconds."""
        self._checkpoint()
        self._master.allocator.recover(self._framework.id, self._role, self._agent.id, self._offered, refuse_seconds)

    # --- tasks

    def _launch(self, task: TaskInfo) -> None:
        framework, agent = self._framework, self._agent
        executor = task.get("executor")
        try:
            validate_task(framework, agent, task)
            needed = resources_of(task, self._role)
            executor_resources = self._new_executor_resources(executor)
            check_enough(self._offered, [needed, executor_resources], "task and its executor")
        except TaskError as error:
            self._refuse(task, "REASON_TASK_INVALID", str(error))
            return
        user = (executor or task).get("command", {}).get("user", framework.info["user"])
        if not self._call.allows("run_tasks", user):
            self._refuse(task, "REASON_TASK_UNAUTHORIZED", f"Not authorized to launch as user '{user}'")
            return
        self._checkpoint()
        if executor is not None:
            executor.setdefault("framework_id", {"value": framework.id})
            self._start_executor(executor, executor_resources)
        self._start(task, needed)
        agent.send({"type": "RUN_TASK", "run_task": {"framework": framework.info, "task": task}})

    def _launch_group(self, group: OfferOperationLaunchGroup) -> None:
        framework, agent = self._framework, self._agent
        executor, tasks = group["executor"], group["task_group"].get("tasks", [])
        try:
            validate_group(framework, agent, executor, tasks)
            needed = [resources_of(task, self._role) for task in tasks]
            executor_resources = self._new_executor_resources(executor)
            check_enough(self._offered, [*needed, executor_resources], "task group and its executor")
        except TaskError as error:
            for task in tasks:
                self._refuse(task, "REASON_TASK_GROUP_INVALID", str(error))
            return
        user = executor.get("command", {}).get("user", framework.info["user"])
        users = {task.get("command", {}).get("user", user) for task in tasks}
        if not all(self._call.allows("run_tasks", user) for user in users):
            for task in tasks:
                self._refuse(task, "REASON_TASK_GROUP_UNAUTHORIZED", "Not authorized to launch the task group")
            return
        self._checkpoint()
        executor.setdefault("framework_id", {"value": framework.id})
        self._start_executor(executor, executor_resources)
        for task, resources in zip(tasks, needed, strict=True):
            task["executor"] = executor
            self._start(task, resources)
        order: LinkRunTaskGroup = {"framework": framework.info, "executor": executor, "task_group": {"tasks": tasks}}
        agent.send({"type": "RUN_TASK_GROUP", "run_task_group": order})

    def _new_executor_resources(self, executor: ExecutorInfo | None) -> Resources:
        """The executor's resources, needed by its first task."""
        if executor is None or (self._framework.id, executor["executor_id"]["value"]) in self._agent.executors:
            return Resources()
        return resources_of(executor, self._role)

    def _start_executor(self, executor: ExecutorInfo, resources: Resources) -> None:
        if (self._framework.id, executor["executor_id"]["value"]) in self._agent.executors:
            return
        self._allocate_to(executor)
        self._offered -= resources
        add_executor(self._framework, self._agent, Executor(executor, resources, self._role))

    def _start(self, task: TaskInfo, resources: Resources) -> None:
        self._allocate_to(task)
        self._offered -= resources
        message = task_message(self._framework.id, task, self._framework.info["user"])
        add_task(self._master, self._framework, self._agent, Task(message, resources, self._role))
        self._master.count("tasks_launched")

    def _allocate_to(self, message: TaskInfo | ExecutorInfo) -> None:
        for resource in message.get("resources", []):
            resource["allocation_info"] = {"role": self._role}

    def _refuse(self, task: TaskInfo, reason: str, said: str) -> None:
        status = status_of(
            self._master,
            self._framework,
            task["task_id"]["value"],
            "TASK_ERROR",
            reason,
            said,
            agent_id=task["agent_id"]["value"],
        )
        self._master.count("tasks/error")
        tell(self._framework, status)

    # --- reservations and volumes

    def _convert(self, kind: str, operation: OfferOperation) -> None:
        framework, agent = self._framework, self._agent
        try:
            before, after = operations.consumed_and_made(operation)
            self._check_allowed(kind, before, after)
            if kind == "CREATE":
                operations.check_new_volumes(agent, after)
            if kind == "DESTROY":
                operations.check_unused(agent, before)
            if not self._offered.contains(before):
                raise OperationError(f"{kind} asks for more than the offers hold")
        except OperationError as error:
            operations.refuse(self._master, framework, operation, "OPERATION_ERROR", str(error), agent.id)
            return
        self._offered = self._offered - before + after
        self._master.allocator.replace(framework.id, self._role, agent.id, before, after)
        agent.total = self._master.allocator.agents[agent.id].total
        self._kept.append(operations.begin(self._master, framework, agent, operation))

    def _check_allowed(self, kind: str, before: Resources, after: Resources) -> None:
        if kind in {"RESERVE", "CREATE"}:
            action = "reserve_resources" if kind == "RESERVE" else "create_volumes"
            things = [resource.role for resource, _ in after]
        else:
            action = "unreserve_resources" if kind == "UNRESERVE" else "destroy_volumes"
            things = [operations.owner_of(resource) for resource, _ in before]
        if not all(self._call.allows(action, thing) for thing in things):
            raise OperationError(f"Not authorized to {action.replace('_', ' ')}")
        if kind == "RESERVE":
            for resource, _ in after:
                if resource.role != self._role and not resource.role.startswith(self._role + "/"):
                    raise OperationError(
                        f"A reservation for role {resource.role!r} out of an offer to role {self._role!r}"
                    )

    def _checkpoint(self) -> None:
        """Before a task that may need them, send the agent the resources to checkpoint."""
        if self._kept:
            operations.send_checkpoint(self._agent, self._kept)
            self._kept = []
