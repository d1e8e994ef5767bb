"""The receptionist across a cluster: who registers under a key on one node is found on all of them.

    ClusterReceptionist(system)             # once on each node
    system.receptionist.register(PARSER, actor)

Registrations are in distributed data, five maps from keys to entries, as Pekko's typed receptionist keeps them, so JVMs
and Python nodes find each other's services. A key is its name and the JVM's class of its messages. Services of nodes
that are unreachable are not listed, those of nodes that were removed are taken out by the leader.
Source: `ClusterReceptionist`, `ServiceKeySerializer` and `PekkoClusterTypedSerializer` of Pekko 1.4.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.path import ActorPath
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.receptionist import ServiceKey
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.cluster.messages import DomainEvent
from smackbox.akka.cluster.names import java_hash
from smackbox.akka.cluster.topic import MessagePublished, read_published, write_published
from smackbox.akka.ddata.data import Key
from smackbox.akka.ddata.messages import Answer, Changed, Subscribe, Update
from smackbox.akka.ddata.ormap import ORMultiMap
from smackbox.akka.ddata.replica import ReplicatorSettings
from smackbox.akka.ddata.replicator import replicator_props
from smackbox.base.protobuf.message import Proto, decode, encode

if TYPE_CHECKING:
    from smackbox.akka.remote.serialization import Serialization, Serialized

NAME = "clusterReceptionist"
KEY_SERIALIZER = 26
ENTRY_SERIALIZER = 28
KEYS = tuple(Key[ORMultiMap](f"ReceptionistKey_{number}") for number in (0, 4, 1, 3, 2))
"""In the order in which a JVM's set of five has them; the hash of a service's name is a place in it."""
CLEAN_UP_S = 3.0
OLD_MS = 60_000
MASK64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A service, by its path with address; `uid` is of its actor system."""

    path: str
    uid: int
    created_ms: int = field(default=0, compare=False)

    @property
    def node(self) -> UniqueAddress:
        """Where it is."""
        return UniqueAddress(ActorPath.parse(self.path).address, self.uid)


class _Entry(msgspec.Struct, frozen=True):
    path: Annotated[str, Proto(1)]
    uid: Annotated[int, Proto(2, "uint64")]
    created_ms: Annotated[int | None, Proto(3, "int64")] = None


def _write_entry(_: Serialization, entry: Entry) -> Serialized:
    data = encode(_Entry(entry.path, entry.uid & MASK64, entry.created_ms or None))
    return ENTRY_SERIALIZER, "a", data


def _read_entry(_: Serialization, data: bytes) -> Entry:
    entry = decode(_Entry, data)
    uid = entry.uid - (1 << 64) if entry.uid >> 63 else entry.uid
    ActorPath.parse(entry.path)
    return Entry(entry.path, uid, entry.created_ms or 0)


def _write_key(_: Serialization, key: ServiceKey[Any]) -> Serialized:
    return KEY_SERIALIZER, key.type_name, key.name.encode()


WRITERS: dict[type, Callable[[Serialization, Any], Serialized]] = {
    Entry: _write_entry,
    ServiceKey: _write_key,
    MessagePublished: write_published,
}
READERS: dict[tuple[int, str | None], Callable[[Serialization, bytes], Any]] = {
    (ENTRY_SERIALIZER, "a"): _read_entry,
    (ENTRY_SERIALIZER, "b"): read_published,
}


def data_key(key: ServiceKey[Any]) -> Key[ORMultiMap]:
    """Of the map that holds a service."""
    return KEYS[abs(java_hash(key.name)) % len(KEYS)]


class ClusterReceptionist:
    """Of an actor system with a `Cluster`. Raises `LookupError` where there is none."""

    def __init__(self, system: ActorSystem, settings: ReplicatorSettings | None = None) -> None:
        cluster = Cluster.of(system)
        cluster.serialization.add(WRITERS, READERS)
        cluster.serialization.add_manifests(KEY_SERIALIZER, _read_key)
        known = system.resolve_local(ActorPath(system.address, ("system", NAME)))
        if not isinstance(known, LocalRef):
            system.spawn_system(Props.of(_Receptionist, cluster, settings or ReplicatorSettings()), NAME)


def _read_key(_: Serialization, manifest: str, data: bytes) -> ServiceKey[Any]:
    return ServiceKey(data.decode(), manifest)


