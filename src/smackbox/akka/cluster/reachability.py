"""Who reaches whom: each observer's own table of subjects, with a version that counts its changes.

A node that observes nothing bad has no records. Of two tables of one observer the one with the higher version wins.
Source: Pekko's `Reachability`.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from smackbox.akka.cluster.member import UniqueAddress


class ReachabilityStatus(enum.IntEnum):
    """With the numbers of the wire. Terminated is for good: a life of a node that is known to be over."""

    REACHABLE = 0
    UNREACHABLE = 1
    TERMINATED = 2


@dataclass(frozen=True, slots=True)
class Record:
    status: ReachabilityStatus
    version: int


Rows = Mapping[UniqueAddress, Record]


@dataclass(frozen=True, slots=True)
class Reachability:
    """`rows` are records by observer and subject; `versions` go on where an observer has no records any more."""

    rows: Mapping[UniqueAddress, Rows] = field(default_factory=dict)
    versions: Mapping[UniqueAddress, int] = field(default_factory=dict)

    def change(self, observer: UniqueAddress, subject: UniqueAddress, status: ReachabilityStatus) -> Reachability:
        """What an observer sees. Itself where that is nothing new."""
        own = self.rows.get(observer, {})
        old = own[subject].status if subject in own else ReachabilityStatus.REACHABLE
        if old in {status, ReachabilityStatus.TERMINATED}:
            return self
        version = self.versions.get(observer, 0) + 1
        changed = {**own, subject: Record(status, version)}
        rows = {**self.rows, observer: changed}
        if all(record.status is ReachabilityStatus.REACHABLE for record in changed.values()):
            del rows[observer]
        return Reachability(rows, {**self.versions, observer: version})

    def merge(self, other: Reachability, allowed: Collection[UniqueAddress]) -> Reachability:
        """Of each observer that is allowed its newer table, with the subjects that are allowed."""
        rows, versions = {}, {}
        for observer in allowed:
            mine, theirs = self.versions.get(observer, 0), other.versions.get(observer, 0)
            newer = self if mine > theirs else other
            kept = {subject: record for subject, record in newer.rows.get(observer, {}).items() if subject in allowed}
            if kept:
                rows[observer] = kept
            if max(mine, theirs):
                versions[observer] = max(mine, theirs)
        return Reachability(rows, versions)

    def remove(self, nodes: Iterable[UniqueAddress]) -> Reachability:
        """Without these nodes, as observers and as subjects."""
        gone = set(nodes)
        rows = {}
        for observer, own in self.rows.items():
            kept = {subject: record for subject, record in own.items() if subject not in gone}
            if kept and observer not in gone:
                rows[observer] = kept
        return Reachability(rows, {node: version for node, version in self.versions.items() if node not in gone})

    def without_observers(self, nodes: Collection[UniqueAddress]) -> Reachability:
        if not nodes:
            return self
        rows = {observer: own for observer, own in self.rows.items() if observer not in nodes}
        return Reachability(rows, {node: version for node, version in self.versions.items() if node not in nodes})

    def status(self, observer: UniqueAddress, subject: UniqueAddress) -> ReachabilityStatus:
        record = self.rows.get(observer, {}).get(subject)
        return ReachabilityStatus.REACHABLE if record is None else record.status

    def is_reachable(self, observer: UniqueAddress, subject: UniqueAddress) -> bool:
        return self.status(observer, subject) is ReachabilityStatus.REACHABLE

    @property
    def unreachable(self) -> set[UniqueAddress]:
        """All that somebody sees as unreachable or terminated."""
        return {
            subject
            for own in self.rows.values()
            for subject, record in own.items()
            if record.status is not ReachabilityStatus.REACHABLE
        }

    def unreachable_from(self, observer: UniqueAddress) -> set[UniqueAddress]:
        """Without those that are terminated."""
        return {
            subject
            for subject, record in self.rows.get(observer, {}).items()
            if record.status is ReachabilityStatus.UNREACHABLE
        }
