"""Which deltas go to which node: each node gets each change once, several changes together.

Changes of a key are numbered. Each tick takes a few nodes in turn; what a node was sent is not sent again. A node that
misses one gets the full state by gossip.
Source: `DeltaPropagationSelector` of Pekko 1.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.data import NO_DELTA, Delta, NoDelta

TICKS_A_GOSSIP = 5
MAX_SIZE = 50
"""Operations of one delta; what is larger is gossiped as the full state."""

Ranged = tuple[Delta, int, int]
"""A delta of the changes from one number to another."""


class DeltaPropagation:
    """Of one node: its changes by key, and what each other node was sent."""

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self._max_size = max_size
        self._numbers: dict[str, int] = {}
        self._entries: dict[str, dict[int, Delta]] = {}
        self._sent: dict[str, dict[UniqueAddress, int]] = {}
        self._turn = 0
        self.count = 0

    def number(self, key: str) -> int:
        """Of the last change of a key; 0 before the first."""
        return self._numbers.get(key, 0)

    def update(self, key: str, delta: Delta) -> None:
        """A change of a key."""
        number = self._numbers[key] = self.number(key) + 1
        self._entries.setdefault(key, {})[number] = delta

    def delete(self, key: str) -> None:
        """Forget a key."""
        for table in (self._numbers, self._entries, self._sent):
            table.pop(key, None)

    def collect(self, nodes: Sequence[UniqueAddress]) -> dict[UniqueAddress, dict[str, Ranged]]:
        """What goes to whom at this tick. `nodes` are all that are reachable, in a fixed order."""
        self.count += 1
        found: dict[UniqueAddress, dict[str, Ranged]] = {}
        cache: dict[tuple[str, int, int], Delta] = {}
        for node in self._slice(nodes):
            for key, entries in self._entries.items():
                sent = self._sent.setdefault(key, {})
                numbers = sorted(number for number in entries if number > sent.get(node, 0))
                if not numbers:
                    continue
                first, last = numbers[0], numbers[-1]
                if (key, first, last) not in cache:
                    cache[key, first, last] = self._joined([entries[number] for number in numbers])
                sent[node] = last
                found.setdefault(node, {})[key] = cache[key, first, last], first, last
        return found

    def _joined(self, deltas: Sequence[Delta]) -> Delta:
        joined = deltas[0]
        for delta in deltas[1:]:
            joined = NO_DELTA if isinstance(delta, NoDelta) else joined.merge(delta)
            if joined.size >= self._max_size:
                joined = NO_DELTA
        return joined

    def _slice(self, nodes: Sequence[UniqueAddress]) -> list[UniqueAddress]:
        size = min(max(len(nodes) // TICKS_A_GOSSIP + 1, 2), len(nodes), 10)
        if len(nodes) <= size:
            return list(nodes)
        begin = self._turn % len(nodes)
        self._turn += size
        return [*nodes, *nodes][begin : begin + size]

    def clean_up(self, nodes: Sequence[UniqueAddress]) -> None:
        """Forget what all nodes were sent."""
        for key, entries in self._entries.items():
            sent = self._sent.get(key, {})
            everywhere = min((sent.get(node, 0) for node in nodes), default=self.number(key))
            for number in [number for number in entries if number <= everywhere]:
                del entries[number]

    def forget(self, node: UniqueAddress) -> None:
        """Forget what a removed node was sent."""
        for sent in self._sent.values():
            sent.pop(node, None)
