"""Data with what replicas need beside it: which removed nodes are being forgotten, and which deltas are in it.

A removed node is forgotten in two steps: the leader writes *initialized* into the envelope, and when all nodes have
seen that it takes the removed node's share into its own and writes *performed*, for which the others clean up.
Source: `Replicator.Internal.DataEnvelope` and `PruningState` of Pekko 1.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.data import DELETED, Data, Delta
from smackbox.akka.ddata.version_vector import EMPTY, VersionVector


@dataclass(frozen=True, slots=True)
class Initialized:
    """The removed node's changes go to `owner` when all nodes have `seen` this."""

    owner: UniqueAddress
    seen: frozenset[Address] = frozenset()


@dataclass(frozen=True, slots=True)
class Performed:
    """Until `obsolete_ms` (since 1970) replicas that come late receive this."""

    obsolete_ms: int


Pruning = Initialized | Performed


@dataclass(frozen=True, slots=True)
class DataEnvelope:
    """Data, the removed nodes that are being forgotten, and the last delta of each node that is in it."""

    data: Data
    pruning: Mapping[UniqueAddress, Pruning] = field(default_factory=dict)
    deltas: VersionVector = EMPTY

    def merge(self, other: DataEnvelope, now_ms: int) -> DataEnvelope:
        """Raises `TypeError` for data of another kind."""
        if other.data is DELETED or self.data is DELETED:
            return DELETED_ENVELOPE
        pruning = dict(other.pruning)
        for node, mine in self.pruning.items():
            pruning[node] = _merged(mine, pruning[node]) if node in pruning else mine
        pruning = {
            node: state
            for node, state in pruning.items()
            if not (isinstance(state, Performed) and state.obsolete_ms <= now_ms)
        }
        deltas = self.deltas.merge(other.deltas)
        for node in pruning:
            deltas = deltas.clean_up(node)
        return replace(self, data=_cleaned(self.data, pruning), pruning=pruning, deltas=deltas).with_data(other.data)

    def with_data(self, other: Data) -> DataEnvelope:
        """Merge data, or a delta of it. Raises `TypeError`."""
        if other is DELETED:
            return DELETED_ENVELOPE
        other = _cleaned(other, self.pruning)
        if isinstance(other, Delta) and other.ordered_deltas:
            return replace(self, data=self.data.merge_delta(other))
        return replace(self, data=self.data.merge(other))

    @property
    def from_delta(self) -> DataEnvelope:
        """The data of a delta for a key that there was not."""
        if isinstance(self.data, Delta):
            return replace(self, data=self.data.zero.merge_delta(self.data))
        return self

    def add_seen(self, address: Address) -> DataEnvelope:
        """A node has seen which removed nodes are to be forgotten."""
        pruning: dict[UniqueAddress, Pruning] = {}
        for node, state in self.pruning.items():
            if isinstance(state, Initialized) and state.owner.address != address:
                state = replace(state, seen=state.seen | {address})
            pruning[node] = state
        return self if pruning == self.pruning else replace(self, pruning=pruning)

    def initialize_pruning(self, removed: UniqueAddress, owner: UniqueAddress) -> DataEnvelope:
        """Begin to forget a removed node, whose changes `owner` takes over."""
        pruning = {**self.pruning, removed: Initialized(owner)}
        return replace(self, pruning=pruning, deltas=self.deltas.clean_up(removed))

    def perform_pruning(self, removed: UniqueAddress, into: UniqueAddress, performed: Performed) -> DataEnvelope:
        """Take a removed node's changes over, and let the others forget them."""
        pruning = {**self.pruning, removed: performed}
        return DataEnvelope(self.data.prune(removed, into), pruning, self.deltas.clean_up(removed))


DELETED_ENVELOPE = DataEnvelope(DELETED)


def _merged(one: Pruning, other: Pruning) -> Pruning:
    if isinstance(one, Performed) and isinstance(other, Performed):
        return max(one, other, key=lambda state: state.obsolete_ms)
    if isinstance(one, Performed):
        return one
    if isinstance(other, Performed):
        return other
    if one.owner == other.owner:
        return Initialized(one.owner, one.seen | other.seen)
    return min(one, other, key=lambda state: state.owner.order[:2])


def _cleaned(data: Data, pruning: Mapping[UniqueAddress, Pruning]) -> Data:
    for removed, state in pruning.items():
        if isinstance(state, Performed) and data.needs_pruning(removed):
            data = data.clean_up(removed)
    return data
