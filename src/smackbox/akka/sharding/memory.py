"""The entities that a shard remembers: started again where the shard is, also when nobody asks for them.

Five sets in the replicator of sharding, as Pekko's, by Java's hash of the id: `shard-TYPE-SHARD-0` to `-4`. Kept in a
file, they outlive all nodes (`ReplicatorSettings.durable_keys`). Source: `DDataRememberEntitiesShardStore` of Pekko.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.cluster.names import java_hash
from smackbox.akka.ddata.consistency import Majority
from smackbox.akka.ddata.data import Key
from smackbox.akka.ddata.messages import Answer, Get, GetSuccess, NotFound, Update, UpdateSuccess
from smackbox.akka.ddata.orset import ORSet

KEYS = 5
READ = Majority(timeout_s=2.0, minimum=5)
WRITE = Majority(timeout_s=1.25, minimum=5)

log = logging.getLogger("smackbox.akka.sharding")


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """Where entities of a type are remembered. `restart_s` is when one that has stopped by itself is started again."""

    type_name: str
    replicator: ActorRef[Any]
    node: UniqueAddress
    restart_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Change:
    """An entity is remembered (`added`), or is so no more."""

    entity_id: str
    added: bool


class EntityMemory:
    """Of one shard. `tell` sends to the replicator, whose answers come to `receive`."""

    def __init__(self, shard: str, settings: MemorySettings, tell: Callable[[Any], None]) -> None:
        self.entities: set[str] = set()
        self._keys: list[Key[ORSet]] = [Key(f"shard-{settings.type_name}-{shard}-{number}") for number in range(KEYS)]
        self._node = settings.node
        self._tell = tell
        self._missing = set(range(KEYS))

    @property
    def is_loaded(self) -> bool:
        """Whether all sets are read."""
        return not self._missing

    def load(self) -> None:
        """Read all sets."""
        for number, key in enumerate(self._keys):
            self._tell(Get(key, READ, request=number))

    def change(self, change: Change) -> None:
        """Store a change, again until it is on a majority; `receive` gives it back then."""
        key, entity_id, node = self._keys[abs(java_hash(change.entity_id)) % KEYS], change.entity_id, self._node

        def changed(data: ORSet) -> ORSet:
            return data.add(node, entity_id) if change.added else data.remove(node, entity_id)

        self._tell(Update(key, ORSet(), changed, WRITE, request=change))

    def receive(self, answer: Answer) -> Change | None:
        """The change that is stored, if it is one."""
        request = answer.request
        if isinstance(request, Change):
            if isinstance(answer, UpdateSuccess):
                (self.entities.add if request.added else self.entities.discard)(request.entity_id)
                return request
            log.warning("%s is not remembered on enough nodes yet", request.entity_id)
            self.change(request)
        elif isinstance(answer, GetSuccess | NotFound):
            if isinstance(answer, GetSuccess):
                self.entities |= answer.data.elements
            self._missing.discard(request)
        else:
            self._tell(Get(self._keys[request], READ, request=request))
        return None