@dataclass(frozen=True, slots=True)
class _Registered:
    key: ServiceKey[Any]
    ref: ActorRef[Any]
    added: bool


class _CleanUp:
    __slots__ = ()


class _Receptionist(Actor[Any]):
    def __init__(self, cluster: Cluster, settings: ReplicatorSettings) -> None:
        self._cluster = cluster
        self._replicator = self.context.spawn(replicator_props(cluster, settings), "replicator")
        self._maps: dict[Key[Any], dict[ServiceKey[Any], frozenset[Entry]]] = {}
        self._listed: dict[ServiceKey[Any], frozenset[ActorRef[Any]]] = {}
        self._removed: set[tuple[ServiceKey[Any], Entry]] = set()
        """Of this node, so that a change elsewhere at the same time does not bring them back."""

    def pre_start(self) -> None:
        context, receptionist = self.context, self.context.system.receptionist
        self._cluster.subscribe(context.ref)
        for data in KEYS:
            self._replicator.tell(Subscribe(data, context.ref))
        context.timers.start_with_fixed_delay("clean up", _CleanUp(), CLEAN_UP_S)
        receptionist.on_local_change = lambda key, ref, added: context.ref.tell(_Registered(key, ref, added))
        for key, refs in receptionist.local_services.items():
            for ref in refs:
                context.ref.tell(_Registered(key, ref, True))

    def post_stop(self) -> None:
        self._cluster.unsubscribe(self.context.ref)
        self.context.system.receptionist.on_local_change = None

    def receive(self, message: Any) -> Any:
        match message:
            case _Registered(key, ref, added):
                self._registered(key, ref, added)
            case Changed(key, data):
                self._maps[key] = {
                    service: entries for service, entries in data.entries.items() if isinstance(service, ServiceKey)
                }
                self._bring_back_no_removed(key)
                self._list()
            case DomainEvent():
                self._list()
            case _CleanUp():
                self._clean_up()
            case Answer():
                pass
            case _:
                return UNHANDLED
        return None

    # -- this node's services

    def _registered(self, key: ServiceKey[Any], ref: ActorRef[Any], added: bool) -> None:
        entry = Entry(self._cluster.serialization.path_of(ref), self._cluster.own.uid, int(time.time() * 1_000))
        if added:
            self._removed.discard((key, entry))
            self._change(data_key(key), lambda data: data.add(self._cluster.own, key, entry))
        else:
            self._removed.add((key, entry))
            self._change(data_key(key), lambda data: data.discard(self._cluster.own, key, entry))

    def _bring_back_no_removed(self, changed: Key[Any]) -> None:
        for key, entry in self._removed:
            if entry in self._maps[changed].get(key, ()):
                self._change(changed, lambda data, key=key, entry=entry: data.discard(self._cluster.own, key, entry))

    def _change(self, key: Key[Any], change: Callable[..., ORMultiMap]) -> None:
        self._replicator.tell(Update(key, ORMultiMap(), change), self.context.ref)

    # -- all services

    def _list(self) -> None:
        """Tell the receptionist of this node what the others have."""
        state, own = self._cluster.state, self._cluster.own
        unreachable = state.reachability.unreachable
        found: dict[ServiceKey[Any], frozenset[ActorRef[Any]]] = {}
        for services in self._maps.values():
            for key, entries in services.items():
                near = [e for e in entries if e.node != own and e.node in state.members and e.node not in unreachable]
                if near:
                    found[key] = frozenset(self._cluster.serialization.resolve(entry.path) for entry in near)
        receptionist = self.context.system.receptionist
        for key in found.keys() | self._listed.keys():
            refs = found.get(key, frozenset())
            if refs != self._listed.get(key, frozenset()):
                receptionist.set_remote(key, refs)
        self._listed = found

    def _clean_up(self) -> None:
        """The leader takes out what nodes have left that are members no more."""
        if self._cluster.leader != self._cluster.own.address:
            return
        members, before_ms = self._cluster.state.members, int(time.time() * 1_000) - OLD_MS
        for data, services in self._maps.items():
            for key, entries in services.items():
                for entry in entries:
                    if entry.node not in members and entry.node != self._cluster.own and entry.created_ms < before_ms:
                        self._change(data, lambda d, key=key, entry=entry: d.discard(self._cluster.own, key, entry))
