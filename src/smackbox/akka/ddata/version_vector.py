"""How many changes of each node a value has seen. Every change takes a number that its node has never used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.data import Data, checked


class _Numbers:
    """For all values of this process, so that two copies of one value never use a number twice, as in Pekko."""

    last = 0

    @classmethod
    def above(cls, number: int) -> int:
        cls.last = max(cls.last, number) + 1
        return cls.last


@dataclass(frozen=True, slots=True)
class VersionVector(Data):
    """The last number of each node."""

    versions: Mapping[UniqueAddress, int] = field(default_factory=dict)

    def bump(self, node: UniqueAddress) -> VersionVector:
        """One more change by `node`, with a number above all that this process has given out."""
        number = _Numbers.above(self.at(node))
        return VersionVector({**self.versions, node: number})

    def at(self, node: UniqueAddress) -> int:
        """A node's last number; 0 for none."""
        return self.versions.get(node, 0)

    def merge(self, other: VersionVector) -> VersionVector:
        checked(self, other)
        nodes = self.versions.keys() | other.versions.keys()
        return VersionVector({node: max(self.at(node), other.at(node)) for node in nodes})

    def covers(self, other: VersionVector) -> bool:
        """Whether all that `other` has seen is seen here."""
        return all(self.at(node) >= version for node, version in other.versions.items())

    def without_seen_by(self, other: VersionVector) -> VersionVector:
        """What `other` has not seen."""
        return VersionVector({node: version for node, version in self.versions.items() if other.at(node) < version})

    @property
    def sorted(self) -> list[tuple[UniqueAddress, int]]:
        """By node, as the wire has it."""
        return sorted(self.versions.items(), key=lambda item: item[0].order)

    @property
    def modified_by(self) -> frozenset[UniqueAddress]:
        return frozenset(self.versions)

    def prune(self, removed: UniqueAddress, into: UniqueAddress) -> VersionVector:
        return self.clean_up(removed).bump(into)

    def clean_up(self, removed: UniqueAddress) -> VersionVector:
        return self if removed not in self.versions else self._only(n for n in self.versions if n != removed)

    def _only(self, nodes: Iterable[UniqueAddress]) -> VersionVector:
        return VersionVector({node: self.versions[node] for node in nodes})


EMPTY = VersionVector()
