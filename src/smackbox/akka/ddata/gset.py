"""`GSet`: a set that only grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smackbox.akka.ddata.data import Delta, checked


@dataclass(frozen=True, slots=True)
class GSet(Delta):
    """A set that only grows."""

    elements: frozenset[Any] = frozenset()
    changed: GSet | None = field(default=None, compare=False, repr=False)

    def __contains__(self, element: Any) -> bool:
        return element in self.elements

    def __len__(self) -> int:
        return len(self.elements)

    def add(self, element: Any) -> GSet:
        """With one more element."""
        changed = frozenset() if self.changed is None else self.changed.elements
        return GSet(self.elements | {element}, GSet(changed | {element}))

    def merge(self, other: GSet) -> GSet:
        checked(self, other)
        return GSet(self.elements | other.elements)

    @property
    def has_deltas(self) -> bool:
        return True

    @property
    def delta(self) -> GSet | None:
        return self.changed

    def reset_delta(self) -> GSet:
        return self if self.changed is None else GSet(self.elements)

    def merge_delta(self, delta: GSet) -> GSet:
        return self.merge(delta)

    @property
    def zero(self) -> GSet:
        return GSet()
