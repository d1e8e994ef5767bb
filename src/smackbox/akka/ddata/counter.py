"""Counters: each node counts for itself, the value is the sum.

`GCounter` only grows; `PNCounter` is two of them, one for what is added and one for what is taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.data import Delta, checked


@dataclass(frozen=True, slots=True)
class GCounter(Delta):
    """A counter that only grows."""

    counts: Mapping[UniqueAddress, int] = field(default_factory=dict)
    changed: GCounter | None = field(default=None, compare=False, repr=False)

    @property
    def value(self) -> int:
        """The sum of what all nodes have counted."""
        return sum(self.counts.values())

    def increment(self, node: UniqueAddress, by: int = 1) -> GCounter:
        """Raises `ValueError` for a negative number."""
        if by < 0:
            raise ValueError(f"a GCounter only grows, it cannot be changed by {by}: take a PNCounter")
        if by == 0:
            return self
        count = self.counts.get(node, 0) + by
        changed = {} if self.changed is None else self.changed.counts
        return GCounter({**self.counts, node: count}, GCounter({**changed, node: count}))

    def merge(self, other: GCounter) -> GCounter:
        checked(self, other)
        nodes = self.counts.keys() | other.counts.keys()
        return GCounter({node: max(self.counts.get(node, 0), other.counts.get(node, 0)) for node in nodes})

    @property
    def has_deltas(self) -> bool:
        return True

    @property
    def delta(self) -> GCounter | None:
        return self.changed

    def reset_delta(self) -> GCounter:
        return self if self.changed is None else GCounter(self.counts)

    def merge_delta(self, delta: GCounter) -> GCounter:
        return self.merge(delta)

    @property
    def zero(self) -> GCounter:
        return GCounter()

    @property
    def modified_by(self) -> frozenset[UniqueAddress]:
        return frozenset(self.counts)

    def prune(self, removed: UniqueAddress, into: UniqueAddress) -> GCounter:
        return self.clean_up(removed).increment(into, self.counts.get(removed, 0))

    def clean_up(self, removed: UniqueAddress) -> GCounter:
        return GCounter({node: count for node, count in self.counts.items() if node != removed})


@dataclass(frozen=True, slots=True)
class PNCounter(Delta):
    """A counter that grows and shrinks."""

    increments: GCounter = field(default_factory=GCounter)
    decrements: GCounter = field(default_factory=GCounter)

    @property
    def value(self) -> int:
        """What was added less what was taken away."""
        return self.increments.value - self.decrements.value

    def increment(self, node: UniqueAddress, by: int = 1) -> PNCounter:
        """Add `by`, which may be negative, as this node's change."""
        if by < 0:
            return PNCounter(self.increments, self.decrements.increment(node, -by))
        return PNCounter(self.increments.increment(node, by), self.decrements)

    def decrement(self, node: UniqueAddress, by: int = 1) -> PNCounter:
        """Take `by` away, as this node's change."""
        return self.increment(node, -by)

    def merge(self, other: PNCounter) -> PNCounter:
        checked(self, other)
        return PNCounter(self.increments.merge(other.increments), self.decrements.merge(other.decrements))

    @property
    def has_deltas(self) -> bool:
        return True

    @property
    def delta(self) -> PNCounter | None:
        if self.increments.delta is None and self.decrements.delta is None:
            return None
        return PNCounter(self.increments.delta or GCounter(), self.decrements.delta or GCounter())

    def reset_delta(self) -> PNCounter:
        return PNCounter(self.increments.reset_delta(), self.decrements.reset_delta())

    def merge_delta(self, delta: PNCounter) -> PNCounter:
        return self.merge(delta)

    @property
    def zero(self) -> PNCounter:
        return PNCounter()

    @property
    def modified_by(self) -> frozenset[UniqueAddress]:
        return self.increments.modified_by | self.decrements.modified_by

    def prune(self, removed: UniqueAddress, into: UniqueAddress) -> PNCounter:
        return PNCounter(self.increments.prune(removed, into), self.decrements.prune(removed, into))

    def clean_up(self, removed: UniqueAddress) -> PNCounter:
        return PNCounter(self.increments.clean_up(removed), self.decrements.clean_up(removed))
