"""Finds actors by a service key instead of a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from smackbox.akka.actor.local_ref import DeadLetterRef
from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef, RefSystem

M = TypeVar("M")


@record
class ServiceKey(Generic[M]):
    """Names a protocol: actors registered under it accept messages of type M.

    `type_name` is the JVM's class of the messages, for services that JVMs know too.
    """

    name: str
    type_name: str = "java.lang.Object"


@record
class Listing(Generic[M]):
    """To a subscriber: all registered actors, now and after each change."""

    key: ServiceKey[M]
    instances: frozenset[ActorRef[M]]


class Receptionist:
    """The receptionist of one actor system. An actor that stops is deregistered."""

    def __init__(self, system: RefSystem) -> None:
        self._system = system
        self._services: dict[ServiceKey[Any], set[ActorRef[Any]]] = {}
        self._remote: dict[ServiceKey[Any], frozenset[ActorRef[Any]]] = {}
        self.on_local_change: Callable[[ServiceKey[Any], ActorRef[Any], bool], None] | None = None
        """For the cluster's receptionist: a service of this system is registered (True) or is so no more."""
        self._subscribers: dict[ServiceKey[Any], set[ActorRef[Any]]] = {}
        self._watcher = _Watcher(system, self)

    def register(self, key: ServiceKey[M], ref: ActorRef[M]) -> None:
        services = self._services.setdefault(key, set())
        if ref not in services:
            services.add(ref)
            ref._watched_by(self._watcher)
            self._tell(key)
            if self.on_local_change is not None:
                self.on_local_change(key, ref, True)

    def deregister(self, key: ServiceKey[M], ref: ActorRef[M]) -> None:
        services = self._services.get(key, set())
        if ref in services:
            services.discard(ref)
            if not services:
                del self._services[key]
            self._tell(key)
            if self.on_local_change is not None:
                self.on_local_change(key, ref, False)

    @property
    def local_services(self) -> dict[ServiceKey[Any], frozenset[ActorRef[Any]]]:
        """Those of this system."""
        return {key: frozenset(refs) for key, refs in self._services.items()}

    def set_remote(self, key: ServiceKey[Any], refs: frozenset[ActorRef[Any]]) -> None:
        """Set the actors that other systems of the cluster have registered under a key."""
        self._remote[key] = refs
        if not refs:
            del self._remote[key]
        self._tell(key)

    def find(self, key: ServiceKey[M]) -> frozenset[ActorRef[M]]:
        """All of this system, and with a `ClusterReceptionist` those of the other nodes."""
        return frozenset(self._services.get(key, ())) | self._remote.get(key, frozenset())

    def subscribe(self, key: ServiceKey[M], subscriber: ActorRef[Any]) -> None:
        """`subscriber` gets a `Listing` at once and after each change, until it stops."""
        self._subscribers.setdefault(key, set()).add(subscriber)
        subscriber._watched_by(self._watcher)
        subscriber.tell(Listing(key, self.find(key)))

    def _tell(self, key: ServiceKey[Any]) -> None:
        listing = Listing(key, self.find(key))
        for subscriber in self._subscribers.get(key, ()):
            subscriber.tell(listing)

    def _forget(self, ref: ActorRef[Any]) -> None:
        for key in list(self._subscribers):
            self._subscribers[key].discard(ref)
            if not self._subscribers[key]:
                del self._subscribers[key]
        for key in [key for key, services in self._services.items() if ref in services]:
            self.deregister(key, ref)


class _Watcher(DeadLetterRef):
    __slots__ = ("_receptionist",)

    def __init__(self, system: RefSystem, receptionist: Receptionist) -> None:
        super().__init__(system)
        self._receptionist = receptionist

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        self._receptionist._forget(ref)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other
