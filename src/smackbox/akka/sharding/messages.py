"""What regions and their coordinator tell each other. References are anything that names a region.

Source: `ShardCoordinator.Internal` and `ShardRegion` of Pekko.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smackbox.akka.actor.path import Address

Ref = Hashable
"""A region, by an actor reference; in tests by a name."""


@dataclass(frozen=True, slots=True)
class CoordinatorCommand:
    """To the coordinator."""


@dataclass(frozen=True, slots=True)
class Register(CoordinatorCommand):
    """A region that hosts shards; answered by `RegisterAck`."""

    region: Any


@dataclass(frozen=True, slots=True)
class RegisterProxy(CoordinatorCommand):
    """A region that hosts no shard."""

    region: Any


@dataclass(frozen=True, slots=True)
class GetShardHome(CoordinatorCommand):
    """Where is this shard? Answered by `ShardHome`, once it is somewhere."""

    shard: str


@dataclass(frozen=True, slots=True)
class BeginHandOffAck(CoordinatorCommand):
    """The region has forgotten where the shard is."""

    shard: str


@dataclass(frozen=True, slots=True)
class ShardStopped(CoordinatorCommand):
    """All entities of a shard have stopped."""

    shard: str


@dataclass(frozen=True, slots=True)
class ShardStarted(CoordinatorCommand):
    """A shard runs where the coordinator placed it."""

    shard: str


@dataclass(frozen=True, slots=True)
class RegionStopped(CoordinatorCommand):
    """A region is gone."""

    region: Any


@dataclass(frozen=True, slots=True)
class GracefulShutdownReq(CoordinatorCommand):
    """Take the shards of this region elsewhere: it is about to stop."""

    region: Any


@dataclass(frozen=True, slots=True)
class CoordinatorMessage:
    """To a region."""


@dataclass(frozen=True, slots=True)
class RegisterAck(CoordinatorMessage):
    """The region is registered; `coordinator` is whom to ask."""

    coordinator: Any


@dataclass(frozen=True, slots=True)
class ShardHome(CoordinatorMessage):
    """The shard is in this region."""

    shard: str
    region: Any


@dataclass(frozen=True, slots=True)
class ShardHomes(CoordinatorMessage):
    """Where shards are, to a region that has just registered."""

    homes: Mapping[Any, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class HostShard(CoordinatorMessage):
    """Start this shard; answered by `ShardStarted`."""

    shard: str


@dataclass(frozen=True, slots=True)
class BeginHandOff(CoordinatorMessage):
    """Forget where the shard is, and keep messages for it."""

    shard: str


@dataclass(frozen=True, slots=True)
class HandOff(CoordinatorMessage):
    """Stop the shard's entities."""

    shard: str


@dataclass(frozen=True, slots=True)
class CoordinatorState:
    """`regions` has the shards of each region in the order of their allocation."""

    shards: Mapping[str, Any] = field(default_factory=dict)
    regions: Mapping[Any, tuple[str, ...]] = field(default_factory=dict)
    proxies: frozenset[Any] = frozenset()

    def with_region(self, region: Any) -> CoordinatorState:
        """With one more region."""
        return CoordinatorState(self.shards, {**self.regions, region: ()}, self.proxies)

    def with_proxy(self, proxy: Any) -> CoordinatorState:
        """With one more proxy."""
        return CoordinatorState(self.shards, self.regions, self.proxies | {proxy})

    def allocated(self, shard: str, region: Any) -> CoordinatorState:
        """With a shard in a region."""
        regions = {**self.regions, region: (*self.regions[region], shard)}
        return CoordinatorState({**self.shards, shard: region}, regions, self.proxies)

    def deallocated(self, shard: str) -> CoordinatorState:
        """With a shard nowhere."""
        region = self.shards[shard]
        shards = {name: home for name, home in self.shards.items() if name != shard}
        kept = tuple(name for name in self.regions[region] if name != shard)
        return CoordinatorState(shards, {**self.regions, region: kept}, self.proxies)

    def without(self, region: Any) -> CoordinatorState:
        """Without a region, its shards, or a proxy."""
        shards = {name: home for name, home in self.shards.items() if home != region}
        regions = {known: names for known, names in self.regions.items() if known != region}
        return CoordinatorState(shards, regions, self.proxies - {region})


# -- questions of users


@dataclass(frozen=True, slots=True)
class GetCurrentRegions(CoordinatorCommand):
    """Answered by `CurrentRegions`."""


@dataclass(frozen=True, slots=True)
class CurrentRegions:
    """The nodes that have a region."""

    regions: frozenset[Address]


@dataclass(frozen=True, slots=True)
class GetShardRegionState:
    """To a region: which shards and entities it has. Answered by `CurrentShardRegionState`."""


@dataclass(frozen=True, slots=True)
class CurrentShardRegionState:
    """The entities of each shard of a region."""

    shards: Mapping[str, frozenset[str]]
    failed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GetShardRegionStats:
    """To a region: how many entities its shards have. Answered by `ShardRegionStats`."""


@dataclass(frozen=True, slots=True)
class ShardRegionStats:
    """The number of entities of each shard of a region; `failed` are shards that did not answer."""

    stats: Mapping[str, int]
    failed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GetClusterShardingStats(CoordinatorCommand):
    """To any region: statistics of all, which have so long to answer. Answered by `ClusterShardingStats`."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class ClusterShardingStats:
    """By node; those that did not answer in time are left out."""

    regions: Mapping[Address, ShardRegionStats]


@dataclass(frozen=True, slots=True)
class ShardingEnvelope:
    """A message for an entity, to any region of its type."""

    entity_id: str
    message: Any


@dataclass(frozen=True, slots=True)
class StartEntity:
    """Start an entity without a message."""

    entity_id: str


@dataclass(frozen=True, slots=True)
class StartEntityAck:
    """The entity is started."""

    entity_id: str
    shard: str


@dataclass(frozen=True, slots=True)
class Passivate:
    """From an entity to its shard (`context.parent`): send me `stop_message` and keep what comes until I have stopped.

    None is the stop message of the type.
    """

    stop_message: Any = None
