"""The event stream of an actor system: a subscriber of a type receives published events of it and its subtypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from smackbox.akka.actor.ref import ActorRef

E = TypeVar("E")
Subscriber = ActorRef[Any] | Callable[[Any], None]


class EventStream:
    """The event stream of one process. A subscriber is an actor, or a function that must neither block nor raise."""

    def __init__(self) -> None:
        self._subscribers: dict[type, list[Subscriber]] = {}

    def subscribe(self, event_type: type[E], subscriber: ActorRef[E] | Callable[[E], None]) -> None:
        """Subscribing again has no effect."""
        subscribers = self._subscribers.setdefault(event_type, [])
        if subscriber not in subscribers:
            subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber, event_type: type | None = None) -> None:
        """Unsubscribe from one type, or from all."""
        for known in [event_type] if event_type is not None else list(self._subscribers):
            subscribers = self._subscribers.get(known, [])
            if subscriber in subscribers:
                subscribers.remove(subscriber)
            if not subscribers:
                self._subscribers.pop(known, None)

    def publish(self, event: object) -> None:
        if not self._subscribers:
            return
        for event_type in type(event).__mro__:
            for subscriber in tuple(self._subscribers.get(event_type, ())):
                if isinstance(subscriber, ActorRef):
                    subscriber.tell(event)
                else:
                    subscriber(event)
