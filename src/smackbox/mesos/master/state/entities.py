"""The master's entities: frameworks, agents, tasks, offers, operations. They are plain data; other modules
change them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from smackbox.mesos.master.state.task_states import capabilities_of, is_terminal
from smackbox.mesos.resources.resources import Resources, total

if TYPE_CHECKING:
    from smackbox.mesos.wire import messages
    from smackbox.mesos.wire.link_messages import LinkEvent
    from smackbox.mesos.wire.messages import (
        AgentInfo,
        AgentInfoCapability,
        DrainInfo,
        ExecutorInfo,
        FrameworkInfo,
        SchedulerEvent,
        SchedulerOfferConstraints,
        TaskInfo,
    )


class EventSink(Protocol):
    """The open stream of a framework, an agent or an operator."""

    @property
    def closed(self) -> bool:
        """Whether the stream has ended."""
        ...

    def send(self, event: Mapping[str, object], /) -> None:
        """Send an event."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


@dataclass(slots=True)
class Task:
    """`message` is Mesos' `Task`; `resources` are in use until the state is final."""

    message: messages.Task
    resources: Resources
    role: str
    in_use: bool = True

    @property
    def id(self) -> str:
        """The task's id."""
        return self.message["task_id"]["value"]

    @property
    def framework_id(self) -> str:
        """The framework's id."""
        return self.message["framework_id"]["value"]

    @property
    def agent_id(self) -> str:
        """The id of the agent that it runs on."""
        return self.message["agent_id"]["value"]

    @property
    def state(self) -> str:
        """Its last known state."""
        return self.message["state"]

    @property
    def terminal(self) -> bool:
        """Whether it has ended."""
        return is_terminal(self.state)


@dataclass(slots=True)
class Executor:
    """An executor on an agent."""

    info: ExecutorInfo
    resources: Resources
    role: str


@dataclass(slots=True)
class Operation:
    """`message` is Mesos' `Operation`."""

    message: messages.Operation
    framework_id: str | None
    agent_id: str

    @property
    def id(self) -> str | None:
        """The operation id from the framework, or None."""
        return self.message["info"].get("id", {}).get("value")


@dataclass(slots=True)
class Offer:
    """Resources offered to a framework."""

    id: str
    framework_id: str
    agent_id: str
    role: str
    resources: Resources
    message: messages.Offer
    expires_ms: int | None = None


@dataclass(slots=True)
class InverseOffer:
    """A request to leave an agent before its maintenance."""

    id: str
    framework_id: str
    agent_id: str
    message: messages.InverseOffer
    expires_ms: int | None = None


@dataclass(slots=True)
class Framework:
    """A framework with its tasks, executors, offers and operations."""

    id: str
    info: FrameworkInfo
    roles: list[str]
    suppressed: set[str]
    principal: str | None
    registered_ms: int
    reregistered_ms: int
    completed_limit: int
    unreachable_limit: int
    sink: EventSink | None = None
    stream_id: str = ""
    recovered: bool = False
    unregistered_ms: int = 0
    fails_over_until_ms: int | None = None
    next_heartbeat_ms: int = 0
    offer_constraints: SchedulerOfferConstraints | None = None
    capabilities: frozenset[str] = frozenset()
    tasks: dict[str, Task] = field(default_factory=dict)
    unreachable: dict[str, Task] = field(default_factory=dict)
    completed: deque[messages.Task] = field(default_factory=deque)
    executors: dict[str, dict[str, Executor]] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    inverse_offers: dict[str, InverseOffer] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.capabilities = capabilities_of(self.info)
        self.completed = deque(maxlen=self.completed_limit)

    @property
    def connected(self) -> bool:
        """Whether its event stream is open."""
        return self.sink is not None

    @property
    def active(self) -> bool:
        """Whether it gets offers."""
        return self.sink is not None

    def send(self, event: SchedulerEvent) -> None:
        """Send an event; it is lost if the framework is disconnected: it reconciles when it returns."""
        if self.sink is not None:
            self.sink.send(event)

    def add_unreachable(self, task: Task) -> None:
        """Record a task of an unreachable agent, up to the limit."""
        self.unreachable[task.id] = task
        while len(self.unreachable) > self.unreachable_limit:
            del self.unreachable[next(iter(self.unreachable))]

    def used(self) -> Resources:
        """The resources of its tasks and executors."""
        parts = [task.resources for task in self.tasks.values() if task.in_use]
        parts += [executor.resources for executors in self.executors.values() for executor in executors.values()]
        return total(parts)

    def offered(self) -> Resources:
        """The resources on offer to it."""
        return total(offer.resources for offer in self.offers.values())


@dataclass(slots=True)
class Agent:
    """An agent with its tasks, executors and offers."""

    id: str
    info: AgentInfo
    total: Resources
    address: str
    version: str
    registered_ms: int
    reregistered_ms: int | None = None
    sink: EventSink | None = None
    stream_id: str = ""
    deactivated: bool = False
    drain: DrainInfo | None = None
    drain_began_ms: int | None = None
    unanswered_pings: int = 0
    next_ping_ms: int = 0
    capabilities: list[AgentInfoCapability] = field(default_factory=list)
    tasks: dict[tuple[str, str], Task] = field(default_factory=dict)
    executors: dict[tuple[str, str], Executor] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    inverse_offers: dict[str, InverseOffer] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    frameworks: set[str] = field(default_factory=set)

    @property
    def connected(self) -> bool:
        """Whether its event stream is open."""
        return self.sink is not None

    @property
    def active(self) -> bool:
        """Whether its resources may be offered."""
        return self.sink is not None and not self.deactivated

    @property
    def hostname(self) -> str:
        """Its advertised hostname."""
        return self.info["hostname"]

    @property
    def ip(self) -> str:
        """The address that it connected from."""
        return self.address.rpartition(":")[0]

    @property
    def pid(self) -> str:
        """An address in libprocess' form, which tools parse."""
        return f"slave(1)@{self.address}"

    def send(self, event: LinkEvent) -> None:
        """Send an event, if it is connected."""
        if self.sink is not None:
            self.sink.send(event)

    def used(self) -> dict[tuple[str, str], Resources]:
        """The resources of tasks and executors, by framework and role."""
        result: dict[tuple[str, str], Resources] = {}
        for (framework_id, _), task in self.tasks.items():
            if task.in_use:
                key = (framework_id, task.role)
                result[key] = result.get(key, Resources()) + task.resources
        for (framework_id, _), executor in self.executors.items():
            key = (framework_id, executor.role)
            result[key] = result.get(key, Resources()) + executor.resources
        return result

    def offered(self) -> Resources:
        """Its resources on offer."""
        return total(offer.resources for offer in self.offers.values())


def task_message(framework_id: str, info: TaskInfo, framework_user: str) -> messages.Task:
    """The `Task` of a launched `TaskInfo`."""
    message: messages.Task = {
        "name": info["name"],
        "task_id": info["task_id"],
        "framework_id": {"value": framework_id},
        "agent_id": info["agent_id"],
        "state": "TASK_STAGING",
        "resources": info.get("resources", []),
        "statuses": [],
    }
    for key in ("labels", "discovery", "container", "health_check", "kill_policy", "limits"):
        if key in info:
            message[key] = info[key]
    command = info.get("command", {})
    if (executor := info.get("executor")) is not None:
        message["executor_id"] = executor["executor_id"]
        command = executor.get("command", {})
    message["user"] = command.get("user", framework_user)
    return message
