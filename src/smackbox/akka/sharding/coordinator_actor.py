"""The coordinator as an actor: a singleton on the oldest node, its state in distributed data.

The state is a register in the replicator of sharding, as Pekko's coordinators keep it, so a JVM's goes on where a
Python node's has stopped, and a Python node's where a JVM's has.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import Signal, Terminated
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.member import Member
from smackbox.akka.ddata.consistency import MajorityPlus
from smackbox.akka.ddata.data import Key
from smackbox.akka.ddata.gset import GSet
from smackbox.akka.ddata.messages import Answer, Get, GetFailure, GetSuccess, NotFound, Update, UpdateSuccess
from smackbox.akka.ddata.register import LWWRegister
from smackbox.akka.sharding.allocation import JOINING
from smackbox.akka.sharding.coordinator import Coordinator, CoordinatorCalls, CoordinatorSettings
from smackbox.akka.sharding.messages import (
    CoordinatorCommand,
    CoordinatorState,
    CurrentRegions,
    GetClusterShardingStats,
    GetCurrentRegions,
)
from smackbox.akka.sharding.statistics import statistics_of

LOAD = MajorityPlus(timeout_s=2.0, additional=5, minimum=5)
STORE = MajorityPlus(timeout_s=5.0, additional=3, minimum=5)
TICK_S = 0.25

log = logging.getLogger("smackbox.akka.sharding")


class Terminate:
    """The singleton moves."""

    __slots__ = ()


class CoordinatorSupervisor(Actor[Any]):
    """The singleton itself; the coordinator is its child, where regions look for it."""

    def __init__(self, coordinator: Props[Any]) -> None:
        self._child = self.context.watch(self.context.spawn(coordinator, "coordinator"))

    def receive(self, message: Any) -> Any:
        if not isinstance(message, Terminate):
            return UNHANDLED
        self._child.tell(message)
        return None

    def on_signal(self, signal: Signal) -> None:
        if isinstance(signal, Terminated):
            self.context.stop()


class CoordinatorActor(Actor[Any]):
    """The actor round a coordinator."""

    def __init__(
        self,
        type_name: str,
        cluster: Cluster,
        replicator: ActorRef[Any],
        settings: CoordinatorSettings,
        remembers: bool,
    ) -> None:
        self._cluster = cluster
        self._replicator = replicator
        self._key: Key[LWWRegister] = Key(f"{type_name}CoordinatorState")
        self._type = type_name
        self._all_shards: Key[GSet] | None = Key(f"shard-{type_name}-all") if remembers else None
        self._remembered: frozenset[str] = frozenset()
        self._missing = 0
        """Confirmations of a change that are not there yet."""
        self._storing: CoordinatorState | None = None
        own = self.context.ref
        calls = CoordinatorCalls(
            send=lambda region, message: region.tell(message, own),
            watch=self._watch,
            load=self._load,
            store=self._store,
            stop=self.context.stop,
            is_member=lambda region: self.member_of(region) is not None,
            is_local=lambda region: isinstance(region, LocalRef),
        )
        self._coordinator = Coordinator(own, settings, self, calls)

    def pre_start(self) -> None:
        self.context.timers.start_with_fixed_delay("tick", _Tick(), TICK_S)
        self._coordinator.begin()

    async def _tell_statistics(self, timeout_s: float, asker: ActorRef[Any]) -> None:
        own = self.context.ref
        regions = [(self._cluster.address_of(region), region) for region in self._coordinator.state.regions]
        asker.tell(await statistics_of(regions, timeout_s), own)

    def receive(self, message: Any) -> Any:
        now_s = self._now_s()
        match message:
            case GetCurrentRegions():
                regions = frozenset(map(self._cluster.address_of, self._coordinator.state.regions))
                self.context.sender.tell(CurrentRegions(regions), self.context.ref)
            case GetClusterShardingStats(timeout_s):
                self.context.system.keep(asyncio.ensure_future(self._tell_statistics(timeout_s, self.context.sender)))
            case CoordinatorCommand():
                self._coordinator.receive(message, self.context.sender, now_s)
            case _Tick():
                self._coordinator.tick(now_s)
            case Answer():
                self._answered(message, now_s)
            case Terminate():
                self._coordinator.stop(now_s)
            case _:
                return UNHANDLED
        return None

    def on_signal(self, signal: Signal) -> None:
        if isinstance(signal, Terminated):
            lost = self.member_of(signal.ref) is None
            self._coordinator.terminated(signal.ref, self._now_s(), address_lost=lost)

    def _watch(self, region: ActorRef[Any]) -> None:
        self.context.watch(region)

    # -- the state

    def _load(self) -> None:
        key: Key[Any] = self._key if self._all_shards is None else self._all_shards
        self._replicator.tell(Get(key, LOAD), self.context.ref)

    def _store(self, state: CoordinatorState) -> None:
        self._storing = state
        own, now_ms = self._cluster.own, int(time.time() * 1_000)
        initial = LWWRegister(own, CoordinatorState(), 0)
        self._missing = 1
        update = Update(
            self._key, initial, lambda register: register.with_value(own, state, now_ms), STORE, request=state
        )
        self._replicator.tell(update, self.context.ref)
        new = state.shards.keys() - self._remembered
        if self._all_shards is not None and new:
            self._missing = 2
            remember = Update(self._all_shards, GSet(), lambda data: _with_all(data, new), STORE, request=state)
            self._replicator.tell(remember, self.context.ref)

    def _answered(self, answer: Answer, now_s: float) -> None:
        match answer:
            case GetSuccess() | NotFound() if answer.key == self._all_shards:
                self._remembered = answer.data.elements if isinstance(answer, GetSuccess) else frozenset()
                self._replicator.tell(Get(self._key, LOAD), self.context.ref)
            case GetSuccess():
                self._loaded(answer.data.value, now_s)
            case NotFound():
                self._loaded(None, now_s)
            case GetFailure():
                log.warning(
                    "the state of the coordinator of %s cannot be read yet: not enough nodes answer", self._type
                )
                self._replicator.tell(Get(answer.key, LOAD), self.context.ref)
            case UpdateSuccess() if answer.request is self._storing and self._storing is not None:
                self._missing -= 1
                if self._missing == 0:
                    self._remembered |= self._storing.shards.keys()
                    self._storing = None
                    self._coordinator.stored(now_s)
            case _ if answer.request is self._storing and self._storing is not None:
                log.warning("the state of the coordinator of %s is not on enough nodes yet", self._type)
                # an equal state of its own, so that late answers to the first try do not count
                self._store(replace(self._storing))

    def _loaded(self, state: CoordinatorState | None, now_s: float) -> None:
        self._coordinator.loaded(state, now_s, None if self._all_shards is None else self._remembered)

    # -- the cluster

    def member_of(self, region: Any) -> Member | None:
        """The member on whose node a region is."""
        address = self._cluster.address_of(region)
        members = self._cluster.state.members.values()
        found = next((member for member in members if member.node.address == address), None)
        return None if found is None or found.status in JOINING else found

    @property
    def is_calm(self) -> bool:
        """Whether nobody joins and nobody is unreachable."""
        state = self._cluster.state
        joining = any(member.status in JOINING for member in state.members.values())
        return not joining and not state.reachability.unreachable

    def _now_s(self) -> float:
        return self.context.system.dispatcher.now_s()


def _with_all(data: GSet, elements: Iterable[str]) -> GSet:
    for element in elements:
        data = data.add(element)
    return data


class _Tick:
    __slots__ = ()


def coordinator_path(type_name: str) -> tuple[str, ...]:
    """Of the encoded name of a type."""
    return ("system", "sharding", f"{type_name}Coordinator", "singleton", "coordinator")
