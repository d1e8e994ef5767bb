"""The state that a master's successor needs, as records of a `StateStore`.

| name | value |
|---|---|
| `agent/ID` | `{info, deactivated?, drain?}`: a registered agent |
| `unreachable/ID`, `gone/ID` | `{since_ms, info}` |
| `quota/ROLE` | `{guarantees, limits}` in thousandths |
| `weight/ROLE` | a number |
| `machine/HOSTNAME|IP` | MachineInfo |
| `schedule` | maintenance.Schedule |

Reservations and volumes are not stored here: an agent stores its own and reports them when it reconnects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NotRequired, TypedDict

import msgspec

from smackbox.mesos.master.state.quotas import Quota

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import AgentInfo, DrainInfo, MachineID, MachineInfo, MaintenanceSchedule


Changes = dict[str, bytes | None]
SCHEDULE = "schedule"
UNREACHABLE_LIMIT = 100_000
GONE_LIMIT = 100_000

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Commit:
    """Changes to be stored before `then` is called; `failed` is called if that fails."""

    changes: Changes
    then: Callable[[], None]
    failed: Callable[[str], None] = lambda _: None

    @property
    def size(self) -> int:
        return sum(len(name) + len(value or b"") for name, value in self.changes.items())


class AgentRecord(TypedDict):
    """A registered agent."""

    info: AgentInfo
    deactivated: NotRequired[bool]
    drain: NotRequired[DrainInfo]


class LostAgentRecord(TypedDict):
    """An agent that is unreachable or gone."""

    since_ms: int
    info: AgentInfo


def _no_schedule() -> MaintenanceSchedule:
    return {}


@dataclass(slots=True)
class Registry:
    """The decoded records."""

    agents: dict[str, AgentRecord] = field(default_factory=dict)
    unreachable: dict[str, LostAgentRecord] = field(default_factory=dict)
    gone: dict[str, LostAgentRecord] = field(default_factory=dict)
    quotas: dict[str, Quota] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    machines: dict[str, MachineInfo] = field(default_factory=dict)
    schedule: MaintenanceSchedule = field(default_factory=_no_schedule)

    @classmethod
    def load(cls, records: dict[str, bytes]) -> Registry:
        registry = cls()
        for name, value in records.items():
            registry.apply(name, value)
        return registry

    def apply(self, name: str, value: bytes | None) -> None:
        """Apply one stored record."""
        decoded = None if value is None else msgspec.json.decode(value)
        if name == SCHEDULE:
            self.schedule = decoded if decoded is not None else _no_schedule()
            return
        kind, _, key = name.partition("/")
        records = {
            "agent": self.agents,
            "unreachable": self.unreachable,
            "gone": self.gone,
            "quota": self.quotas,
            "weight": self.weights,
            "machine": self.machines,
        }[kind]
        if decoded is None:
            records.pop(key, None)  # type: ignore[attr-defined]
        elif kind == "quota":
            self.quotas[key] = Quota(decoded["guarantees"], decoded["limits"])
        else:
            records[key] = decoded  # type: ignore[index]


def agent_record(
    agent_id: str, info: AgentInfo, *, deactivated: bool = False, drain: DrainInfo | None = None
) -> Changes:
    record: AgentRecord = {"info": info}
    if deactivated:
        record["deactivated"] = True
    if drain is not None:
        record["drain"] = drain
    return {f"agent/{agent_id}": _encode(record)}


def record(name: str, value: object) -> Changes:
    return {name: None if value is None else _encode(value)}


def machine_key(machine: MachineID) -> str:
    """Machines are identified by host name, ignoring case, and address."""
    return f"{machine.get('hostname', '').lower()}|{machine.get('ip', '')}"
