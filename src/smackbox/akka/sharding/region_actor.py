"""The region of a node as an actor: `/system/sharding/TYPE`, its shards are its children."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.messages import Signal, Terminated
from smackbox.akka.actor.path import ActorPath, Address
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.shutdown import CLUSTER_SHARDING_SHUTDOWN_REGION, PHASES
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.member import MemberStatus
from smackbox.akka.cluster.messages import MemberEvent
from smackbox.akka.cluster.names import encode_name
from smackbox.akka.sharding.extractor import shard_of
from smackbox.akka.sharding.messages import (
    ClusterShardingStats,
    CoordinatorCommand,
    CoordinatorMessage,
    CurrentRegions,
    CurrentShardRegionState,
    GetClusterShardingStats,
    GetCurrentRegions,
    GetShardRegionState,
    GetShardRegionStats,
    RegionStopped,
    ShardingEnvelope,
    ShardRegionStats,
    StartEntity,
)
from smackbox.akka.sharding.region import Region, RegionCalls
from smackbox.akka.sharding.shard import EntityLimit, Shard, ShardIsReady, ShardSettings, StopShard

TICK_S = 0.25

Make = Callable[[str, ActorRef[Any]], Any]
"""From an entity's id and its shard to what is spawned."""
Extract = Callable[[Any], tuple[str, Any] | None]
"""From a message that is no `ShardingEnvelope` to the entity's id and what it gets; None where it is for no entity."""


@dataclass(frozen=True, slots=True)
class RegionSettings:
    """`make` None is a proxy. `coordinator` is the path of the coordinator on each node."""

    coordinator: tuple[str, ...]
    make: Make | None
    shard: ShardSettings
    role: str | None
    number_of_shards: int
    buffer_limit: int
    retry_s: float
    extract: Extract | None = None
    active_entities: int | None = None
    """Of all shards of the region together; each has an equal part."""


class RegionActor(Actor[Any]):
    """The actor round a region; its shards are its children."""

    def __init__(self, cluster: Cluster, settings: RegionSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._stopped = asyncio.Event()
        self._shards: dict[str, ActorRef[Any]] = {}
        self._entities: dict[str, set[str]] = {}
        own = self.context.ref
        calls = RegionCalls(
            tell_coordinator=self._tell_coordinator,
            send=lambda to, command: to.tell(command, own),
            deliver=lambda to, message, sender: to.tell(message, sender),
            deliver_here=lambda shard, message, sender: self._shards[shard].tell(message, sender),
            start_shard=self._start_shard,
            stop_shard=lambda shard, asker: self._shards[shard].tell(StopShard(asker)),
            watch=self._watch,
            drop=lambda message, _, reason: self.context.system.dead_letter(message, own, reason),
            stop=self.context.stop,
        )
        self._region = Region(
            own,
            cluster.own,
            calls,
            role=settings.role,
            is_proxy=settings.make is None,
            buffer_limit=settings.buffer_limit,
            retry_s=settings.retry_s,
        )

    def pre_start(self) -> None:
        self._cluster.subscribe(self.context.ref, MemberEvent)
        add_task = self.context.system.shutdown.add_task
        self._forget_task = add_task(CLUSTER_SHARDING_SHUTDOWN_REGION, "region-shutdown", self._shut_down)
        self.context.timers.start_with_fixed_delay("tick", _Tick(), min(TICK_S, self._settings.retry_s))
        self._region.begin(self._cluster.members, self._now_s())

    def post_stop(self) -> None:
        if self._region.coordinator is not None:
            self._region.coordinator.tell(RegionStopped(self.context.ref), self.context.ref)
        self._cluster.unsubscribe(self.context.ref)
        self._forget_task()
        self._stopped.set()

    def receive(self, message: Any) -> Any:
        sender = self.context.sender
        match message:
            case ShardingEnvelope(entity_id) | StartEntity(entity_id):
                self._region.deliver(shard_of(entity_id, self._settings.number_of_shards), message, sender)
            case CoordinatorMessage():
                self._region.receive(message, sender)
            case _Tick():
                self._region.tick(self._now_s())
            case MemberEvent():
                self._region.member_event(message, self._now_s())
            case ShardIsReady(shard):
                self._region.shard_started(shard)
            case _ShutDown():
                limit_s = PHASES[CLUSTER_SHARDING_SHUTDOWN_REGION] - 1
                self.context.timers.start_single("shutdown", _TooLong(), limit_s)
                self._region.shut_down()
            case _TooLong():
                self.context.log.warning("the region stops with %d shards that are not handed over", len(self._shards))
                self.context.stop()
            case GetShardRegionState():
                state = {shard: frozenset(entities) for shard, entities in self._entities.items()}
                sender.tell(CurrentShardRegionState(state), self.context.ref)
            case GetShardRegionStats():
                counts = {shard: len(entities) for shard, entities in self._entities.items()}
                sender.tell(ShardRegionStats(counts), self.context.ref)
            case GetCurrentRegions() | GetClusterShardingStats():
                self._ask_coordinator(message, sender)
            case _:
                return self._extracted(message, sender)
        return None

    def _extracted(self, message: Any, sender: ActorRef[Any]) -> Any:
        found = None if self._settings.extract is None else self._settings.extract(message)
        if found is None:
            return UNHANDLED
        envelope = ShardingEnvelope(*found)
        self._region.deliver(shard_of(envelope.entity_id, self._settings.number_of_shards), envelope, sender)
        return None

    def on_signal(self, signal: Signal) -> None:
        if not isinstance(signal, Terminated):
            return
        for shard, ref in self._shards.items():
            if ref == signal.ref:
                del self._shards[shard]
                del self._entities[shard]
                self._region.shard_stopped(shard)
                self._share_limit()
                return
        self._region.terminated(signal.ref, self._now_s())

    # -- what the region does

    def _tell_coordinator(self, address: Address, command: CoordinatorCommand) -> None:
        self._cluster.select(ActorPath(address, self._settings.coordinator)).tell(command, self.context.ref)

    def _ask_coordinator(self, message: GetCurrentRegions | GetClusterShardingStats, sender: ActorRef[Any]) -> None:
        if self._region.coordinator is None:
            is_stats = isinstance(message, GetClusterShardingStats)
            sender.tell(ClusterShardingStats({}) if is_stats else CurrentRegions(frozenset()), self.context.ref)
        else:
            self._region.coordinator.tell(message, sender)

    def _start_shard(self, shard: str) -> None:
        assert self._settings.make is not None
        entities = self._entities[shard] = set()
        props = Props.of(Shard, shard, self._settings.make, self._settings.shard, entities)
        self._shards[shard] = self.context.watch(self.context.spawn(props, encode_name(shard)))
        self._share_limit()

    def _share_limit(self) -> None:
        limit = self._settings.active_entities
        if limit is not None and self._shards:
            message = EntityLimit(max(1, limit // len(self._shards)))
            for ref in self._shards.values():
                ref.tell(message, self.context.ref)

    def _watch(self, ref: ActorRef[Any]) -> None:
        self.context.watch(ref)

    async def _shut_down(self) -> None:
        if self._cluster.is_terminated or self._cluster.self_status in {MemberStatus.DOWN, MemberStatus.REMOVED}:
            return
        self.context.ref.tell(_ShutDown())
        await self._stopped.wait()

    def _now_s(self) -> float:
        return self.context.system.dispatcher.now_s()


class _Tick:
    __slots__ = ()


class _ShutDown:
    __slots__ = ()


class _TooLong:
    __slots__ = ()
