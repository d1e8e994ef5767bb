"""An agent as the allocator and the quotas see it: its total and its free resources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smackbox.mesos.resources.resources import Amount, Kind, Resources

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import AgentInfo


@dataclass(slots=True)
class AgentPool:
    """An agent's total and free resources."""

    id: str
    info: AgentInfo
    total: Resources
    free: Resources
    allocated: dict[tuple[str, str], Resources] = field(default_factory=dict)
    active: bool = True
    has_gpus: bool = False
    settled: int = -1
    settled_until_ms: int = 0
    settled_free: dict[Kind, Amount] = field(default_factory=dict)
    """While only these resources are free, they are offered only to claims that changed after that change number."""
