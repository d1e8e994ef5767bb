"""Members of a cluster: a node in one of its lives, its status, roles and age.

Source: Pekko's `Member`, with its order of statuses for merging and its allowed transitions.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from smackbox.akka.actor.path import Address

AGE_UNKNOWN = 2**31 - 1
"""The `up_number` of a member that was never Up."""
DATA_CENTER_ROLE = "dc-default"


@dataclass(frozen=True, slots=True)
class UniqueAddress:
    """`uid` is a signed number of 64 bits, another one after each restart."""

    address: Address
    uid: int

    @property
    def order(self) -> tuple[str, int, int]:
        """Members are sorted by host, port and uid."""
        return self.address.host or "", self.address.port or 0, self.uid

    @property
    def clock_name(self) -> str:
        return _clock_name(self)

    def __str__(self) -> str:
        return f"{self.address}#{self.uid}"


@lru_cache(maxsize=10_000)
def _clock_name(node: UniqueAddress) -> str:
    return hashlib.md5(f"{node.address}-{node.uid}".encode(), usedforsecurity=False).hexdigest()


class MemberStatus(enum.IntEnum):
    """With the numbers of the wire."""

    JOINING = 0
    UP = 1
    LEAVING = 2
    EXITING = 3
    DOWN = 4
    REMOVED = 5
    WEAKLY_UP = 6
    PREPARING_FOR_SHUTDOWN = 7
    READY_FOR_SHUTDOWN = 8


_S = MemberStatus
TRANSITIONS: dict[MemberStatus, frozenset[MemberStatus]] = {
    _S.JOINING: frozenset({_S.WEAKLY_UP, _S.UP, _S.LEAVING, _S.DOWN, _S.REMOVED}),
    _S.WEAKLY_UP: frozenset({_S.UP, _S.LEAVING, _S.DOWN, _S.REMOVED}),
    _S.UP: frozenset({_S.LEAVING, _S.DOWN, _S.REMOVED, _S.PREPARING_FOR_SHUTDOWN}),
    _S.LEAVING: frozenset({_S.EXITING, _S.DOWN, _S.REMOVED}),
    _S.DOWN: frozenset({_S.REMOVED}),
    _S.EXITING: frozenset({_S.REMOVED, _S.DOWN}),
    _S.PREPARING_FOR_SHUTDOWN: frozenset({_S.READY_FOR_SHUTDOWN, _S.REMOVED, _S.LEAVING, _S.DOWN}),
    _S.READY_FOR_SHUTDOWN: frozenset({_S.REMOVED, _S.LEAVING, _S.DOWN}),
    _S.REMOVED: frozenset(),
}
_MERGE_ORDER = (
    _S.REMOVED, _S.READY_FOR_SHUTDOWN, _S.DOWN, _S.EXITING, _S.LEAVING, _S.PREPARING_FOR_SHUTDOWN, _S.UP,
    _S.WEAKLY_UP, _S.JOINING,
)  # fmt: skip
"""Of two statuses of one member, the first in this order holds."""
_LEADER_LAST = {_S.DOWN: 4, _S.EXITING: 3, _S.JOINING: 2, _S.WEAKLY_UP: 1}
GONE = frozenset({_S.DOWN, _S.EXITING})
"""An unreachable member of these statuses does not hinder convergence, and is removed by the leader."""
ACTIVE = frozenset({_S.UP, _S.LEAVING, _S.PREPARING_FOR_SHUTDOWN, _S.READY_FOR_SHUTDOWN})
"""Members of these statuses must have seen a gossip for its convergence, and may lead."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node in a cluster; `up_number` is its age, the lower the older."""

    node: UniqueAddress
    status: MemberStatus = MemberStatus.JOINING
    up_number: int = AGE_UNKNOWN
    roles: frozenset[str] = frozenset({DATA_CENTER_ROLE})
    app_version: str = "0.0.0"

    def to(self, status: MemberStatus, up_number: int | None = None) -> Member:
        """Raises `ValueError` for a transition that there is not."""
        if status not in TRANSITIONS[self.status]:
            raise ValueError(f"{self.node.address} cannot go from {self.status.name} to {status.name}")
        return replace(self, status=status, up_number=self.up_number if up_number is None else up_number)

    @property
    def age(self) -> tuple[int, tuple[str, int]]:
        """Smaller is older."""
        return self.up_number, self.node.order[:2]

    @property
    def leader_order(self) -> tuple[int, tuple[str, int, int]]:
        return _LEADER_LAST.get(self.status, 0), self.node.order


def furthest(first: Member, second: Member) -> Member:
    """Of two views of one member the one whose status is further along; the older one of equals."""
    if first.status == second.status:
        return min(first, second, key=lambda member: member.age)
    return min(first, second, key=lambda member: _MERGE_ORDER.index(member.status))


def by_address(members: Iterable[Member]) -> list[Member]:
    return sorted(members, key=lambda member: member.node.order)
