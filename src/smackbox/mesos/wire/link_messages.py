"""The messages between master and agent as types (for the protocol see docs/architecture/mesos.md)."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from smackbox.mesos.wire.messages import (
    UUID,
    AgentID,
    AgentInfo,
    AgentInfoCapability,
    DrainConfig,
    ExecutorID,
    ExecutorInfo,
    FrameworkID,
    FrameworkInfo,
    KillPolicy,
    MasterInfo,
    OfferOperation,
    OperationID,
    OperationStatus,
    Resource,
    Task,
    TaskGroupInfo,
    TaskID,
    TaskInfo,
    TaskStatus,
)


class LinkExecutor(TypedDict):
    framework_id: FrameworkID
    executor_info: ExecutorInfo


class LinkSubscribe(TypedDict):
    agent_info: AgentInfo
    version: str
    ip: str
    capabilities: NotRequired[list[AgentInfoCapability]]
    tasks: list[Task]
    executors: list[LinkExecutor]
    frameworks: list[FrameworkInfo]
    checkpointed_resources: list[Resource]
    drained: bool


class LinkUpdate(TypedDict):
    framework_id: FrameworkID
    status: TaskStatus
    latest_state: NotRequired[str]


class LinkExitedExecutor(TypedDict):
    framework_id: FrameworkID
    executor_id: ExecutorID
    status: NotRequired[int]


class LinkMessage(TypedDict):
    framework_id: FrameworkID
    executor_id: ExecutorID
    data: str


class LinkOperationUpdate(TypedDict):
    framework_id: NotRequired[FrameworkID]
    status: OperationStatus


class LinkCall(TypedDict):
    """A call from the agent to the master."""

    type: str
    subscribe: NotRequired[LinkSubscribe]
    updates: NotRequired[list[LinkUpdate]]
    exited_executor: NotRequired[LinkExitedExecutor]
    message: NotRequired[LinkMessage]
    operation_update: NotRequired[LinkOperationUpdate]


class LinkSubscribed(TypedDict):
    agent_id: AgentID
    ping_interval_s: float
    max_pings: int
    master_info: MasterInfo


class LinkRunTask(TypedDict):
    framework: FrameworkInfo
    task: TaskInfo


class LinkRunTaskGroup(TypedDict):
    framework: FrameworkInfo
    executor: ExecutorInfo
    task_group: TaskGroupInfo


class LinkKillTask(TypedDict):
    framework_id: FrameworkID
    task_id: TaskID
    kill_policy: NotRequired[KillPolicy]


class LinkAcknowledge(TypedDict):
    framework_id: FrameworkID
    task_id: TaskID
    uuid: str


class LinkShutdownExecutor(TypedDict):
    framework_id: FrameworkID
    executor_id: ExecutorID


class LinkShutdownFramework(TypedDict):
    framework_id: FrameworkID


class LinkUpdateFramework(TypedDict):
    framework: FrameworkInfo


class LinkOperation(TypedDict):
    framework_id: NotRequired[FrameworkID]
    operation_id: NotRequired[OperationID]
    uuid: UUID
    info: OfferOperation


class LinkCheckpointResources(TypedDict):
    resources: list[Resource]
    operations: list[LinkOperation]


class LinkShutdown(TypedDict):
    message: str


class LinkEvent(TypedDict):
    """An event from the master to the agent."""

    type: str
    subscribed: NotRequired[LinkSubscribed]
    run_task: NotRequired[LinkRunTask]
    run_task_group: NotRequired[LinkRunTaskGroup]
    kill_task: NotRequired[LinkKillTask]
    acknowledge: NotRequired[LinkAcknowledge]
    message: NotRequired[LinkMessage]
    shutdown_executor: NotRequired[LinkShutdownExecutor]
    shutdown_framework: NotRequired[LinkShutdownFramework]
    update_framework: NotRequired[LinkUpdateFramework]
    checkpoint_resources: NotRequired[LinkCheckpointResources]
    drain: NotRequired[DrainConfig]
    shutdown: NotRequired[LinkShutdown]
