"""The states of tasks and operations: which are final, and what older clients receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import FrameworkInfo


TERMINAL = frozenset(
    {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE"}
)
OPERATION_TERMINAL = frozenset(
    {"OPERATION_FINISHED", "OPERATION_FAILED", "OPERATION_ERROR", "OPERATION_DROPPED", "OPERATION_GONE_BY_OPERATOR"}
)
PARTITION_AWARE = "PARTITION_AWARE"
_ONLY_FOR_AWARE = frozenset({"TASK_DROPPED", "TASK_UNREACHABLE", "TASK_GONE", "TASK_GONE_BY_OPERATOR", "TASK_UNKNOWN"})


def is_terminal(state: str) -> bool:
    return state in TERMINAL


def as_told(state: str, capabilities: frozenset[str]) -> str:
    """The state as a framework with these capabilities receives it: TASK_LOST replaces states that are newer
    than it.
    """
    if state in _ONLY_FOR_AWARE and PARTITION_AWARE not in capabilities:
        return "TASK_LOST"
    return state


def capabilities_of(info: FrameworkInfo) -> frozenset[str]:
    """The capabilities of a `FrameworkInfo`."""
    return frozenset(capability.get("type", "UNKNOWN") for capability in info.get("capabilities", []))
