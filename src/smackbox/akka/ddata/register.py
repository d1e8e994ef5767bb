"""`LWWRegister`: of two values the later one holds. `Flag`: once it is on, it stays on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.data import Data, checked


@dataclass(frozen=True, slots=True)
class LWWRegister(Data):
    """`timestamp` in ms since 1970, or one more than the last one; of equal ones the lower node holds."""

    node: UniqueAddress
    value: Any
    timestamp: int

    @classmethod
    def of(cls, node: UniqueAddress, value: Any, now_ms: int) -> LWWRegister:
        """A first value, at a time in ms since 1970."""
        return cls(node, value, max(now_ms, 1))

    def with_value(self, node: UniqueAddress, value: Any, now_ms: int) -> LWWRegister:
        """A later value: at `now_ms`, or 1 ms after the last one where the clock went back."""
        return LWWRegister(node, value, max(now_ms, self.timestamp + 1))

    def merge(self, other: LWWRegister) -> LWWRegister:
        checked(self, other)
        if other.timestamp != self.timestamp:
            return max(self, other, key=lambda register: register.timestamp)
        return other if other.node.order < self.node.order else self


@dataclass(frozen=True, slots=True)
class Flag(Data):
    """Off until it is switched on, for good."""

    enabled: bool = False

    def switch_on(self) -> Flag:
        """On."""
        return self if self.enabled else Flag(True)

    def merge(self, other: Flag) -> Flag:
        checked(self, other)
        return self if self.enabled else other
