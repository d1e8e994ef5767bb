"""The master's state machine: all its entities, and the look-ups for them.

It is one object that the other modules of this folder work on, each for one noun: tasks, offers, frameworks, agents,
machines. Events are sent at once to the sinks of streams. Changes that must survive this process are added to `commits`
first, and take effect when the server has stored them.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smackbox.base.clock import Clock
from smackbox.mesos.master.state.allocator import Allocator, Shuffle
from smackbox.mesos.master.state.entities import (
    Agent,
    EventSink,
    Framework,
    InverseOffer,
    Offer,
)
from smackbox.mesos.master.state.registry import Changes, Commit, Registry
from smackbox.mesos.master.state.sorter import Quantities
from smackbox.mesos.version import VERSION

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import AllocatorInverseOfferStatus, MasterEvent, MasterInfo, TimeInfo


BATCH_LIMIT = 500_000
"""The maximum size of a stored batch in bytes; ZooKeeper accepts a megabyte."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MasterOptions:
    """The master's timeouts and limits, in milliseconds and counts."""

    hostname: str = "localhost"
    ip: str = "127.0.0.1"
    port: int = 5050
    cluster: str | None = None
    heartbeat_interval_ms: int = 15_000
    allocation_interval_ms: int = 1_000
    offer_timeout_ms: int | None = None
    agent_ping_timeout_ms: int = 15_000
    max_agent_ping_timeouts: int = 5
    agent_reregister_timeout_ms: int = 600_000
    max_completed_frameworks: int = 50
    max_completed_tasks_per_framework: int = 1_000
    max_unreachable_tasks_per_framework: int = 1_000
    min_allocatable: tuple[Quantities, ...] = ()
    filter_gpu_resources: bool = True
    flags: dict[str, str] = field(default_factory=dict)


class Master:
    """The state of one master. `new_uuid` and `shuffle` provide the randomness."""

    def __init__(
        self,
        options: MasterOptions,
        clock: Clock,
        *,
        new_uuid: Callable[[], bytes],
        shuffle: Shuffle,
        registry: Registry | None = None,
    ) -> None:
        self.options = options
        self.clock = clock
        self.id = _hex(new_uuid())
        self.started_ms = clock.wall_ms()
        self.elected_ms: int | None = None
        self.registry = registry or Registry()
        self.frameworks: dict[str, Framework] = {}
        self.completed_frameworks: deque[Framework] = deque(maxlen=options.max_completed_frameworks)
        self.agents: dict[str, Agent] = {}
        self.agent_streams: dict[str, Agent] = {}
        self.recovered_agents: dict[str, int] = {}
        """Agents registered by an earlier master, and their deadlines to reconnect."""
        self.changing_agents: set[str] = set()
        """Agents with a pending commit."""
        self.offers: dict[str, Offer] = {}
        self.inverse_offers: dict[str, InverseOffer] = {}
        self.inverse_statuses: dict[tuple[str, str], AllocatorInverseOfferStatus] = {}
        self.inverse_filters: dict[tuple[str, str], int] = {}
        self.subscribers: dict[str, Subscriber] = {}
        self.commits: list[Commit] = []
        self.allocation_wanted = False
        self.next_allocation_ms = 0
        self.counters: dict[str, int] = {}
        self.new_uuid = new_uuid
        self.allocator = Allocator(
            clock,
            shuffle,
            min_allocatable=options.min_allocatable,
            filter_gpu_resources=options.filter_gpu_resources,
            interval_ms=options.allocation_interval_ms,
        )
        self._sequence: dict[str, int] = {}
        for role, quota in self.registry.quotas.items():
            self.allocator.quotas.set(role, quota)
        for role, weight in self.registry.weights.items():
            self.allocator.set_weight(role, weight)

    # --- names and time

    def new_id(self, mark: str) -> str:
        """A new id: `<master>-S0` for agents, `-O0` for offers, `-0000` for frameworks."""
        number = self._sequence.get(mark, 0)
        self._sequence[mark] = number + 1
        return f"{self.id}-{mark}{number}" if mark else f"{self.id}-{number:04}"

    def new_stream_id(self) -> str:
        """An id for an event stream."""
        return _hex(self.new_uuid())

    def succeed(self, earlier: Master) -> None:
        """The same process leads again under the same name: continue its ids."""
        self.id, self.started_ms, self._sequence = earlier.id, earlier.started_ms, earlier._sequence

    @property
    def now_ms(self) -> int:
        """Monotonic time in milliseconds."""
        return self.clock.monotonic_ms()

    @property
    def pid(self) -> str:
        """This master's libprocess name."""
        return f"master@{self.options.ip}:{self.options.port}"

    def info(self) -> MasterInfo:
        """The `MasterInfo`; `ip` is the address as a number in network byte order, the original meaning of the
        field.
        """
        options = self.options
        return {
            "id": self.id,
            "ip": packed_ip(options.ip),
            "port": options.port,
            "pid": self.pid,
            "hostname": options.hostname,
            "version": VERSION,
            "address": {"hostname": options.hostname, "ip": options.ip, "port": options.port},
            "capabilities": [{"type": "AGENT_UPDATE"}, {"type": "AGENT_DRAINING"}, {"type": "QUOTA_V2"}],
        }

    # --- storing

    def commit(self, changes: Changes, then: Callable[[], None], failed: Callable[[str], None] | None = None) -> None:
        """Have `changes` stored, then apply them and call `then`."""

        def stored() -> None:
            for name, value in changes.items():
                self.registry.apply(name, value)
            then()

        self.commits.append(Commit(changes, stored, failed or (lambda _: None)))

    def take_commits(self) -> list[Commit]:
        """The commits to store in one batch: at least one, within the store's size limit."""
        size = count = 0
        for commit in self.commits:
            size += commit.size
            if count and size > BATCH_LIMIT:
                break
            count += 1
        commits, self.commits = self.commits[:count], self.commits[count:]
        return commits

    # --- notifications

    def publish(self, event: MasterEvent) -> None:
        """Send an event to the subscribers of the operator API."""
        for subscriber in list(self.subscribers.values()):
            if subscriber.sees(event):
                subscriber.sink.send(event)

    def count(self, name: str, by: int = 1) -> None:
        """Increase a counter of `/metrics/snapshot`."""
        self.counters[name] = self.counters.get(name, 0) + by

    # --- look-ups

    def is_completed(self, framework_id: str) -> bool:
        """Whether a framework of that id has ended."""
        return any(framework.id == framework_id for framework in self.completed_frameworks)

    def known_roles(self) -> list[str]:
        """Roles with frameworks, reservations, a weight or a quota."""
        roles = {role for framework in self.frameworks.values() for role in framework.roles}
        roles.update(self.registry.weights, self.registry.quotas)
        for agent in self.agents.values():
            roles.update(agent.total.reservations())
        return sorted(roles)


@dataclass(slots=True)
class Subscriber:
    """A subscriber of the operator API, and its permissions."""

    sink: EventSink
    next_heartbeat_ms: int
    sees: Callable[[MasterEvent], bool] = lambda _: True


def packed_ip(ip: str) -> int:
    """An IPv4 address as a number, as in `MasterInfo.ip`; 0 for other addresses."""
    parts = ip.split(".")
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        return 0
    return int.from_bytes(bytes(int(part) for part in parts), "little")


def time_info(milliseconds: int) -> TimeInfo:
    """A time as `TimeInfo`."""
    return {"nanoseconds": milliseconds * 1_000_000}


def _hex(uuid: bytes) -> str:
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
