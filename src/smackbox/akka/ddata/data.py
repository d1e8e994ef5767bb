"""Replicated data: values that every node may change and that merge to the same, in whatever order changes arrive.

`merge` is associative, commutative and idempotent. Data with deltas collects what changed since `reset_delta`, and
merges the deltas of others. Data that remembers which node did what forgets nodes that were removed from the cluster:
one node *prunes* what a removed one did into its own share, the others *clean up*.
Source: `ReplicatedData`, `DeltaReplicatedData` and `RemovedNodePruning` of Pekko 1.4. All values are immutable.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Generic, TypeVar

from smackbox.akka.actor.record import record
from smackbox.akka.cluster.member import UniqueAddress

D = TypeVar("D", bound="Data")


class Data:
    """A value that merges. `delta` is what changed; None for data without deltas, or without a change."""

    __slots__ = ()

    ordered_deltas = False
    """Whether deltas of a node must be merged in order and without gaps."""

    def merge(self, other: Any) -> Any:
        """What both have, the same whichever is asked first, and however often. Raises `TypeError` for another kind."""
        raise NotImplementedError

    @property
    def delta(self) -> Data | None:
        """What changed since `reset_delta`; None for nothing, or for data without deltas."""
        return None

    @property
    def has_deltas(self) -> bool:
        """Whether this kind of data collects its changes."""
        return False

    def reset_delta(self) -> Any:
        """The same data, with its changes so far forgotten."""
        return self

    def merge_delta(self, delta: Any) -> Any:
        """Raises `TypeError` for a delta of other data."""
        raise TypeError(f"{type(self).__name__} has no deltas")

    # -- removed nodes

    @property
    def modified_by(self) -> AbstractSet[UniqueAddress]:
        """The nodes whose changes it remembers."""
        return frozenset()

    def needs_pruning(self, removed: UniqueAddress) -> bool:
        """Whether it remembers changes of a removed node."""
        return removed in self.modified_by

    def prune(self, removed: UniqueAddress, into: UniqueAddress) -> Any:
        """Take what a removed node did as done by `into`."""
        del removed, into
        return self

    def clean_up(self, removed: UniqueAddress) -> Any:
        """Forget a removed node, whose share another node has taken."""
        del removed
        return self


class Delta(Data):
    """What changed. `zero` is the data that a delta is merged into where there is none."""

    __slots__ = ()

    @property
    def zero(self) -> Data:
        """The data that a delta is merged into where there is none."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """In single operations."""
        return 1


class NoDelta(Delta):
    """A change that is too large to be sent as a delta: the full state is gossiped."""

    __slots__ = ()
    ordered_deltas = True

    def merge(self, other: Any) -> Any:
        return other


NO_DELTA = NoDelta()


class Deleted(Data):
    """The data of a key that was deleted, for good."""

    __slots__ = ()

    def merge(self, other: Any) -> Deleted:
        del other
        return self


DELETED = Deleted()


@record
class Key(Generic[D]):
    """Names data that is replicated: `Key[GCounter]("hits")`."""

    id: str


class Int32(int):
    """A JVM's `Int` in a set or as a key; Python's own integers are its `Long`s."""

    __slots__ = ()


def checked(own: D, other: Any) -> D:
    """`other`, which must be of the same kind. Raises `TypeError`."""
    if type(other) is not type(own):
        raise TypeError(f"{type(own).__name__} does not merge with {type(other).__name__}")
    return other
