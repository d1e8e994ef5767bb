"""A shard: the entities of one part of all ids, as children of an actor.

It passivates those that nobody asks, or remembers all: then each is stored before it gets its first message, started
again where the shard is, and forgotten when it passivates itself.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.messages import Signal, Terminated
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.cluster.names import encode_name
from smackbox.akka.ddata.messages import Answer
from smackbox.akka.sharding.memory import Change, EntityMemory, MemorySettings
from smackbox.akka.sharding.messages import Passivate, ShardingEnvelope, ShardStopped, StartEntity, StartEntityAck

BUFFER_LIMIT = 100_000

log = logging.getLogger("smackbox.akka.sharding")


@dataclass(frozen=True, slots=True)
class ShardIsReady:
    """To the region: messages may come."""

    shard: str


@dataclass(frozen=True, slots=True)
class StopShard:
    """From the region: stop all entities, then tell `asker`."""

    asker: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class EntityLimit:
    """From the region: passivate those that were asked longest ago, so that so many stay."""

    entities: int


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """`idle_s` None passivates nobody. `stop_timeout_s` is what entities get to stop in a hand-off."""

    stop_message: Any
    idle_s: float | None = 120.0
    stop_timeout_s: float = 55.0
    buffer_limit: int = BUFFER_LIMIT
    memory: MemorySettings | None = None
    """Where entities are remembered; then nobody is passivated for being idle."""


class Shard(Actor[Any]):
    """`make` gives what to spawn for an id and this shard; `entities` is for questions of the region."""

    def __init__(
        self, shard: str, make: Callable[[str, ActorRef[Any]], Any], settings: ShardSettings, entities: set[str]
    ) -> None:
        self._shard = shard
        self._make = make
        self._settings = settings
        self._ids = entities
        self._entities: dict[str, ActorRef[Any]] = {}
        self._by_ref: dict[ActorRef[Any], str] = {}
        self._touched_s: dict[str, float] = {}
        self._waiting: dict[str, deque[tuple[Any, ActorRef[Any]]]] = {}
        """Entities that passivate, or are being remembered or forgotten, and what came for them meanwhile."""
        self._buffered = 0
        memory = settings.memory
        self._memory: EntityMemory | None = None
        if memory is not None:
            own, replicator = self.context.ref, memory.replicator
            self._memory = EntityMemory(shard, memory, lambda message: replicator.tell(message, own))
        self._asker: ActorRef[Any] | None = None
        self._limit: int | None = None

    def pre_start(self) -> None:
        idle_s = self._settings.idle_s
        if self._memory is not None:
            self._memory.load()
            return
        self.context.parent.tell(ShardIsReady(self._shard))
        if idle_s is not None:
            self.context.timers.start_with_fixed_delay("idle", _Idle(), idle_s / 2)

    def receive(self, message: Any) -> Any:
        match message:
            case ShardingEnvelope(entity_id, inner):
                self._deliver(entity_id, inner, self.context.sender)
            case StartEntity(entity_id):
                self._deliver(entity_id, message, self.context.sender)
            case Answer() if self._memory is not None:
                self._remembered(self._memory, message)
            case _Restart(entity_id):
                if self._asker is None and self._memory is not None and entity_id in self._memory.entities:
                    self._entity(entity_id)
            case Passivate(stop_message):
                entity_id = self._by_ref.get(self.context.sender, "")
                self._passivate(entity_id, self._settings.stop_message if stop_message is None else stop_message)
            case StopShard(asker):
                self._stop_all(asker)
            case EntityLimit(entities):
                self._limit = entities
                self._passivate_oldest(entities)
            case _Idle():
                self._passivate_idle()
            case _TooLong():
                log.warning("%d entities of the shard %s did not stop in time", len(self._entities), self._shard)
                self.context.stop_children()
            case _:
                return UNHANDLED
        return None

    def on_signal(self, signal: Signal) -> None:
        if not isinstance(signal, Terminated):
            return
        entity_id = self._by_ref.pop(signal.ref, None)
        if entity_id is None:
            return
        del self._entities[entity_id]
        self._ids.discard(entity_id)
        self._touched_s.pop(entity_id, None)
        if self._asker is not None:
            self._stop_when_empty()
        elif self._memory is None:
            self._deliver_waiting(entity_id)
        elif entity_id in self._waiting:
            self._memory.change(Change(entity_id, False))
        else:
            assert self._settings.memory is not None
            restart_s = self._settings.memory.restart_s
            self.context.timers.start_single(("restart", entity_id), _Restart(entity_id), restart_s)

    def _deliver_waiting(self, entity_id: str) -> None:
        waiting = self._waiting.pop(entity_id, ())
        self._buffered -= len(waiting)
        for message, sender in waiting:
            self._deliver(entity_id, message, sender)

    def _remembered(self, memory: EntityMemory, answer: Answer) -> None:
        was_loaded = memory.is_loaded
        change = memory.receive(answer)
        if change is not None:
            self._deliver_waiting(change.entity_id)
        elif memory.is_loaded and not was_loaded:
            for entity_id in sorted(memory.entities):
                self._entity(entity_id)
            self.context.parent.tell(ShardIsReady(self._shard))

    def post_stop(self) -> None:
        for waiting in self._waiting.values():
            for message, _ in waiting:
                self.context.system.dead_letter(message, self.context.ref, "the shard stops")

    # -- entities

    def _deliver(self, entity_id: str, message: Any, sender: ActorRef[Any]) -> None:
        system = self.context.system
        if self._asker is not None or not entity_id:
            reason = "the shard is handed over" if entity_id else "a message for an entity without an id"
            system.dead_letter(message, self.context.ref, reason)
            return
        waiting = self._waiting.get(entity_id)
        if waiting is None and self._memory is not None and entity_id not in self._memory.entities:
            waiting = self._waiting[entity_id] = deque()
            self._memory.change(Change(entity_id, True))
        if waiting is None:
            self._hand_in(entity_id, message, sender)
        elif self._buffered >= self._settings.buffer_limit:
            system.dead_letter(message, self.context.ref, f"{self._buffered} messages wait for entities already")
        else:
            self._buffered += 1
            waiting.append((message, sender))

    def _hand_in(self, entity_id: str, message: Any, sender: ActorRef[Any]) -> None:
        if self._limit is not None:
            self._touched_s.pop(entity_id, None)  # it becomes the last in the order in which they were asked
        self._touched_s[entity_id] = self._now_s()
        entity = self._entity(entity_id)
        if self._limit is not None:
            self._passivate_oldest(self._limit)
        if isinstance(message, StartEntity):
            sender.tell(StartEntityAck(entity_id, self._shard), self.context.ref)
        else:
            entity.tell(message, sender)

    def _entity(self, entity_id: str) -> ActorRef[Any]:
        found = self._entities.get(entity_id)
        if found is None:
            what = self._make(entity_id, self.context.ref)
            found = self.context.watch(self.context.spawn(what, encode_name(entity_id)))
            self._entities[entity_id] = found
            self._by_ref[found] = entity_id
            self._ids.add(entity_id)
            self._touched_s.setdefault(entity_id, self._now_s())
        return found

    def _passivate(self, entity_id: str, stop_message: Any) -> None:
        if entity_id in self._entities and entity_id not in self._waiting:
            self._waiting[entity_id] = deque()
            self._entities[entity_id].tell(stop_message, self.context.ref)

    def _passivate_idle(self) -> None:
        assert self._settings.idle_s is not None
        before_s = self._now_s() - self._settings.idle_s
        for entity_id in [entity_id for entity_id, at_s in self._touched_s.items() if at_s <= before_s]:
            self._passivate(entity_id, self._settings.stop_message)

    def _passivate_oldest(self, limit: int) -> None:
        over = len(self._entities) - len(self._waiting) - limit
        if over <= 0 or self._memory is not None:
            return
        for entity_id in [entity_id for entity_id in self._touched_s if entity_id not in self._waiting][:over]:
            self._passivate(entity_id, self._settings.stop_message)

    # -- the end

    def _stop_all(self, asker: ActorRef[Any]) -> None:
        self._asker = asker
        for ref in self._entities.values():
            ref.tell(self._settings.stop_message, self.context.ref)
        self.context.timers.start_single("too long", _TooLong(), self._settings.stop_timeout_s)
        self._stop_when_empty()

    def _stop_when_empty(self) -> None:
        if not self._entities and self._asker is not None:
            self._asker.tell(ShardStopped(self._shard), self.context.ref)
            self.context.stop()

    def _now_s(self) -> float:
        return self.context.system.dispatcher.now_s()


class _Idle:
    __slots__ = ()


class _TooLong:
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Restart:
    entity_id: str
