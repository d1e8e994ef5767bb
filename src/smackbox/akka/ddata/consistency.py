"""From how many nodes a read must come, and to how many a write must go, before it is answered.

The node that is asked counts. `minimum` and `additional` raise a majority, never above all nodes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consistency:
    """`timeout_s` is what the other nodes get."""

    timeout_s: float = 0.0

    excludes_exiting = False
    is_local = False

    def needed(self, nodes: int) -> int:
        """Of so many nodes, this one included."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Local(Consistency):
    """This node only; the others get it by deltas and gossip."""

    is_local = True

    def needed(self, nodes: int) -> int:
        del nodes
        return 1


@dataclass(frozen=True, slots=True)
class Nodes(Consistency):
    """`count` nodes, at least 2. Raises `ValueError` for fewer."""

    count: int = 2

    def __post_init__(self) -> None:
        if self.count < 2:
            raise ValueError("a read or write of one node is Local")

    def needed(self, nodes: int) -> int:
        del nodes
        return self.count


@dataclass(frozen=True, slots=True)
class Majority(Consistency):
    """More than half of the nodes, at least `minimum`."""

    minimum: int = 0

    def needed(self, nodes: int) -> int:
        return min(nodes, max(nodes // 2 + 1, self.minimum))


@dataclass(frozen=True, slots=True)
class MajorityPlus(Consistency):
    """A majority and `additional` nodes more."""

    additional: int = 0
    minimum: int = 0

    excludes_exiting = True

    def needed(self, nodes: int) -> int:
        return min(nodes, max(nodes // 2 + 1 + self.additional, self.minimum))


@dataclass(frozen=True, slots=True)
class All(Consistency):
    """All nodes that are not on their way out."""

    excludes_exiting = True

    def needed(self, nodes: int) -> int:
        return nodes


LOCAL = Local()
