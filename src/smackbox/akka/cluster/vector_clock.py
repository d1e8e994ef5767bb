"""Vector clocks: which of two versions of the gossip came first, or that neither did.

A node's name in a clock is the MD5 of `address-uid` in hexadecimal digits.
Source: Pekko's `VectorClock`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Order(enum.Enum):
    SAME = "same"
    BEFORE = "before"
    AFTER = "after"
    CONCURRENT = "concurrent"


@dataclass(frozen=True, slots=True)
class VectorClock:
    """`versions` are counters by the name of a node; counters begin with 1."""

    versions: Mapping[str, int] = field(default_factory=dict)

    def bump(self, node: str) -> VectorClock:
        return VectorClock({**self.versions, node: self.versions.get(node, 0) + 1})

    def compare(self, other: VectorClock) -> Order:
        """How this clock stands to `other`."""
        ahead = any(time > other.versions.get(node, 0) for node, time in self.versions.items())
        behind = any(time > self.versions.get(node, 0) for node, time in other.versions.items())
        if ahead and behind:
            return Order.CONCURRENT
        if ahead:
            return Order.AFTER
        return Order.BEFORE if behind else Order.SAME

    def merge(self, other: VectorClock) -> VectorClock:
        nodes = self.versions.keys() | other.versions.keys()
        return VectorClock({node: max(self.versions.get(node, 0), other.versions.get(node, 0)) for node in nodes})

    def prune(self, node: str) -> VectorClock:
        """Without a node that was removed."""
        if node not in self.versions:
            return self
        return VectorClock({name: time for name, time in self.versions.items() if name != node})
