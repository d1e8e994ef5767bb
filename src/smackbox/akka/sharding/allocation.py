"""Where a shard goes, and which shards move: to the region that has the fewest.

Nodes that leave get none, nodes of a newer version of the application are preferred, and nothing moves while members
join or are unreachable. `LeastShardAllocation` is the default of Pekko 1.x, `LimitedShardAllocation` the one that it
recommends. Source: both `LeastShardAllocationStrategy` of Pekko.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from smackbox.akka.cluster.member import Member, MemberStatus

LEAVING = frozenset({MemberStatus.LEAVING, MemberStatus.EXITING, MemberStatus.DOWN})
JOINING = frozenset({MemberStatus.JOINING, MemberStatus.WEAKLY_UP})

Allocations = Mapping[Any, Sequence[str]]
"""The shards of each region."""


class Placement(Protocol):
    """What a strategy knows of the cluster."""

    def member_of(self, region: Any) -> Member | None:
        """None where it is no member (yet)."""

    @property
    def is_calm(self) -> bool:
        """Whether nobody joins and nobody is unreachable."""


class AllocationStrategy(Protocol):
    """Where shards go, and which move."""

    def allocate(self, shard: str, allocations: Allocations, placement: Placement) -> Any | None:
        """The region for a shard; None where none fits now."""

    def rebalance(
        self, allocations: Allocations, in_progress: Collection[str], placement: Placement
    ) -> Collection[str]:
        """The shards to move."""


class _Least:
    def allocate(self, shard: str, allocations: Allocations, placement: Placement) -> Any | None:
        del shard
        entries = _sorted(allocations, placement)
        return entries[0][0] if entries else None


@dataclass(frozen=True)
class LeastShardAllocation(_Least):
    """Moves `threshold` shards a round where the fullest region has more than `threshold` above the emptiest one."""

    threshold: int = 1
    max_simultaneous: int = 3

    def rebalance(
        self, allocations: Allocations, in_progress: Collection[str], placement: Placement
    ) -> Collection[str]:
        entries = _sorted(allocations, placement)
        free = self.max_simultaneous - len(in_progress)
        if free <= 0 or not entries or not _is_a_good_time(entries, placement):
            return ()
        least = len(entries[0][2])
        most = max(([name for name in names if name not in in_progress] for _, _, names in entries), key=len)
        above = len(most) - least - self.threshold
        return sorted(most)[: min(above, self.threshold, free)] if above > 0 else ()


@dataclass(frozen=True)
class LimitedShardAllocation(_Least):
    """Evens out in few rounds; a round moves at most `absolute_limit` shards, and that share of all, but at least 1."""

    absolute_limit: int = 20
    relative_limit: float = 0.1

    def rebalance(
        self, allocations: Allocations, in_progress: Collection[str], placement: Placement
    ) -> Collection[str]:
        entries = _sorted(allocations, placement)
        shards = sum(len(names) for _, _, names in entries)
        if in_progress or shards == 0 or not _is_a_good_time(entries, placement):
            return ()
        limit = max(1, min(int(self.relative_limit * shards), self.absolute_limit))
        optimal = -(-shards // len(entries))
        above = [name for _, _, names in entries for name in names[: max(0, len(names) - optimal)]]
        if above:
            return above[:limit]
        below = sum(max(0, optimal - 1 - len(names)) for _, _, names in entries)
        first = [names[0] for _, _, names in entries if len(names) >= optimal]
        return first[: min(below, limit)]


def _is_a_good_time(entries: Sequence[tuple[Any, Member, Sequence[str]]], placement: Placement) -> bool:
    """Not during a rolling update, nor while hand-offs cannot be acknowledged by all."""
    return placement.is_calm and len({member.app_version for _, member, _ in entries}) == 1


def _sorted(allocations: Allocations, placement: Placement) -> list[tuple[Any, Member, Sequence[str]]]:
    """The best region first; those whose node is not known are left out."""
    entries = []
    for region, names in allocations.items():
        member = placement.member_of(region)
        if member is not None:
            entries.append((region, member, names))
    entries.sort(key=lambda entry: len(entry[2]))
    entries.sort(key=lambda entry: _version(entry[1].app_version), reverse=True)
    entries.sort(key=lambda entry: entry[1].status in LEAVING)
    return entries


def _version(text: str) -> tuple[tuple[int, str], ...]:
    parts = text.replace("-", ".").split(".")
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in parts)
