"""Finding actors by a service key instead of by a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef, DeadLetterRef

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem

M = TypeVar("M")


@record
class ServiceKey(Generic[M]):
    """Names a protocol: who registers under it takes messages of type M."""

    name: str


@record
class Listing(Generic[M]):
    """To a subscriber: all who are registered, now and after each change."""

    key: ServiceKey[M]
    instances: frozenset[ActorRef[M]]


class Receptionist:
    """Of one actor system. An actor that stops is registered no more."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._services: dict[ServiceKey[Any], set[ActorRef[Any]]] = {}
        self._subscribers: dict[ServiceKey[Any], set[ActorRef[Any]]] = {}
        self._watcher = _Watcher(system, self)

    def register(self, key: ServiceKey[M], ref: ActorRef[M]) -> None:
        services = self._services.setdefault(key, set())
        if ref not in services:
            services.add(ref)
            ref._watched_by(self._watcher)
            self._tell(key)

    def deregister(self, key: ServiceKey[M], ref: ActorRef[M]) -> None:
        services = self._services.get(key, set())
        if ref in services:
            services.discard(ref)
            if not services:
                del self._services[key]
            self._tell(key)

    def find(self, key: ServiceKey[M]) -> frozenset[ActorRef[M]]:
        return frozenset(self._services.get(key, ()))

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

    def __init__(self, system: ActorSystem, receptionist: Receptionist) -> None:
        super().__init__(system)
        self._receptionist = receptionist

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        self._receptionist._forget(ref)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other
