"""`ORSet`: a set from which elements may be removed. Of an add and a remove at the same time the add holds.

Each element has dots: which change of which node put it there. The set's version vector says which changes it has seen,
so an element that one side has and the other does not is new where its dots were not seen, and removed where they were.
Source: `ORSet` of Pekko 1.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.data import Data, Delta, checked
from smackbox.akka.ddata.version_vector import EMPTY, VersionVector


@dataclass(frozen=True, slots=True)
class ORSet(Data):
    """A set, with the dots of its elements and all changes that it has seen."""

    dots: Mapping[Any, VersionVector] = field(default_factory=dict)
    seen: VersionVector = EMPTY
    changed: ORSetDelta | None = field(default=None, compare=False, repr=False)

    @property
    def elements(self) -> frozenset[Any]:
        """Without their dots."""
        return frozenset(self.dots)

    def __contains__(self, element: Any) -> bool:
        return element in self.dots

    def __len__(self) -> int:
        return len(self.dots)

    # -- changes

    def add(self, node: UniqueAddress, element: Any) -> ORSet:
        """With an element, put there by this node's next change."""
        seen = self.seen.bump(node)
        dot = VersionVector({node: seen.at(node)})
        changed = joined(self.changed, AddDelta(ORSet({element: dot}, dot)))
        return ORSet({**self.dots, element: dot}, seen, changed)

    def remove(self, node: UniqueAddress, element: Any) -> ORSet:
        """Without an element, as far as its changes are seen here."""
        dot = VersionVector({node: self.seen.at(node)})
        changed = joined(self.changed, RemoveDelta(ORSet({element: dot}, self.seen)))
        return ORSet({known: dots for known, dots in self.dots.items() if known != element}, self.seen, changed)

    def clear(self) -> ORSet:
        """Without all that is seen here."""
        return ORSet({}, self.seen, joined(self.changed, FullDelta(ORSet({}, self.seen))))

    # -- merging

    def merge(self, other: ORSet) -> ORSet:
        checked(self, other)
        return self._merged(other, keep_own=False)

    def _merged(self, other: ORSet, *, keep_own: bool) -> ORSet:
        """`keep_own` is for a delta, which says nothing of elements that it does not have."""
        dots: dict[Any, VersionVector] = {}
        for element, mine in self.dots.items():
            theirs = other.dots.get(element)
            if theirs is not None:
                kept = _common(mine, theirs).merge(mine.without_seen_by(other.seen))
                kept = kept.merge(theirs.without_seen_by(self.seen))
            else:
                kept = mine if keep_own else mine.without_seen_by(other.seen)
            if kept.versions:
                dots[element] = kept
        for element, theirs in other.dots.items():
            if element not in self.dots:
                kept = theirs.without_seen_by(self.seen)
                if kept.versions:
                    dots[element] = kept
        return ORSet(dots, self.seen.merge(other.seen))

    @property
    def has_deltas(self) -> bool:
        return True

    @property
    def delta(self) -> ORSetDelta | None:
        return self.changed

    def reset_delta(self) -> ORSet:
        return self if self.changed is None else ORSet(self.dots, self.seen)

    def merge_delta(self, delta: ORSetDelta) -> ORSet:
        merged = self
        for operation in delta.operations:
            if isinstance(operation, AddDelta):
                merged = merged._merged(operation.underlying, keep_own=True)
            elif isinstance(operation, FullDelta):
                merged = merged._merged(operation.underlying, keep_own=False)
            elif isinstance(operation, RemoveDelta):
                merged = merged._without(operation.underlying)
        return merged

    def _without(self, removed: ORSet) -> ORSet:
        ((element, dot),) = removed.dots.items()
        mine = self.dots.get(element)
        dots = self.dots
        if mine is not None and removed.seen.covers(mine):
            dots = {known: its for known, its in dots.items() if known != element}
        return ORSet(dots, self.seen.merge(dot))

    # -- removed nodes

    @property
    def modified_by(self) -> frozenset[UniqueAddress]:
        return self.seen.modified_by

    def prune(self, removed: UniqueAddress, into: UniqueAddress) -> ORSet:
        pruned = ORSet({e: dots.clean_up(removed) for e, dots in self.dots.items()}, self.seen.prune(removed, into))
        for element, dots in self.dots.items():
            if removed in dots.versions:
                pruned = pruned.add(into, element)
        return pruned

    def clean_up(self, removed: UniqueAddress) -> ORSet:
        dots = {element: its.clean_up(removed) for element, its in self.dots.items()}
        return ORSet(dots, self.seen.clean_up(removed))


@dataclass(frozen=True, slots=True)
class ORSetDelta(Delta):
    """What happened to elements of a set, one after the other."""

    ordered_deltas = True

    @property
    def operations(self) -> tuple[ORSetDelta, ...]:
        """One by one."""
        return (self,)

    @property
    def zero(self) -> ORSet:
        return ORSet()

    @property
    def size(self) -> int:
        return len(self.operations)

    def merge(self, other: ORSetDelta) -> ORSetDelta:
        """One after the other, both of one node."""
        return joined(self, other)


@dataclass(frozen=True, slots=True)
class AddDelta(ORSetDelta):
    """Elements are added."""

    underlying: ORSet


@dataclass(frozen=True, slots=True)
class RemoveDelta(ORSetDelta):
    """Of exactly one element. Raises `ValueError` for any other number."""

    underlying: ORSet

    def __post_init__(self) -> None:
        if len(self.underlying) != 1:
            raise ValueError(f"a removal is of one element, not of {len(self.underlying)}")


@dataclass(frozen=True, slots=True)
class FullDelta(ORSetDelta):
    """The set as a whole, after it was cleared."""

    underlying: ORSet


@dataclass(frozen=True, slots=True)
class DeltaGroup(ORSetDelta):
    """Operations in their order."""

    group: tuple[ORSetDelta, ...]

    @property
    def operations(self) -> tuple[ORSetDelta, ...]:
        return self.group


def joined(first: ORSetDelta | None, second: ORSetDelta) -> ORSetDelta:
    """Operations of one node one after the other; adds that follow each other become one."""
    if first is None:
        return second
    operations: list[ORSetDelta] = list(first.operations)
    for operation in second.operations:
        last = operations[-1]
        if isinstance(last, AddDelta) and isinstance(operation, AddDelta):
            dots = {**last.underlying.dots, **operation.underlying.dots}
            operations[-1] = AddDelta(ORSet(dots, last.underlying.seen.merge(operation.underlying.seen)))
        else:
            operations.append(operation)
    return operations[0] if len(operations) == 1 else DeltaGroup(tuple(operations))


def _common(first: VersionVector, second: VersionVector) -> VersionVector:
    shared: Iterable[tuple[UniqueAddress, int]] = first.versions.items()
    return VersionVector({node: version for node, version in shared if second.versions.get(node) == version})
