"""Entities by id, somewhere in the cluster: one actor for each id at most, on whichever node its shard is.

    ACCOUNT = EntityTypeKey("Account")
    sharding = ClusterSharding(system)
    sharding.init(Entity(ACCOUNT, lambda entity: Props.of(Account, entity.entity_id)))
    balance = await sharding.entity_ref_for(ACCOUNT, "alice").ask(GetBalance, timeout_s=3)

All nodes that have the role run `init` with the same number of shards; others get a proxy. Paths, messages and the
coordinator's state are Pekko's, so JVMs and Python nodes host entities of one type together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from smackbox.akka.actor.actor import Actor
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import PoisonPill
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef, PromiseRef
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.names import encode_name
from smackbox.akka.cluster.singleton import ClusterSingleton, ClusterSingletonManager, SingletonActor, SingletonSettings
from smackbox.akka.ddata.replica import ReplicatorSettings
from smackbox.akka.ddata.replicator import replicator_props
from smackbox.akka.sharding.allocation import AllocationStrategy, LeastShardAllocation
from smackbox.akka.sharding.coordinator import CoordinatorSettings
from smackbox.akka.sharding.coordinator_actor import (
    CoordinatorActor,
    CoordinatorSupervisor,
    Terminate,
    coordinator_path,
)
from smackbox.akka.sharding.extractor import NUMBER_OF_SHARDS
from smackbox.akka.sharding.memory import MemorySettings
from smackbox.akka.sharding.messages import ShardingEnvelope
from smackbox.akka.sharding.region import BUFFER_LIMIT, RETRY_S
from smackbox.akka.sharding.region_actor import Extract, RegionActor, RegionSettings
from smackbox.akka.sharding.shard import ShardSettings
from smackbox.akka.sharding.wire import READERS, WRITERS

M = TypeVar("M")
R = TypeVar("R")


@record
class EntityTypeKey(Generic[M]):
    """Names a type of entities, which take messages of type M."""

    name: str


@dataclass(frozen=True, slots=True)
class EntityContext:
    """Of one entity. It tells `shard` `Passivate()` when it wants to stop without losing messages."""

    entity_id: str
    shard: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class ShardingSettings:
    """`role` None is all members. `passivate_after_s` None keeps entities that nobody asks.

    `active_entities` passivates those that were asked longest ago where a node has more (Pekko: `least-recently-used`);
    its shards have equal parts of it, at least one entity each. Not for remembered ones.

    With `remember_entities` all are kept and started again wherever their shard is; with a `durable_file` of
    `replicator` also after all nodes were down.
    """

    role: str | None = None
    number_of_shards: int = NUMBER_OF_SHARDS
    passivate_after_s: float | None = 120.0
    active_entities: int | None = None
    remember_entities: bool = False
    restart_s: float = 10.0
    """When a remembered entity that has stopped by itself is started again."""
    strategy: AllocationStrategy = field(default_factory=LeastShardAllocation)
    buffer_limit: int = BUFFER_LIMIT
    retry_s: float = RETRY_S
    rebalance_s: float = 10.0
    hand_off_timeout_s: float = 60.0
    shard_start_timeout_s: float = 10.0
    replicator: ReplicatorSettings = field(
        default_factory=lambda: ReplicatorSettings(max_keys=5, prefer_oldest=True, durable_keys=("shard-*",))
    )
    """Of the state of coordinators; one for each role, the first `init` decides."""


@dataclass(frozen=True, slots=True)
class Entity(Generic[M]):
    """`create` gives what to spawn (props, a class, a behavior) for an entity.

    `extract` finds the id and the message in what is sent to the region itself, beside `ShardingEnvelope`.
    """

    type_key: EntityTypeKey[M]
    create: Callable[[EntityContext], Any]
    stop_message: Any = field(default_factory=PoisonPill)
    settings: ShardingSettings = field(default_factory=ShardingSettings)
    extract: Extract | None = None


class EntityRef(Generic[M]):
    """An entity by its id: it need not be there: its first message starts it."""

    __slots__ = ("_region", "entity_id", "type_key")

    def __init__(self, region: ActorRef[Any], type_key: EntityTypeKey[M], entity_id: str) -> None:
        self._region = region
        self.type_key = type_key
        self.entity_id = entity_id

    def tell(self, message: M, sender: ActorRef[Any] | None = None) -> None:
        """Send, at most once; the entity is started where it is not there."""
        self._region.tell(ShardingEnvelope(self.entity_id, message), sender)

    async def ask(self, make: Callable[[ActorRef[R]], M], timeout_s: float) -> R:
        """As `ActorRef.ask`. Raises `AskTimeoutError`."""
        promise: PromiseRef[R] = PromiseRef(self._region.system, self._region.path, timeout_s)
        self.tell(make(promise), promise)
        return await promise.future

    async def request(self, message: M, timeout_s: float) -> Any:
        """As `ActorRef.request`, for entities that reply to `context.sender`."""
        return await self.ask(lambda _: message, timeout_s)

    def __repr__(self) -> str:
        return f"EntityRef({self.type_key.name}, {self.entity_id})"


_shardings: WeakKeyDictionary[ActorSystem, ClusterSharding] = WeakKeyDictionary()


class ClusterSharding:
    """Of an actor system with a `Cluster`; one for each. Raises `LookupError` where there is no cluster."""

    def __new__(cls, system: ActorSystem) -> ClusterSharding:
        found = _shardings.get(system)
        if found is None:
            found = super().__new__(cls)
            found._begin(system)
            _shardings[system] = found
        return found

    @staticmethod
    def regions_of(system: ActorSystem) -> dict[str, ActorRef[Any]]:
        """The regions of this node by entity type; none where sharding was not begun."""
        found = _shardings.get(system)
        return {} if found is None else dict(found._regions)

    def _begin(self, system: ActorSystem) -> None:
        self._system = system
        self._cluster = Cluster.of(system)
        ClusterSingleton(system)  # its messages
        self._cluster.serialization.add(WRITERS, READERS)
        self._guardian: LocalRef[Any] = system.spawn_system(Props(_Guardian), "sharding")
        self._regions: dict[str, ActorRef[Any]] = {}
        self._replicators: dict[str | None, ActorRef[Any]] = {}

    def init(self, entity: Entity[Any]) -> ActorRef[Any]:
        """The region of this node; a proxy where this node does not have the role. Again: the same one."""
        name, role = entity.type_key.name, entity.settings.role
        if role is not None and role not in self._cluster.roles:
            return self.init_proxy(entity.type_key, entity.settings, extract=entity.extract)
        if name not in self._regions:
            encoded = encode_name(name)
            self._start_coordinator(name, encoded, entity.settings)
            self._regions[name] = self._start_region(encoded, encoded, entity)
        return self._regions[name]

    def init_proxy(
        self,
        type_key: EntityTypeKey[Any],
        settings: ShardingSettings | None = None,
        *,
        extract: Extract | None = None,
    ) -> ActorRef[Any]:
        """A region without shards, for a node that only asks."""
        name = type_key.name
        if name not in self._regions:
            proxy = Entity(type_key, _nothing, settings=settings or ShardingSettings(), extract=extract)
            self._regions[name] = self._start_region(encode_name(f"{name}Proxy"), encode_name(name), proxy)
        return self._regions[name]

    def entity_ref_for(self, type_key: EntityTypeKey[M], entity_id: str) -> EntityRef[M]:
        """Raises `LookupError` for a type without `init` on this node, `ValueError` for an empty id."""
        region = self._regions.get(type_key.name)
        if region is None:
            raise LookupError(f"the entities {type_key.name!r} are not known here: call init or init_proxy first")
        if not entity_id:
            raise ValueError("an entity has an id that is not empty")
        return EntityRef(region, type_key, entity_id)

    def shard_region(self, type_key: EntityTypeKey[Any]) -> ActorRef[Any]:
        """For `ShardingEnvelope`s and questions. Raises `LookupError`."""
        return self.entity_ref_for(type_key, "-")._region

    # -- parts

    def _start_coordinator(self, name: str, encoded: str, settings: ShardingSettings) -> None:
        coordinator = CoordinatorSettings(
            settings.strategy,
            settings.rebalance_s,
            settings.hand_off_timeout_s,
            settings.shard_start_timeout_s,
            self._cluster.removal_margin_s,
            self._cluster.min_members if settings.role is None else 1,
        )
        replicator = self._replicator(settings)
        child = Props.of(CoordinatorActor, name, self._cluster, replicator, coordinator, settings.remember_entities)
        singleton = SingletonActor(
            Props.of(CoordinatorSupervisor, child), "singleton", Terminate(), SingletonSettings(settings.role)
        )
        manager = Props.of(ClusterSingletonManager, self._cluster, singleton)
        self._guardian.cell.spawn(manager, f"{encoded}Coordinator")

    def _replicator(self, settings: ShardingSettings) -> ActorRef[Any]:
        role = settings.role
        if role not in self._replicators:
            props = replicator_props(self._cluster, replace(settings.replicator, role=role))
            name = "replicator" if role is None else f"{encode_name(role)}Replicator"
            self._replicators[role] = self._guardian.cell.spawn(props, name)
        return self._replicators[role]

    def _start_region(self, actor_name: str, encoded: str, entity: Entity[Any]) -> ActorRef[Any]:
        settings = entity.settings
        create = entity.create

        def make(entity_id: str, shard: ActorRef[Any]) -> Any:
            return create(EntityContext(entity_id, shard))

        memory = None
        if settings.remember_entities and create is not _nothing:
            replicator = self._replicator(settings)
            memory = MemorySettings(entity.type_key.name, replicator, self._cluster.own, settings.restart_s)
        region = RegionSettings(
            coordinator=coordinator_path(encoded),
            make=None if create is _nothing else make,
            shard=ShardSettings(
                entity.stop_message,
                settings.passivate_after_s,
                max(1.0, settings.hand_off_timeout_s - 5.0),
                settings.buffer_limit,
                memory,
            ),
            role=settings.role,
            number_of_shards=settings.number_of_shards,
            buffer_limit=settings.buffer_limit,
            retry_s=settings.retry_s,
            extract=entity.extract,
            active_entities=settings.active_entities,
        )
        return self._guardian.cell.spawn(Props.of(RegionActor, self._cluster, region), actor_name)


def _nothing(_: EntityContext) -> Any:
    raise AssertionError("a proxy hosts no entity")


class _Guardian(Actor[Any]):
    """The parent of all regions, where JVMs look for them."""

    def on_signal(self, signal: Any) -> None:
        del signal
